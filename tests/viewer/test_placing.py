"""Whether layers lie on each other, and where they are saved, without a window."""

from __future__ import annotations

import numpy as np
import pytest
from napari.components import ViewerModel

from napari_seem.errors import InvalidLabels
from napari_seem.io.grid import Grid
from napari_seem.viewer.coordinates import lie_alike
from napari_seem.viewer.label_layers.targets import check_target, new_labels
from napari_seem.viewer.metadata import GRID, grid_of
from napari_seem.viewer.shown import channel_layers

SHAPE = (3, 40, 50)
MAP = {"scale": (2, -2), "translate": (5_500_000, 500_000)}


@pytest.fixture
def viewer():
    return ViewerModel()


def layers(viewer, one, other):
    shape = SHAPE[-len(next(iter(one.values()))) :]
    return [viewer.add_image(np.zeros(shape), **options) for options in (one, other)]


@pytest.mark.parametrize(
    ("one", "other", "alike"),
    [
        (MAP, MAP | {"translate": (5_500_010, 500_000)}, False),  # by five pixels of 5,500,000 m
        (MAP, MAP | {"translate": (5_500_000.01, 500_000)}, True),
        ({"scale": (5e-9, 5e-9)}, {"scale": (4e-9, 5e-9)}, False),
        (
            {"scale": (2, 2), "units": ("um", "um")},
            {"scale": (2000, 2000), "units": ("nm", "nm")},
            True,
        ),
        ({"scale": (2, 2), "units": ("um", "um")}, {"scale": (2, 2), "units": ("nm", "nm")}, False),
        ({"scale": (2, 2), "units": ("um", "um")}, {"scale": (2, 2)}, True),  # pixels: no unit
    ],
)
@pytest.mark.filterwarnings("ignore:Inconsistent units")
def test_layers_lie_alike_by_their_pixels_not_by_the_size_of_the_numbers(viewer, one, other, alike):
    assert lie_alike(*layers(viewer, one, other)) == alike


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"scale": (1, 2, 2)}, "their scale differs"),
        ({"scale": (1, 2, 2), "translate": (0, 0, 9)}, "their scale and translate differ"),
        ({"units": ("nm", "nm", "nm")}, "their units differ"),
        ({"affine": np.diag([1, 1, 3, 1])}, "their affine differs"),
    ],
)
def test_labels_that_lie_elsewhere_are_refused_with_what_differs(viewer, options, said):
    image = viewer.add_image(np.zeros(SHAPE), name="image", units=("um", "um", "um"))
    labels = viewer.add_labels(
        np.zeros(SHAPE, np.uint8), name="labels", **{"units": ("um", "um", "um")} | options
    )
    with pytest.raises(InvalidLabels, match=f"'labels' does not lie on 'image': {said}"):
        check_target(labels, image, 1)


def test_labels_made_for_an_image_go_along_until_a_person_moves_them(viewer):
    image = viewer.add_image(np.zeros(SHAPE), units=("um", "um", "um"))
    labels, theirs = new_labels(viewer, image), viewer.add_labels(np.zeros(SHAPE, np.uint8))
    image.scale, image.units, image.rotate = (3, 1, 1), ("mm", "mm", "mm"), (0, 0, 30)

    assert lie_alike(labels, image)
    assert np.array_equal(theirs.scale, (1, 1, 1))
    labels.translate = (0, 0, 50)
    image.scale = (1, 1, 1)
    assert np.array_equal(labels.scale, (3, 1, 1))


def test_two_images_of_one_size_are_no_channels_of_each_other(viewer):
    one, other = layers(viewer, {"scale": (1, 1)}, {"scale": (1, 1)})
    assert channel_layers(one, viewer.layers) == (one,)
    other.blending = "additive"
    assert channel_layers(one, viewer.layers) == (one, other)


def test_a_scale_or_unit_that_a_person_types_counts_more_than_the_files(viewer):
    data, units = np.zeros(SHAPE, np.uint8), ("um", "um", "um")
    grid = Grid.scaled(SHAPE, ("z", "y", "x"), (2, 1, 1), None, units, "tiff")
    image = viewer.add_image(data, metadata={GRID: grid}, **grid.layer_options())
    labels = new_labels(viewer, image)
    assert grid_of(labels) is grid
    image.scale = (5, 0.5, 0.5)
    assert grid_of(labels).spacing == (5, 0.5, 0.5)
    image.scale = (2, 1, 1)
    assert grid_of(labels) is grid
    image.units = ("nm", "nm", "nm")
    assert grid_of(labels).units == ("nm", "nm", "nm")
