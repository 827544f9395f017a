"""GeoTIFF and outlines: labels lie on the map where the image does."""

from __future__ import annotations

import json

import numpy as np
import pytest
import tifffile
from files import some_labels

from napari_seem.errors import FileTrouble, InvalidLabels
from napari_seem.io.files import open_image, read_labels, write_labels
from napari_seem.io.grid import Grid
from napari_seem.io.outlines.write import outlines, run_lengths

rasterio = pytest.importorskip("rasterio")
from rasterio.features import rasterize  # noqa: E402
from rasterio.transform import Affine  # noqa: E402

UTM = Affine(0.1, 0, 405_123.7, 0, -0.1, 5_650_321.3)
ROTATED = Affine.translation(405_123.7, 5_650_321.3) @ Affine.rotation(20) @ Affine.scale(0.1, -0.2)


def write(path, transform=UTM, crs="EPSG:32632", bands=4, nodata=None, shape=(600, 640), **options):
    pixels = np.random.default_rng(0).integers(0, 4000, (bands, *shape)).astype(np.uint16)
    with rasterio.open(
        path, "w", driver="GTiff", height=shape[0], width=shape[1], count=bands, dtype="uint16",
        crs=crs, transform=transform, nodata=nodata, **options,
    ) as file:  # fmt: skip
        file.write(pixels)
        for number in range(bands):
            file.set_band_description(number + 1, ("red", "green", "blue", "nir")[number])
    return pixels


@pytest.mark.parametrize("transform", [UTM, ROTATED], ids=["north up", "rotated"])
def test_labels_have_the_same_system_and_transform(tmp_path, table, transform):
    pixels = write(tmp_path / "mosaic.tif", transform, nodata=65535)
    opened = open_image(tmp_path / "mosaic.tif")
    assert opened.channels == ("red", "green", "blue", "nir")
    assert opened.channel_axis == 2
    assert not opened.rgb
    np.testing.assert_array_equal(np.moveaxis(np.asarray(opened.data), -1, 0), pixels)
    assert opened.grid.units == ("m", "m")
    assert opened.about["nodata"] == 65535
    labels, out = some_labels(opened.grid.shape), tmp_path / "roofs.tif"
    write_labels(out, labels, opened.grid, table)
    with rasterio.open(out) as file:
        assert file.transform == transform
        assert file.crs.to_epsg() == 32632
        assert file.tags()["IMAGE_NODATA"] == "65535.0"
        np.testing.assert_array_equal(file.read(1), labels)
    if transform == UTM:
        tags = tifffile.TiffFile(out).pages.first.tags
        assert tags["ModelPixelScaleTag"].value[:2] == (0.1, 0.1)
        assert tags["ModelTiepointTag"].value[3:5] == (405_123.7, 5_650_321.3)
    back, objects = read_labels(out, opened.grid)
    np.testing.assert_array_equal(back, labels)
    assert objects[4].name == "liver"


@pytest.mark.parametrize("transform", [UTM, ROTATED], ids=["north up", "rotated"])
def test_pixels_are_shown_where_the_map_has_them_and_north_is_up(tmp_path, transform):
    write(tmp_path / "mosaic.tif", transform)
    matrix = open_image(tmp_path / "mosaic.tif").grid.matrix
    row, column = 70, 200
    south, east, _ = matrix @ (row, column, 1)
    x, y = transform @ (column + 0.5, row + 0.5)
    np.testing.assert_allclose((east, -south), (x, y))


@pytest.mark.parametrize("transform", [UTM, ROTATED], ids=["north up", "rotated"])
def test_geojson_in_map_coordinates_covers_the_very_same_pixels(tmp_path, table, transform):
    write(tmp_path / "mosaic.tif", transform)
    grid = open_image(tmp_path / "mosaic.tif").grid
    labels, out = some_labels(grid.shape), tmp_path / "roofs.geojson"
    write_labels(out, labels, grid, table, {"model": "compact"})
    document = json.loads(out.read_text())
    assert document["crs"]["properties"]["name"] == "urn:ogc:def:crs:EPSG::32632"
    assert document["napari-seem"]["model"] == "compact"
    features = document["features"]
    burnt = rasterize(
        [(f["geometry"], f["id"]) for f in features], labels.shape, transform=transform,
        dtype="int32",
    )  # fmt: skip
    np.testing.assert_array_equal(burnt, labels)
    liver = features[0]
    assert liver["properties"]["name"] == "liver"
    assert liver["properties"]["score"] == 0.873
    assert len(liver["geometry"]["coordinates"]) == 2  # a hole
    pixel = abs(transform.determinant)
    assert liver["properties"]["area"] == pytest.approx((labels == 4).sum() * pixel)


