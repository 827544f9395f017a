"""Labels that hold no integers: whole floats, yes and no, palettes and colours."""

from __future__ import annotations

import logging

import numpy as np
import pytest
import tifffile
from PIL import Image

from napari_seem.errors import InvalidLabels
from napari_seem.io.files import open_labels, read_labels

LABELS = np.zeros((20, 24), np.uint8)
LABELS[5:10, 5:12], LABELS[12:18, 3:9] = 1, 7
SHADES = np.zeros((8, 3), np.uint8)
SHADES[1], SHADES[7] = (128, 0, 0), (64, 200, 30)


def saved(path, values):
    if path.suffix == ".tif":
        tifffile.imwrite(path, values)
    elif path.suffix == ".gz":
        nibabel = pytest.importorskip("nibabel")
        nibabel.save(nibabel.Nifti1Image(values.T[..., None], np.eye(4)), path)
    elif path.suffix == ".zarr":
        _to_zarr(path, values)
    else:
        Image.fromarray(values).save(path)
    return path


def _to_zarr(path, values):
    zarr = pytest.importorskip("zarr")
    group = zarr.open_group(path, mode="w")
    group.create_array("0", shape=values.shape, chunks=(8, 8), dtype=values.dtype)[...] = values
    axes = [{"name": letter, "type": "space"} for letter in "yx"]
    scales = {"axes": axes, "datasets": [{"path": "0"}]}
    group.attrs["ome"] = {"version": "0.5", "multiscales": [scales], "image-label": {}}


@pytest.mark.parametrize("name", ["a.tif", "a.nii.gz", "a.zarr"])
@pytest.mark.parametrize("kind", ["f4", "f8"])
def test_whole_floats_are_ids(tmp_path, name, kind):
    found = read_labels(saved(tmp_path / name, LABELS.astype(kind)))[0]
    assert found.dtype.kind == "u"
    np.testing.assert_array_equal(np.squeeze(found), LABELS)


def test_floats_next_to_whole_ones_are_rounded_with_a_word(tmp_path, caplog):
    opened = open_labels(saved(tmp_path / "a.tif", LABELS + np.float32(2e-4)))
    np.testing.assert_array_equal(opened.data, LABELS)
    assert opened.note == "its numbers were rounded by up to 0.0002 to be ids"
    assert "rounded" in caplog.text


@pytest.mark.parametrize("value", [0.37, np.nan, np.inf, -1, 2.0**33])
@pytest.mark.parametrize("name", ["a.tif", "a.nii.gz", "a.zarr"])
def test_floats_that_are_no_ids_are_refused_by_name(tmp_path, name, value):
    values = LABELS.astype(np.float64)
    values[3, 4] = value
    with pytest.raises(InvalidLabels, match=rf"{name}' holds {value:g}".replace("+", r"\+")):
        read_labels(saved(tmp_path / name, values))


def test_negative_integers_are_refused_by_name(tmp_path):
    with pytest.raises(InvalidLabels, match="negative numbers such as -1"):
        read_labels(saved(tmp_path / "a.tif", LABELS.astype(np.int16) - 1))


@pytest.mark.parametrize("name", ["a.tif", "a.png", "a.zarr", "a.bmp"])
def test_yes_and_no_are_one_object(tmp_path, name):
    found = np.asarray(read_labels(saved(tmp_path / name, LABELS > 0))[0])
    assert found.dtype == np.uint8 or name == "a.bmp"
    np.testing.assert_array_equal(found > 0, LABELS > 0)
    assert len(np.unique(found)) == 2


@pytest.mark.parametrize("ending", ["png", "bmp"])
def test_the_numbers_of_a_palette_are_the_ids(tmp_path, ending):
    picture = Image.fromarray(LABELS)
    picture.putpalette(SHADES.tobytes())
    picture.save(tmp_path / f"p.{ending}")
    opened = open_labels(tmp_path / f"p.{ending}")
    np.testing.assert_array_equal(opened.data, LABELS)
    assert opened.note == "the numbers of its palette are the ids"
    assert opened.table[7].class_name == "#40c81e"
    assert opened.about["colours"]["#800000"] == "#800000"


def test_a_palette_that_repeats_its_colours_gives_no_classes(tmp_path):
    picture = Image.fromarray(LABELS)
    picture.putpalette([0, 0, 0, *[64, 0, 0] * 7])
    picture.save(tmp_path / "p.png")
    opened = open_labels(tmp_path / "p.png")
    np.testing.assert_array_equal(opened.data, LABELS)
    assert len(opened.table) == 0


@pytest.mark.parametrize("name", ["a.tif", "a.png"])
@pytest.mark.parametrize("alpha", [False, True])
def test_each_colour_is_an_id_and_a_class(tmp_path, name, alpha, caplog):
    values = SHADES[LABELS]
    if alpha:
        opaque = np.where(LABELS, 255, 0).astype(np.uint8)
        values = np.dstack([np.where(LABELS[..., None], values, 99), opaque]).astype(np.uint8)
    opened = open_labels(saved(tmp_path / name, values), shape=LABELS.shape)
    np.testing.assert_array_equal(opened.data, np.choose(np.minimum(LABELS, 2), [0, 2, 1]))
    assert opened.note == "each of its 2 colours is an id, and black is background"
    assert [opened.table[i].class_name for i in (1, 2)] == ["#40c81e", "#800000"]
    assert opened.about["by_class"]
    assert "each of its 2 colours" in caplog.text


def test_without_black_every_colour_is_an_object(tmp_path):
    values = np.where(LABELS[..., None], SHADES[LABELS], (9, 9, 10)).astype(np.uint8)
    opened = open_labels(saved(tmp_path / "a.png", values))
    assert np.unique(opened.data).tolist() == [1, 2, 3]
    assert "no colour is background" in opened.note


@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
def test_grey_pictures_of_three_channels_hold_their_ids(tmp_path, kind):
    values = np.repeat(LABELS[..., None], 3, -1).astype(kind)
    tifffile.imwrite(tmp_path / "a.tif", values, photometric="rgb")
    opened = open_labels(tmp_path / "a.tif")
    np.testing.assert_array_equal(opened.data, LABELS)
    assert opened.note == "its grey values are the ids"


def test_photographs_are_refused_by_the_number_of_their_colours(tmp_path):
    values = np.random.default_rng(0).integers(0, 255, (90, 90, 3)).astype(np.uint8)
    with pytest.raises(InvalidLabels, match=r"holds \d+ colours and no labels"):
        read_labels(saved(tmp_path / "a.png", values))


def test_colours_are_read_by_the_command_line(tmp_path, capsys):
    from napari_seem.cli import main

    values = SHADES[LABELS]
    saved(tmp_path / "l.png", values)
    saved(tmp_path / "i.png", values)
    logging.getLogger("napari_seem").setLevel(logging.WARNING)
    assert main(["label-like", str(tmp_path / "i.png"), "-o", str(tmp_path / "out"), "--example",
                 str(tmp_path / "i.png"), str(tmp_path / "l.png")]) == 0  # fmt: skip
    assert set(np.unique(read_labels(tmp_path / "out" / "i_labels.tif")[0])) <= {0, 1, 2}
