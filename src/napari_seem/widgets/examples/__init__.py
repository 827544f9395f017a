"""The Examples dock: images are labelled as a few examples are."""
