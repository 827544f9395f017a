"""Sizes, extents, positions and intensities of objects against values computed by hand."""

from __future__ import annotations

import numpy as np
import pytest
import tifffile
from skimage.measure import regionprops_table

import napari_seem as ns
from napari_seem.cli import main
from napari_seem.io.grid import Grid
from napari_seem.labels import measure as module
from napari_seem.labels.measure import write_csv


def test_area_extent_and_place_of_a_rectangle_in_micrometres():
    labels = np.zeros((10, 12), np.uint8)
    labels[2:5, 4:10] = 3  # 3 rows of 0.5 um, 6 columns of 0.25 um
    found = ns.measure(labels, spacing=(0.5, 0.25), units="um")
    assert {key: value.tolist() for key, value in found.items()} == {
        "id": [3], "pixels": [18], "area": [18 * 0.125],
        "extent_y": [1.5], "extent_x": [1.5], "centroid_y": [1.5], "centroid_x": [6.5 * 0.25],
        "bbox_y_min": [2], "bbox_y_max": [5], "bbox_x_min": [4], "bbox_x_max": [10],
        "unit": ["um"],
    }  # fmt: skip


def test_intensities_are_those_of_the_objects_own_pixels():
    labels = np.array([[1, 1, 2], [1, 1, 0]], np.int32)
    image = np.array([[1, 2, 9], [3, 6, 1000]], np.uint16)
    found = ns.measure(labels, image)
    assert found["intensity_mean"].tolist() == [3.0, 9.0]
    assert found["intensity_min"].tolist() == [1.0, 9.0]
    assert found["intensity_max"].tolist() == [6.0, 9.0]
    assert found["intensity_sd"] == pytest.approx([np.sqrt(3.5), 0.0])  # (4 + 1 + 0 + 9) / 4


def test_colours_are_measured_as_luminance():
    labels = np.ones((1, 1), np.uint8)
    found = ns.measure(labels, np.array([[[10, 100, 200, 255]]], np.uint8))
    assert found["intensity_mean"] == pytest.approx([2.125 + 71.54 + 14.42])


def test_a_sheared_volume_has_the_volume_of_its_determinant_and_a_centroid_in_the_world():
    labels = np.zeros((4, 5, 6), np.uint16)
    labels[1:3, 1:4, 2:4] = 1  # 12 voxels, centred on (1.5, 2, 2.5)
    matrix = np.eye(5)[:4, :4]
    matrix[:3, :3] = [[2, 0, 0], [0.5, 0, -1], [0, 3, 0]]  # determinant 2 * (0 * 0 + 1 * 3) = 6
    matrix[:3, 3] = 10, 20, 30
    grid = Grid(labels.shape, ("z", "y", "x"), matrix, ("mm",) * 3)
    found = ns.measure(labels, grid=grid)
    assert found["volume"] == pytest.approx([72])
    assert found["centroid_z"] == pytest.approx([13])
    assert found["centroid_y"] == pytest.approx([20 + 0.75 - 2.5])
    assert found["centroid_x"] == pytest.approx([36])
    assert found["extent_z"] == pytest.approx([2 * np.hypot(2, 0.5)])
    assert found["extent_y"] == pytest.approx([9])
    assert found["extent_x"] == pytest.approx([2])


def test_lengths_of_different_units_are_brought_to_the_last_one():
    labels = np.ones((2, 1, 1), np.uint8)
    found = ns.measure(labels, spacing=(0.002, 3, 3), units=("mm", "um", "um"))
    assert found["volume"] == pytest.approx([2 * 2 * 9])
    assert found["extent_z"] == pytest.approx([4])
    assert found["unit"].tolist() == ["um"]
    with pytest.raises(ns.InvalidArgument, match="lengths, or all pixels"):
        ns.measure(labels, units=("pixel", "um", "um"))


def test_a_time_series_is_measured_frame_by_frame():
    labels = np.zeros((3, 1, 4, 4), np.uint8)
    labels[0, 0, :2, :2] = 5
    labels[2, 0, 0, :3] = 5
    table = ns.ObjectTable({5: ns.ObjectRecord("cell")})
    found = ns.measure(labels, table=table)
    assert found["t"].tolist() == [0, 2]
    assert found["id"].tolist() == [5, 5]
    assert found["volume"].tolist() == [4, 3]
    assert found["name"].tolist() == ["cell", "cell"]


