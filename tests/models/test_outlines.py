"""Outlines drawn as masks: scikit-image's pixels, and none for those beside the image."""

from __future__ import annotations

import numpy as np
import pytest
from skimage.draw import polygon

import napari_seem as ns
from napari_seem.errors import InvalidPrompt
from napari_seem.prompts import check_prompts, rasterize


@pytest.mark.parametrize("step", [1.0, 0.5, 0.001])
def test_an_outline_holds_the_pixels_that_scikit_image_draws(step: float) -> None:
    """Also where it crosses itself, leaves the image, or runs through the middle of pixels."""
    rng = np.random.default_rng(0)
    for _ in range(60):
        shape = (int(rng.integers(5, 80)), int(rng.integers(5, 80)))
        vertices = np.round(rng.uniform(-20, 100, (int(rng.integers(3, 30)), 2)) / step) * step
        expected = np.zeros(shape, bool)
        expected[polygon(*vertices.T, shape)] = True
        outline = ns.Polygon(vertices)
        assert np.array_equal(rasterize(outline, shape), expected)
        if expected.any():
            check_prompts([outline], shape)
        else:
            with pytest.raises(InvalidPrompt, match="covers no pixel"):
                check_prompts([outline], shape)
