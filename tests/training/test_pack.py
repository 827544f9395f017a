"""Pictures are read, shrunk, weighed and packed without losing what they are."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scenes import discs, inside_disc, silhouette

from napari_seem.training import Picture
from training.corpus import PROCEDURAL_SHARE, group_weights, read_real, shrunk
from training.pack import MIB, read_pack, write_packs


def packs(folder: Path, *pictures: Picture, parts: int = 1, most: float = 8) -> list[Path]:
    return write_packs(pictures, folder, parts, quality=90, most=most)


def test_a_pack_gives_back_what_was_put_in(tmp_path):
    low, high = np.unique(discs(0).instances)[[1, -1]].tolist()
    picture = replace(discs(0), names={low: "disc", high: "stone"}, partial=True)

    (again,) = read_pack(packs(tmp_path, picture))

    assert (again.group, again.partial) == (picture.group, True)
    assert np.array_equal(again.instances > 0, picture.instances > 0)
    for number, word in picture.names.items():
        here = np.unique(again.instances[picture.instances == number])
        assert len(here) == 1
        assert again.names[int(here[0])] == word
    assert np.abs(again.image.astype(int) - picture.image).mean() < 12
    assert again.image.shape == picture.image.shape


@pytest.mark.parametrize("count", [255, 300])
def test_ids_survive_in_eight_and_in_sixteen_bits(tmp_path, count):
    instances = np.arange(40 * 40).reshape(40, 40) % (count + 1)

    (again,) = read_pack(packs(tmp_path, silhouette(instances)))

    assert np.array_equal(again.instances, instances)


def test_ids_are_numbered_without_gaps(tmp_path):
    instances = np.zeros((20, 20), np.uint16)
    instances[2:8, 2:8], instances[12:18, 12:18] = 7, 40000
    picture = replace(silhouette(instances), names={7: "disc", 40000: "stone", 9: "nowhere"})

    (again,) = read_pack(packs(tmp_path, picture))

    assert set(np.unique(again.instances)) == {0, 1, 2}
    assert again.names == {1: "disc", 2: "stone"}


def test_every_part_has_its_share_of_every_set(tmp_path):
    pictures = [discs(i, side=64, count=2, group=f"made/{i % 3}") for i in range(12)]

    files = packs(tmp_path, *pictures, parts=2)

    for file in files:
        found = [picture.group for picture in read_pack([file])]
        assert sorted(found) == ["made/0"] * 2 + ["made/1"] * 2 + ["made/2"] * 2
    assert len(list(read_pack(files))) == 12
    assert {p.group for p in read_pack(files, without=["made/1"])} == {"made/0", "made/2"}
    assert {p.image.shape for p in read_pack(files, longest=32)} == {(32, 32)}


def test_a_part_that_gets_too_large_is_refused_with_what_to_lower(tmp_path):
    with pytest.raises(ValueError, match="lower --longest or --quality"):
        packs(tmp_path, discs(0, side=300), most=1000 / MIB)

    assert not list(tmp_path.iterdir())


def test_something_else_is_no_pack(tmp_path):
    file = tmp_path / "part-0.tar"
    file.write_bytes(b"something else" * 100)

    with pytest.raises(ValueError, match="is no pack of pictures"):
        list(read_pack([file]))


@pytest.mark.parametrize("longest", [37, 60, 75])
def test_a_shrunk_picture_stays_aligned_with_its_ids(longest):
    rng = np.random.default_rng(0)
    off = []
    for row, col in rng.uniform(30, 60, (20, 2)):
        instances = inside_disc((120, 90), row, col, 22.0).astype(np.uint16)
        small = shrunk(silhouette(instances), longest)
        assert max(small.image.shape) == longest
        scale = np.array(small.instances.shape) / instances.shape
        for weight in (small.image, small.instances):
            along = np.mgrid[: weight.shape[0], : weight.shape[1]] + 0.5
            middle = (along * weight).sum((1, 2)) / weight.sum()
            off.append(middle / scale - (row, col))

    assert np.allclose(np.mean(off[::2], 0), 0, atol=0.05)  # source pixels, images
    assert np.allclose(np.mean(off[1::2], 0), 0, atol=0.1)  # ids


def test_domains_and_made_up_pictures_have_their_shares():
    groups = ["medical/a"] * 16 + ["medical/b"] * 4 + ["aerial/c"] * 3 + ["procedural/d"] * 2
    pictures = [replace(discs(0, side=40, count=1), group=group) for group in groups]

    weights = group_weights(pictures)
    real = group_weights(pictures[:-2])

    assert sum(weights.values()) == pytest.approx(1)
    assert weights["procedural/d"] == pytest.approx(PROCEDURAL_SHARE)
    assert weights["medical/a"] == pytest.approx(2 * weights["medical/b"])
    assert sum(real.values()) == pytest.approx(1)
    assert real["aerial/c"] == pytest.approx(0.16 / (0.16 + 0.24))


@pytest.fixture
def data(tmp_path):
    """Two sets on disk, one of instances and one of classes."""
    image = np.random.default_rng(0).integers(0, 255, (60, 80, 3)).astype(np.uint8)
    mask = np.zeros((60, 80), np.uint8)
    mask[5:20, 5:20], mask[30:50, 40:70] = 1, 2
    kinds = {"microscopy/dots": "instance", "natural/tree_limbs": "semantic"}
    for name, kind in kinds.items():
        folder = tmp_path / name
        folder.mkdir(parents=True)
        Image.fromarray(image).save(folder / "image.png")
        Image.fromarray(mask).save(folder / "mask.png")
        classes = {"*": "Dot"} if kind == "instance" else {"1": "Limb (thin)", "2": "tree_trunk"}
        items = {"0": {"image": "image.png", "mask": "mask.png"}}
        facts = {"kind": kind, "classes": classes, "items": items}
        (folder / "set.json").write_text(json.dumps(facts))
    return tmp_path


def test_real_sets_are_read_with_their_words(data):
    dots, limbs = read_real(data)

    assert (dots.group, dots.names, dots.partial) == (
        "microscopy/dots", {1: "dot", 2: "dot"}, False,
    )  # fmt: skip
    assert (limbs.group, limbs.names, limbs.partial) == (
        "natural/tree_limbs", {1: "limb", 2: "tree trunk"}, True,
    )  # fmt: skip
    assert np.array_equal(dots.instances, limbs.instances)


def test_sets_can_be_left_out_and_pictures_shrunk(data):
    (left,) = read_real(data, without=["microscopy/dots"], longest=40)

    assert left.group == "natural/tree_limbs"
    assert left.image.shape == (30, 40, 3)
    with pytest.raises(ValueError, match="no set 'microscopy/dust'"):
        list(read_real(data, without=["microscopy/dust"]))
