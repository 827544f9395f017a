"""A drawn image of dark vessels on a bright ground, its strokes, and a small network."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import ndimage

from napari_seem.models.compact.model import CompactModel
from napari_seem.models.compact.network import CompactConfig, CompactNetwork

SIDE = 160
LITTLE = CompactConfig(widths=(4, 6, 8, 10, 12), decoder_widths=(4, 4, 4, 4))


def vessels(side: int = SIDE, seed: int = 0):
    """An image uint8 (side, side, 3), and where its vessels are, bool (side, side)."""
    rng = np.random.default_rng(seed)
    columns = np.arange(side)
    mask = np.zeros((side, side), bool)
    for base in range(20, side, 40):
        rows = base + 6 * np.sin(columns / 9 + base)
        mask |= np.abs(np.arange(side)[:, None] - rows) < 2
    shade = ndimage.gaussian_filter(rng.normal(size=mask.shape), 12) * 200
    image = 150 + shade - 50 * mask + rng.normal(0, 6, mask.shape)
    return np.repeat(image.clip(0, 255).astype(np.uint8)[..., None], 3, axis=2), mask


def strokes_on(mask, seed: int = 0):
    """Two short strokes on the vessels (1) and two beside them (2), uint8 (side, side)."""
    strokes = np.zeros(mask.shape, np.uint8)
    for first in (10, 90):
        part = np.s_[:, first : first + 30]
        strokes[part][ndimage.binary_erosion(mask)[part]] = 1
        beside = ndimage.binary_dilation(mask, iterations=6) & ~ndimage.binary_dilation(
            mask, iterations=4
        )
        strokes[part][beside[part]] = 2
    return strokes


@pytest.fixture(scope="session")
def scene():
    image, mask = vessels()
    return image, mask, strokes_on(mask)


@pytest.fixture(scope="session")
def little_model():
    torch.manual_seed(0)
    network = CompactNetwork(LITTLE).eval()
    return CompactModel(network, ("thing",), "little@1")


def iou(found, truth) -> float:
    return (found & truth).sum() / (found | truth).sum()
