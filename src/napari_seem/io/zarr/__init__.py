"""OME-Zarr: images and labels read, labels written whole or while a person works."""
