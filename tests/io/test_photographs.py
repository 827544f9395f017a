"""Photographs and pictures: turned and coloured as people see them."""

from __future__ import annotations

import json

import numpy as np
import pytest
import tifffile
from PIL import Image, ImageOps

from napari_seem.errors import FileTrouble, LogTrouble
from napari_seem.io.files import open_image, read_labels, write_labels
from napari_seem.io.images import images_in, open_plane
from napari_seem.sources.identity import ImageFile, image_to_dict

GRAY = (np.mgrid[:30, :50].sum(0) * 3).astype(np.uint8)
RGB = np.stack([GRAY, GRAY[::-1], GRAY[:, ::-1]], -1)
RGB[2:10, 3:15] = 250, 40, 40


def photograph(path, orientation, pixels=RGB):
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(pixels).save(path, exif=exif)
    return path


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("ending", [".png", ".jpg", ".webp", ".tif"])
def test_photographs_are_turned_as_people_see_them(tmp_path, orientation, ending):
    path = photograph(tmp_path / f"a{ending}", orientation)
    image = open_image(path)
    with Image.open(path) as picture:
        seen = np.asarray(picture if ending == ".tif" else ImageOps.exif_transpose(picture))
    # Pillow itself turns a TIFF
    assert image.grid.shape == seen.shape[:2] == ((50, 30) if orientation > 4 else (30, 50))
    np.testing.assert_array_equal(image.data, seen)
    assert image.about.get("orientation", 1) == orientation
    stored = open_image(path, as_stored=True)
    assert stored.grid.shape == (30, 50)


def test_labels_of_a_turned_photograph_are_upright_in_every_format(tmp_path):
    image, grid = open_plane(photograph(tmp_path / "a.jpg", 6))
    labels = np.zeros(image.shape[:2], np.uint8)
    labels[40:48, 3:9] = 1
    for ending in (".coco.json", ".geojson", ".tif", ".nii.gz", ".zip"):
        write_labels(tmp_path / f"l{ending}", labels, grid, about={"image": "a.jpg"})
        shape = labels.shape if ending == ".zip" else None
        back = np.squeeze(np.asarray(read_labels(tmp_path / f"l{ending}", shape=shape)[0]))
        np.testing.assert_array_equal(back, labels)
    size = json.loads((tmp_path / "l.coco.json").read_text())["images"][0]
    assert (size["width"], size["height"]) == (30, 50)


def test_spacing_turns_with_a_tiff_but_microscopes_are_left_alone(tmp_path):
    tag = [(274, 3, 1, 6, True)]
    options = {"resolution": (100, 50), "resolutionunit": "CENTIMETER", "extratags": tag}
    tifffile.imwrite(tmp_path / "a.tif", GRAY, **options)
    grid = open_image(tmp_path / "a.tif").grid
    assert (grid.shape, grid.spacing) == ((50, 30), (0.01, 0.02))
    tifffile.imwrite(tmp_path / "b.tif", GRAY, imagej=True, extratags=tag)
    assert open_image(tmp_path / "b.tif").grid.shape == GRAY.shape


def test_a_log_of_the_unturned_layer_finds_its_image(tmp_path):
    file = ImageFile(photograph(tmp_path / "a.png", 6))
    for pixels in (RGB, np.rot90(RGB, -1)):
        found = file.find(image_to_dict(pixels, "a"))
        np.testing.assert_array_equal(found, pixels)
    with pytest.raises(LogTrouble, match="other pixels"):
        file.find(image_to_dict(RGB + np.uint8(1), "a"))


def test_kinds_of_pictures(tmp_path):
    Image.fromarray(GRAY.astype(np.uint16) * 256).save(tmp_path / "deep.png")
    Image.fromarray(np.stack([GRAY, GRAY], -1)).save(tmp_path / "alpha.png")
    Image.fromarray(RGB).quantize(64).save(tmp_path / "palette.png")
    Image.fromarray(RGB).convert("CMYK").save(tmp_path / "inks.jpg", quality=95)
    Image.fromarray(GRAY > 60).save(tmp_path / "mask.png")
    deep = open_image(tmp_path / "deep.png").data
    assert deep.dtype == np.uint16
    np.testing.assert_array_equal(deep, GRAY.astype(np.uint16) * 256)
    gray = open_image(tmp_path / "alpha.png")
    assert gray.channel_axis is None
    np.testing.assert_array_equal(gray.data, GRAY)
    for name in ("palette.png", "inks.jpg"):
        image = open_image(tmp_path / name)
        assert image.rgb
        assert image.data.shape == RGB.shape
        assert np.abs(np.asarray(image.data, int) - RGB).mean() < 15
    assert open_image(tmp_path / "palette.png", as_stored=True).data.shape == GRAY.shape
    assert open_image(tmp_path / "mask.png").data.dtype == bool


@pytest.mark.parametrize("ending", [".gif", ".png", ".webp"])
@pytest.mark.parametrize("durations", [100, [100, 200, 100]])
def test_frames_are_planes_of_time(tmp_path, ending, durations):
    frames = [np.roll(RGB, 10 * k, 0) for k in range(3)]
    first, *others = [Image.fromarray(frame) for frame in frames]
    options = {"lossless": True} if ending == ".webp" else {}
    first.save(tmp_path / f"a{ending}", save_all=True, append_images=others, duration=durations,
               **options)  # fmt: skip
    image = open_image(tmp_path / f"a{ending}")
    assert (image.grid.axes, image.grid.shape) == (("t", "y", "x"), (3, 30, 50))
    even = durations == 100
    assert (image.grid.spacing[0], image.grid.units[0]) == ((0.1, "s") if even else (1.0, "pixel"))
    assert image.rgb
    if ending != ".gif":  # which has 256 colours
        np.testing.assert_array_equal(image.data, np.stack(frames))
    first.save(tmp_path / f"still{ending}", **options)
    assert open_image(tmp_path / f"still{ending}").grid.shape == (30, 50)


@pytest.mark.parametrize(
    ("name", "remedy"),
    [("a.heic", "JPEG or PNG"), ("a.HEIF", "JPEG or PNG"), ("a.nef", "develop it"),
     ("a.czi", "OME-TIFF"), ("a.npy", "numpy.load"), ("a.svg", "export it as PNG")],
)  # fmt: skip
def test_other_formats_are_refused_with_a_remedy(tmp_path, name, remedy):
    (tmp_path / name).write_bytes(b"\0\0\0\x18ftypheic" + b"\0" * 100)
    with pytest.raises(FileTrouble, match=rf"{name}' is of a format that can't be read.*{remedy}"):
        open_image(tmp_path / name)


def test_a_folder_says_what_it_leaves_out(tmp_path, caplog):
    for name in ("a.png", "b.webp", "c.LSM", "d.heic", "notes.txt"):
        (tmp_path / name).touch()
    assert [path.name for path in images_in(tmp_path)] == ["a.png", "b.webp", "c.LSM"]
    assert "can't be read here are left out: .heic" in caplog.text


def test_a_file_is_known_by_its_content(tmp_path):
    Image.fromarray(RGB).save(tmp_path / "a.jpg", format="PNG")
    tifffile.imwrite(tmp_path / "b.png", GRAY.astype(np.float32))
    np.testing.assert_array_equal(open_image(tmp_path / "a.jpg").data, RGB)
    np.testing.assert_array_equal(open_image(tmp_path / "b.png").data, GRAY)
    (tmp_path / "c.png").write_bytes(b"no picture")
    with pytest.raises(FileTrouble, match=r"c\.png' can't be read as an image: it is damaged"):
        open_image(tmp_path / "c.png")
