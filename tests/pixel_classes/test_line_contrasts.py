"""Contrasts of lines: large on lines, none along edges."""

from __future__ import annotations

import numpy as np
import pytest

from napari_seem.pixel_classes.filters import plain_features
from napari_seem.pixel_classes.lines import line_contrasts


def drawn(angle: float, width: float = 1.5) -> np.ndarray:
    """A dark line (64, 64) through the middle."""
    y, x = np.mgrid[-32:32, -32:32]
    off = np.abs(x * np.sin(angle) - y * np.cos(angle))
    return np.where(off <= width, 0.2, 0.8).astype(np.float32)


@pytest.mark.parametrize("angle", np.pi / 12 * np.arange(12))
def test_a_line_has_contrast_in_any_direction(angle):
    image = drawn(angle)
    dark, light = line_contrasts(image)
    assert light[32, 32] < 0.1 < 0.5 < dark[32, 32]
    np.testing.assert_array_equal(line_contrasts(1 - image)[1] > 0.25, dark > 0.25)


def test_an_edge_has_none():
    image = np.full((64, 64), 0.8, np.float32)
    image[:, 32:] = 0.2
    dark, light = line_contrasts(image)
    assert max(dark[8:-8, 8:-8].max(), light[8:-8, 8:-8].max()) < 0.01


@pytest.mark.parametrize("shape", [(1, 1), (2, 7), (9, 3)])
def test_small_images_have_finite_features_on_grids_that_cover_them(shape, rng):
    image = rng.integers(0, 256, (*shape, 3)).astype(np.uint8)
    maps = plain_features(image)
    assert sum(len(one.values) for one in maps) == 79
    for one in maps:
        assert one.values.dtype == np.float32
        assert np.isfinite(one.values).all()
        size = np.array(one.values.shape[1:]) / one.scale
        assert (size >= shape).all()
