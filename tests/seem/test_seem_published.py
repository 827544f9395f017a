"""The evaluation code of the published SEEM figures, on a toy set in the published formats."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from PIL import Image
from skimage.io import imsave

from napari_seem.models.base import Embedding, Prediction
from napari_seem.models.seem.model import SeemModel
from napari_seem.models.seem.network import Seem
from napari_seem.models.seem.tokenizer import Tokenizer
from napari_seem.prompts import Point, Text

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "seem_published.py"
SHAPE = (40, 60)


@pytest.fixture(scope="module")
def published() -> ModuleType:
    spec = importlib.util.spec_from_file_location("seem_published", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def objects() -> np.ndarray:
    """Two objects, and void between them."""
    ids = np.zeros(SHAPE, np.uint8)
    ids[5:25, 5:25] = 1
    ids[10:35, 35:55] = 2
    ids[5:35, 30:33] = 255
    return ids


@pytest.fixture
def voc(tmp_path: Path) -> Path:
    """A Pascal VOC folder with one image."""
    for folder in ("JPEGImages", "SegmentationObject", "ImageSets/Segmentation"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "ImageSets/Segmentation/val.txt").write_text("toy\n")
    image = np.stack([objects() * np.uint8(90)] * 3, axis=2)
    imsave(tmp_path / "JPEGImages/toy.jpg", image, check_contrast=False)
    indexed = Image.fromarray(objects(), mode="P")
    indexed.putpalette(list(range(256)) * 3)
    indexed.save(tmp_path / "SegmentationObject/toy.png")
    return tmp_path


class Growing:
    """Knows the objects, and finds half of one more with every click; a word finds the first."""

    def encode(self, image: np.ndarray) -> Embedding:
        return Embedding("growing", image.shape[:2], {})

    def predict(self, embedding: Embedding, prompts: list, memory: Any = None) -> Prediction:
        del memory
        if isinstance(prompts[0], Text):
            return Prediction(np.where(objects() == 1, 1.0, -1.0).astype(np.float32), 1)
        first = prompts[0]
        assert isinstance(first, Point)
        mask = objects() == objects()[int(first.y), int(first.x)]
        rows = np.flatnonzero(mask.any(axis=1))
        share = {1: 0.5, 2: 0.87}.get(len(prompts), 1.0)
        mask[rows[0] + round(share * len(rows)) :] = False
        return Prediction(np.where(mask, 1.0, -1.0).astype(np.float32), 1)


def test_clicks_are_counted_until_the_goal(published: ModuleType, voc: Path) -> None:
    figures = published.noc(Growing(), published.voc_objects(voc))
    assert figures == {"objects": 2, "NoC85": 2.0, "NoC90": 3.0}


def test_sentences_are_scored_over_all_pixels(published: ModuleType, tmp_path: Path) -> None:
    imsave(tmp_path / "toy.png", np.zeros((*SHAPE, 3), np.uint8), check_contrast=False)
    region = (objects() == 1).ravel(order="F")
    edges = np.flatnonzero(np.diff(region)) + 1
    counts = np.diff([0, *edges, region.size]).tolist()
    entries = [
        {"image_id": 1, "segmentation": {"counts": counts}, "sentences": [{"raw": "the left"}]},
        {"image_id": 1, "segmentation": [[35, 10, 54, 10, 54, 34, 35, 34]], "sentences": ["right"]},
    ]
    content = {"images": [{"id": 1, "file_name": "toy.png"}], "annotations": entries}
    (tmp_path / "toy.json").write_text(json.dumps(content))
    samples = list(published.referred_regions(tmp_path / "toy.json", tmp_path))
    assert samples[0].region.sum() == 400
    assert abs(samples[1].region.sum() - 500) <= 50
    figures = published.grounding(Growing(), samples)
    assert figures["sentences"] == 2
    assert figures["cIoU"] == pytest.approx(400 / (800 + samples[1].region.sum()))
    assert figures["mIoU"] == 0.5


def test_seem_itself_goes_through_it(published: ModuleType, voc: Path, tiny: Seem) -> None:
    model = SeemModel(tiny, Tokenizer([])).at_size(64, 96)
    figures = published.noc(model, published.voc_objects(voc))
    assert figures["objects"] == 2
    assert 1 <= figures["NoC85"] <= figures["NoC90"] <= published.MOST_CLICKS
