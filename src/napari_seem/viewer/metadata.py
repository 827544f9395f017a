"""Keys of layers' metadata that several modules read."""

GRID = "napari-seem grid"
"""The grid of the file that a layer came from."""
ABOUT = "napari-seem about"
"""What the file says besides; of labels, how they came about."""
SOURCE = "napari-seem source"
"""The file or folder that an image layer came from."""
