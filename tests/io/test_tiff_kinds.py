"""TIFF of every compression, kind of value, order of axes and set of files, as they come."""

from __future__ import annotations

import subprocess
import sys
import uuid

import numpy as np
import pytest
import tifffile

from napari_seem.errors import FileTrouble, InvalidLabels, MissingPackage
from napari_seem.io.files import open_image, read_labels, series_of, write_labels
from napari_seem.io.images import open_seeds

GRAY = (np.mgrid[:60, :80].sum(0) * 1.7).astype(np.uint8)
RGB = np.stack([GRAY, GRAY[::-1], GRAY[:, ::-1]], -1)
STACK = np.stack([GRAY + np.uint8(k) for k in range(5)])
SIZES = {"T": 2, "C": 3, "Z": 4, "Y": 20, "X": 24}


def opened(path, data, **options):
    tifffile.imwrite(path, data, **options)
    return open_image(path)


@pytest.mark.parametrize("compression", ["lzw", "packbits", "zlib", "lzma", "zstd", "lerc", "png"])
@pytest.mark.parametrize("dtype", ["u1", "u2"])
def test_compressions_without_loss(tmp_path, compression, dtype):
    pytest.importorskip("imagecodecs")
    data = GRAY.astype(dtype)
    image = opened(tmp_path / "a.tif", data, compression=compression)
    np.testing.assert_array_equal(image.data, data)


@pytest.mark.parametrize("compression", ["jpeg", "webp", "jpegxl", "jpeg2000"])
def test_compressions_of_pictures(tmp_path, compression):
    pytest.importorskip("imagecodecs")
    image = opened(tmp_path / "a.tif", RGB, compression=compression, photometric="rgb")
    assert image.rgb
    assert np.abs(np.asarray(image.data, int) - RGB).mean() < 12


@pytest.mark.parametrize(
    ("data", "options"),
    [
        (GRAY.astype(np.uint16) * 200, {"compression": "zlib", "predictor": 2}),
        (GRAY.astype(np.float32), {"compression": "zlib", "predictor": 3}),
        (GRAY >> 6, {"bitspersample": 2}), (GRAY >> 4, {"bitspersample": 4}),
        (GRAY.astype(np.uint16) * 15, {"bitspersample": 12}),
        (GRAY.astype(np.uint16), {"byteorder": ">"}), (GRAY, {"bigtiff": True}),
        (GRAY.astype(np.float16), {}), (GRAY.astype(np.int8), {}), (GRAY > 100, {}),
        (np.tile(GRAY, (5, 5)), {"tile": (64, 64)}), (GRAY, {"rowsperstrip": 7}),
    ],
)  # fmt: skip
def test_values_are_those_that_were_written(tmp_path, data, options):
    pytest.importorskip("imagecodecs")
    image = opened(tmp_path / "a.tif", data, **options)
    assert image.data.dtype == data.dtype
    np.testing.assert_array_equal(image.data, data)


@pytest.mark.parametrize("compression", ["group3", "group4", "tiff_lzw", "jpeg"])
def test_faxes_and_scans_of_pillow(tmp_path, compression):
    pytest.importorskip("imagecodecs")
    from PIL import Image

    fax = compression.startswith("group")
    data = GRAY > 100 if fax else GRAY
    Image.fromarray(data).save(tmp_path / "a.tif", compression=compression)
    found = np.asarray(open_image(tmp_path / "a.tif").data)
    assert found.dtype == data.dtype
    assert np.abs(found.astype(int) - data).max() <= (8 if compression == "jpeg" else 0)


