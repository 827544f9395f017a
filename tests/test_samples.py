"""Samples come from what is installed, or from a seed; nothing is downloaded."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest

from napari_seem.samples import SAMPLES, mosaic, stack


@pytest.mark.parametrize("name", SAMPLES)
def test_every_sample_is_an_image_layer(name):
    sample = SAMPLES[name]()
    data, about, kind = sample.layer()

    assert kind == "image"
    assert len(about["scale"]) == len(sample.spacing) == data.ndim - about["rgb"]
    assert np.ptp(np.asarray(data)) > 0
    if sample.truth is not None:
        assert sample.truth.shape == data.shape[: len(sample.spacing)]
        assert sample.truth.max() > 10


@pytest.mark.parametrize("make", [partial(stack, shape=(6, 64, 64)), partial(mosaic, size=256)])
def test_made_up_samples_are_the_same_for_the_same_seed(make):
    one = make(seed=3).image
    assert np.array_equal(one, make(seed=3).image)
    assert not np.array_equal(one, make(seed=4).image)
