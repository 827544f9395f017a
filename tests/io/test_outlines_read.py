"""Outlines read back as labels: what was written, exactly, and files of other software."""

from __future__ import annotations

import json
import logging

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from napari_seem.edits import ObjectRecord, ObjectTable
from napari_seem.errors import FileTrouble, InvalidArgument, InvalidLabels
from napari_seem.io.files import open_image, read_labels, write_labels
from napari_seem.io.outlines.read import from_run_lengths

pytest.importorskip("rasterio")
ENDINGS = (".geojson", ".coco.json")
RING = np.ones((9, 9), np.uint16)
RING[3:6, 3:6] = 0
RING[4, 4] = 7  # an object of one pixel in a hole


@pytest.mark.parametrize("ending", ENDINGS)
@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(labels=arrays(np.uint16, array_shapes(min_dims=2, max_dims=2, max_side=14),
                     elements=st.sampled_from([0, 0, 1, 2, 300, 65_535])))  # fmt: skip
def test_labels_come_back_to_the_pixel(tmp_path, ending, labels):
    """Objects touch, enclose each other, lie in pieces, at corners, and on the rim."""
    path = tmp_path / f"labels{ending}"
    write_labels(path, labels)
    read, _ = read_labels(path)

    np.testing.assert_array_equal(read, labels)


@pytest.mark.parametrize("ending", ENDINGS)
def test_names_and_scores_come_back(tmp_path, ending):
    table = ObjectTable({1: ObjectRecord("ring", 0.75, "compact", 3, "cell"),
                         7: ObjectRecord("dot", 0.5)})  # fmt: skip
    path = str(tmp_path / f"a{ending}")
    (tmp_path / "a.json").write_text("{}")  # beside; of other labels
    write_labels(path, RING, table=table)
    labels, read = read_labels(path)

    np.testing.assert_array_equal(labels, RING)
    assert read.items() == table.items()


@pytest.mark.parametrize("dtype", [np.uint32, np.int64, np.uint64])
@pytest.mark.parametrize("ending", ENDINGS)
def test_large_ids_come_back(tmp_path, ending, dtype):
    labels = RING.astype(dtype) * 500_000_000
    write_labels(tmp_path / f"a{ending}", labels)
    np.testing.assert_array_equal(read_labels(tmp_path / f"a{ending}")[0], labels)


def test_outlines_on_a_map_come_back_to_the_pixel(tmp_path):
    rasterio = pytest.importorskip("rasterio")
    profile = {"driver": "GTiff", "height": 9, "width": 9, "count": 1, "dtype": "uint8",
               "crs": "EPSG:32633",
               "transform": rasterio.Affine(10, 0, 4e5, 0, -10, 5e6)}  # fmt: skip
    with rasterio.open(tmp_path / "map.tif", "w", **profile) as file:
        file.write(np.ones((1, 9, 9), np.uint8))
    grid = open_image(tmp_path / "map.tif").grid
    write_labels(tmp_path / "a.geojson", RING, grid)

    for known in (grid, None):
        np.testing.assert_array_equal(read_labels(tmp_path / "a.geojson", known)[0], RING)


def square(y, x, side=3):
    return [[[x, y], [x + side, y], [x + side, y + side], [x, y + side], [x, y]]]


def test_geojson_of_qupath_needs_the_shape_of_its_image(tmp_path):
    features = [
        {"type": "Feature", "id": f"uuid-{n}", "geometry": {"type": "Polygon", "coordinates": ring},
         "properties": {"objectType": "annotation", "classification": {"name": name}}}
        for n, (ring, name) in enumerate([(square(1, 1), "Tumor"), (square(5, 4.5), "Stroma")])
    ]  # fmt: skip
    path = tmp_path / "a.geojson"
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}))

    with pytest.raises(InvalidLabels, match=r"read_labels\(path, shape=image\.shape"):
        read_labels(path)
    labels, table = read_labels(path, shape=(9, 10))
    assert labels.shape == (9, 10)
    assert np.bincount(labels.ravel()).tolist() == [72, 9, 9]
    assert [(i, row.name) for i, row in table.items()] == [(1, "Tumor"), (2, "Stroma")]


def coco(annotations, images=1):
    return json.dumps({
        "images": [{"id": n, "height": 9, "width": 10} for n in range(images)],
        "categories": [{"id": 4, "name": "cell"}], "annotations": annotations,
    })  # fmt: skip


