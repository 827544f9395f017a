"""The propagation and in-context benches on made-up collections."""

from __future__ import annotations

import json
from functools import partialmethod

import numpy as np
import pytest
import tifffile
from discs import disc_image
from skimage.io import imsave

from benchmarks import adapt, in_context, propagate, stacks
from benchmarks.propagate import dice
from napari_seem.errors import InvalidImage
from napari_seem.models.compact import CompactModel


@pytest.fixture
def collection(tmp_path):
    """One semantic volume of 12 planes and one video of 8 frames."""
    volume = np.zeros((12, 40, 50), np.uint8)
    volume[1:11, 10:30, 12:34] = 1
    image = np.where(volume > 0, 180, 40).astype(np.uint8)
    folder = tmp_path / "dev-eval" / "volumes" / "blocks"
    (folder / "images").mkdir(parents=True)
    (folder / "masks").mkdir()
    tifffile.imwrite(folder / "images/a.tif", image.transpose(2, 1, 0))
    tifffile.imwrite(folder / "masks/a.tif", volume.transpose(2, 1, 0))
    items = {"a": {"image": "images/a.tif", "mask": "masks/a.tif", "axes": "XYZ"}}
    info = {"kind": "semantic-volume", "classes": {"1": "block"}, "items": items}
    (folder / "set.json").write_text(json.dumps(info))
    frame, labels = disc_image()
    folder = tmp_path / "dev-eval" / "video" / "discs"
    (folder / "images").mkdir(parents=True)
    (folder / "masks").mkdir()
    items = {}
    for t in range(8):
        name = f"run_{t:02d}"
        imsave(folder / f"images/{name}.png", frame, check_contrast=False)
        imsave(folder / f"masks/{name}.png", labels.astype(np.uint8), check_contrast=False)
        items[name] = {
            "image": f"images/{name}.png", "mask": f"masks/{name}.png", "group": "run"
        }  # fmt: skip
    info = {"kind": "instance", "classes": {"*": "disc"}, "items": items}
    (folder / "set.json").write_text(json.dumps(info))
    return tmp_path


def test_dice_counts_both_masks():
    one, two = np.zeros((4, 4), bool), np.zeros((4, 4), bool)
    assert dice(one, two) == 1
    one[:2], two[1:3] = True, True
    assert dice(one, two) == 0.5
    assert dice(one, ~one) == 0


def test_volumes_and_sequences_become_cases(collection):
    cases = {case.name: case for case in stacks.find_stacks(collection, 2, 3, 0)}

    assert set(cases) == {"blocks/a/1", "discs/run/all"}
    block = cases["blocks/a/1"]
    assert block.volume.shape == block.labels.shape == (12, 40, 50)
    assert block.kind == "semantic"
    assert cases["discs/run/all"].kind == "instance"
    assert set(np.unique(cases["discs/run/all"].labels)) == {0, 1, 2}


def test_seeds_lie_where_the_object_is(collection):
    block = next(stacks.find_stacks(collection / "dev-eval" / "volumes", 1, 1, 0))

    assert block.seeds(1) in ([5], [6])
    assert len(block.seeds(3)) == 3
    assert all(block.labels[k].any() for k in block.seeds(5))


def test_phantoms_are_the_same_for_a_seed():
    one, two = next(stacks.phantoms(4)), next(stacks.phantoms(4))

    np.testing.assert_array_equal(one.volume, two.volume)
    assert one.labels.any((1, 2)).sum() > 20


def test_a_folder_without_stacks_is_named(tmp_path):
    with pytest.raises(InvalidImage, match="no volume and no sequence"):
        list(stacks.find_stacks(tmp_path, 1, 1, 0))


@pytest.mark.long
def test_the_propagation_bench_writes_its_figures(collection, tmp_path, capsys):
    out = tmp_path / "figures.json"

    arguments = [str(collection), "--only", "blocks", "--seeds", "2", "--json", str(out)]
    assert propagate.main(arguments) == 0

    rows = json.loads(out.read_text())
    assert {row["method"] for row in rows} == {"model", "shape", "copy"}
    assert all(row["dice"] > 0.85 for row in rows)
    printed = capsys.readouterr().out
    assert "| blocks | 1 |" in printed
    assert "ms a plane" in printed


def test_the_in_context_bench_writes_its_figures(collection, tmp_path, capsys):
    out = tmp_path / "figures.json"

    arguments = [str(collection), "--sets", "video", "--examples", "1", "3", "--json", str(out)]
    assert in_context.main(arguments) == 0

    rows = json.loads(out.read_text())
    assert [row["examples"] for row in rows] == [1, 3]
    assert all(row["iou"] > 0.8 for row in rows)
    assert "video/discs" in capsys.readouterr().out


@pytest.mark.long
def test_the_adaptation_bench_counts_clicks(tmp_path, capsys, monkeypatch):
    quick = partialmethod(CompactModel.adapted, steps=1)
    monkeypatch.setattr(CompactModel, "adapted", quick)
    rows, columns = np.mgrid[:200, :200]
    labels = np.zeros((200, 200), np.uint8)
    for number in range(9):
        y, x = 34 + 66 * (number // 3), 34 + 66 * (number % 3)
        labels[(rows - y) ** 2 + (columns - x) ** 2 < 22**2] = number + 1
    folder = tmp_path / "dev-eval" / "made" / "discs"
    (folder / "images").mkdir(parents=True)
    (folder / "masks").mkdir()
    imsave(folder / "images/a.png", np.where(labels > 0, 190, 50).astype(np.uint8))
    imsave(folder / "masks/a.png", labels, check_contrast=False)
    items = {"a": {"image": "images/a.png", "mask": "masks/a.png"}}
    info = {"kind": "instance", "classes": {"*": "disc"}, "items": items}
    (folder / "set.json").write_text(json.dumps(info))
    out = tmp_path / "figures.json"

    assert adapt.main([str(tmp_path), "--objects", "9", "--json", str(out)]) == 0

    (row,) = json.loads(out.read_text())
    assert list(row["curves"]) == ["off", "context", "learn", "both"]
    assert all(np.shape(curves) == (5, 10) for curves in row["curves"].values())
    first = {way: np.mean([curve[0] for curve in some]) for way, some in row["curves"].items()}
    assert first["context"] >= first["off"] - 0.05
    printed = capsys.readouterr().out
    assert "| made/discs | 5 |" in printed
    assert "context costs over 2% on: no set" in printed
