"""Pictures that a world file, a .prj or control points put on a map."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from napari_seem.errors import FileTrouble
from napari_seem.io.files import open_image, read_labels, write_labels

rasterio = pytest.importorskip("rasterio")
from rasterio.control import GroundControlPoint  # noqa: E402
from rasterio.enums import ColorInterp  # noqa: E402
from rasterio.transform import Affine  # noqa: E402

UTM = Affine(0.5, 0, 400_000, 0, -0.5, 5_600_000)
TURNED = Affine.translation(400_000, 5_600_000) @ Affine.rotation(20) @ Affine.scale(0.5, -0.25)
SHAPE = (40, 60)
RGB = np.random.default_rng(0).integers(0, 255, (*SHAPE, 3)).astype(np.uint8)
SYSTEM = rasterio.crs.CRS.from_epsg(32632)


def placed(path, beside, transform=UTM):
    """Save a picture, and the text of a world file, which gives the middle of the first pixel."""
    Image.fromarray(RGB).save(path)
    a, b, c, d, e, f = tuple(transform)[:6]
    numbers = (a, d, b, e, c + a / 2 + b / 2, f + d / 2 + e / 2)
    path.with_name(beside).write_text("\n".join(f"{number:.9f}" for number in numbers))
    return path


def some_labels():
    labels = np.zeros(SHAPE, np.uint8)
    labels[3:9, 4:20] = 1
    return labels


def check_comes_back(folder, grid):
    """Write labels onto a map and as outlines, and read them again."""
    for name in ("l.tif", "l.geojson"):
        write_labels(folder / name, some_labels(), grid)
        np.testing.assert_array_equal(read_labels(folder / name, grid)[0], some_labels())


@pytest.mark.parametrize("transform", [UTM, TURNED], ids=["north up", "turned"])
@pytest.mark.parametrize(
    ("name", "beside"),
    [("a.jpg", "a.jgw"), ("a.png", "a.pgw"), ("a.tif", "a.tfw"), ("a.tif", "a.wld"),
     ("a.bmp", "a.bpw"), ("a.jpeg", "a.jgw"), ("a.JPG", "a.JGW"), ("a.png", "a.pngw")],
)  # fmt: skip
def test_a_world_file_places_a_picture(tmp_path, name, beside, transform):
    image = open_image(placed(tmp_path / name, beside, transform))
    assert "no coordinate system" in image.about["warning"]
    south, east, _ = image.grid.matrix @ (7, 20, 1)
    np.testing.assert_allclose((east, -south), transform @ (20.5, 7.5))
    check_comes_back(tmp_path, image.grid)
    with rasterio.open(tmp_path / "l.tif") as file:
        np.testing.assert_allclose(tuple(file.transform)[:6], tuple(transform)[:6])


def test_a_prj_names_the_coordinate_system(tmp_path):
    path = placed(tmp_path / "a.jpg", "a.jgw")
    path.with_suffix(".prj").write_text(SYSTEM.to_wkt(version="WKT1_ESRI"))
    image = open_image(path)
    assert (image.about["crs"], image.grid.units) == ("EPSG:32632", ("m", "m"))
    check_comes_back(tmp_path, image.grid)
    with rasterio.open(tmp_path / "l.tif") as file:
        assert file.crs.to_epsg() == 32632
    corner = json.loads((tmp_path / "l.geojson").read_text())["features"][0]["geometry"]
    assert [400_002.0, 5_599_998.5] in corner["coordinates"][0]
    path.with_suffix(".prj").write_text("nonsense")
    with pytest.raises(FileTrouble, match=r"a\.prj' names no coordinate system"):
        open_image(path)


def test_without_rasterio_a_world_file_is_told(tmp_path):
    path = placed(tmp_path / "a.jpg", "a.jgw")
    script = (
        "import sys; sys.modules['rasterio'] = None\n"
        "from napari_seem.io.files import open_image\n"
        f"opened = open_image(r'{path}')\nprint(opened.grid.shape, opened.about['warning'])\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.stdout.startswith("(40, 60) 'a.jgw' places it on a map"), done.stderr
    assert "napari-seem[geo]" in done.stdout


@pytest.mark.parametrize(("count", "bend"), [(6, 0), (6, 3), (2, 0)])
def test_control_points_place_a_raster_where_an_affine_describes_them(tmp_path, count, bend):
    points = []
    for row, column in [(0, 0), (0, 60), (40, 0), (40, 60), (20, 30), (10, 50)][:count]:
        x, y = UTM @ (column, row)
        points.append(GroundControlPoint(row, column, x + bend * row * column / 100, y))
    options = {"driver": "GTiff", "height": 40, "width": 60, "count": 3, "dtype": "uint8"}
    with rasterio.open(tmp_path / "a.tif", "w", gcps=points, crs=SYSTEM, **options) as file:
        file.write(np.moveaxis(RGB, -1, 0))
    image = open_image(tmp_path / "a.tif")
    assert image.about["control points"] == count
    if count == 6 and not bend:
        assert image.about["crs"] == "EPSG:32632"
        south, east, _ = image.grid.matrix @ (7, 20, 1)
        np.testing.assert_allclose((east, -south), UTM @ (20.5, 7.5))
        assert "warning" not in image.about
    else:
        assert "control points, which no affine describes" in image.about["warning"]
        np.testing.assert_array_equal(image.grid.matrix, np.eye(3))
    check_comes_back(tmp_path, image.grid)
    with rasterio.open(tmp_path / "l.tif") as file:  # the very same control points
        assert [(p.row, p.col, p.x, p.y) for p in file.gcps[0]] == [
            (p.row, p.col, p.x, p.y) for p in points
        ]


def raster(path, bands, colours=None, **options):
    with rasterio.open(
        path, "w", driver="GTiff", height=40, width=60, count=len(bands), dtype=bands.dtype,
        crs=SYSTEM, transform=UTM, **options,
    ) as file:  # fmt: skip
        file.write(bands)
        if colours:
            file.colorinterp = colours
    return open_image(path)


@pytest.mark.parametrize("large", [False, True])
@pytest.mark.parametrize(("dtype", "wide"), [("f4", "f4"), ("i2", "f4"), ("i4", "f8")])
def test_nodata_is_nan_in_an_image_and_background_in_labels(
    tmp_path, monkeypatch, large, dtype, wide
):
    heights = np.random.default_rng(0).integers(400, 600, (1, *SHAPE)).astype(dtype)
    heights[0, :10] = -9999
    if large:
        monkeypatch.setattr("napari_seem.io.geotiff.LARGE", 1000)
    image = raster(tmp_path / "a.tif", heights, nodata=-9999)
    pixels = np.asarray(image.data)
    assert image.data.dtype == pixels.dtype == wide
    assert np.isnan(pixels[:10]).all()
    np.testing.assert_array_equal(pixels[10:], heights[0, 10:])
    stored = open_image(tmp_path / "a.tif", as_stored=True)
    np.testing.assert_array_equal(stored.data, heights[0])
    labels = np.asarray(read_labels(tmp_path / "a.tif")[0])
    np.testing.assert_array_equal(labels, np.maximum(heights[0], 0))


def test_nodata_of_pictures_stays(tmp_path):
    bands = np.random.default_rng(0).integers(0, 255, (3, *SHAPE)).astype(np.uint8)
    image = raster(tmp_path / "a.tif", bands, photometric="rgb", nodata=0)
    assert image.rgb
    np.testing.assert_array_equal(image.data, np.moveaxis(bands, 0, -1))


def test_an_alpha_band_is_left_out_unless_the_raster_is_a_picture(tmp_path):
    bands = np.random.default_rng(0).integers(0, 255, (4, *SHAPE)).astype(np.uint8)
    colours = [ColorInterp.red, ColorInterp.green, ColorInterp.blue, ColorInterp.alpha]
    assert raster(tmp_path / "a.tif", bands, colours).rgb
    deep = raster(tmp_path / "b.tif", bands.astype(np.uint16), colours)
    assert (deep.data.shape, deep.channels) == ((*SHAPE, 3), ("red", "green", "blue"))
    gray = raster(tmp_path / "c.tif", bands[:2], alpha="yes")
    assert gray.channel_axis is None
    np.testing.assert_array_equal(gray.data, bands[0])
