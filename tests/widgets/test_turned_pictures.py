"""Turned photographs and files of several images, opened through napari and through our menu."""

from __future__ import annotations

import numpy as np
import pytest
import tifffile
from napari.layers import Image
from PIL import Image as Pictures

from napari_seem.widgets.menus.files import open_path
from napari_seem.widgets.menus.readers import reader_of, take_up

PIXELS = (np.mgrid[:30, :50].sum(0) * 3).astype(np.uint8)


@pytest.fixture
def photograph(tmp_path):
    exif = Pictures.Exif()
    exif[0x0112] = 6
    Pictures.fromarray(PIXELS).save(tmp_path / "a.png", exif=exif)
    return tmp_path / "a.png"


def test_what_napari_opened_unturned_is_told_and_opened_again_is_turned(
    photograph, make_napari_viewer, qtbot, monkeypatch
):
    said = []
    monkeypatch.setattr(
        "napari_seem.widgets.menus.readers.notify", lambda text, problem=False: said.append(text)
    )
    viewer = make_napari_viewer()
    with monkeypatch.context() as before:  # any dock is open
        before.setattr("napari_seem.widgets.menus.readers.orientation_of", lambda path: 1)
        (layer,) = viewer.open(photograph, plugin="napari")
    assert layer.data.shape == (30, 50)
    take_up(viewer)
    assert len(said) == 1
    assert "shows 'a' as it is stored" in said[0]
    read = reader_of(str(photograph))
    assert read(str(photograph)) == [(None,)]
    qtbot.waitUntil(lambda: len(viewer.layers) == 2, timeout=20_000)
    np.testing.assert_array_equal(viewer.layers[1].data, np.rot90(PIXELS, -1))
    take_up(viewer)
    assert len(said) == 2  # the unturned one alone


def test_an_ordinary_picture_is_left_to_napari(tmp_path, make_napari_viewer):
    viewer = make_napari_viewer()
    Pictures.fromarray(PIXELS).save(tmp_path / "a.png")
    assert viewer.layers == []
    assert reader_of(str(tmp_path / "a.png")) is None


def test_which_image_of_a_tiff_is_asked(tmp_path, make_napari_viewer, qtbot):
    with tifffile.TiffWriter(tmp_path / "two.ome.tif", ome=True) as file:
        for count, name in ((1, "left"), (2, "right")):
            file.write(np.tile(PIXELS, (count, count)), metadata={"axes": "YX", "Name": name})
    viewer, asked, added = make_napari_viewer(), [], []

    def first(names):
        asked.extend(names)
        return 0

    open_path(viewer, tmp_path / "two.ome.tif", first, added.extend)
    qtbot.waitUntil(lambda: len(added) == 1, timeout=20_000)
    assert asked == ["0: left 30 x 50", "1: right 60 x 100"]
    assert isinstance(added[0], Image)
    np.testing.assert_array_equal(added[0].data, PIXELS)
