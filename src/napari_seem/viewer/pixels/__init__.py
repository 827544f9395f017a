"""Classes of pixels in a viewer: the strokes that teach them, and what is shown of the answers."""
