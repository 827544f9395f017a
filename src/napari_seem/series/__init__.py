"""A series of images to label: which they are, how far each is, and what two people differ in."""