def test_an_object_in_pieces_is_one_feature():
    labels = np.zeros((20, 20), np.uint16)
    labels[2:4, 2:4] = labels[10:12, 10:12] = 7
    assert {i: len(polygons) for i, polygons in outlines(labels).items()} == {7: 2}


def test_without_a_map_geojson_is_in_pixels(tmp_path):
    labels = np.zeros((20, 30), np.uint8)
    labels[5:8, 10:14] = 1
    write_labels(tmp_path / "x.geojson", labels)
    document = json.loads((tmp_path / "x.geojson").read_text())
    ring = np.array(document["features"][0]["geometry"]["coordinates"][0])
    assert (ring.min(0).tolist(), ring.max(0).tolist()) == ([10, 5], [14, 8])
    assert "crs" not in document


def test_coco_keeps_ids_scores_and_holes(tmp_path, table):
    labels = some_labels((64, 70))
    write_labels(tmp_path / "x.coco.json", labels, table=table, about={"image": "a.png"})
    document = json.loads((tmp_path / "x.coco.json").read_text())
    names = {c["id"]: c["name"] for c in document["categories"]}
    found = {a["id"]: a for a in document["annotations"]}
    assert sorted(found) == [4, 9, 300]
    assert names[found[4]["category_id"]] == "liver"
    assert found[4]["score"] == 0.873
    assert found[9]["bbox"] == [5, 50, 20, 10]
    assert document["images"][0]["file_name"] == "a.png"
    runs = found[4]["segmentation"]["counts"]
    values = np.repeat(np.arange(len(runs)) % 2, runs).reshape(labels.shape, order="F")
    np.testing.assert_array_equal(values > 0, labels == 4)
    (polygon,) = found[9]["segmentation"]
    assert sorted(set(polygon[::2])) == [5, 25]


def test_run_lengths_begin_with_the_background():
    mask = np.array([[True, False], [True, True]])
    assert run_lengths(mask) == {"counts": [0, 2, 1, 1], "size": [2, 2]}


def test_large_mosaics_are_read_by_the_piece(tmp_path, monkeypatch):
    path = tmp_path / "mosaic.tif"
    pixels = write(path, shape=(1500, 1300), tiled=True, blockxsize=256, blockysize=256)
    with rasterio.open(path, "r+") as file:
        file.build_overviews([2, 4])
    monkeypatch.setattr("napari_seem.io.geotiff.LARGE", 1000)
    opened = open_image(path)
    shapes = [level.shape for level in opened.levels]
    assert shapes == [(1500, 1300, 4), (750, 650, 4), (375, 325, 4)]
    part = np.asarray(opened.data[1000:1100, 1000:1200])
    np.testing.assert_array_equal(np.moveaxis(part, -1, 0), pixels[:, 1000:1100, 1000:1200])


def test_a_mosaic_without_coordinate_system_says_so(tmp_path):
    write(tmp_path / "mosaic.tif", crs=None)
    opened = open_image(tmp_path / "mosaic.tif")
    assert "no coordinate system" in opened.about["warning"]
    write_labels(tmp_path / "l.tif", some_labels(opened.grid.shape), opened.grid)
    with rasterio.open(tmp_path / "l.tif") as file:
        assert file.transform == UTM
        assert file.crs is None


def test_truncated_rasters_and_stacks(tmp_path):
    write(tmp_path / "mosaic.tif")
    whole = (tmp_path / "mosaic.tif").read_bytes()
    (tmp_path / "mosaic.tif").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(FileTrouble, match=r"mosaic.tif"):
        np.asarray(open_image(tmp_path / "mosaic.tif").data)
    with pytest.raises(InvalidLabels, match="3 axes"):
        write_labels(tmp_path / "x.geojson", some_labels((2, 64, 70)))
    grid = Grid.plain((64, 70))
    write_labels(tmp_path / "plain.tif", some_labels(grid.shape), grid)
    assert open_image(tmp_path / "plain.tif").grid.format == "tiff"
