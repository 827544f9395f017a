"""Reading collections, and what the bench does where a tool or a seed is missing."""

from __future__ import annotations

import json

import numpy as np
import pytest
from discs import disc_image
from skimage.io import imsave

from benchmarks import classical, clicks
from benchmarks.datasets import PER_IMAGE, find_sets, sample_objects, usable_ids
from napari_seem.errors import InvalidPrompt, NapariSeemError
from napari_seem.prompts import Point


def write_set(folder, kind, masks, classes):
    (folder / "images").mkdir(parents=True)
    (folder / "masks").mkdir()
    items = {}
    for number, mask in enumerate(masks):
        names = {"image": f"images/{number}.png", "mask": f"masks/{number}.png"}
        imsave(folder / names["image"], np.uint8(200 * (mask > 0)), check_contrast=False)
        imsave(folder / names["mask"], np.uint8(mask), check_contrast=False)
        items[str(number)] = names
    (folder / "set.json").write_text(json.dumps({"kind": kind, "classes": classes, "items": items}))
    return folder


@pytest.fixture
def halves(tmp_path):
    """`seen` is in both halves, `unseen` in dev-eval only."""
    labels = disc_image()[1]
    for half, name in (("train", "seen"), ("dev-eval", "seen"), ("dev-eval", "unseen")):
        write_set(tmp_path / half / "made" / name, "instance", [labels], {"*": "disc"})
    return tmp_path


def test_only_sets_that_no_half_was_trained_on_are_other_sources(halves):
    found = {(s.folder.parts[-3], s.name): s.other_source for s in find_sets(halves)}

    assert found == {
        ("train", "made/seen"): False,
        ("dev-eval", "made/seen"): False,
        ("dev-eval", "made/unseen"): True,
    }


def test_one_set_is_found_from_inside_its_folder(halves, monkeypatch):
    monkeypatch.chdir(halves / "dev-eval" / "made" / "seen")
    (found,) = find_sets(type(halves)("."))

    assert found.name == "made/seen"
    assert not found.other_source


def test_touching_corners_are_one_object_and_specks_are_none(tmp_path):
    mask = np.zeros((64, 64), int)
    mask[8:16, 8:16] = mask[16:24, 16:24] = 1  # meet at a corner
    mask[8:16, 40:48] = 2
    mask[50:53, 50:53] = 2  # 9 pixels
    write_set(tmp_path / "made" / "s", "semantic", [mask], {"0": "ground", "1": "a", "2": "b"})

    ((picture, ids),) = list(sample_objects(find_sets(tmp_path)[0], seed=0, count=9))

    assert sorted(picture.names[i] for i in ids) == ["a", "b"]
    assert sorted(int((picture.instances == i).sum()) for i in ids) == [64, 128]


def test_objects_must_cover_a_share_of_a_large_image():
    instances = np.zeros((1000, 1000), int)
    instances[0:9, 0:9] = 1  # 81 pixels of the 100 that are wanted
    instances[50:60, 50:60] = 2

    assert usable_ids(instances).tolist() == [2]


def test_no_image_gives_more_than_its_share_and_the_seed_decides(tmp_path):
    mask = np.kron(np.arange(1, 10).reshape(3, 3), np.ones((10, 10), int))
    chosen = find_sets(write_set(tmp_path / "made" / "s", "instance", [mask] * 3, {"*": "x"}))[0]

    draws = [[ids for _, ids in sample_objects(chosen, seed, 10)] for seed in (0, 0, 1)]

    assert [len(ids) for ids in draws[0]] == [PER_IMAGE, PER_IMAGE, 2]
    assert draws[0] == draws[1] != draws[2]


def test_volumes_give_a_plane_that_holds_objects(tmp_path):
    volume = np.zeros((5, 32, 40), np.uint8)
    volume[3, 4:20, 4:20] = 7
    folder = tmp_path / "volumes" / "made"
    folder.mkdir(parents=True)
    imsave(folder / "v.tif", volume, check_contrast=False)
    item = {"image": "v.tif", "mask": "v.tif"}
    info = {"kind": "instance-volume", "classes": {"*": "cell"}, "items": {"v": item}}
    (folder / "set.json").write_text(json.dumps(info))

    ((picture, ids),) = list(sample_objects(find_sets(tmp_path)[0], seed=0, count=4))

    assert picture.image.shape == (32, 40)
    assert ids == [7]


def test_negative_clicks_beside_positive_ones_reach_the_tool():
    seen = {}

    def spy(picture, positive, negative, allowed):
        seen.update(positive=positive, negative=negative)
        return positive

    model = classical.ClassicalModel("spy", spy)
    embedding = model.encode(np.zeros((60, 60), np.uint8))
    model.predict(embedding, [Point(30, 30), Point(30, 34, positive=False)])

    assert seen["negative"][30, 34]
    assert seen["negative"][0, 0]
    assert not (seen["negative"] & seen["positive"]).any()


@pytest.mark.parametrize("name", ["random-walker", "watershed", "geodesic"])
def test_tools_ask_for_a_click_on_the_object(name):
    tool = classical.classical_model(name)

    with pytest.raises(InvalidPrompt, match="positive"):
        tool.predict(tool.encode(disc_image()[0]), [Point(5, 5, positive=False)])


def test_a_tool_without_its_package_is_left_out_and_said_so(halves, tmp_path, capsys, monkeypatch):
    grabcut = classical.TOOLS["grabcut"][0]
    monkeypatch.setitem(classical.TOOLS, "grabcut", (grabcut, "no_such_package"))
    out = tmp_path / "figures.json"
    arguments = [str(halves), "--max-clicks", "1", "--clicks-only", "--json", str(out)]

    clicks.main([*arguments, "--model", "grabcut", "--model", "watershed"])

    assert list(json.loads(out.read_text())["models"]) == ["watershed"]
    assert "grabcut: left out" in capsys.readouterr().out
    with pytest.raises(NapariSeemError, match="bench"):
        clicks.main([*arguments, "--model", "grabcut"])
