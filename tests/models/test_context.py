"""What was accepted before steers first answers, by the sizes alone."""

from __future__ import annotations

import json
from copy import copy
from dataclasses import replace

import numpy as np
import pytest
import torch
from discs import DiscModel

import napari_seem as ns
from napari_seem.models.compact import CompactModel
from napari_seem.models.compact.adapt import accepted_in, accepted_on
from napari_seem.models.compact.network import CompactConfig, CompactNetwork
from napari_seem.models.context import in_context_of


def cone():
    """A bright spot that fades all the way: nothing says how large the object is."""
    rows, cols = np.mgrid[:160, :160]
    return (220 - 1.6 * np.hypot(rows - 80, cols - 80)).clip(0).astype(np.uint8)


@pytest.fixture(scope="module")
def model():
    return ns.load_model("compact", device="cpu")


@pytest.fixture(scope="module")
def embedding(model):
    return model.encode(cone())


def test_few_objects_and_slips_change_nothing():
    assert not ns.Context().steers
    assert not ns.Context.of_areas([100, 110, 120]).steers
    assert not ns.Context.of_areas([100, 110, 120, 3, 0, 1, np.nan]).steers
    assert ns.Context.of_areas([100, 110, 120]).bonus(5) == 0


def test_more_objects_and_more_alike_weigh_more():
    few, many = ns.Context.of_areas([100] * 4), ns.Context.of_areas([100] * 30)
    mixed = ns.Context.of_areas([10_000, 16] * 15)
    assert many.weight > few.weight > 0
    assert many.weight > mixed.weight > 0
    assert many.bonus(100) == pytest.approx(0, abs=1e-4)
    assert (
        many.bonus(400)
        == pytest.approx(many.bonus(25), abs=1e-3)
        == pytest.approx(-2 * many.weight, abs=1e-3)
    )


def test_a_context_survives_json_and_names_what_is_wrong():
    context = ns.Context.of_areas([90, 100, 170])
    assert ns.Context.from_dict(json.loads(json.dumps(context.to_dict()))) == context
    with pytest.raises(ns.InvalidArgument, match="count"):
        ns.Context.from_dict({"mean": 3})
    with pytest.raises(ns.InvalidArgument, match="areas"):
        ns.Context.of_areas(["large"])


def test_objects_of_other_images_count_while_there_are_few_and_weigh_half():
    here, there = [100, 110, 115], [400, 420, 440]
    assert ns.Context.of_areas(here, there).elsewhere
    alike = [100] * 6
    assert ns.Context.of_areas([], alike).weight == ns.Context.of_areas(alike).weight / 2
    assert ns.Context.of_areas([*here, 120], there) == ns.Context.of_areas([*here, 120])
    assert not ns.Context.of_areas(here, [400][:0]).steers


def test_the_size_is_that_of_coarser_pixels():
    assert ns.Context.of_areas([400] * 3).at_scale(2) == ns.Context.of_areas([100] * 3)


def answers_by_size(model, embedding, click):
    """The answers that are given where each size was accepted before."""
    areas = {}
    for side in (6, 12, 24, 48, 96):
        steered = model.with_context(ns.Context.of_areas([side**2] * 40))
        areas[side] = int(steered.predict(embedding, [click]).mask.sum())
    return areas


def test_a_click_is_answered_in_the_size_that_was_accepted(model, embedding):
    click = ns.Point(80, 80)
    plain = model.predict(embedding, [click])
    areas = answers_by_size(model, embedding, click)
    assert sorted(areas.values()) == list(areas.values())
    assert areas[96] > areas[6]
    assert np.array_equal(model.predict(embedding, [click]).mask, plain.mask)
    again = model.with_context(ns.Context.of_areas([96**2] * 40)).with_context(None)
    assert np.array_equal(again.predict(embedding, [click]).mask, plain.mask)


def test_boxes_and_later_turns_say_the_size_themselves(model, embedding):
    steered = model.with_context(ns.Context.of_areas([96**2] * 40))
    box = [ns.Box(60, 60, 100, 100)]
    assert np.array_equal(steered.predict(embedding, box).mask, model.predict(embedding, box).mask)
    first = model.predict(embedding, [ns.Point(80, 80)])
    both = [ns.Point(80, 80), ns.Point(80, 130, positive=False)]
    assert np.array_equal(
        steered.predict(embedding, both, first.memory).mask,
        model.predict(embedding, both, first.memory).mask,
    )