def test_without_imagecodecs_it_is_named_with_its_remedy(tmp_path):
    pytest.importorskip("imagecodecs")
    kinds = [{"compression": kind} for kind in ("lzw", "zstd", "jpeg", "webp", "lerc")]
    kinds += [{"compression": "zlib", "predictor": 3, "dtype": "f4"}, {"compression": "zlib"}]
    for number, options in enumerate(kinds):
        dtype = options.pop("dtype", "u1")
        data = RGB.astype(dtype)
        tifffile.imwrite(tmp_path / f"{number}.tif", data, photometric="rgb", **options)
    script = (
        "import sys, pathlib; sys.modules['imagecodecs'] = None\n"
        "from napari_seem.io.files import open_image\n"
        f"for path in sorted(pathlib.Path(r'{tmp_path}').iterdir()):\n"
        "    try: print(open_image(path).data.shape)\n"
        "    except Exception as error: print(type(error).__name__, error)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    *said, shape = done.stdout.splitlines()
    assert shape == "(60, 80, 3)"
    assert len(said) == 6
    for line in said:
        assert line.startswith(MissingPackage.__name__)
        assert "napari-seem[codecs]" in line


def test_colours_are_as_people_see_them(tmp_path):
    inks = np.concatenate([255 - RGB, np.zeros_like(GRAY)[..., None]], -1)
    image = opened(tmp_path / "cmyk.tif", inks, photometric="separated")
    np.testing.assert_array_equal(image.data, RGB)
    colours = np.random.default_rng(0).integers(0, 256, (3, 256)).astype(np.uint16)
    image = opened(tmp_path / "palette.tif", GRAY, photometric="palette", colormap=colours * 257)
    np.testing.assert_array_equal(image.data, colours.T[GRAY])
    assert image.rgb
    stored = open_image(tmp_path / "palette.tif", as_stored=True)
    np.testing.assert_array_equal(stored.data, GRAY)
    apart = opened(tmp_path / "apart.tif", np.moveaxis(RGB, -1, 0), photometric="rgb",
                   planarconfig="separate", metadata=None)  # fmt: skip
    np.testing.assert_array_equal(apart.data, RGB)
    assert apart.rgb
    lab = np.zeros((20, 20, 3), np.uint8)
    lab[..., 0], lab[..., 1] = 138, 81  # L* 54, a* 81, b* 70 is nearly red
    lab[..., 2] = 70
    red = opened(tmp_path / "lab.tif", lab, photometric="cielab").data[0, 0]
    assert red[0] > 240
    assert red[1:].max() < 30


def test_white_is_high_but_masks_stay_as_they_were_written(tmp_path):
    image = opened(tmp_path / "a.tif", GRAY, photometric="miniswhite")
    np.testing.assert_array_equal(image.data, 255 - GRAY)
    np.testing.assert_array_equal(read_labels(tmp_path / "a.tif")[0], GRAY)
    image = opened(tmp_path / "12.tif", GRAY.astype(np.uint16), photometric="miniswhite",
                   bitspersample=12)  # fmt: skip
    np.testing.assert_array_equal(image.data, 4095 - GRAY.astype(int))


def test_alpha_is_left_out_where_it_is_no_rgba(tmp_path):
    both = opened(tmp_path / "a.tif", np.stack([GRAY, GRAY + 1], -1), photometric="minisblack",
                  planarconfig="contig", extrasamples=["unassalpha"])  # fmt: skip
    np.testing.assert_array_equal(both.data, GRAY)
    assert both.channel_axis is None
    four = np.concatenate([RGB, GRAY[..., None]], -1)
    options = {"photometric": "rgb", "extrasamples": ["unassalpha"]}
    deep = opened(tmp_path / "b.tif", four.astype(np.uint16) * 256, **options)
    assert deep.channels == ("red", "green", "blue", "alpha")
    assert deep.data.shape == (60, 80, 3)
    assert opened(tmp_path / "c.tif", four, **options).rgb


def test_what_is_no_intensity_is_refused_by_name(tmp_path):
    with pytest.raises(FileTrouble, match=r"complex64.*magnitude"):
        opened(tmp_path / "a.tif", GRAY.astype(np.complex64))


@pytest.mark.parametrize("order", ["XYZCT", "XYZTC", "XYCTZ", "XYCZT", "XYTCZ", "XYTZC"])
def test_any_order_of_axes_comes_as_time_depth_rows_columns(tmp_path, order):
    axes = order[::-1]
    data = np.arange(np.prod(list(SIZES.values())), dtype=np.uint16)
    data = data.reshape([SIZES[axis] for axis in axes])
    about = {"axes": axes, "PhysicalSizeZ": 3.0, "PhysicalSizeX": 0.5, "PhysicalSizeY": 0.4,
             "TimeIncrement": 2.5, "TimeIncrementUnit": "min"}  # fmt: skip
    image = opened(tmp_path / "a.ome.tif", data, photometric="minisblack", metadata=about)
    assert image.grid.axes == ("t", "z", "y", "x")
    assert image.grid.spacing == (2.5, 3.0, 0.4, 0.5)
    assert image.grid.units == ("min", "um", "um", "um")
    assert image.channel_axis == axes.index("C")
    found = np.moveaxis(np.asarray(image.data), image.channel_axis, 0)
    np.testing.assert_array_equal(found, data.transpose([axes.index(axis) for axis in "CTZYX"]))
    labels = np.zeros(image.grid.shape, np.uint16)
    labels[1, 2, 3:9, 4:8] = 7
    for name in ("l.tif", "l.ome.tif"):
        write_labels(tmp_path / name, labels, image.grid)
        again = open_image(tmp_path / name)
        assert again.grid.axes == image.grid.axes
        np.testing.assert_allclose(again.grid.matrix, image.grid.matrix)
        np.testing.assert_array_equal(again.data, labels)


def test_rows_and_columns_come_last_and_stay_where_they_are_one_pixel_long(tmp_path):
    image = opened(tmp_path / "a.tif", np.zeros((20, 24, 7), np.uint8), photometric="minisblack",
                   metadata={"axes": "YXT"})  # fmt: skip
    assert (image.grid.axes, image.grid.shape) == (("t", "y", "x"), (7, 20, 24))
    for shape in ((1, 1), (1, 24), (5, 1, 24)):
        image = opened(tmp_path / "b.tif", np.zeros(shape, np.uint8), photometric="minisblack")
        assert image.grid.shape == shape
        assert image.grid.axes[-2:] == ("y", "x")


@pytest.mark.parametrize("count", [3, 4])
@pytest.mark.parametrize("dtype", ["u1", "u2"])
def test_three_or_four_planes_of_tifffile_are_a_stack_with_a_word(tmp_path, count, dtype, caplog):
    planes = STACK[:count].astype(dtype)
    usual = {"photometric": "rgb", "planarconfig": "separate"}  # what tifffile chooses by itself
    image = opened(tmp_path / "a.tif", planes, **usual)
    assert (image.grid.axes, image.channel_axis) == (("z", "y", "x"), None)
    np.testing.assert_array_equal(image.data, planes)
    assert "opened as a stack" in image.about["warning"]
    assert "'axes': 'CYX'" in caplog.text
    write_labels(tmp_path / "seeds.tif", np.ones(planes.shape, np.uint16))
    assert open_seeds(tmp_path / "seeds.tif", image.data, image.grid).data.shape == planes.shape
    named = opened(tmp_path / "b.tif", planes, metadata={"axes": "CYX"}, photometric="minisblack")
    assert (named.channel_axis, dict(named.about)) == (0, {})


def test_a_colour_image_is_no_stack_to_propagate_through(tmp_path):
    image = opened(tmp_path / "rgb.tif", RGB, photometric="rgb")
    write_labels(tmp_path / "l.tif", np.ones(RGB.shape, np.uint16))
    with pytest.raises(InvalidLabels, match=r"\(60, 80, 3\) with its channels is no stack"):
        open_seeds(tmp_path / "l.tif", image.data, image.grid)


HEAD = (
    '<?xml version="1.0" encoding="UTF-8"?><OME xmlns='
    '"http://www.openmicroscopy.org/Schemas/OME/2016-06" UUID="urn:uuid:{}"><Image ID="Image:0">'
    '<Pixels ID="Pixels:0" DimensionOrder="XYZCT" Type="uint8" SizeX="50" SizeY="40" SizeZ="3" '
    'SizeC="1" SizeT="1"><Channel ID="Channel:0:0" SamplesPerPixel="1"/>{}</Pixels></Image></OME>'
)


@pytest.fixture
def ome_set(tmp_path):
    """Three files of one OME-TIFF image of three planes, in which 50, 60 and 70 stand."""
    files = {f"z{i}.ome.tif": str(uuid.UUID(int=i + 1)) for i in range(3)}
    data = "".join(
        f'<TiffData IFD="0" FirstZ="{i}" FirstT="0" FirstC="0" PlaneCount="1">'
        f'<UUID FileName="{file}">urn:uuid:{uid}</UUID></TiffData>'
        for i, (file, uid) in enumerate(files.items())
    )
    for number, (file, uid) in enumerate(files.items()):
        plane = np.full((40, 50), 50 + 10 * number, np.uint8)
        tifffile.imwrite(tmp_path / file, plane, description=HEAD.format(uid, data), metadata=None)
    return tmp_path


def test_a_set_of_files_is_whole_or_the_missing_one_is_named(ome_set):
    for name in ("z0.ome.tif", "z2.ome.tif"):
        assert np.asarray(open_image(ome_set / name).data)[:, 0, 0].tolist() == [50, 60, 70]
    missing = ome_set / "z1.ome.tif"
    missing.rename(ome_set / "other.ome.tif")
    with pytest.raises(FileTrouble, match=r"set of files, of which 'z1\.ome\.tif' is missing"):
        open_image(ome_set / "z0.ome.tif")
    missing.write_bytes(b"")
    with pytest.raises(FileTrouble, match=r"'z1\.ome\.tif' is missing or damaged"):
        open_image(ome_set / "z2.ome.tif")


def test_planes_that_were_never_recorded_are_told(tmp_path):
    text = HEAD.format(uuid.UUID(int=1), '<TiffData IFD="0" PlaneCount="2"/>')
    with tifffile.TiffWriter(tmp_path / "a.ome.tif") as file:
        for number in range(2):
            file.write(np.full((40, 50), 9, np.uint8), metadata=None, contiguous=False,
                       description=text if not number else None)  # fmt: skip
    image = open_image(tmp_path / "a.ome.tif")
    assert np.asarray(image.data)[:, 0, 0].tolist() == [9, 9, 0]
    assert "1 of 3 planes are not in the file" in image.about["warning"]


@pytest.mark.parametrize(
    ("options", "part"),
    [
        ({"imagej": True, "metadata": {"axes": "ZYX"}}, 0.9),
        ({"imagej": True, "metadata": {"axes": "ZYX"}, "compression": "zlib"}, 0.6),
        ({"metadata": {"axes": "ZYX"}}, 0.6),
        ({"metadata": {"axes": "ZYX"}, "compression": "zlib"}, 0.6),
    ],
)
def test_stacks_that_were_cut_off_are_refused(tmp_path, options, part):
    tifffile.imwrite(tmp_path / "a.tif", STACK, photometric="minisblack", **options)
    whole = (tmp_path / "a.tif").read_bytes()
    (tmp_path / "a.tif").write_bytes(whole[: int(len(whole) * part)])
    with pytest.raises(FileTrouble, match="copy it again"):
        open_image(tmp_path / "a.tif")


def test_a_cut_that_only_the_list_of_pages_shows_is_told(tmp_path):
    tifffile.imwrite(tmp_path / "a.ome.tif", STACK, photometric="minisblack")
    whole = (tmp_path / "a.ome.tif").read_bytes()
    (tmp_path / "a.ome.tif").write_bytes(whole[: len(whole) * 9 // 10])
    assert "cut off" in open_image(tmp_path / "a.ome.tif").about["warning"]


def test_of_several_images_the_largest_is_opened_and_the_others_are_told(tmp_path):
    with tifffile.TiffWriter(tmp_path / "two.ome.tif", ome=True) as file:
        file.write(GRAY, metadata={"axes": "YX", "Name": "label"})
        file.write(np.tile(GRAY, (3, 3)), metadata={"axes": "YX", "Name": "slide",
                   "PhysicalSizeX": 0.5, "PhysicalSizeY": 0.5})  # fmt: skip
        file.write(np.tile(GRAY, (2, 2)), metadata={"axes": "YX", "Name": "other"})
    image = open_image(tmp_path / "two.ome.tif")
    assert image.grid.shape == (180, 240)
    assert image.grid.spacing == (0.5, 0.5)
    assert "2: other 120 x 160), of which 1 is opened" in image.about["warning"]
    assert series_of(tmp_path / "two.ome.tif") == {
        "1": "1: slide 180 x 240", "2": "2: other 120 x 160"
    }  # fmt: skip
    for series in ("0", "label"):
        assert open_image(tmp_path / "two.ome.tif", series).grid.shape == (60, 80)
    with pytest.raises(FileTrouble, match=r"no image '9'; it has 0: label 60 x 80"):
        open_image(tmp_path / "two.ome.tif", "9")


def test_a_slide_is_opened_without_its_label_and_thumbnail(tmp_path):
    pytest.importorskip("imagecodecs")
    slide = np.tile(RGB, (4, 4, 1))
    with tifffile.TiffWriter(tmp_path / "a.svs") as file:
        tiles = {"tile": (64, 64), "compression": "jpeg", "metadata": None}
        head = "Aperio Image Library v10\r\n"
        file.write(slide, description=head + "240x320 |AppMag = 20|MPP = 0.499", **tiles)
        file.write(slide[::4, ::4].copy(), description=head + "thumbnail", metadata=None)
        file.write(slide[::2, ::2].copy(), description=head, **tiles)
        for number, name in ((1, "label"), (9, "macro")):
            file.write(slide[:50, :60].copy(), subfiletype=number, description=head + name,
                       metadata=None)  # fmt: skip
    image = open_image(tmp_path / "a.svs")
    assert [level.shape for level in image.levels] == [(240, 320, 3), (120, 160, 3)]
    assert (image.grid.spacing, image.grid.units) == ((0.499, 0.499), ("um", "um"))
    assert dict(image.about) == {}
    assert open_image(tmp_path / "a.svs", "Label").grid.shape == (50, 60)


def test_an_imagej_stack_beyond_4_gb_is_read_by_the_plane(tmp_path):
    planes, size = 2200, 1 << 20
    tifffile.imwrite(tmp_path / "a.tif", np.zeros((1, 1024, 1024), np.uint16), imagej=True,
                     metadata={"axes": "ZYX", "images": planes, "slices": planes})  # fmt: skip
    with tifffile.TiffFile(tmp_path / "a.tif") as file:
        start = file.pages.first.dataoffsets[0]
        assert file.byteorder == "<"
    with (tmp_path / "a.tif").open("r+b") as file:  # a file of holes
        text = f"ImageJ=1.54f\nimages={planes}\nslices={planes}\n".encode()
        whole = file.read(start)
        at = whole.index(b"ImageJ=")
        room = whole.index(b"\0", at) - at
        assert len(text) <= room
        file.seek(at)
        file.write(text.ljust(room, b"\0"))
        file.truncate(start + planes * size * 2)
        file.seek(start + 2100 * size * 2)
        file.write(np.full(size, 7, "<u2").tobytes())
    image = open_image(tmp_path / "a.tif")
    assert image.grid.shape == (planes, 1024, 1024)
    assert (image.data[2100] == 7).all()
    assert not image.data[2099].any()
