"""napari's layers in terms of planes, prompts and labels: the one place that knows their events."""