def test_many_objects_in_one_call_are_steered_as_one_by_one(model, embedding):
    steered = model.with_context(ns.Context.of_areas([12**2] * 20))
    clicks = [[ns.Point(80, 80)], [ns.Point(70, 90)]]
    for asked, answer in zip(clicks, steered.predict_many(embedding, clicks), strict=True):
        assert np.array_equal(answer.mask, steered.predict(embedding, asked).mask)


class Told(DiscModel):
    """Remembers in what contexts it was asked."""

    context = None

    def __init__(self):
        super().__init__()
        self.told = []

    def with_context(self, context):
        new = copy(self)
        new.context = context
        return new

    def predict(self, embedding, prompts, memory=None):
        self.told.append(self.context)
        return super().predict(embedding, prompts, memory)


@pytest.mark.usefixtures("small_frames")
def test_on_big_planes_sizes_are_those_in_the_pixels_of_each_frame():
    plane = np.zeros((750, 750), np.uint8)
    plane[125:625, 125:625] = 220  # more than a frame: it is looked at more coarsely
    told, context = Told(), ns.Context.of_areas([500**2] * 5)
    tiled = ns.TiledModel(told)
    embedding = tiled.encode(plane)
    tiled.with_context(context).predict(embedding, [ns.Point(375, 375)])
    assert context in told.told
    assert context.at_scale(2) in told.told
    told.told.clear()
    tiled.predict(embedding, [ns.Point(375, 375)])
    assert set(told.told) == {None}


@pytest.fixture(scope="module")
def second():
    """A small network of the second generation, with random weights."""
    torch.manual_seed(0)
    network = CompactNetwork(CompactConfig.second_generation(1)).eval()
    return CompactModel(network, ["disc"], "compact-2-test")


def test_the_second_generation_knows_accepted_objects_by_their_looks(second):
    embedding, click = second.encode(cone()), [ns.Point(80, 80)]
    sizes = ns.Context.of_areas([400] * 4)
    looks = replace(sizes, spots=(((80, 80), (84, 84)), ((10, 10),)))
    assert second.reads_appearance
    by_size, by_looks = (
        second.with_context(one).predict(embedding, click).logits for one in (sizes, looks)
    )
    assert not np.array_equal(by_size, by_looks)
    masks = [np.zeros((160, 160), bool) for _ in range(2)]
    masks[0][76:92, 76:92] = masks[1][8:12, 8:12] = True
    fitted = accepted_on(second, embedding, masks)
    known = accepted_in(second, embedding, looks)
    assert known.side == pytest.approx(np.log2(20), abs=1e-3)
    for key in ("instance", "semantic"):
        likeness = (getattr(known, key) * getattr(fitted, key)).sum(1)
        assert likeness.min() > 0.9


def test_masks_give_sizes_and_looks():
    masks = [np.zeros((50, 60), bool) for _ in range(10)]
    for number, mask in enumerate(masks[:9]):
        mask[number : number + 6, 10:20] = True
    context = ns.Context.of_masks(masks, [400])
    assert (context.count, context.mean) == (9, ns.Context.of_areas([60] * 9).mean)
    assert len(context.spots) == 7  # of the last eight, one is empty
    assert all(masks[8][spot] for spot in context.spots[-1])


def test_looks_survive_json_and_the_first_generation_passes_them_over(model, embedding, second):
    sizes = ns.Context.of_areas([400] * 4)
    looks = replace(sizes, spots=(((80, 80),), ()))
    assert ns.Context.from_dict(json.loads(json.dumps(looks.to_dict()))) == looks
    assert "spots" not in sizes.to_dict()
    assert looks.at_scale(2).spots == ()
    if not model.reads_appearance:
        click = [ns.Point(80, 80)]
        assert np.array_equal(
            model.with_context(looks).predict(embedding, click).logits,
            model.with_context(sizes).predict(embedding, click).logits,
        )


def test_a_model_that_takes_no_context_stays_as_it_is(model):
    disc, context = DiscModel(), ns.Context.of_areas([100] * 5)
    assert in_context_of(disc, context) is disc
    assert in_context_of(model, ns.Context()) is model
    assert in_context_of(model, context).context == context
