"""The memory of SAM 2.1, beside transformers' own video model, and in a propagation."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from tiny_sams import FIRST, IN_BOTH_SQUARES, SECOND, written
from website import Site

import napari_seem as ns
from napari_seem.embeddings import content_key
from napari_seem.errors import InvalidPrompt, UnsupportedPrompt, WeightsError
from napari_seem.models import registry
from napari_seem.models.memory import Recalled
from napari_seem.models.sam import network, sizes
from napari_seem.models.sam.model import SamModel
from napari_seem.models.sam.square import Square

if TYPE_CHECKING:  # takes as long as ten of these tests, and every process collects them all
    from transformers import Sam2VideoModel

SHAPE = (60, 100)
State = dict[str, torch.Tensor]
Publish = Callable[[State], SamModel]


def _lively(layers: int = 1) -> Sam2VideoModel:
    """Return a tiny SAM 2.1 in which memories, pointers and times change the answer.

    Its memory attention has one layer, which is quicker; that of its authors four.
    """
    return deepcopy(_first_lively(layers, sizes.SIDE))


@cache
def _first_lively(layers: int, side: int) -> Sam2VideoModel:
    torch.manual_seed(3)
    built = network.build(SECOND).eval().requires_grad_(False)
    built.memory_attention.layers = built.memory_attention.layers[:layers]
    for name, values in built.named_parameters():
        if values.dim() > 1:
            width = 1.5 if "proj" in name or "memory" in name else 1.0
            values.normal_(std=width * values[0].numel() ** -0.5)
        elif not values.any():
            values.normal_(std=0.1)
        if "scale" in name:
            values.fill_(0.5)
        if "memory_attention" in name and ("q_proj.w" in name or "k_proj.w" in name):
            values *= 0.2
        if name.startswith(("object_pointer_proj.proj_out.w", "temporal_pos", "memory_temporal")):
            values *= 10
    frequencies = built.prompt_encoder.shared_embedding.positional_embedding
    built.shared_image_embedding.positional_embedding.data = frequencies.data.clone()
    built.mask_decoder.pred_obj_score_head.proj_out.bias += 3.0  # the object is there
    return built


@pytest.fixture
def model(side: int) -> SamModel:
    """A tiny SAM 2.1 with a memory."""
    return SamModel(_lively(), "sam2.1-tiny")


@pytest.fixture
def stack() -> np.ndarray:
    """Planes (3, 60, 100, 3) of noise."""
    return np.random.default_rng(0).integers(0, 255, (3, *SHAPE, 3), dtype=np.uint8)


@pytest.fixture
def masks() -> list[np.ndarray]:
    """Two objects of the first plane."""
    rows, columns = np.mgrid[: SHAPE[0], : SHAPE[1]]
    return [np.hypot(rows - 20, columns - 30) < 12, np.hypot(rows - 40, columns - 75) < 9]


def _by_hand(
    built: Sam2VideoModel, stack: np.ndarray, masks: list[np.ndarray], monkeypatch: object
) -> list[torch.Tensor]:
    """Return the logits (objects, grid, grid) of every plane, by transformers' own session.

    It makes a pointer of a mask prompt from the best of three answers; SAM 2's authors, by whom
    the weights were trained, from the one answer that belongs to a mask.
    """
    from transformers import Sam2VideoInferenceSession

    decode = built._single_frame_forward

    def of_one_answer(*given: object, multimask_output: bool = False, **more: object) -> object:
        return decode(*given, multimask_output=multimask_output, **more)

    monkeypatch.setattr(built, "_single_frame_forward", of_one_answer)
    side = built.config.image_size
    session = Sam2VideoInferenceSession(
        video_height=SHAPE[0], video_width=SHAPE[1], dtype=torch.float32
    )
    for index, plane in enumerate(stack):
        session.add_new_frame(Square(SHAPE, keeps_aspect=False).pixels(plane)[0], index)
    for number, mask in enumerate(masks):
        square = torch.tensor(mask, dtype=torch.float32)[None, None]
        square = F.interpolate(square, (side, side), mode="bilinear", antialias=True)
        session.add_mask_inputs(session.obj_id_to_idx(number), 0, (square >= 0.5).float())
    session.obj_with_new_inputs = list(range(len(masks)))
    return [built(session, frame_idx=k).pred_masks[:, 0] for k in range(len(stack))]


@IN_BOTH_SQUARES
def test_objects_are_carried_as_by_transformers(
    model: SamModel, stack: np.ndarray, masks: list[np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    """From one plane forward, several objects: the same logits, plane after plane."""
    embeddings = [model.encode(plane) for plane in stack]
    found: list[list[np.ndarray]] = [[] for _ in masks]
    for number, mask in enumerate(masks):
        known = [model.remember(embeddings[0], mask)]
        for index in range(1, len(stack)):
            recalled = [Recalled(one, index - k, k == 0) for k, one in enumerate(known)]
            tracked = model.track(embeddings[index], recalled, len(stack))
            assert 0 < tracked.score < 1
            found[number].append(tracked.logits)
            known.append(tracked.memory)

    theirs = _by_hand(model.network, stack, masks, monkeypatch)
    square = Square(SHAPE, keeps_aspect=False)
    for number, carried in enumerate(found):
        for plane, logits in zip(carried, theirs[1:], strict=True):
            # memories are rounded to bfloat16 by both, now and then to another neighbour
            np.testing.assert_allclose(
                plane, square.logits(logits[number][None])[0], atol=1e-3, rtol=1e-4
            )
    assert np.abs(found[0][0] - found[1][0]).max() > 0.1


def test_what_is_looked_back_on_changes_the_answer(
    model: SamModel, stack: np.ndarray, masks: list[np.ndarray]
) -> None:
    """The mask, pointers, and how far away they are; none of them is lost on the way."""
    first, second = (model.encode(plane) for plane in stack[:2])
    one, other = (model.remember(first, mask) for mask in masks)

    def answer(*recalled: Recalled) -> np.ndarray:
        return model.track(second, recalled, 30).logits

    plain = answer(Recalled(one, 1, True))
    for recalled in (
        [Recalled(other, 1, True)], [Recalled(one, -1, True)], [Recalled(one, 9, True)],
        [Recalled(one, 1, True), Recalled(other, 2, False)],
        [Recalled(one, 1, True), Recalled(other.as_pointer(), 8, False)],
    ):  # fmt: skip
        assert np.abs(answer(*recalled) - plain).max() > 1e-2
    further = [Recalled(one, 1, True), Recalled(other, 17, False)]
    np.testing.assert_array_equal(answer(*further), plain)


def test_an_object_that_the_model_misses_is_gone(
    model: SamModel, stack: np.ndarray, masks: list[np.ndarray]
) -> None:
    """By the object score: no mask, no score, and an event."""
    model.network.mask_decoder.pred_obj_score_head.proj_out.bias -= 100.0
    work = ns.propagate(model, stack[:2], {0: masks[0]})
    assert not work.labels[1].any()
    assert [(e.kind, e.id, e.plane) for e in work.events] == [("ended", 1, 1)]
    assert work.scores[1] == 0


class _Repeats(torch.nn.Module):
    """Stands for the memory of a network that carries masks as they are, cell by cell.

    The 4 x 4 cells of its answer in a cell of the plane are among the channels of that.
    """

    def forward(self, _: torch.Tensor, masks: torch.Tensor) -> tuple[torch.Tensor, None]:
        cells = F.pixel_unshuffle(F.avg_pool2d(masks, 4), 4)  # (1, 16, h, w)
        return cells.repeat(1, 4, 1, 1), None

    def position_encoding(self, shape: torch.Size, *_: object) -> torch.Tensor:
        return torch.zeros(shape)

    def attend(
        self, now: torch.Tensor, memory: torch.Tensor, _: object, __: object, pointers: int
    ) -> torch.Tensor:
        """Return the map that was remembered last as features (1, 1, cells, 256)."""
        maps = memory[: len(memory) - pointers]
        return maps[-len(now) :, 0].repeat(1, 4)[None, None]

    def decode(self, image_embeddings: torch.Tensor, **_: object) -> tuple[torch.Tensor, ...]:
        """Return the features as three masks."""
        masks = F.pixel_shuffle(image_embeddings[:, :16], 4).expand(-1, 3, -1, -1)[:, None]
        tokens = torch.zeros(1, 1, 3, 256)
        return masks, torch.full((1, 1, 3), 0.9), tokens, torch.full((1, 1, 1), 5.0)


@pytest.fixture
def repeating(model: SamModel, monkeypatch: pytest.MonkeyPatch) -> SamModel:
    """A SAM 2.1 that answers the remembered mask, whatever the plane: one is encoded for all."""
    memory, encoder = _Repeats(), model.network.vision_encoder
    encode, encoded = encoder.forward, []

    def encode_once(*given: object, **more: object) -> object:
        encoded.extend([] if encoded else [encode(*given, **more)])
        return deepcopy(encoded[0])  # it is written to

    monkeypatch.setattr(encoder, "forward", encode_once)
    model.network.memory_encoder = memory
    monkeypatch.setattr(model.network.memory_attention, "forward", memory.attend)
    monkeypatch.setattr(model.network.mask_decoder, "forward", memory.decode)
    return model


@pytest.mark.parametrize("shape", [(150, 220), (700, 260), (64, 64)])
def test_an_object_lands_where_it_was(repeating: SamModel, shape: tuple[int, int]) -> None:
    """Rows stay rows on planes that are no square, and nothing drifts over several planes."""
    height, width = shape
    rows, columns = np.mgrid[:height, :width]
    seed = np.zeros(shape, np.int32)
    seed[np.hypot(rows / height - 0.3, columns / width - 0.7) < 0.12] = 4
    seed[np.hypot(rows / height - 0.75, columns / width - 0.2) < 0.15] = 9
    stack = np.random.default_rng(1).integers(0, 255, (5, *shape), dtype=np.uint8)
    work = ns.propagate(repeating, stack, {2: seed})
    for plane in (0, 1, 3, 4):
        for number in (4, 9):
            there = np.argwhere(seed == number)
            found = np.argwhere(work.labels[plane] == number)
            assert np.abs((found.mean(0) - there.mean(0)) / shape).max() < 1 / 64
            assert 0.85 < len(found) / len(there) < 1.15
        assert 0.6 < work.scores[plane] < 1


@pytest.fixture
def published(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, site: Site) -> Publish:
    """Put weights on a server as their authors do, and load them from there."""
    monkeypatch.setenv("NAPARI_SEEM_HOME", str(tmp_path / "cache"))

    def load(state: State) -> SamModel:
        torch.save({"model": state}, tmp_path / "published.pt")
        site.body = (tmp_path / "published.pt").read_bytes()
        spec = registry.model_spec("sam2.1-tiny")
        weights = replace(spec.weights, url=site.url)
        registry.weight_files.fetch(weights)
        loaded = registry.build_model(replace(spec, weights=weights), "cpu")
        assert isinstance(loaded, SamModel)
        return loaded

    return load


def test_from_a_download_to_a_corrected_stack(published: Publish) -> None:
    """Only planes between corrected ones are done again, and none is encoded twice."""
    loaded = published(written(SamModel(_lively(layers=4), "sam2.1-tiny")))
    assert len(loaded.network.memory_attention.layers) == 4
    encoded: list[int] = []
    loaded.network.vision_encoder.register_forward_pre_hook(lambda *_: encoded.append(1))
    stack = np.random.default_rng(0).integers(0, 255, (5, *SHAPE), dtype=np.uint8)
    seed = np.zeros(SHAPE, np.int32)
    seed[10:40, 20:60] = 6
    cache = ns.EmbeddingCache()
    cache.get_or_encode(  # as a click on the plane does
        (loaded.identity, content_key(stack[1])), lambda: loaded.encode(stack[1])
    )
    work = ns.propagate(loaded, stack, {0: seed, 4: seed}, cache=cache)
    assert set(work.results) == set(range(5))
    assert all(0 <= score <= 1 for score in work.scores.values())
    assert work.to_review() == sorted({1, 2, 3}, key=lambda k: work.scores[k])
    before = work.results

    assert work.correct(2, seed) == [1, 3]
    assert [plane.index for plane in work.run()] == [1, 3]

    assert work.results[0] is before[0]
    assert len(encoded) == 5


def test_weights_for_single_images_take_clicks_but_carry_nothing(published: Publish) -> None:
    """As of a SAM 2.1 that was saved without its memory, with a leftover of it."""
    whole = written(SamModel(_lively(), "sam2.1-tiny"))
    parts = ("memory_", "maskmem", "no_mem_pos", "no_obj", "obj_ptr", "mask_downsample.")
    state = {key: t for key, t in whole.items() if not key.startswith(parts)}
    loaded = published(state | {"maskmem_tpos_enc": whole["maskmem_tpos_enc"]})
    plane = np.random.default_rng(0).integers(0, 255, SHAPE, dtype=np.uint8)
    assert loaded.predict(loaded.encode(plane), [ns.Point(20, 30)]).logits.shape == SHAPE
    with pytest.raises(UnsupportedPrompt, match=r"saved for single images.*compact"):
        ns.propagate(loaded, plane[None], {0: plane > 250})


def test_half_a_memory_is_damaged_weights(published: Publish) -> None:
    """Some weights of the memory are there, and others are not."""
    whole = written(SamModel(_lively(layers=4), "sam2.1-tiny"))
    del whole["memory_attention.layers.2.norm1.weight"]
    with pytest.raises(WeightsError, match=r"lacks key memory_attention\.layers\.2"):
        published(whole)


def test_models_without_a_memory_name_those_that_can_carry(image: np.ndarray) -> None:
    """SAM can't, and says who can; a memory does not take another model's plane."""
    plain = SamModel(network.build(FIRST).eval(), "sam-vit-b")
    with pytest.raises(UnsupportedPrompt, match=r"'sam-vit-b' can't carry.*sam2\.1-tiny"):
        ns.propagate(plain, image[None], {0: image[..., 0] > 250})
    with pytest.raises(InvalidPrompt, match="was made by 'tiny"):
        SamModel(_lively(), "other").remember(
            SamModel(_lively(), "tiny").encode(image), image[..., 0] > 250
        )
