"""SAM and SAM 2.1 behind the project's door, beside transformers called by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import transformers

import napari_seem as ns
from napari_seem.errors import InvalidPrompt, UnsupportedPrompt
from napari_seem.models.sam import sizes
from napari_seem.models.sam.frame import SIDE, Frame
from napari_seem.models.sam.model import SamModel

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


def test_embeddings_and_masks_are_those_of_transformers(
    model: SamModel, tiny: Tiny, image: np.ndarray
) -> None:
    """The same pixels and prompts give the same maps, logits and scores."""
    plain = _by_hand(model, tiny)
    frame = Frame(image.shape[:2], model.keeps_aspect)
    embedding = model.encode(image)
    height, width = frame.resized
    places = [(40.0, 90.0), (100.0, 30.0)]
    xy = [[((x + 0.5) * width / 220 - 0.5, (y + 0.5) * height / 150 - 0.5) for y, x in places]]
    with torch.inference_mode():
        found = plain(
            pixel_values=frame.pixels(image), input_points=torch.tensor([xy]),
            input_labels=torch.tensor([[[1, 0]]]), multimask_output=False,
        )  # fmt: skip
    prediction = model.predict(
        embedding, [ns.Point(*places[0]), ns.Point(*places[1], positive=False)]
    )
    torch.testing.assert_close(prediction.memory, found.pred_masks[0, 0, 0], atol=1e-4, rtol=1e-4)
    assert prediction.score == pytest.approx(float(found.iou_scores.clamp(0, 1)), abs=1e-5)
    assert prediction.logits.shape == (150, 220)


def test_pixels_are_those_of_the_reference(image: np.ndarray) -> None:
    """Transformers' processor of SAM, which needs no torchvision, prepares the same input."""
    processor = transformers.SamImageProcessorPil()
    theirs = processor(images=image, return_tensors="pt")["pixel_values"]
    frame = Frame(image.shape[:2], keeps_aspect=True)
    torch.testing.assert_close(frame.pixels(image), theirs, atol=1e-5, rtol=0)
    stretched = Frame(image.shape[:2], keeps_aspect=False).pixels(image)
    assert stretched.shape == (1, 3, SIDE, SIDE)


@pytest.mark.parametrize("shape", [(150, 220), (1500, 400), (37, 41)])
@pytest.mark.parametrize("keeps_aspect", [True, False])
def test_a_place_lands_where_its_pixel_is(shape: tuple[int, int], keeps_aspect: bool) -> None:
    """A disc in the square where a click lands comes back around the clicked pixel."""
    frame = Frame(shape, keeps_aspect)
    y, x = 0.7 * shape[0], 0.3 * shape[1]
    column, row = (frame.places((y, x)) + 0.5) / SIDE * 256 - 0.5
    rows, cols = torch.meshgrid(torch.arange(256.0), torch.arange(256.0), indexing="ij")
    cells = 8 - torch.hypot(rows - row, cols - column)
    inside = np.argwhere(frame.logits(cells[None])[0] > 0)
    assert np.abs(inside.mean(0) - (y, x)).max() <= 0.5 + 0.01 * max(shape)
    np.testing.assert_allclose(frame.cells(np.ones(shape, bool)).sum(), np.prod(frame.in_cells))


def test_a_click_has_three_answers_and_corrections_one(model: SamModel, image: np.ndarray) -> None:
    """One click is ambiguous; the memory of the turn goes into the next."""
    embedding = model.encode(image)
    first = model.predict(embedding, [ns.Point(40, 90)])
    scores = [answer.score for answer in first.alternatives]
    assert 1 <= len(scores) <= 3
    assert scores == sorted(scores, reverse=True)
    second = [ns.Point(40, 90), ns.Point(90, 90)]
    with_memory = model.predict(embedding, second, first.memory)
    assert len(with_memory.alternatives) == 1
    assert not np.array_equal(with_memory.logits, model.predict(embedding, second).logits)


def test_every_prompt_in_space_is_taken_in_any_mix(model: SamModel, image: np.ndarray) -> None:
    """Boxes, outlines, scribbles and masks, positive and negative, give a mask of the image."""
    stroke = np.zeros((150, 220), bool)
    stroke[60:62, 40:120] = True
    embedding = model.encode(image)
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


def test_what_it_does_not_take_is_refused(model: SamModel, image: np.ndarray) -> None:
    """Words and memories of others are refused, naming who takes them."""
    embedding = model.encode(image)
    with pytest.raises(UnsupportedPrompt, match="compact"):
        model.predict(embedding, [ns.Text("cell")])
    with pytest.raises(UnsupportedPrompt, match="compact"):
        model.segment(embedding, ["cell"])
    with pytest.raises(InvalidPrompt, match="memory is of another model"):
        model.predict(embedding, [ns.Point(1, 1)], memory=object())
    with pytest.raises(InvalidPrompt, match="no prompt"):
        model.predict(embedding, [])


def test_everything_keeps_stable_masks_once(
    model: SamModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Clicks on two discs, asked for many times, give the two, where they lie; specks are left."""
    discs = [((40.0, 60.0), 20.0), ((100.0, 160.0), 14.0)]
    frame = Frame((150, 220), model.keeps_aspect)
    rows, cols = torch.meshgrid(torch.arange(256.0), torch.arange(256.0), indexing="ij")
    height, width = frame.in_cells

    def decode(_: object, turns: list, several: bool) -> tuple[torch.Tensor, torch.Tensor]:
        assert several
        masks = torch.full((len(turns), 1, 256, 256), -9.0)
        for mask, turn in zip(masks[:, 0], turns, strict=True):
            x, y = ((turn.points[0] + 0.5) / SIDE * 256 - 0.5).tolist()
            for (row, column), radius in discs:
                apart = torch.hypot(
                    (rows - row * height / 150) * 150 / height,
                    (cols - column * width / 220) * 220 / width,
                )
                if apart[round(y), round(x)] <= radius:
                    mask[:] = 4 * (radius - apart)
        return masks, torch.full((len(turns), 1), 0.95)

    embedding = model.encode(np.zeros((150, 220, 3), np.uint8))
    monkeypatch.setattr(model, "decode", decode)
    found = model.segment(embedding)
    centres = sorted(
        tuple(np.argwhere(one.full_mask((150, 220))).mean(0)) for one in found.instances
    )
    np.testing.assert_allclose(centres, [place for place, _ in discs], atol=1.5)
