"""napari's layers in terms of planes, prompts and edits: the one place that knows their events."""
