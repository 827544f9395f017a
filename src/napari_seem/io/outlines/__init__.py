"""Labels as outlines and outlines as labels: GeoJSON, COCO, ImageJ ROI sets."""
