"""SEEM: *Segment Everything Everywhere All at Once* (Zou et al., NeurIPS 2023, 2304.06718)."""
