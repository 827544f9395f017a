"""The command line on stacks and planes that are read and written by the piece."""

from __future__ import annotations

import numpy as np
import pytest

from napari_seem.cli import main
from napari_seem.errors import FileTrouble, InvalidImage, InvalidLabels
from napari_seem.intensity import IntensityWindow, windowed_in_parts
from napari_seem.io.files import open_image, read_labels, write_labels
from napari_seem.io.grid import Grid
from napari_seem.io.images import channels_last, open_lazily
from napari_seem.io.zarr.labels import growing_labels

zarr = pytest.importorskip("zarr")


def ome_image(path, image, axes, chunks):
    """An OME-Zarr image of one level, with spacing."""
    root = zarr.open_group(path, mode="w", zarr_format=3)
    level = root.create_array("0", shape=image.shape, chunks=chunks, dtype=image.dtype)
    level[...] = image
    kinds = {"c": "channel"}
    scale = [1.0 if a == "c" else 0.5 for a in axes]
    root.attrs["ome"] = {
        "version": "0.5",
        "multiscales": [{
            "axes": [{"name": a, "type": kinds.get(a, "space")} for a in axes],
            "datasets": [
                {"path": "0", "coordinateTransformations": [{"type": "scale", "scale": scale}]}
            ],
        }],
    }  # fmt: skip
    return path


@pytest.fixture
def stack(tmp_path):
    """A disc that moves through a dozen planes: (image folder, label folder)."""
    rows, cols = np.mgrid[:96, :96]
    discs = np.stack([(rows - 48) ** 2 + (cols - 30 - 2 * k) ** 2 <= 200 for k in range(12)])
    image = np.where(discs, 200, 40).astype(np.uint8)
    both = np.stack([image, image // 2, image // 3])
    ome_image(tmp_path / "stack.zarr", both, "czyx", (1, 1, 96, 96))
    seeds = np.zeros(discs.shape, np.uint16)
    seeds[[0, 11]] = discs[[0, 11]] * 5
    write_labels(tmp_path / "seeds.zarr", seeds)
    return tmp_path / "stack.zarr", tmp_path / "seeds.zarr", discs


def test_propagate_writes_into_zarr_what_it_writes_into_tiff(stack, tmp_path, capsys):
    image, seeds, discs = stack
    asked = ["propagate", str(image), str(seeds), "--method", "shape", "-o"]

    assert main([*asked, str(tmp_path / "out.zarr")]) == 0
    assert main([*asked, str(tmp_path / "out.tif")]) == 0

    assert "10 planes from 2 seeds" in capsys.readouterr().out
    labels, _ = read_labels(tmp_path / "out.zarr")
    np.testing.assert_array_equal(labels[:], read_labels(tmp_path / "out.tif")[0])
    overlap = (labels[:] == 5) & discs
    assert overlap.sum() / discs.sum() > 0.95
    told = dict(zarr.open_group(tmp_path / "out.zarr", mode="r").attrs)["ome"]["image-label"]
    assert len(told["napari-seem"]["planes"]) == 12
    assert open_image(tmp_path / "out.zarr").grid.spacing == (0.5, 0.5, 0.5)
    assert not [p for p in tmp_path.iterdir() if p.name.startswith(".")]


def test_channels_of_a_file_on_disk_stay_unread(stack):
    array = channels_last(open_image(stack[0]))
    assert array.shape == (12, 96, 96, 3)
    assert not isinstance(array, np.ndarray)
    assert np.asarray(array[3, 48, 36]).tolist() == [200, 100, 66]


def test_labels_that_were_begun_and_not_ended_leave_nothing(tmp_path):
    path = tmp_path / "labels.zarr"
    write_labels(path, np.ones((4, 5), np.uint8))

    def broken():
        with growing_labels(path, Grid.plain((4, 5))) as growing:
            growing.array[:2] = 7
            raise FileTrouble("the disk is full")

    with pytest.raises(FileTrouble, match="disk is full"):
        broken()

    assert (read_labels(path)[0][:] == 1).all()
    assert [p.name for p in tmp_path.iterdir()] == ["labels.zarr"]
    with (
        pytest.raises(InvalidLabels, match="zarr"),
        growing_labels(tmp_path / "labels.tif", Grid.plain((4, 5))),
    ):
        pass


@pytest.fixture
def plane(tmp_path):
    """A plane too long for one pass, three bands first, with two discs."""
    rows, cols = np.ogrid[:160, :2300]
    image = np.full((160, 2300), 30, np.uint16)
    for y, x in ((80, 800), (90, 1700)):
        image[(rows - y) ** 2 + (cols - x) ** 2 <= 60**2] = 900
    bands = np.stack([image, image * 0, image // 2])
    return ome_image(tmp_path / "plane.zarr", bands, "cyx", (1, 256, 512))


def test_a_click_on_a_big_plane_is_written_into_zarr(plane, tmp_path):
    out = tmp_path / "one.zarr"
    assert main(["segment", str(plane), "--point", "80,800", "-o", str(out)]) == 0
    assert main(["segment", str(plane), "--point", "80,800", "-o", str(tmp_path / "one.tif")]) == 0

    labels, table = read_labels(out)
    np.testing.assert_array_equal(labels[:], read_labels(tmp_path / "one.tif")[0])
    rows, cols = np.ogrid[:160, :2300]
    truth = (rows - 80) ** 2 + (cols - 800) ** 2 <= 60**2
    assert (truth & (labels[:] == 1)).sum() / (truth | (labels[:] == 1)).sum() > 0.8
    assert table[1].prompts == 1
    assert open_image(out).grid.spacing == (0.5, 0.5)


def test_everything_on_a_big_plane_is_written_and_filtered_in_zarr(plane, tmp_path):
    asked = ["segment", str(plane), "--everything", "--min-area", "3000", "--bands", "0,2"]
    assert main([*asked, "-o", str(tmp_path / "all.zarr")]) == 0
    assert main([*asked, "-o", str(tmp_path / "all.tif")]) == 0

    labels, table = read_labels(tmp_path / "all.zarr")
    np.testing.assert_array_equal(labels[:], read_labels(tmp_path / "all.tif")[0])
    assert len(table) >= 1
    assert set(np.unique(labels[:])) == {0, *(number for number, _ in table.items())}


def test_parts_of_a_plane_are_shown_alike(plane):
    image, _ = open_lazily(plane)
    assert not isinstance(image, np.ndarray)
    shown = windowed_in_parts(image, IntensityWindow(bands=(2, 0)), channels=True)
    assert np.asarray(shown[80, 800:802]).tolist() == [[450, 900]] * 2
    with pytest.raises(InvalidImage, match="bands"):
        windowed_in_parts(image, IntensityWindow(bands=(3,)), channels=True)
    windowed = windowed_in_parts(
        image, IntensityWindow(window=(0, 1000), bands=(0,)), channels=True
    )
    assert windowed[80:81, 800:801].tolist() == [[[229, 229, 229]]]
