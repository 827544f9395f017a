"""A folder of pictures as they come: other sizes, kinds and turns, and some that can't be read."""

from __future__ import annotations

import json

import numpy as np
import tifffile
from PIL import Image

from napari_seem.cli import main
from napari_seem.io.files import read_labels


def turned(path, image):
    """Save a picture so that one who turns it as its camera says sees the image."""
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(np.rot90(image)).save(path, exif=exif, quality=95)


def test_every_readable_file_is_labelled_as_people_see_it(tmp_path, disc_image, capsys):
    image = disc_image[0]
    rgb = np.stack([image] * 3, -1)
    folder = tmp_path / "mixed"
    folder.mkdir()
    turned(folder / "turned.jpg", rgb)
    Image.fromarray(rgb[:60, :50]).convert("CMYK").save(folder / "inks.jpg")
    tifffile.imwrite(folder / "white.tif", 255 - image, photometric="miniswhite")
    tifffile.imwrite(folder / "complex.tif", image.astype(np.complex64))
    (folder / "empty.png").touch()
    (folder / "phone.heic").touch()

    assert main(["batch", "segment", str(folder), "-o", str(tmp_path / "out")]) == 1

    told = capsys.readouterr().out
    assert "5 files: 3 done, 0 done before, 2 failed" in told
    assert "empty.png" in told
    assert "holds values of type complex64" in told
    for name, shape in (("turned", (64, 80)), ("inks", (60, 50)), ("white", (64, 80))):
        assert read_labels(tmp_path / "out" / f"{name}_labels.tif")[0].shape == shape


def test_outlines_of_a_turned_photograph_are_upright(tmp_path, disc_image):
    image, labels = disc_image
    rgb = np.stack([image] * 3, -1)
    turned(tmp_path / "a.jpg", rgb)
    y, x = np.argwhere(labels == labels.max())[0] + 3
    out = tmp_path / "o.coco.json"
    assert main(["segment", str(tmp_path / "a.jpg"), "--point", f"{y},{x}", "-o", str(out)]) == 0
    document = json.loads(out.read_text())
    assert [document["images"][0][key] for key in ("width", "height")] == [80, 64]
    left, top, width, height = document["annotations"][0]["bbox"]
    assert left <= x < left + width
    assert top <= y < top + height
