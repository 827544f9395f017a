"""The compact model fitted to objects that a person accepted."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import napari_seem as ns
from napari_seem.errors import InvalidPrompt
from napari_seem.models.compact import CompactModel, adapt
from napari_seem.models.compact.network import CompactConfig, CompactNetwork


@pytest.fixture(scope="module")
def model():
    return ns.load_model("compact", device="cpu")


@pytest.fixture(scope="module")
def targets():
    """Rings within rings: the person means the whole target, dark rim and all."""
    rng = np.random.default_rng(0)
    rows, columns = np.mgrid[:256, :256]
    image, masks = np.full((256, 256), 120.0), []
    for y in range(32, 256, 64):
        for x in range(32, 256, 64):
            distance = np.hypot(rows - y - rng.uniform(-3, 3), columns - x - rng.uniform(-3, 3))
            radius = rng.uniform(19, 23)
            image[distance < radius] = 70
            image[distance < 0.55 * radius] = 210
            masks.append(distance < radius)
    image += rng.normal(0, 8, image.shape)
    return np.clip(image, 0, 255).astype(np.uint8), masks


@pytest.fixture(scope="module")
def embedding(model, targets):
    return model.encode(targets[0])


def first_iou(model, embedding, mask):
    y, x = (int(axis.mean()) for axis in np.nonzero(mask))
    found = model.predict(embedding, [ns.Point(y, x)]).mask
    return (found & mask).sum() / (found | mask).sum()


@pytest.mark.long
def test_later_objects_of_the_kind_need_less(model, embedding, targets):
    _, masks = targets
    rest = masks[8:]
    before = np.mean([first_iou(model, embedding, mask) for mask in rest])

    suited = model.adapted(embedding, masks[:8], steps=5)

    after = np.mean([first_iou(suited, embedding, mask) for mask in rest])
    assert after >= before
    assert after > 0.75


def test_the_given_model_stays_as_it_is_and_embeddings_stay_valid(model, embedding, targets):
    _, masks = targets
    before = {key: t.clone() for key, t in model.network.state_dict().items()}
    plain = model.predict(embedding, [ns.Point(32, 32)]).logits

    suited = model.adapted(embedding, masks[:6], steps=1)

    assert suited.identity == model.identity
    assert all((before[key] == t).all() for key, t in model.network.state_dict().items())
    np.testing.assert_array_equal(model.predict(embedding, [ns.Point(32, 32)]).logits, plain)
    np.testing.assert_array_equal(
        suited.plain().predict(embedding, [ns.Point(32, 32)]).logits, plain
    )


def test_corrections_are_answered_by_the_shipped_decoder(model, embedding, targets):
    _, masks = targets
    suited = model.plain()
    suited.first_decoder = adapt._fitted(
        model, embedding, masks[:6], [adapt.mask_bbox(m) for m in masks[:6]], 1, 0
    )
    memory = model.predict(embedding, [ns.Point(96, 96)]).memory
    prompts = [ns.Point(96, 96), ns.Point(120, 96, positive=False)]

    np.testing.assert_array_equal(
        suited.predict(embedding, prompts, memory).logits,
        model.predict(embedding, prompts, memory).logits,
    )
    first = [m.predict(embedding, [ns.Point(96, 96)]).logits for m in (model, suited)]
    assert (first[0] != first[1]).any()


@pytest.mark.parametrize(
    ("gains", "used"),
    [((0,) * 6, False), ((0.06,) * 6, True), ((0.4, -0.3) * 3, False), ((0.1, 0.02) * 3, True)],
)
def test_a_fit_is_used_where_it_helps_beyond_chance(
    model, embedding, targets, monkeypatch, gains, used
):
    _, masks = targets
    monkeypatch.setattr(adapt, "_fitted", lambda *_: model.network.decoder)
    # asked in turn for what was learned and for the shipped model: how objects look, then a decoder
    answers = iter([iou for gain in gains * 2 for iou in (0.5 + gain, 0.5)])
    monkeypatch.setattr(adapt, "_first_iou", lambda *_: next(answers))

    suited = model.adapted(embedding, masks[:6], steps=1)

    assert (suited.accepted is not None) == used
    assert (suited.first_decoder is not None) == used
    assert suited.is_adapted == used


def test_fitting_reports_its_steps_and_ends_where_it_is_told_to(model, embedding, targets):
    _, masks = targets
    seen = []

    def report(done, total, what):
        seen.append((done, total))
        if done == 3:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        model.adapted(embedding, masks[:6], steps=2, progress=report)
    assert seen == [(0, 18), (1, 18), (2, 18), (3, 18)]


def test_few_objects_change_nothing_and_wrong_ones_are_reported(model, embedding, targets):
    _, masks = targets

    assert model.fewest_objects == 4
    assert not model.adapted(embedding, masks[:3]).is_adapted
    with pytest.raises(InvalidPrompt, match=r"masks of shape \(256, 256\)"):
        model.adapted(embedding, [np.zeros((256, 256), bool)])
    with pytest.raises(InvalidPrompt, match="another shape"):
        model.adapted(embedding, [np.ones((5, 5), bool)])


def test_the_second_generation_reads_accepted_objects_as_context(targets, monkeypatch):
    ways = iter([*(0.9, 0.5) * 4, *(0.5, 0.5) * 4])  # how objects look helps, a decoder does not
    monkeypatch.setattr(adapt, "_first_iou", lambda *_: next(ways))
    torch.manual_seed(0)
    network = CompactNetwork(CompactConfig.second_generation(1)).eval()
    second = CompactModel(network, ("disc",), "compact@second")
    image, masks = targets
    embedding = second.encode(image)
    plain = second.predict(embedding, [ns.Point(32, 32)]).logits

    suited = second.adapted(embedding, masks[:4], steps=1)

    assert suited.is_adapted
    assert suited.first_decoder is None
    assert not second.is_adapted
    side = np.mean([0.5 * np.log2(mask.sum()) for mask in masks[:4]])
    assert suited.accepted.side == pytest.approx(side)
    assert (suited.predict(embedding, [ns.Point(32, 32)]).logits != plain).any()
    assert not suited.plain().is_adapted
    np.testing.assert_array_equal(
        suited.plain().predict(embedding, [ns.Point(32, 32)]).logits, plain
    )
