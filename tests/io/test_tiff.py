"""TIFF of three flavours: spacing and axes come in, and go out with the labels."""

from __future__ import annotations

import numpy as np
import pytest
import tifffile
from files import some_labels

from napari_seem.errors import FileTrouble, InvalidLabels
from napari_seem.io.files import open_image, read_labels, write_labels
from napari_seem.io.formats import tables_beside


def test_ome_tiff_keeps_sizes_axes_and_channel_names(tmp_path, table):
    source = tmp_path / "cells.ome.tif"
    about = {
        "axes": "CZYX", "PhysicalSizeX": 0.108, "PhysicalSizeXUnit": "µm", "PhysicalSizeY": 0.11,
        "PhysicalSizeYUnit": "µm", "PhysicalSizeZ": 0.3, "PhysicalSizeZUnit": "µm",
        "Channel": {"Name": ["DAPI", "actin"]},
    }  # fmt: skip
    tifffile.imwrite(source, np.zeros((2, 5, 64, 70), np.uint16), ome=True, metadata=about)
    opened = open_image(source)
    assert opened.name == "cells"
    assert opened.channel_axis == 0
    assert opened.channels == ("DAPI", "actin")
    assert opened.grid.axes == ("z", "y", "x")
    assert opened.grid.spacing == (0.3, 0.11, 0.108)
    assert opened.grid.units == ("um", "um", "um")
    labels, out = some_labels(opened.grid.shape), tmp_path / "labels.ome.tif"
    write_labels(out, labels, opened.grid, table)
    with tifffile.TiffFile(out) as file:
        pixels = tifffile.xml2dict(file.ome_metadata)["OME"]["Image"]["Pixels"]
        assert [pixels[f"PhysicalSize{a}"] for a in "ZYX"] == [0.3, 0.11, 0.108]
        assert file.series[0].axes == "ZYX"
        np.testing.assert_array_equal(file.asarray(), labels)
    back, objects = read_labels(out, opened.grid)
    np.testing.assert_array_equal(back, labels)
    assert objects[9].name == "a thing of mine"


def test_imagej_hyperstacks_keep_spacing_and_time(tmp_path):
    source = tmp_path / "movie.tif"
    tifffile.imwrite(
        source, np.zeros((3, 4, 64, 70), np.uint8), imagej=True, resolution=(1 / 0.25, 1 / 0.5),
        metadata={"axes": "TZYX", "unit": "um", "spacing": 2.0, "finterval": 30.0},
    )  # fmt: skip
    grid = open_image(source).grid
    assert grid.axes == ("t", "z", "y", "x")
    np.testing.assert_allclose(grid.spacing, (30.0, 2.0, 0.5, 0.25))
    assert grid.units == ("s", "um", "um", "um")
    write_labels(tmp_path / "labels.tif", some_labels(grid.shape), grid)
    again = open_image(tmp_path / "labels.tif").grid
    np.testing.assert_allclose(again.matrix, grid.matrix)
    with tifffile.TiffFile(tmp_path / "labels.tif") as file:
        assert file.imagej_metadata["spacing"] == 2.0
        assert file.imagej_metadata["unit"] == "um"


def test_a_plain_tiff_has_pixels_and_dots_an_inch_are_no_measure(tmp_path):
    tifffile.imwrite(tmp_path / "scan.tif", np.zeros((64, 70), np.uint8), resolution=(72, 72),
                     resolutionunit=2)  # fmt: skip
    grid = open_image(tmp_path / "scan.tif").grid
    assert grid.spacing == (1.0, 1.0)
    assert grid.units == ("pixel", "pixel")


def test_colours_are_no_axis_of_the_grid(tmp_path):
    tifffile.imwrite(tmp_path / "rgb.tif", np.zeros((64, 70, 3), np.uint8), photometric="rgb")
    opened = open_image(tmp_path / "rgb.tif")
    assert opened.rgb
    assert opened.grid.shape == (64, 70)


def test_pyramids_give_all_levels(tmp_path):
    with tifffile.TiffWriter(tmp_path / "slide.ome.tif") as file:
        file.write(np.zeros((256, 256), np.uint8), subifds=1, tile=(64, 64))
        file.write(np.zeros((128, 128), np.uint8), subfiletype=1, tile=(64, 64))
    opened = open_image(tmp_path / "slide.ome.tif")
    assert [level.shape for level in opened.levels] == [(256, 256), (128, 128)]


def test_large_files_are_not_read(tmp_path, monkeypatch):
    monkeypatch.setattr("napari_seem.io.tiff.LARGE", 1000)
    image = np.arange(2 * 64 * 70, dtype=np.uint16).reshape(2, 64, 70)
    for name, options in (("mapped", {}), ("zipped", {"compression": "zlib"})):
        tifffile.imwrite(tmp_path / f"{name}.tif", image, **options)
        data = open_image(tmp_path / f"{name}.tif").data
        assert not isinstance(data, np.ndarray)
        np.testing.assert_array_equal(np.asarray(data), image)


def test_many_ids_need_32_bits(tmp_path):
    labels = np.zeros((64, 70), np.uint32)
    labels[0, 0] = 70_000
    write_labels(tmp_path / "l.tif", labels)
    assert tifffile.imread(tmp_path / "l.tif").dtype == np.uint32


def test_truncated_files_and_endings_that_nobody_knows(tmp_path):
    tifffile.imwrite(tmp_path / "x.tif", np.zeros((64, 70), np.uint8))
    (tmp_path / "x.tif").write_bytes((tmp_path / "x.tif").read_bytes()[:300])
    with pytest.raises(FileTrouble, match="can't be read as TIFF"):
        np.asarray(open_image(tmp_path / "x.tif").data)
    with pytest.raises(FileTrouble, match="no file"):
        open_image(tmp_path / "absent.tif")
    with pytest.raises(InvalidLabels, match=r"does not end in a label format.*\.nii\.gz"):
        write_labels(tmp_path / "labels.xyz", some_labels((64, 70)))
    with pytest.raises(InvalidLabels, match="negative ids"):
        write_labels(tmp_path / "l.tif", -some_labels((64, 70)).astype(np.int32))
    with pytest.raises(InvalidLabels, match="hold no ids"):
        write_labels(tmp_path / "l.tif", np.zeros((64, 70)))


def test_a_full_disk_leaves_the_old_file_whole(tmp_path, monkeypatch, table):
    out = tmp_path / "labels.tif"
    write_labels(out, some_labels((64, 70)), table=table)
    before = out.read_bytes(), tables_beside(out)[0].read_bytes()

    def full(path, *args, **options):
        path.write_bytes(b"half of it")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("tifffile.imwrite", full)
    with pytest.raises(FileTrouble, match=r"No space left.*Free some disk space"):
        write_labels(out, np.zeros((64, 70), np.uint8))
    assert (out.read_bytes(), tables_beside(out)[0].read_bytes()) == before
    assert sorted(p.name for p in tmp_path.iterdir()) == ["labels.json", "labels.tif"]
