"""The look belongs to the image layer, for every dock alike."""

from __future__ import annotations

import numpy as np
import pytest
from napari.components import ViewerModel

from napari_seem.errors import InvalidImage
from napari_seem.intensity import IntensityWindow
from napari_seem.planes import Plane
from napari_seem.viewer.files import ABOUT
from napari_seem.viewer.model_input import (
    CONTRAST,
    VEGETATION,
    ModelInput,
    choose_window,
    model_input_of,
    note_model_input,
    window_of_layer,
)
from napari_seem.viewer.stacks import shown_stack


@pytest.fixture
def viewer():
    return ViewerModel()


def test_contrast_limits_are_those_of_the_moment(viewer):
    layer = viewer.add_image(np.zeros((8, 9), np.int16), contrast_limits=(-10, 50))
    assert window_of_layer(layer) == IntensityWindow()
    choose_window(layer, CONTRAST)
    assert window_of_layer(layer).window == (-10, 50)
    layer.contrast_limits = (0, 20)
    assert window_of_layer(layer).window == (0, 20)


def test_a_stack_is_read_by_its_look(viewer):
    volume = np.arange(3 * 8 * 9, dtype=np.int16).reshape(3, 8, 9)
    layer = viewer.add_image(volume)
    choose_window(layer, IntensityWindow(window=(0, 100)))
    stack = shown_stack(layer, viewer.dims)
    assert stack.shape == (3, 8, 9, 3)
    np.testing.assert_array_equal(stack[0, :, :], IntensityWindow(window=(0, 100)).apply(volume[0]))


def test_vegetation_takes_its_bands_by_name(viewer):
    layers = [viewer.add_image(np.zeros((8, 9), np.uint16), name=f"field {band}")
              for band in ("red", "green", "blue", "NIR")]  # fmt: skip
    choose_window(layers[0], VEGETATION, layers)
    shown = model_input_of(layers[0], layers, together=False)
    assert [layer.name for layer in shown.layers] == ["field NIR", "field red"]
    assert shown.index
    layers[3].name = "something"
    assert model_input_of(layers[0], layers, together=False) == ModelInput(
        (layers[0],), (IntensityWindow(),)
    )
    with pytest.raises(InvalidImage, match="near infrared"):
        choose_window(layers[1], VEGETATION, layers)


def test_an_index_is_read_from_both_layers_at_every_resolution(viewer):
    rng = np.random.default_rng(0)
    near, red = (rng.integers(0, 9000, (2, 64, 48)).astype(np.uint16) for _ in range(2))
    a = viewer.add_image([near, near[:, ::2, ::2]], multiscale=True, name="b8")
    b = viewer.add_image([red, red[:, ::2, ::2]], multiscale=True, name="b4")
    choose_window(a, VEGETATION, [a, b])
    plane = Plane((1, None, None), (2, 1))
    source = model_input_of(a, viewer.layers, together=False).source(plane)
    ((fine, coarse),) = source.input.levels
    values = (near[1] - red[1].astype(float)) / np.maximum(1.0, near[1] + red[1].astype(float))
    expected = (values.T + 1) * 127.5
    assert np.abs(source.read()[..., 0] - expected).max() < 1.01
    assert coarse.shape == (2, 32, 24, 3)
    np.testing.assert_array_equal(fine[1, ::2, ::2], coarse[1])


def test_what_was_shown_stays_with_the_labels(viewer):
    image = viewer.add_image(np.zeros((8, 9), np.int16), name="scan")
    labels = viewer.add_labels(np.zeros((8, 9), np.uint16))
    for window in ((0, 10), (0, 10), (5, 10)):
        choose_window(image, IntensityWindow(window=window))
        note_model_input(labels, model_input_of(image, viewer.layers, together=False))
    about = labels.metadata[ABOUT]
    assert about["image"] == "scan"
    assert about["shown"] == [{"window": [0.0, 10.0]}, {"window": [5.0, 10.0]}]
