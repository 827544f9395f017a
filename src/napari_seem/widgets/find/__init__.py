"""The Find dock: everything that a word names, in planes, images and files."""
