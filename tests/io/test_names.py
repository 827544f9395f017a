"""Names, concepts and times of objects, and the colours of their classes, in every format."""

from __future__ import annotations

import json

import numpy as np
import pytest

from napari_seem.edits import ObjectRecord, ObjectTable
from napari_seem.io.files import open_image, read_labels, write_labels
from napari_seem.io.table import COLOURS

ODD = 'vein, "left"\\ <ä>'
TIME = "2026-01-02T03:04:05+00:00"
TABLE = ObjectTable({
    1: ObjectRecord(ODD, 0.5, "compact", 2, "vein", TIME),
    2: ObjectRecord("nucleus", 0.9, "compact", 1, "nucleus", TIME),
    3: ObjectRecord(),
})  # fmt: skip
ABOUT = {COLOURS: {"vein": "#ff8000"}}


def labels(*lead):
    data = np.zeros((*lead, 20, 30), np.uint16)
    for label_id in (1, 2, 3):
        data[..., 2:8, 9 * label_id - 5 : 9 * label_id] = label_id
    return data


@pytest.mark.parametrize("ending", [".nii.gz", ".tif", ".ome.tif", ".zarr"])
def test_what_is_known_of_objects_is_read_back(tmp_path, ending):
    path = tmp_path / f"labels{ending}"
    write_labels(path, labels(), None, TABLE, ABOUT)

    values, table = read_labels(path)

    assert np.array_equal(np.squeeze(np.asarray(values)), labels())
    assert table[1] == TABLE[1]
    assert table[2] == TABLE[2]
    assert (table[3].name, table[3].time) == ("", "")


def test_dicom_segments_are_called_by_name_and_coded_by_class(tmp_path, make_series):
    pytest.importorskip("highdicom")
    pydicom = pytest.importorskip("pydicom")
    grid = open_image(make_series([0.0, 2.5])).grid
    data = np.zeros(grid.shape, np.uint16)
    data[:, 2:9, 2:9], data[:, 20:29, 20:29] = 1, 2
    table = ObjectTable({1: ObjectRecord("my one", concept="liver"), 2: TABLE[1]})
    write_labels(tmp_path / "seg.dcm", data, grid, table)

    one, two = pydicom.dcmread(tmp_path / "seg.dcm").SegmentSequence
    assert (one.SegmentLabel, two.SegmentLabel) == ("my one", ODD.replace("\\", "/"))
    assert one.SegmentedPropertyTypeCodeSequence[0].CodeMeaning == "Liver"
    assert read_labels(tmp_path / "seg.dcm", grid)[1][2] == TABLE[1]
    (tmp_path / "seg.json").unlink()
    assert read_labels(tmp_path / "seg.dcm", grid)[1][2].name == two.SegmentLabel


def test_outlines_have_classes_as_qupath_and_coco_want_them(tmp_path):
    pytest.importorskip("rasterio")
    write_labels(tmp_path / "x.geojson", labels(), None, TABLE, ABOUT)
    write_labels(tmp_path / "x.coco.json", labels(), None, TABLE, ABOUT)

    one, two, three = json.loads((tmp_path / "x.geojson").read_text())["features"]
    assert one["properties"]["classification"] == {"name": "vein", "color": [255, 128, 0]}
    assert one["properties"]["time"] == TIME
    assert two["properties"]["classification"] == {"name": "nucleus"}
    assert "classification" not in three["properties"]
    coco = json.loads((tmp_path / "x.coco.json").read_text())
    names = {category["id"]: category["name"] for category in coco["categories"]}
    assert [names[a["category_id"]] for a in coco["annotations"]] == ["vein", "nucleus", "object"]
    assert coco["annotations"][0]["name"] == ODD
    assert coco["annotations"][0]["concept"] == "vein"


def test_label_groups_have_the_colours_of_the_classes(tmp_path):
    zarr = pytest.importorskip("zarr")
    write_labels(tmp_path / "x.zarr", labels(), None, TABLE, ABOUT)
    about = zarr.open_group(tmp_path / "x.zarr", mode="r").attrs["ome"]["image-label"]
    colours = {one["label-value"]: one["rgba"] for one in about["colors"]}
    assert colours[1] == [255, 128, 0, 255]
    assert colours[2] != colours[3]
