"""
Roofs of a mosaic, as GeoJSON
=============================

Clicks on roofs become outlines in map coordinates, with their area in square metres. It needs
``pip install "napari-seem[geo]"``.
"""

import json
from pathlib import Path
from tempfile import mkdtemp

import napari_seem as ns
from napari_seem.samples.files import write_map

# %%
# A drawn mosaic of 100 m x 100 m in UTM zone 32, written as a GeoTIFF.
folder = Path(mkdtemp())
write_map(folder / "mosaic.tif")
mosaic = ns.open_image(folder / "mosaic.tif")

# %%
# Six clicks, one for each roof, in one call.
model = ns.load_model("compact")
clicks = [(642, 345), (296, 374), (184, 166), (657, 223), (935, 344), (238, 692)]
roofs = ns.segment_objects(model, mosaic.data, clicks)
roofs

# %%
# Outlines follow the edges of the pixels, so that areas are exact.
table = ns.ObjectTable({number: ns.ObjectRecord("roof") for number in range(1, 7)})
ns.write_labels(folder / "roofs.geojson", roofs.labels.astype("uint16"), mosaic.grid, table)
document = json.loads((folder / "roofs.geojson").read_text(encoding="utf-8"))
for feature in document["features"]:
    print(feature["properties"])
