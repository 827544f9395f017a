"""The everything bench: its figures on cases worked out by hand, its tools, its command."""

from __future__ import annotations

import json

import numpy as np
import pytest
from skimage.io import imsave

from benchmarks import main
from benchmarks.datasets import Picture
from benchmarks.everything import is_stuff, things
from benchmarks.instances import (
    average_precision,
    f1,
    matches,
    over_segmentation,
    overlaps,
    panoptic_quality,
    ranked_precision,
    under_segmentation,
)
from benchmarks.unsupervised import TOOLS, UnsupervisedTool
from napari_seem.errors import NapariSeemError, UnsupportedPrompt


@pytest.fixture
def truth():
    """Two objects of 40 pixels side by side."""
    labels = np.zeros((12, 24), int)
    labels[2:10, 2:7], labels[2:10, 7:12] = 1, 2
    return labels


def test_a_perfect_answer_is_perfect(truth):
    table = overlaps(truth, truth)

    assert average_precision(table.iou, 0.9) == panoptic_quality(table.iou) == 1
    assert over_segmentation(table) == under_segmentation(table) == 0
    assert ranked_precision([table], 0.5) == 1


def test_a_missed_and_a_false_object_cost_what_they_should(truth):
    found = np.where(truth == 1, 1, 0)
    found[2:6, 16:20] = 2
    table = overlaps(found, truth)

    assert average_precision(table.iou, 0.5) == pytest.approx(1 / 3)
    assert f1(table.iou, 0.5) == pytest.approx(1 / 2)
    assert panoptic_quality(table.iou) == pytest.approx(1 / 2)


def test_only_pairs_above_the_threshold_match(truth):
    found = truth.copy()
    found[2:4, 2:7] = 0  # 30 of 40 pixels are left
    table = overlaps(found, truth)

    assert len(matches(table.iou, 0.7)) == 2
    assert matches(table.iou, 0.75) == [(1, 1)]


def test_objects_run_together_are_under_segmented(truth):
    table = overlaps((truth > 0).astype(int), truth)

    assert under_segmentation(table) == 1
    assert over_segmentation(table) == 0


def test_an_object_in_pieces_is_over_segmented(truth):
    found = truth.copy()
    found[2:6, 2:7] = 3  # two halves, neither of which matches above 0.5
    table = overlaps(found, truth)

    assert over_segmentation(table) == 0.5
    assert under_segmentation(table) == 0


def test_what_lies_on_nobodys_pixels_is_not_judged(truth):
    found, ignored = truth.copy(), np.zeros(truth.shape, bool)
    found[2:6, 16:20] = 3
    ignored[:, 14:] = True

    assert average_precision(overlaps(found, truth, ignored).iou, 0.5) == 1


def test_a_false_object_costs_less_the_less_sure_it_is(truth):
    found = truth.copy()
    found[2:6, 16:20] = 3
    unsure, sure = (overlaps(found, truth, scores=[0.8, 0.9, s]) for s in (0.1, 1.0))

    assert ranked_precision([unsure], 0.5) == 1
    assert ranked_precision([sure], 0.5) < 0.7


@pytest.mark.parametrize(
    ("name", "stuff"),
    [("road", True), ("flood water", True), ("skin lesion", False), ("wallet", False),
     ("kidney stone", False), ("white matter", True)],
)  # fmt: skip
def test_stuff_is_told_from_things(name, stuff):
    assert is_stuff(name) is stuff


def test_stuff_and_specks_are_nobodys():
    instances = np.zeros((20, 20), int)
    instances[:10], instances[12:18, :6], instances[19, 19] = 1, 2, 3
    picture = Picture(instances, instances, {1: "road", 2: "car", 3: "car"}, "a")

    labels, ignored = things(picture)

    assert list(np.unique(labels)) == [0, 2]
    assert ignored[0, 0]
    assert ignored[19, 19]
    assert not ignored[12, 0]


@pytest.mark.parametrize("dark", [False, True])
def test_otsu_and_watershed_part_touching_discs_of_either_polarity(dark):
    rows, cols = np.mgrid[:80, :100]
    discs = (np.hypot(rows - 40, cols - 35) < 18) | (np.hypot(rows - 40, cols - 67) < 18)
    image = np.where(discs ^ dark, 220, 30).astype(np.uint8)
    tool = UnsupervisedTool("otsu-watershed", TOOLS["otsu-watershed"])

    found = tool.segment(tool.encode(image))

    assert len(found.instances) == 2
    assert found.labels[40, 35] != found.labels[40, 67]
    assert found.labels[0, 0] == 0


@pytest.mark.parametrize("name", TOOLS)
def test_the_tools_answer_a_blank_image_and_refuse_prompts(name):
    tool = UnsupervisedTool(name, TOOLS[name])
    embedding = tool.encode(np.zeros((20, 30), np.uint8))

    assert not tool.segment(embedding).instances
    with pytest.raises(UnsupportedPrompt, match="takes no prompts"):
        tool.predict(embedding, [])


@pytest.fixture
def collection(tmp_path):
    """One set of two images of bright discs."""
    folder = tmp_path / "microscopy" / "discs"
    rows, cols = np.mgrid[:64, :64]
    items = {}
    for number in range(2):
        mask = np.zeros((64, 64), np.uint8)
        mask[np.hypot(rows - 20, cols - 20 - number) < 9] = 1
        mask[np.hypot(rows - 44, cols - 44) < 10] = 2
        for kind, array in (("images", np.where(mask, 200, 30).astype(np.uint8)), ("masks", mask)):
            (folder / kind).mkdir(parents=True, exist_ok=True)
            imsave(folder / kind / f"{number}.png", array, check_contrast=False)
        items[str(number)] = {"image": f"images/{number}.png", "mask": f"masks/{number}.png"}
    info = {"kind": "instance", "classes": {"*": "disc"}, "items": items}
    (folder / "set.json").write_text(json.dumps(info))
    return tmp_path


def test_the_bench_measures_tools_side_by_side(collection, tmp_path, capsys):
    out = tmp_path / "out.json"

    assert main(["everything", str(collection), "--model", "otsu-watershed",
                 "--model", "felzenszwalb", "--json", str(out)]) == 0  # fmt: skip

    kept = json.loads(out.read_text())
    models, images = kept["models"], kept["images"]["felzenszwalb"]
    assert [(one["set"], one["objects"]) for one in images] == [("microscopy/discs", 2)] * 2
    assert models["otsu-watershed"]["domains"]["microscopy"]["ap50"] == 1
    assert models["felzenszwalb"]["sets"]["microscopy/discs"]["objects"] == 4
    assert "| microscopy | otsu-watershed | 4 | 1.000" in capsys.readouterr().out


def test_sets_that_do_not_exist_are_reported(collection):
    with pytest.raises(NapariSeemError, match="nebulae"):
        main(["everything", str(collection), "--sets", "nebulae"])
