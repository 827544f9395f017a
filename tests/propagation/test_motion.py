"""How far objects moved between frames."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from napari_seem.propagation.motion import moves


@pytest.fixture
def texture(rng):
    image = ndimage.gaussian_filter(rng.normal(0, 1, (120, 120, 3)), (2, 2, 0))
    return np.clip(128 + 300 * image, 0, 255).astype(np.uint8)


def test_a_shifted_texture_is_found(texture):
    after = np.roll(texture, (9, -6), (0, 1))

    assert moves(texture, after, {4: (40, 40, 70, 76)}) == {4: (9.0, -6.0)}


def test_what_stays_is_not_said_to_move(texture, rng):
    noisy = np.clip(texture + rng.normal(0, 8, texture.shape), 0, 255).astype(np.uint8)

    assert moves(texture, noisy, {4: (40, 40, 70, 76), 5: (0, 0, 12, 12)}) == {}


def test_flat_and_tiny_patches_stay_where_they_are(texture):
    flat = np.full_like(texture, 7)

    assert moves(flat, texture, {1: (40, 40, 60, 60)}) == {}
    assert moves(texture, flat, {1: (40, 40, 60, 60)}) == {}
    assert moves(texture, texture, {1: (119, 119, 120, 120)}) == {}
