"""The encoder's maps as features of pixels."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from torch import Tensor

from ..base import Embedding
from ..pixel_features import FeatureMap
from .network import COARSE_STRIDE, FINE_STRIDE
from .pyramid import levels

LEVELS = 3
"""Scales of the image whose features are given, from the finest; small images repeat the last."""


def feature_maps(embedding: Embedding) -> list[FeatureMap]:
    """Return the features at strides 2 and 4 of the first scales of an encoded image."""
    every = levels(embedding)
    maps = []
    for number in range(LEVELS):
        level = every[min(number, len(every) - 1)]
        for features, stride in ((level.fine, FINE_STRIDE), (level.coarse, COARSE_STRIDE)):
            scale = level.scale[0] / stride, level.scale[1] / stride
            maps.append(FeatureMap(_plain(features), scale))
    return maps


def _plain(features: Tensor) -> npt.NDArray[np.float16]:
    """Return features (C, h, w) as numpy has them."""
    return features.detach().half().cpu().contiguous().numpy()
