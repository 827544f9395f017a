"""The programs of README and docs run as they are written; `tools/pages.py` checks their types."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from pages import PAGES, ROOT, blocks, run
from seggpt_recipe import made_up_network

import napari_seem as ns
from napari_seem.models.seggpt.model import SegGptModel

APART = ("docs/tutorial", "docs/seggpt", "docs/seem")
"""Pages that have tests of their own."""


@pytest.fixture(scope="module")
def load_model():
    """Load each model once: no page changes one."""
    return cache(ns.load_model)


@pytest.fixture
def _load_once(monkeypatch, load_model):
    monkeypatch.setattr(ns, "load_model", load_model)


def follow(page: str, folder: Path, monkeypatch) -> dict:
    """Run the program of a page in a folder."""
    monkeypatch.chdir(folder)
    return run(page)


def iou(one, other) -> float:
    return float((one & other).sum() / (one | other).sum())


def test_blocks_of_every_page_are_found():
    for page in PAGES:
        shown = [block for _, block in blocks(page) if block]
        assert len(shown) == (ROOT / page).read_text().count("```python"), page


@pytest.mark.parametrize(
    "page",
    [
        pytest.param(page, marks=[pytest.mark.long] if page == "docs/stacks.md" else [])
        for page in PAGES
        if not page.startswith(APART)
    ],
)
@pytest.mark.usefixtures("_load_once")
def test_a_page_runs_as_it_is_written(page, tmp_path, monkeypatch):
    assert follow(page, tmp_path, monkeypatch)


def test_the_page_of_seggpt_runs_with_a_small_network(tmp_path, monkeypatch):
    model = SegGptModel(made_up_network(), "seggpt-small")
    monkeypatch.setattr("napari_seem.models.registry.load_model", lambda name: model)

    assert follow("docs/seggpt.md", tmp_path, monkeypatch)["model"] is model


@pytest.mark.long
def test_an_organ_in_a_ct(tmp_path, monkeypatch):
    pydicom = pytest.importorskip("pydicom")
    nibabel = pytest.importorskip("nibabel")
    pytest.importorskip("highdicom")
    from napari_seem.samples.files import ct_volume

    left = follow("docs/tutorial-ct.md", tmp_path, monkeypatch)
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

    left = follow("docs/tutorial-roofs.md", tmp_path, monkeypatch)
    truth = mosaic().truth
    for number, click in enumerate(left["clicks"], start=1):
        assert iou(left["labels"] == number, truth == truth[click]) > 0.85
    document = json.loads((tmp_path / "roofs.geojson").read_text())
    assert document["crs"]["properties"]["name"].endswith("EPSG::32632")
    assert len(document["features"]) == 6
    x, y = np.array(document["features"][0]["geometry"]["coordinates"][0]).mean(0)
    with rasterio.open(tmp_path / "roofs.tif") as file:
        assert next(iter(file.sample([(x, y)])))[0] == 1
