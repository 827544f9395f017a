"""What a model promises whose encoder describes every pixel of an image."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from .base import Embedding


@dataclass(frozen=True, eq=False)
class FeatureMap:
    """Features on a grid of cells over an image.

    Attributes
    ----------
    values : float array (C, h, w)
    scale : (float, float)
        Cells per image pixel along rows and columns. The corners of the first cell and of the first
        pixel coincide; the last cells may reach beyond the image.
    """

    values: npt.NDArray[np.floating[Any]] = field(repr=False)
    scale: tuple[float, float]


@runtime_checkable
class PixelFeatureModel(Protocol):
    """A model that gives features of pixels, from which other classifiers learn."""

    identity: str

    def pixel_features(self, embedding: Embedding) -> Sequence[FeatureMap]:
        """Return the features of an encoded image, in maps of several resolutions.

        Their number, order and channels are the same for every image.
        """
