"""Planes are named by the number that napari's slider shows, with their position."""

from __future__ import annotations

import numpy as np
import pytest
from napari.components import ViewerModel

from napari_seem.viewer.coordinates import shown_plane
from napari_seem.viewer.stacks import is_time, plane_sources_of_stack, plane_text, slider_numbers


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({}, "plane 3"),
        ({"scale": (0.25, 1, 1), "units": ("um",) * 3}, "plane 3 (0.75 um)"),
        ({"scale": (20, 1, 1), "units": ("s", "um", "um")}, "plane 3 (60.0 s)"),
        ({"translate": (100, 0, 0)}, "plane 3 (103.0)"),
        ({"scale": (-1, 1, 1)}, "plane 6 (-3.0)"),
        ({"affine": np.diag([5.0, 1, 1, 1])}, "plane 3 (15.0)"),
    ],
)
def test_a_plane_has_its_sliders_number_and_its_position(options, text):
    viewer = ViewerModel()
    image = viewer.add_image(np.zeros((10, 8, 9)), **options)
    viewer.dims.set_point(0, image.data_to_world((3, 0, 0))[0])

    plane = shown_plane(image, viewer.dims)

    assert plane_text(image, viewer.dims, plane) == text
    assert f"plane {viewer.dims.current_step[0]}" == text.split(" (")[0]
    assert slider_numbers(image, viewer.dims, 0)[3] == viewer.dims.current_step[0]


@pytest.mark.parametrize("order", [(0, 1, 2), (1, 0, 2), (2, 1, 0)])
@pytest.mark.parametrize("beside", [{}, {"translate": (-7, -4, -3)}, {"scale": (0.5, 0.5, 0.5)}])
def test_numbers_are_the_sliders_along_every_axis_and_beside_other_layers(order, beside):
    viewer = ViewerModel()
    image = viewer.add_image(np.zeros((10, 11, 12)), scale=(2, 1, 1), translate=(4, 0, 0))
    viewer.add_image(np.zeros((4, 4, 4)), **beside)
    viewer.dims.order = order
    axis = order[0]

    for index, number in enumerate(slider_numbers(image, viewer.dims, axis)):
        point = np.zeros(3)
        point[axis] = index
        viewer.dims.set_point(axis, image.data_to_world(point)[axis])
        assert viewer.dims.current_step[axis] == number
        named = plane_text(image, viewer.dims, shown_plane(image, viewer.dims), axis)
        assert named.split(" (")[0] == f"plane {number}"


def test_layers_of_fewer_axes_and_of_other_units_are_named_in_the_viewers_unit():
    viewer = ViewerModel()
    viewer.add_image(np.zeros((2, 10, 8, 9)), units=("s", "um", "um", "um"))
    image = viewer.add_image(
        np.zeros((10, 8, 9)), units=("nm", "um", "um"), scale=(1000, 1, 1)
    )  # fmt: skip
    viewer.dims.set_current_step(1, 4)

    assert plane_text(image, viewer.dims, shown_plane(image, viewer.dims)) == "plane 4 (4000.0 nm)"


def test_all_axes_that_are_not_shown_are_named():
    viewer = ViewerModel()
    image = viewer.add_image(np.zeros((3, 10, 8, 9)), scale=(1, 0.5, 1, 1))
    viewer.dims.set_point((0, 1), (2, 3.5))

    plane = shown_plane(image, viewer.dims)

    assert plane_text(image, viewer.dims, plane) == "plane 2, 7 (3.50)"
    assert plane_text(image, viewer.dims, plane, axis=1) == "plane 7 (3.50)"
    flat = viewer.add_image(np.zeros((8, 9)))
    assert plane_text(flat, viewer.dims, shown_plane(flat, viewer.dims)) == ""


def test_planes_that_are_searched_are_called_so():
    viewer = ViewerModel()
    image = viewer.add_image(np.zeros((4, 8, 9)), scale=(2, 1, 1), translate=(10, 0, 0))
    viewer.add_image(np.zeros((4, 8, 9)), scale=(2, 1, 1))
    viewer.dims.set_point(0, 12)

    titles = [one.title for one in plane_sources_of_stack(image, viewer.dims, viewer.layers)]

    assert titles[0] == "plane 6 (12.0)"
    assert sorted(titles) == [
        "plane 5 (10.0)",
        "plane 6 (12.0)",
        "plane 7 (14.0)",
        "plane 8 (16.0)",
    ]


@pytest.mark.parametrize(
    ("options", "time"),
    [
        ({}, False), ({"axis_labels": ("z", "y", "x")}, False),
        ({"axis_labels": ("T", "y", "x")}, True), ({"axis_labels": ("time", "y", "x")}, True),
        ({"units": ("ms", "um", "um")}, True), ({"units": ("um",) * 3}, False),
    ],
)  # fmt: skip
def test_time_is_told_by_its_name_or_its_unit(options, time):
    image = ViewerModel().add_image(np.zeros((4, 8, 9)), **options)
    assert is_time(image, 0) == time
    assert not is_time(image, 1)
