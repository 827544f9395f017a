"""Time stays an axis of its own, with its step and unit, in every format that can hold it."""

from __future__ import annotations

import numpy as np
import pytest

from napari_seem.io.files import open_image, open_labels, read_labels, write_labels
from napari_seem.io.grid import Grid
from napari_seem.io.table import read_json

FORMATS = (".tif", ".ome.tif", ".nii.gz", ".zarr")
SIZES = {"t": (4, 2.5, "s"), "z": (3, 2.0, "um"), "y": (20, 0.5, "um"), "x": (24, 0.25, "um")}


def made(axes):
    shape, spacing, units = zip(*(SIZES[a] for a in axes), strict=True)
    labels = np.random.default_rng(0).integers(0, 9, shape).astype(np.uint16)
    return labels, Grid.scaled(shape, axes, spacing, units=units)


@pytest.mark.parametrize("ending", FORMATS)
@pytest.mark.parametrize("axes", ["tyx", "tzyx", "ztyx", "yxt", "zyx"])
def test_axes_steps_and_units_come_back(tmp_path, ending, axes):
    labels, grid = made(axes)
    path = tmp_path / f"l{ending}"
    write_labels(path, labels, grid)
    np.testing.assert_array_equal(np.asarray(read_labels(path, grid)[0]), labels)
    again = open_labels(path)
    np.testing.assert_array_equal(np.asarray(again.data), labels)
    assert again.grid.axes == tuple(axes)
    assert again.grid.units == grid.units
    np.testing.assert_allclose(again.grid.spacing, grid.spacing, rtol=1e-5)


@pytest.mark.parametrize("ending", FORMATS)
@pytest.mark.parametrize("axes", ["tyx", "tzyx", "ztyx"])
def test_the_file_itself_says_which_axis_is_time(tmp_path, ending, axes):
    labels, grid = made(axes)
    written = write_labels(tmp_path / f"l{ending}", labels, grid)
    for beside in written[1:]:
        beside.unlink()
    there = open_image(written[0]).grid
    at = there.axes.index("t")
    assert at == 0
    assert there.shape[at] == 4
    assert (there.spacing[at], there.units[at]) == (2.5, "s")
    assert there.axes[-2:] == ("y", "x")


@pytest.mark.parametrize("source", FORMATS)
@pytest.mark.parametrize("target", FORMATS)
def test_from_format_to_format(tmp_path, source, target):
    labels, grid = made("tzyx")
    write_labels(tmp_path / f"a{source}", labels, grid)
    image = open_image(tmp_path / f"a{source}")
    write_labels(tmp_path / f"b{target}", labels, image.grid)
    back = open_labels(tmp_path / f"b{target}")
    np.testing.assert_array_equal(np.asarray(back.data), labels)
    np.testing.assert_allclose(back.grid.spacing, (2.5, 2.0, 0.5, 0.25), rtol=1e-5)
    assert back.grid.units == ("s", "um", "um", "um")


def test_axes_that_napari_does_not_name_are_told(tmp_path):
    pytest.importorskip("napari")
    from napari.layers import Labels
    from napari.utils.notifications import notification_manager

    from napari_seem.viewer.files import write_layer

    values = np.zeros((4, 20, 24), np.uint16)
    values[0, 3, 3] = 1
    before = len(notification_manager.records)
    layer = Labels(values)
    write_layer(str(tmp_path / "l.tif"), *layer.as_layer_data_tuple()[:2])
    told = notification_manager.records[before:]
    assert "is written as z" in told[-1].message
    named = Labels(values, axis_labels=("t", "y", "x"))
    write_layer(str(tmp_path / "n.tif"), *named.as_layer_data_tuple()[:2])
    assert len(notification_manager.records) == before + len(told)
    assert read_json(tmp_path / "n.json")[1]["grid"]["axes"] == ["t", "y", "x"]
