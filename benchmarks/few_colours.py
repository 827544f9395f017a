"""Pictures of few colours, which take a third of the bytes."""

from __future__ import annotations

from PIL import Image

COLOURS = 120
"""Of a palette, by each of two ways to choose them."""


def palette(picture: Image.Image) -> Image.Image:
    """Return an image that holds a palette for an RGB picture: its grays, and its rare colours."""
    colours: list[int] = []
    for method in (Image.Quantize.MEDIANCUT, Image.Quantize.MAXCOVERAGE):  # grays, and labels
        colours += (picture.quantize(COLOURS, method=method).getpalette() or [])[: 3 * COLOURS]
    holder = Image.new("P", (1, 1))
    holder.putpalette(colours)
    return holder
