"""The shipped model on big planes: the same answers as on planes that it sees as one."""

from __future__ import annotations

import numpy as np
import pytest
import tifffile

from napari_seem.cli import main
from napari_seem.models.registry import load_model
from napari_seem.prompts import Point
from napari_seem.sources import TiledModel, segment_tiled
from napari_seem.sources.frames import cores

SMALL, BIG, AT = 1600, 2600, 500
"""Sides of a plane that is seen as one, and of one that is not; where the first lies in it."""


@pytest.fixture(scope="module")
def model():
    return load_model("compact")


def blob(side, seed):
    """A smooth outline, filled."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[-1 : 1 : side * 1j, -1 : 1 : side * 1j]
    angle = np.arctan2(y, x)
    waves = (rng.normal(0, 0.05) * np.cos(k * angle + rng.uniform(0, 6)) for k in range(1, 9))
    return np.hypot(y, x) < 0.7 + sum(waves)


def iou(one, other):
    return (one & other).sum() / (one | other).sum()


@pytest.mark.parametrize("side", [500, pytest.param(1300, marks=pytest.mark.long)])
def test_an_object_is_as_whole_as_on_a_plane_seen_as_one(model, side):
    rng = np.random.default_rng(0)
    plane = 80 + 12 * rng.standard_normal((BIG, BIG), np.float32)
    truth = np.zeros((SMALL, SMALL), bool)
    start = (SMALL - side) // 2
    truth[start : start + side, start : start + side] = blob(side, 1)
    plane[AT : AT + SMALL, AT : AT + SMALL][truth] += 60
    plane = plane.clip(0, 255, out=plane).astype(np.uint8)
    middle = SMALL // 2
    part = plane[AT : AT + SMALL, AT : AT + SMALL]
    whole = model.predict(model.encode(part), [Point(middle, middle)])

    tiled = TiledModel(model)
    answer = tiled.predict(tiled.encode(plane), [Point(AT + middle, AT + middle)])

    found = answer.mask[AT : AT + SMALL, AT : AT + SMALL]
    assert found.sum() == answer.cut_out()[0].sum()
    assert iou(found, whole.mask) > 0.95
    assert iou(found, truth) >= iou(whole.mask, truth) - 0.01


def test_objects_on_the_borders_of_frames_have_one_id(model):
    shape = (700, 1400)
    rng = np.random.default_rng(0)
    image = rng.normal(60, 8, shape)
    rows, cols = np.ogrid[: shape[0], : shape[1]]
    border = cores(shape)[0][0][3]
    centers = [(100 + 160 * k, border - 30 + 20 * k) for k in range(4)]
    discs = [(rows - y) ** 2 + (cols - x) ** 2 <= 40**2 for y, x in centers]
    for disc in discs:
        image[disc] = 170

    found = segment_tiled(model, image.clip(0, 255).astype(np.uint8))

    for disc in discs:
        ids, sizes = np.unique(found.labels[disc], return_counts=True)
        best = ids[sizes.argmax()]
        assert best > 0
        assert iou(found.labels == best, disc) > 0.85


def test_the_command_line_works_through_a_big_image(tmp_path, capsys):
    image = np.full((400, 2300), 60, np.uint8)
    rows, cols = np.ogrid[:400, :2300]
    image[(rows - 200) ** 2 + (cols - 760) ** 2 <= 40**2] = 190
    path, out = tmp_path / "long.tif", tmp_path / "labels.tif"
    tifffile.imwrite(path, image)

    assert main(["segment", str(path), "--everything", "-o", str(out)]) == 0

    labels = tifffile.imread(out)
    assert labels.shape == image.shape
    assert labels[200, 760] > 0
    assert "100 %" in capsys.readouterr().err
    assert main(["segment", str(path), "--point", "200,760", "-o", str(out)]) == 0
    assert iou(tifffile.imread(out) == 1, image > 100) > 0.85