@pytest.mark.parametrize("ids", [50, 2**30])
@pytest.mark.parametrize("shape", [(60, 50), (9, 30, 25)])
def test_blocks_add_up_to_what_regionprops_says_of_the_whole(shape, ids, monkeypatch):
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 8, shape) * (ids // 8)
    image = rng.random(shape).astype(np.float32)
    properties = ("label", "area", "bbox", "centroid", "intensity_mean", "intensity_max")
    known, small = np.unique(labels, return_inverse=True)
    whole = regionprops_table(small.reshape(shape), image.astype(float), properties)

    monkeypatch.setattr(module, "BLOCK", 700)
    seen = []
    found = ns.measure(labels, image, progress=lambda done, total, what: seen.append((done, total)))

    assert seen[-1][0] == seen[-1][1] > 2
    assert found["id"].tolist() == known[whole["label"]].tolist()
    assert found["pixels"].tolist() == whole["area"].tolist()
    assert found["intensity_mean"] == pytest.approx(whole["intensity_mean"])
    assert found["intensity_max"] == pytest.approx(whole["intensity_max"])
    own = [image[labels == i].astype(float).std() for i in found["id"]]
    assert found["intensity_sd"] == pytest.approx(own)
    for axis, name in enumerate("zyx"[-len(shape) :]):
        assert found[f"centroid_{name}"] == pytest.approx(whole[f"centroid-{axis}"])
        assert found[f"bbox_{name}_max"].tolist() == whole[f"bbox-{axis + len(shape)}"].tolist()


def test_no_object_gives_no_row():
    found = ns.measure(np.zeros((3, 3), np.uint8), np.zeros((3, 3)))
    assert all(len(column) == 0 for column in found.values())
    assert "area" in found


@pytest.mark.parametrize(
    ("given", "error", "words"),
    [
        ({"image": np.zeros((3, 4))}, ns.InvalidImage, "does not lie on the labels' grid"),
        ({"spacing": (1, 2, 3)}, ns.InvalidArgument, "spacing is .*one for each"),
        ({"spacing": (1, -2)}, ns.InvalidArgument, "above 0"),
        ({"spacing": 0}, ns.InvalidArgument, "above 0"),
        ({"units": ("um",)}, ns.InvalidArgument, "units is"),
    ],
)
def test_what_does_not_fit_is_refused(given, error, words):
    with pytest.raises(error, match=words):
        ns.measure(np.ones((3, 3), np.uint8), **given)


def test_a_table_is_written_whole(tmp_path):
    labels = np.zeros((4, 4), np.uint8)
    labels[1, 1:3] = 2
    table = ns.ObjectTable({2: ns.ObjectRecord("a, b")})
    write_csv(tmp_path / "cells.csv", ns.measure(labels, table=table))
    lines = (tmp_path / "cells.csv").read_text().splitlines()
    assert lines[0].startswith("id,name,class,pixels,area,extent_y,extent_x,centroid_y")
    assert lines[1] == '2,"a, b","a, b",2,2,1,2,1,1.5,1,2,1,3,pixel'


def test_the_command_line_measures_a_label_file_on_the_grid_of_its_image(tmp_path, capsys):
    labels = np.zeros((3, 8, 8), np.uint16)
    labels[1:, 2:4, 2:4] = 4
    grid = Grid.scaled(labels.shape, ("z", "y", "x"), (2, 0.5, 0.5), units=("um",) * 3)
    ns.write_labels(tmp_path / "cells.ome.tif", labels, grid)
    ns.write_labels(tmp_path / "image.ome.tif", labels * 10, grid)
    given = [str(tmp_path / "cells.ome.tif"), "--image", str(tmp_path / "image.ome.tif")]

    assert main(["measure", *given, "-o", str(tmp_path / "cells.csv")]) == 0
    header, row = (tmp_path / "cells.csv").read_text().splitlines()
    found = dict(zip(header.split(","), row.split(","), strict=True))
    assert (found["id"], found["volume"], found["unit"]) == ("4", "4", "um")
    assert (found["intensity_mean"], found["centroid_z"]) == ("40", "3")

    capsys.readouterr()
    assert main(["measure", given[0], "--spacing", "1,1,1", "--unit", "mm"]) == 0
    assert ",8,8,2,2,2,1.5,2.5,2.5," in capsys.readouterr().out
    assert main(["measure", given[0], "-o", str(tmp_path / "cells.xls")]) == 2
    assert "use .csv" in capsys.readouterr().err


def test_one_of_several_channels_is_asked_for(tmp_path, capsys):
    ns.write_labels(tmp_path / "a.tif", np.ones((4, 5), np.uint8))
    channels = np.stack([np.full((4, 5), 7), np.full((4, 5), 9)]).astype(np.uint16)
    tifffile.imwrite(tmp_path / "c.ome.tif", channels, metadata={"axes": "CYX"})
    given = ["measure", str(tmp_path / "a.tif"), "--image", str(tmp_path / "c.ome.tif")]
    assert main(given) == 2
    assert "2 channels; choose one by --channel 0 to 1" in capsys.readouterr().err
    assert main([*given, "--channel", "1"]) == 0
    assert ",9,9,9,0,pixel" in capsys.readouterr().out
