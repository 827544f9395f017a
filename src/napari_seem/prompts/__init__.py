"""What a person can point with: the prompts of one plane, in its pixel coordinates.

Coordinates are (row, column) in pixels, pixel centres at integers; boxes are half-open.
"""

from .geometry import (
    CLICK_RADIUS,
    Extent,
    check_prompts,
    extent,
    pixel_box,
    rasterize,
    union,
)
from .kinds import (
    PROMPT_TYPES,
    BoolArray,
    Box,
    Mask,
    Point,
    Polygon,
    Prompt,
    Reference,
    Scribble,
    SpatialPrompt,
    Text,
    as_mask,
    new_uid,
)

__all__ = [
    "CLICK_RADIUS", "PROMPT_TYPES", "BoolArray", "Box", "Extent", "Mask", "Point", "Polygon",
    "Prompt", "Reference", "Scribble", "SpatialPrompt", "Text", "as_mask", "check_prompts",
    "extent", "new_uid", "pixel_box", "rasterize", "union",
]  # fmt: skip
