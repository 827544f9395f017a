"""The shipped model with its shipped weights: every prompt, every kind of image, clear refusals."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
import torch
from discs import disc_image

import napari_seem as ns
from napari_seem.errors import InvalidPrompt, UnknownWord, WeightsError
from napari_seem.models.base import Instance
from napari_seem.models.compact import build
from napari_seem.models.compact.chosen import likeliest, without_holes, without_overlaps
from napari_seem.models.compact.network import compute_type
from napari_seem.models.registry import MODELS


@pytest.fixture(scope="module")
def model():
    return ns.load_model("compact", device="cpu")


@pytest.fixture(scope="module")
def discs():
    """Two discs, 36 pixels in radius, with some noise."""
    image, labels = (np.kron(a, np.ones((3, 3), a.dtype)) for a in disc_image())
    noise = np.random.default_rng(0).normal(0, 8, image.shape)
    return np.clip(image + noise, 0, 255).astype(np.uint8), labels


@pytest.fixture(scope="module")
def embedding(model, discs):
    return model.encode(discs[0])


def overlap(mask, truth):
    return (mask & truth).sum() / (mask | truth).sum()


def prompts_on(truth):
    rows, cols = np.nonzero(truth)
    y, x = round(rows.mean()), round(cols.mean())
    y0, x0, y1, x1 = rows.min(), cols.min(), rows.max() + 1, cols.max() + 1
    stroke = np.zeros(truth.shape, bool)
    stroke[y - 1 : y + 2, x - 15 : x + 15] = True
    around = np.array([[y0 - 3, x], [y, x1 + 3], [y1 + 3, x], [y, x0 - 3],
                       [y0 + 6, x0 + 6]])[[0, 1, 2, 3, 4]]  # fmt: skip
    return {
        "point": ns.Point(y, x), "box": ns.Box(y0, x0, y1, x1), "scribble": ns.Scribble(stroke),
        "polygon": ns.Polygon(around), "mask": ns.Mask(truth),
    }  # fmt: skip


@pytest.mark.parametrize("kind", ["point", "box", "scribble", "polygon", "mask"])
def test_every_kind_of_prompt_finds_the_disc_it_is_on(model, embedding, discs, kind):
    truth = discs[1] == 1

    prediction = model.predict(embedding, [prompts_on(truth)[kind]])

    assert prediction.logits.shape == discs[0].shape
    assert prediction.logits.dtype == np.float32
    assert 0 <= prediction.score <= 1
    assert overlap(prediction.mask, truth) > 0.75


def test_later_turns_build_on_the_memory(model, embedding, discs):
    truth = discs[1] == 1
    first = model.predict(embedding, [prompts_on(truth)["point"]])
    rows, cols = np.nonzero(truth)
    rim = ns.Point(rows.min() + 3, cols[rows.argmin()])

    second = model.predict(embedding, [prompts_on(truth)["point"], rim], first.memory)

    assert second.mask[round(rim.y), round(rim.x)]
    assert overlap(second.mask, truth) > 0.75


def test_the_same_question_gets_the_same_answer(model, embedding, discs):
    prompt = prompts_on(discs[1] == 2)["point"]

    once, again = (model.predict(embedding, [prompt]) for _ in range(2))

    assert np.array_equal(once.logits, again.logits)


def test_a_reference_finds_its_like_in_another_image(model, embedding, discs):
    other = model.encode(np.fliplr(discs[0]).copy())
    reference = ns.Reference(embedding, discs[1] == 1)

    prediction = model.predict(other, [reference])

    inside = prediction.logits[np.fliplr(discs[1]) > 0].mean()
    assert inside > prediction.logits[np.fliplr(discs[1]) == 0].mean()


def test_only_negative_prompts_give_an_empty_mask(model, embedding):
    assert not model.predict(embedding, [ns.Point(5, 5, positive=False)]).mask.any()


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((40, 50), np.uint8), np.ones((1, 90), np.float32), np.full((64, 1), 7, np.int16),
        np.random.default_rng(0).normal(size=(33, 47, 5)), np.zeros((8, 8, 3), bool),
    ],
    ids=["constant", "one row", "one column", "five channels", "bool"],
)  # fmt: skip
def test_odd_images_are_answered(model, image):
    prediction = model.predict(model.encode(image), [ns.Point(0, 0)])

    assert prediction.logits.shape == image.shape[:2]
    assert np.isfinite(prediction.logits).all()


def test_nothing_but_the_prompted_image_counts(model, embedding):
    foreign = ns.Embedding("another model", embedding.shape, embedding.tensors, embedding.meta)

    with pytest.raises(InvalidPrompt, match="another model"):
        model.predict(foreign, [ns.Point(5, 5)])
    with pytest.raises(InvalidPrompt, match="outside"):
        model.predict(embedding, [ns.Point(-20, 5)])
    with pytest.raises(InvalidPrompt, match="at least one"):
        model.predict(embedding, [])


@pytest.mark.parametrize("typed", ["nucleus", "Nuclei", "roads", "highway", "solar panels"])
def test_words_are_known_in_their_forms(model, typed):
    assert model.vocabulary()[model.meaning_of(typed)] in {"nucleus", "road", "solar panel"}


def test_unknown_words_name_their_neighbours(model, embedding):
    with pytest.raises(UnknownWord, match="nucleus") as told:
        model.predict(embedding, [ns.Text("nucleous")])
    assert "nucleus" in told.value.nearest


def test_segment_finds_objects_apart(model, embedding, discs):
    found = model.segment(embedding)

    assert found.labels.shape == discs[0].shape
    scores = [instance.score for instance in found.instances]
    assert scores == sorted(scores, reverse=True)
    best = [max(overlap(i.full_mask(found.shape), discs[1] == n) for i in found.instances)
            for n in (1, 2)]  # fmt: skip
    assert min(best) > 0.6


def touching_discs():
    """Two pairs of bright discs that touch, as nuclei do: image and true labels."""
    rows, cols = np.mgrid[:128, :128]
    labels = np.zeros((128, 128), np.int32)
    for number, (y, x) in enumerate([(36, 30), (36, 53), (90, 70), (90, 93)], start=1):
        labels[np.hypot(rows - y, cols - x) <= 12] = number
    noise = np.random.default_rng(1).normal(0, 6, labels.shape)
    return np.clip(np.where(labels, 170, 25) + noise, 0, 255).astype(np.uint8), labels


def test_touching_objects_come_apart(model):
    image, truth = touching_discs()

    found = model.segment(model.encode(image))

    masks = [instance.full_mask(found.shape) for instance in found.instances]
    for number in range(1, 5):
        assert max(overlap(mask, truth == number) for mask in masks) > 0.7
    assert sum(mask.sum() for mask in masks) == (found.labels > 0).sum()  # none lie over others


def test_small_objects_are_found_between_large_ones(model):
    rows, cols = np.mgrid[:160, :160]
    labels = np.zeros((160, 160), np.int32)
    places = [(y, x, 4) for y in (20, 44, 68) for x in range(16, 150, 22)] + [(120, 50, 26)]
    for number, (y, x, radius) in enumerate([*places, (120, 112, 26)], start=1):
        labels[np.hypot(rows - y, cols - x) <= radius] = number
    noise = np.random.default_rng(2).normal(0, 6, labels.shape)
    image = np.clip(np.where(labels, 170, 25) + noise, 0, 255).astype(np.uint8)

    found = model.segment(model.encode(image))

    hit = [
        max(overlap(i.full_mask(found.shape), labels == n) for i in found.instances) > 0.5
        for n in range(1, labels.max() + 1)
    ]
    assert sum(hit[:-2]) >= 18  # of 21
    assert all(hit[-2:])


def test_objects_found_by_a_word_carry_it(model):
    image, truth = touching_discs()

    found = model.segment(model.encode(image), ["nuclei"])

    assert {instance.label for instance in found.instances} == {"nucleus"}
    assert found.names == ("nucleus",)
    assert overlap(found.labels > 0, truth > 0) > 0.7
    assert overlap(found.semantic == 1, truth > 0) > 0.5
    assert [s.thing for s in found.panoptic.segments] == [True] * len(found.instances)


def test_stuff_is_one_region_of_the_panoptic_map(model, embedding):
    found = model.segment(embedding, ["nucleus", "water", "sky"])

    assert found.stuff == ("water", "sky")
    names = [s.name for s in found.panoptic.segments if not s.thing]
    assert len(names) == len(set(names))
    on_stuff = np.isin(found.semantic, [2, 3]) & (found.labels == 0)
    things = [s.label_id for s in found.panoptic.segments if s.thing]
    assert not np.isin(found.panoptic.labels[on_stuff], [0, *things]).any()


def squares(count, score, row, side=6):
    return [Instance(np.ones((side, side), bool), (row, x, row + side, x + side), score)
            for x in range(0, 10 * count, 10)]  # fmt: skip


def test_less_sure_objects_stay_beside_many_of_their_size():
    unsure = [*squares(2, 0.5, 20), *squares(1, 0.5, 60, side=50)]

    few = likeliest([*squares(1, 0.95, 0), *unsure], (120, 120))
    many = likeliest([*squares(11, 0.95, 0), *unsure], (120, 120))

    assert len(few) == 1
    assert [one.area for one in many] == [36] * 13
    scores = [one.score for one in many]
    assert scores == sorted(scores, reverse=True)
    assert scores[0] > few[0].score  # the same object is surer among others like it


def test_an_object_cut_apart_by_a_better_one_keeps_its_larger_part():
    bar = Instance(np.ones((4, 30), bool), (10, 0, 14, 30), 0.5)
    better = Instance(np.ones((8, 6), bool), (8, 20, 16, 26), 0.9)

    kept = without_overlaps([bar, better], (40, 40))

    assert [one.area for one in kept] == [48, 80]
    assert kept[1].full_mask((40, 40))[10:14, :20].all()


def test_one_object_inside_of_another_is_found_beside_it_where_it_is_small():
    cell = Instance(np.ones((20, 20), bool), (0, 0, 20, 20), 0.6)
    nucleus = Instance(np.ones((8, 8), bool), (6, 6, 14, 14), 0.9)
    twin = Instance(np.ones((18, 20), bool), (2, 0, 20, 20), 0.5)

    kept = without_overlaps([twin, cell, nucleus], (30, 30))

    assert [one.area for one in kept] == [64, 400 - 64]


def test_small_holes_are_filled_and_rings_stay():
    ring = np.ones((20, 20), bool)
    ring[4:16, 4:16] = False
    speck = np.ones((20, 20), bool)
    speck[9:11, 9:11] = False

    assert without_holes(speck).all()
    assert (without_holes(ring) == ring).all()


def test_a_blank_image_holds_no_object_for_sure(model):
    found = model.segment(model.encode(np.full((64, 64), 90, np.uint8)))

    assert found.labels.shape == (64, 64)
    assert all(instance.area < 64 * 64 for instance in found.instances)


def test_the_weights_are_small():
    assert MODELS["compact"].weights.path.stat().st_size < 20_000_000


def test_damaged_weights_are_reported(tmp_path):
    source = MODELS["compact"].weights.path
    truncated = tmp_path / "compact.safetensors"
    truncated.write_bytes(source.read_bytes()[:100_000])
    with pytest.raises(WeightsError, match="compact"):
        build(truncated)

    shutil.copyfile(source, truncated)
    with truncated.open("r+b") as file:
        file.seek(200)
        file.write(b"\xff" * 8)
    with pytest.raises(WeightsError):
        build(truncated)


def test_a_torch_held_to_avx2_computes_in_float32(monkeypatch):
    for probe in ("_is_avx512_bf16_supported", "_is_amx_tile_supported"):
        monkeypatch.setattr(torch.cpu, probe, lambda: True)
    found = {}
    for capability in ("AVX512", "AVX2", "DEFAULT"):
        monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda c=capability: c)
        found[capability] = compute_type("cpu")
    assert found == {
        "AVX512": torch.bfloat16, "AVX2": torch.float32, "DEFAULT": torch.float32
    }  # fmt: skip
