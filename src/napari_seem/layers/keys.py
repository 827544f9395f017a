"""Keys of layers' metadata that several modules read."""

GRID = "napari-seem grid"
"""The grid of the file that a layer came from."""
ABOUT = "napari-seem about"
"""What the file says besides; of labels, how they came about."""
