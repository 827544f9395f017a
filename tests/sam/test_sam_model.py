"""SAM and SAM 2.1 behind the project's door, beside transformers called by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
import transformers
from tiny_sams import AS_PUBLISHED, IN_BOTH_SQUARES

import napari_seem as ns
from napari_seem.errors import InvalidPrompt, UnsupportedPrompt
from napari_seem.models.base import Embedding
from napari_seem.models.running.patience import patiently
from napari_seem.models.sam import sizes
from napari_seem.models.sam.clicks import grid
from napari_seem.models.sam.model import SamModel
from napari_seem.models.sam.prompting import SURE, SamMemory, read
from napari_seem.models.sam.square import Square
from napari_seem.sources.any_size import AnySizeSam

Tiny = sizes.SamSizes | sizes.Sam2Sizes


def _by_hand(model: SamModel, tiny: Tiny) -> torch.nn.Module:
    """Return transformers' own model for images, with the same weights."""
    if isinstance(tiny, sizes.SamSizes):
        return model.network
    config = model.network.config
    plain = transformers.Sam2Model(
        transformers.Sam2Config(
            vision_config=config.vision_config,
            prompt_encoder_config=config.prompt_encoder_config,
            mask_decoder_config=config.mask_decoder_config,
        )
    )
    state = model.network.state_dict()
    plain.load_state_dict({key: state[key] for key in plain.state_dict()})
    return plain.eval()


@IN_BOTH_SQUARES
def test_embeddings_and_masks_are_those_of_transformers(
    model: SamModel, tiny: Tiny, image: np.ndarray
) -> None:
    """The same pixels and prompts give the same maps, logits and scores."""
    plain = _by_hand(model, tiny)
    square = Square(image.shape[:2], model.keeps_aspect)
    embedding = model.encode(image)
    height, width = square.resized
    places = [(40.0, 90.0), (100.0, 30.0)]
    xy = [[((x + 0.5) * width / 220 - 0.5, (y + 0.5) * height / 150 - 0.5) for y, x in places]]
    with torch.inference_mode():
        found = plain(
            pixel_values=square.pixels(image), input_points=torch.tensor([xy]),
            input_labels=torch.tensor([[[1, 0]]]), multimask_output=False,
        )  # fmt: skip
    prediction = model.predict(
        embedding, [ns.Point(*places[0]), ns.Point(*places[1], positive=False)]
    )
    torch.testing.assert_close(
        prediction.memory.logits, found.pred_masks[0, 0, 0], atol=1e-4, rtol=1e-4
    )
    assert prediction.score == pytest.approx(float(found.iou_scores.clamp(0, 1)), abs=1e-5)
    assert prediction.logits.shape == (150, 220)


@AS_PUBLISHED
def test_pixels_are_those_of_the_reference(image: np.ndarray, side: int) -> None:
    """Transformers' processor of SAM, which needs no torchvision, prepares the same input."""
    processor = transformers.SamImageProcessorPil()
    theirs = processor(images=image, return_tensors="pt")["pixel_values"]
    square = Square(image.shape[:2], keeps_aspect=True)
    torch.testing.assert_close(square.pixels(image), theirs, atol=1e-5, rtol=0)
    stretched = Square(image.shape[:2], keeps_aspect=False).pixels(image)
    assert stretched.shape == (1, 3, side, side)


@AS_PUBLISHED
@pytest.mark.parametrize("shape", [(150, 220), (1500, 400), (37, 41)])
@pytest.mark.parametrize("keeps_aspect", [True, False])
def test_a_place_lands_where_its_pixel_is(
    shape: tuple[int, int], keeps_aspect: bool, side: int
) -> None:
    """A disc in the square where a click lands comes back around the clicked pixel."""
    square = Square(shape, keeps_aspect)
    y, x = 0.7 * shape[0], 0.3 * shape[1]
    column, row = (square.places((y, x)) + 0.5) / side * 256 - 0.5
    rows, cols = torch.meshgrid(torch.arange(256.0), torch.arange(256.0), indexing="ij")
    cells = 8 - torch.hypot(rows - row, cols - column)
    inside = np.argwhere(square.logits(cells[None])[0] > 0)
    assert np.abs(inside.mean(0) - (y, x)).max() <= 0.5 + 0.01 * max(shape)
    np.testing.assert_allclose(square.cells(np.ones(shape, bool)).sum(), np.prod(square.in_cells))


def test_a_click_has_three_answers_and_corrections_one(
    model: SamModel, embedding: Embedding
) -> None:
    """One click is ambiguous; the memory of the turn goes into the next."""
    first = model.predict(embedding, [ns.Point(40, 90)])
    scores = [answer.score for answer in first.alternatives]
    assert 1 <= len(scores) <= 3
    assert scores == sorted(scores, reverse=True)
    second = [ns.Point(40, 90), ns.Point(90, 90)]
    with_memory = model.predict(embedding, second, first.memory)
    assert len(with_memory.alternatives) == 1
    assert not np.array_equal(with_memory.logits, model.predict(embedding, second).logits)


