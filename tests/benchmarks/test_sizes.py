"""Classes of size, and the objects that are drawn for them."""

from __future__ import annotations

import json

import numpy as np
import pytest
from skimage.io import imsave

from benchmarks import clicks, sizes
from benchmarks.datasets import find_sets
from benchmarks.records import Record
from benchmarks.report import size_summary


@pytest.fixture
def squares(tmp_path):
    """Two sets of three images: squares of 5 and of 20 px in one, of 60 of 80 px in the other."""
    for name, sides in (("small", [5] * 6 + [20]), ("large", [60])):
        mask = np.zeros((80, 80), np.uint8)
        for number, side in enumerate(sides):
            top, left = (0, 10 * number) if side == 5 else (15, 15)
            mask[top : top + side, left : left + side] = number + 1
        folder = tmp_path / "made" / name
        folder.mkdir(parents=True)
        items = {}
        for stem in ("a", "b", "c"):
            imsave(folder / f"{stem}.png", mask, check_contrast=False)
            items[stem] = {"image": f"{stem}.png", "mask": f"{stem}.png"}
        info = {"kind": "instance", "classes": {"*": "square"}, "items": items}
        (folder / "set.json").write_text(json.dumps(info))
    return tmp_path


@pytest.mark.parametrize(
    ("side", "shape", "classes"),
    [
        (7.9, (300, 300), ("under 8 px",)),
        (8, (300, 300), ("8 to 12 px",)),
        (95, (300, 300), ("48 to 96 px",)),
        (96, (300, 300), ("over 96 px",)),
        (30, (30, 90), ("24 to 48 px", sizes.LARGE)),
        (200, (300, 300), ("over 96 px", sizes.LARGE)),
    ],
)
def test_an_object_belongs_to_the_class_of_its_side(side, shape, classes):
    assert sizes.sizes_of(side, shape) == classes


def test_each_size_gets_its_number_from_all_images_in_turn(squares):
    picks = sizes.pick(find_sets(squares), seed=0, count=7)

    small = [ids for ids in picks["made/small"].values()]
    assert sorted(sum("under 8 px" in names for names in ids.values()) for ids in small) == [
        2,
        2,
        3,
    ]
    assert sum("18 to 24 px" in names for ids in small for names in ids.values()) == 3
    for ids in picks["made/large"].values():
        assert ids == {1: ("48 to 96 px", sizes.LARGE)}
    assert picks == sizes.pick(find_sets(squares), seed=0, count=7)


def test_the_table_by_size_is_of_the_objects_that_were_drawn_for_it(squares, tmp_path, capsys):
    out = tmp_path / "figures.json"
    arguments = [str(squares), "--model", "watershed", "--max-clicks", "5", "--json", str(out)]

    clicks.main([*arguments, "--per-set", "0", "--by-size", "2"])

    told = capsys.readouterr().out
    assert "| under 8 px | watershed | 2 |" in told
    assert f"| {sizes.LARGE} | watershed | 2 |" in told
    assert "By domain" not in told
    rows = json.loads(out.read_text())["models"]["watershed"]["objects"]
    assert {len(row["curve"]) for row in rows} == {3}
    assert all(0 <= row["single"]["box"] <= 1 for row in rows)


def test_without_any_drawn_for_their_size_all_objects_count():
    common = {"other_source": False, "curve": [0.5], "scores": [0.5], "best": [0.5] * 3}
    one = Record("a/b", sizes=("under 8 px",), **common)
    drawn = Record("a/b", sizes=("over 96 px",), by_size=True, **common)

    assert list(size_summary([one])) == ["under 8 px"]
    assert list(size_summary([one, drawn])) == ["over 96 px"]
