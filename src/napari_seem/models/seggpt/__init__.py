"""SegGPT: segmenting everything in context (Wang et al., ICCV 2023, arXiv 2304.03284)."""
