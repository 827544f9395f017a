"""Planes too big for one pass: prompts that read only their surroundings, and whole-plane runs."""

from .frames import SIDE, WHOLE, is_big
from .pixels import PlanePixels
from .tiled import TiledEmbedding, TiledMemory, TiledModel
from .whole import FoundObject, PlaneRun, WholePlane, instances_of, segment_tiled

__all__ = [
    "SIDE", "WHOLE", "FoundObject", "PlanePixels", "PlaneRun", "TiledEmbedding", "TiledMemory",
    "TiledModel", "WholePlane", "instances_of", "is_big", "segment_tiled",
]  # fmt: skip
