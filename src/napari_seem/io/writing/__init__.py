"""How files are put on a disk: whole or not at all, by one program at a time."""