def test_coco_of_other_software_has_polygons_and_run_lengths(tmp_path, caplog):
    flat = [1.0, 1.0, 4.0, 1.0, 4.0, 4.0, 1.0, 4.0]
    runs = {"size": [9, 10], "counts": [0, 27, 63]}
    annotations = [
        {"id": 12, "image_id": 0, "category_id": 4, "segmentation": [flat], "score": 0.5},
        {"id": 3, "image_id": 0, "category_id": 4, "segmentation": runs},
    ]
    path = tmp_path / "a.coco.json"
    path.write_text(coco(annotations))
    with caplog.at_level(logging.WARNING, "napari_seem"):
        labels, table = read_labels(path)

    assert np.bincount(labels.ravel()).tolist() == [60, *[0] * 2, 27, *[0] * 8, 3]
    assert table[12].name == table[3].name == "cell"
    assert table[12].score == 0.5
    assert "6 pixels went to the later ones" in caplog.text


def test_compressed_run_lengths_are_read():
    mask = np.zeros((5, 4), bool)
    mask[1:4, 1:3] = True
    for counts in ([6, 3, 2, 3, 6], packed([6, 3, 2, 3, 6])):
        read = from_run_lengths({"size": [5, 4], "counts": counts}, (5, 4))
        np.testing.assert_array_equal(np.sort(read), np.flatnonzero(mask))
    long = np.zeros((400, 300), bool)
    long[:, 20:290] = True
    read = from_run_lengths({"size": [400, 300], "counts": packed([8000, 108_000, 4000])},
                            (400, 300))  # fmt: skip
    np.testing.assert_array_equal(np.sort(read), np.flatnonzero(long))


def packed(runs):
    """Compress as `rleToString` of the COCO API does."""
    text = ""
    for number, run in enumerate(runs):
        value = run - runs[number - 2] if number > 2 else run
        more = True
        while more:
            bits, value = value & 31, value >> 5
            more = value != -1 if bits & 16 else value != 0
            text += chr((bits | 32 if more else bits) + 48)
    return text


@pytest.mark.parametrize(("name", "text", "error", "said"), [
    ("a.geojson", "{", FileTrouble, "damaged"), ("a.geojson", "[]", FileTrouble, "damaged"),
    ("a.geojson", '{"features": [{}], "napari-seem": {"shape": [3, 3]}}', FileTrouble, "damaged"),
    ("a.coco.json", "{}", FileTrouble, "damaged"), ("a.coco.json", "3", FileTrouble, "damaged"),
    ("a.coco.json", coco([], 2), InvalidLabels, "2 images"),
    ("a.coco.json", coco([{"id": 1, "segmentation": {"size": [1, 1], "counts": [1]}}]),
     InvalidLabels, r"shape \(1, 1\)"),
    ("a.coco.json", coco([{"id": 1, "segmentation": {"size": [9, 10], "counts": [3]}}]),
     FileTrouble, "3 pixels"),
])  # fmt: skip
def test_damaged_files_say_so(tmp_path, name, text, error, said):
    (tmp_path / name).write_text(text)
    with pytest.raises(error, match=said):
        read_labels(tmp_path / name)


def test_what_can_t_be_written_or_read_is_refused(tmp_path):
    for path in (None, 3, b"a.tif", "", ["a.tif"]):
        for ask in (lambda path=path: write_labels(path, RING), lambda path=path: read_labels(path),
                    lambda path=path: open_image(path)):  # fmt: skip
            with pytest.raises(InvalidArgument, match="name of a file"):
                ask()
    for labels in (None, "a.tif", 3.5, [[1.5]], RING * 0.5, RING > 0, -RING.astype(int)):
        with pytest.raises(InvalidLabels):
            write_labels(tmp_path / "a.tif", labels)
    with pytest.raises(InvalidLabels, match="use one of"):
        write_labels(tmp_path / "a.xyz", RING)
    write_labels(tmp_path / "a.geojson", RING)
    with pytest.raises(FileTrouble, match="read it by read_labels"):
        open_image(tmp_path / "a.geojson")
    write_labels(tmp_path / "a.tif", RING)
    with pytest.raises(InvalidLabels, match=r"not \(3, 3\)"):
        read_labels(tmp_path / "a.tif", shape=(3, 3))


@pytest.mark.parametrize("ending", [*ENDINGS, ".zip"])
def test_outlines_on_an_image_of_another_shape_are_refused(tmp_path, ending):
    path = tmp_path / f"a{ending}"
    write_labels(path, np.pad(RING, ((0, 3), (0, 0))))
    with pytest.raises(InvalidLabels, match=r"shape \(12, 9\), not \(9, 12\)"):
        read_labels(path, shape=(9, 12))
