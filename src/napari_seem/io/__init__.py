"""Image files in, label files out."""
