"""Classes of pixels, learned from a few strokes: vessels, roads, cracks, membranes."""

from __future__ import annotations

from .answers import PixelClasses
from .classifier import PixelClassifier
from .features import PixelFeatures
from .objects import objects_of

__all__ = ["PixelClasses", "PixelClassifier", "PixelFeatures", "objects_of"]