def test_every_prompt_in_space_is_taken_in_any_mix(model: SamModel, embedding: Embedding) -> None:
    """Boxes, outlines, scribbles and masks, positive and negative, give a mask of the image."""
    stroke = np.zeros((150, 220), bool)
    stroke[60:62, 40:120] = True
    mixes = [
        [ns.Box(20, 30, 90, 120)],
        [ns.Polygon([(10, 10), (10, 90), (80, 40)]), ns.Box(5, 5, 20, 20, positive=False)],
        [ns.Scribble(stroke), ns.Point(5, 5, positive=False)],
        [ns.Mask(stroke), ns.Scribble(~stroke, positive=False)],
        [ns.Box(0, 0, 30, 30), ns.Box(50, 50, 90, 90), ns.Point(10, 10)],
    ]
    for prompts in mixes:
        assert np.isfinite(model.predict(embedding, prompts).logits).all()
    empty = model.predict(embedding, [ns.Point(3, 3, positive=False)])
    assert not empty.mask.any()


@AS_PUBLISHED
def test_a_lasso_that_is_new_decides_in_its_box_and_an_old_one_gives_way() -> None:
    """After a click elsewhere the outline says what lies in its box; the rest is remembered."""
    square = Square((256, 256), keeps_aspect=False)
    before = torch.full((256, 256), -3.0)
    before[10:40, 10:40] = 7.0
    before[60:130, 60:130] = 5.0
    lasso = ns.Polygon([(80, 80), (80, 120), (120, 80)])
    prompts = [ns.Point(20, 20), lasso]
    mask = read(prompts, square, SamMemory(before, 1)).mask
    assert mask is not None
    assert (mask[82:98, 82:98] == SURE).all()
    assert (mask[115:120, 115:120] == -SURE).all()  # in the box, not in the outline
    elsewhere = torch.ones(256, 256, dtype=torch.bool)
    elsewhere[79:122, 79:122] = False
    assert torch.equal(mask[elsewhere], before[elsewhere])
    assert before[90, 90] == 5  # nobody's memory is changed
    later = read([*prompts, ns.Point(90, 90)], square, SamMemory(mask, 2)).mask
    assert torch.equal(later, mask)
    cut = read([*prompts, ns.Box(10, 10, 20, 20, positive=False)], square, SamMemory(mask, 2)).mask
    assert (cut[11:19, 11:19] == -SURE).all()


def test_a_lasso_after_a_click_changes_the_answer(model: SamModel, image: np.ndarray) -> None:
    """Its mask, not only its box, is seen beside the memory."""
    embedding = model.encode(image)
    click = ns.Point(40, 90)
    first = model.predict(embedding, [click])
    corners = [(20, 60), (20, 140), (100, 140), (100, 60)]
    lassos = [ns.Polygon(corners), ns.Polygon([*corners, (60, 100)])]  # of one box
    answers = [model.predict(embedding, [click, one], first.memory).logits for one in lassos]
    assert not np.allclose(*answers)


def test_encoding_pauses_before_every_block(model: SamModel, tiny: Tiny, image: np.ndarray) -> None:
    """Work in the background lets a person's turn go first, and ends where it is told to."""
    called: list[int] = []
    with patiently(lambda: called.append(1)):
        model.encode(image)
    assert len(called) == (tiny.depth if isinstance(tiny, sizes.SamSizes) else sum(tiny.stages))

    def leave() -> None:
        raise InvalidPrompt("left")

    with pytest.raises(InvalidPrompt, match="left"), patiently(leave):
        model.encode(image)


