"""The tutorials' programs, run as they are written."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest

DOCS = Path(__file__).resolve().parents[1] / "docs"


def follow(name: str, folder: Path, monkeypatch) -> dict:
    """Run the marked blocks of a page, one after another, in a folder; what they left."""
    monkeypatch.chdir(folder)
    text = (DOCS / name).read_text()
    blocks = re.findall(r"<!-- run -->\n```python\n(.*?)```", text, re.DOTALL)
    assert len(blocks) == text.count("```python")
    left: dict = {}
    for block in blocks:
        exec(compile(block, name, "exec"), left)
    return left


def iou(one, other) -> float:
    return float((one & other).sum() / (one | other).sum())


def test_an_organ_in_a_ct(tmp_path, monkeypatch):
    pydicom = pytest.importorskip("pydicom")
    nibabel = pytest.importorskip("nibabel")
    pytest.importorskip("highdicom")
    from napari_seem.samples.files import ct_volume

    left = follow("tutorial-ct.md", tmp_path, monkeypatch)
    _, organs = ct_volume()
    assert iou(left["labels"] > 0, organs == 1) > 0.8
    segmentation = pydicom.dcmread(tmp_path / "liver.dcm")
    (segment,) = segmentation.SegmentSequence
    assert segment.SegmentLabel == "liver"
    assert segment.SegmentedPropertyTypeCodeSequence[0].CodeValue == "10200004"
    written = np.asarray(nibabel.load(tmp_path / "liver.nii.gz").dataobj).T
    np.testing.assert_array_equal(written, left["labels"])


def test_roofs_in_a_mosaic(tmp_path, monkeypatch):
    rasterio = pytest.importorskip("rasterio")
    from napari_seem.samples import mosaic

    left = follow("tutorial-roofs.md", tmp_path, monkeypatch)
    truth = mosaic().truth
    for number, click in enumerate(left["clicks"], start=1):
        assert iou(left["labels"] == number, truth == truth[click]) > 0.85
    document = json.loads((tmp_path / "roofs.geojson").read_text())
    assert document["crs"]["properties"]["name"].endswith("EPSG::32632")
    assert len(document["features"]) == 6
    x, y = np.array(document["features"][0]["geometry"]["coordinates"][0]).mean(0)
    with rasterio.open(tmp_path / "roofs.tif") as file:
        assert next(iter(file.sample([(x, y)])))[0] == 1