def test_the_memory_of_sam2_is_bounded_as_its_authors_do(
    model: SamModel, embedding: Embedding, side: int
) -> None:
    """Logits beyond 32 count as 32 for SAM 2.1, and as they are for SAM."""
    prompts = [ns.Point(40, 90), ns.Point(90, 90)]
    cells = torch.arange(side // 4)
    memory = 100 * torch.sign(cells[:, None] - cells + 0.5)
    far, near = (
        model.predict(embedding, prompts, SamMemory(logits, 1)).logits
        for logits in (memory, memory.clamp(-32, 32))
    )
    assert np.array_equal(far, near) == (not model.keeps_aspect)


def test_a_big_plane_is_answered_in_frames(
    model: SamModel, embedding: Embedding, side: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A click on a plane of more than 2048 pixels has answers and a memory for the next turn."""
    big = AnySizeSam(model.network, "tiny")
    maps = [embedding.tensors[key] for key in sorted(embedding.tensors)]
    seen = []  # a network with random weights answers no better for having seen each frame

    def encoder(pixels: torch.Tensor) -> list[torch.Tensor]:
        seen.append(pixels.shape[-2:])
        return maps

    monkeypatch.setattr(model.network, "get_image_embeddings", encoder)
    plane = np.random.default_rng(0).integers(0, 255, (300, 2100), dtype=np.uint8)
    embedding = big.encode(plane)
    first = big.predict(embedding, [ns.Point(150, 1900)])
    assert first.shape == plane.shape
    assert all(one.mask.shape == plane.shape for one in first.alternatives)
    second = big.predict(embedding, [ns.Point(150, 1900), ns.Point(20, 1890)], first.memory)
    assert second.mask.shape == plane.shape
    assert {*seen} == {(side, side)}


def test_what_it_does_not_take_is_refused(model: SamModel, embedding: Embedding) -> None:
    """Words and memories of others are refused, naming who takes them."""
    with pytest.raises(UnsupportedPrompt, match="compact"):
        model.predict(embedding, [ns.Text("cell")])
    with pytest.raises(UnsupportedPrompt, match="compact"):
        model.segment(embedding, ["cell"])
    with pytest.raises(InvalidPrompt, match="memory is of another model"):
        model.predict(embedding, [ns.Point(1, 1)], memory=object())
    with pytest.raises(InvalidPrompt, match="no prompt"):
        model.predict(embedding, [])


def test_everything_keeps_stable_masks_once(
    model: SamModel, embedding: Embedding, side: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Clicks on two discs, asked for many times, give the two, where they lie; specks are left."""
    discs = [((40.0, 60.0), 20.0), ((100.0, 160.0), 14.0)]
    square = Square((150, 220), model.keeps_aspect)
    cells = side // 4
    rows, cols = torch.meshgrid(torch.arange(cells), torch.arange(cells), indexing="ij")
    height, width = square.in_cells

    def decode(_: object, turns: list, several: bool) -> tuple[torch.Tensor, torch.Tensor]:
        assert several
        masks = torch.full((len(turns), 1, cells, cells), -9.0)
        for mask, turn in zip(masks[:, 0], turns, strict=True):
            x, y = ((turn.points[0] + 0.5) / 4 - 0.5).tolist()
            for (row, column), radius in discs:
                apart = torch.hypot(
                    (rows + 0.5) * 150 / height - 0.5 - row,
                    (cols + 0.5) * 220 / width - 0.5 - column,
                )
                if apart[round(y), round(x)] <= radius:
                    mask[:] = 9 * (radius - apart)
        return masks, torch.full((len(turns), 1), 0.95)

    monkeypatch.setattr(model, "decode", decode)
    found = model.segment(embedding)
    centres = sorted(
        tuple(np.argwhere(one.full_mask((150, 220))).mean(0)) for one in found.instances
    )
    np.testing.assert_allclose(centres, [place for place, _ in discs], atol=0.75)


@pytest.mark.parametrize(("score", "stays"), [(0.87, False), (0.89, True)])
def test_scores_are_held_to_what_each_family_publishes(
    model: SamModel, score: float, stays: bool, side: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SAM's masks need .88, those of SAM 2.1 need .80; both a stability of .95."""
    rows = torch.arange(side / 4)[:, None].expand(-1, side // 4)

    def decode(_: object, turns: list, several: bool) -> tuple[torch.Tensor, torch.Tensor]:
        masks = torch.stack([9 * (40 - rows), 0.9 * (40 - rows)])  # the second is not stable
        return masks.expand(len(turns), -1, -1, -1), torch.full((len(turns), 2), score)

    embedding = model.encode(np.zeros((150, 220, 3), np.uint8))
    monkeypatch.setattr(model, "decode", decode)
    found = model.segment(embedding).instances
    assert len(found) == (stays or not model.keeps_aspect)


def test_clicks_fall_where_features_stand_out(
    model: SamModel, side: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An object that lies between the clicks of the grid is asked for, at its place."""
    embedding = model.encode(np.zeros((150, 220, 3), np.uint8))
    finest = torch.zeros_like(embedding.tensors["level.0"])
    cells = finest.shape[-1]
    row, column = round(0.37 * cells), round(0.61 * cells)
    finest[0, :, row, column] = 5.0
    embedding = replace(embedding, tensors={**embedding.tensors, "level.0": finest})
    square = Square((150, 220), model.keeps_aspect)
    height, width = square.resized
    place = [
        (cell + 0.5) / cells * side / resized * length - 0.5
        for cell, resized, length in ((row, height, 150), (column, width, 220))
    ]
    assert np.abs(grid((150, 220)) - place).max(1).min() > 1
    asked: list[tuple[float, ...]] = []

    def decode(_: object, turns: list, several: bool) -> tuple[torch.Tensor, torch.Tensor]:
        asked.extend(tuple(turn.points[0].tolist()) for turn in turns)
        return torch.full((len(turns), 1, side // 4, side // 4), -9.0), torch.zeros(len(turns), 1)

    monkeypatch.setattr(model, "decode", decode)
    assert len(model.segment(embedding)) == 0
    assert len(asked) == len(grid((150, 220))) + 1
    np.testing.assert_allclose(asked[-1], square.places(place), atol=0.5 * side / cells)
