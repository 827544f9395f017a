"""SEEM against vectors measured on the original, with the made-up weights of the recipe.

Run in double precision. In single precision a mask logit within rounding of zero lets one query
see one position more or less, which moves that query's mask by some hundredths: with these random
weights a few of the half million logits are so near, on one machine and not on the next. Double
precision has the same answer everywhere, and the original's single precision agrees with it. What
does not depend on such decisions is compared in single precision too.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache

import pytest
import torch
from recipe import DATA, decoders_weights, frugal_network, vectors
from torch import Tensor

from napari_seem.models.seem import turns
from napari_seem.models.seem.checkpoint import expected_shapes
from napari_seem.models.seem.config import FOCAL_L, FOCAL_T, SeemConfig
from napari_seem.models.seem.decoder import SCALES, Features
from napari_seem.models.seem.network import Seem, normalise
from napari_seem.models.seem.strokes import Strokes, points_of
from napari_seem.models.seem.text_encoder import unit
from napari_seem.models.seem.turns import Sentence


def vector(name: str) -> Tensor:
    """One measured vector by its full name."""
    large = name.startswith("focall")
    return vectors("seem_focal_large" if large else "seem_focal_tiny")[name]


def assert_agrees(ours: Tensor, name: str, tolerance: float = 1e-3) -> None:
    """`ours` within `tolerance` of a measured vector, and of its shape."""
    measured = vector(name)
    assert ours.shape == measured.shape
    error = (ours - measured).abs().max().item()
    assert error <= tolerance, f"{name} is off by {error:g}"


@pytest.fixture(scope="module")
def kept() -> dict[str, Tensor]:
    """Weights that all networks here share."""
    return decoders_weights(FOCAL_T)


@pytest.fixture(scope="module")
def focal_t(kept: dict[str, Tensor]) -> Seem:
    return frugal_network(FOCAL_T, torch.float32, kept)


@pytest.fixture(scope="module")
def focal_t64(kept: dict[str, Tensor]) -> Seem:
    return frugal_network(FOCAL_T, torch.float64, kept)


@pytest.fixture(
    scope="module", params=["focalt_v1", pytest.param("focall_v1", marks=pytest.mark.long)]
)
def case(
    request: pytest.FixtureRequest, kept: dict[str, Tensor], focal_t64: Seem
) -> tuple[str, Seem]:
    """Name of a set of v1 vectors and the network it belongs to."""
    if request.param == "focalt_v1":
        return request.param, focal_t64
    return request.param, frugal_network(FOCAL_L, torch.float64, kept)


@pytest.fixture(scope="module")
def sentences_of() -> Callable[[Seem, str], list[Sentence]]:
    """Read the sentence of a set of vectors, and behind it the vocabulary that all sets share.

    At once, without most of the padding, and once for each network: most sets have one sentence.
    """

    @cache
    def read(network: Seem, ids: tuple[int, ...], vocabulary: str) -> list[Sentence]:
        both = torch.cat([torch.tensor([ids]), vector(vocabulary).long()])
        with torch.inference_mode():
            return network.read(both[:, : int(both.argmax(1).max()) + 2])

    def sentences(network: Seem, name: str) -> list[Sentence]:
        large = name.startswith("focall")
        vocabulary = f"{'focall' if large else 'focalt'}_v1.vocab_ids"
        return read(network, tuple(vector(f"{name}.text.ids")[0].tolist()), vocabulary)

    return sentences


@pytest.fixture(scope="module")
def sentence_of(
    sentences_of: Callable[[Seem, str], list[Sentence]],
) -> Callable[[Seem, str], Sentence]:
    """Read the sentence of a set of vectors."""
    return lambda network, name: sentences_of(network, name)[0]


def encode_checked(network: Seem, name: str, dtype: torch.dtype) -> Features:
    """The image of the set, encoded; checked on its way."""
    maps = network.backbone(normalise(vector(f"{name}.image").to(dtype)))
    for stage, found in enumerate(maps, start=2):
        assert_agrees(found[:, ::7, ::3, ::3], f"{name}.backbone.res{stage}.sub")
    scales, mask_features = network.pixel_decoder(maps)
    for level, found in enumerate(scales):
        assert_agrees(found[:, ::16, ::2, ::2], f"{name}.multi_scale.{level}.sub")
    assert_agrees(mask_features[:, ::16, ::4, ::4], f"{name}.mask_features.sub")
    return network.decoder.features(scales, mask_features)


@pytest.fixture(scope="module")
def focal_t_features(focal_t64: Seem) -> Features:
    with torch.inference_mode():
        return encode_checked(focal_t64, "focalt_v1", torch.float64)


@pytest.fixture(scope="module")
def encoded(case: tuple[str, Seem], focal_t_features: Features) -> Features:
    name, network = case
    if name == "focalt_v1":
        return focal_t_features
    with torch.inference_mode():
        return encode_checked(network, name, torch.float64)


@pytest.fixture(scope="module")
def focal_t_rows(focal_t64: Seem, focal_t_features: Features) -> Tensor:
    """The object queries of the image, which all rules answer alike."""
    with torch.inference_mode():
        return turns.object_queries(focal_t64.decoder, focal_t_features)


def strokes(network: Seem, features: Features, prefix: str, turn: str = "") -> list[Strokes]:
    """The strokes of both objects of a set; the second turn changes the positive ones."""
    pairs = zip(vector(f"{prefix}.{turn}pos_masks"), vector(f"{prefix}.neg_masks"), strict=True)
    return [
        network.decoder.strokes(features, points_of(pos.bool()), points_of(neg.bool()))
        for pos, neg in pairs
    ]


@pytest.mark.parametrize(("config", "letter"), [(FOCAL_T, "t"), (FOCAL_L, "l")])
def test_keys_and_shapes_are_those_of_the_published_checkpoints(
    config: SeemConfig, letter: str
) -> None:
    published = json.loads((DATA / f"seem_focal_{letter}_keys.json").read_text())
    assert {key: list(shape) for key, shape in expected_shapes(config).items()} == published


def test_backbone_and_pixel_decoder_agree(encoded: Features) -> None:
    height, width = encoded.sizes[SCALES]
    assert (height, width) == (64, 80)
    assert encoded.mask_features.shape == (height * width, 512)


def test_single_precision_agrees_too(
    focal_t: Seem, sentence_of: Callable[[Seem, str], Sentence]
) -> None:
    name = "focalt_v1"
    features = encode_checked(focal_t, name, torch.float32)
    sentence = sentence_of(focal_t, name)
    assert_agrees(sentence.embedding[None], f"{name}.text.class_emb")
    answer, _ = turns.text_turn(focal_t.decoder, features, sentence)
    assert answer.index == vector(f"{name}.ground.match").item()
    first = turns.strokes_turn(focal_t.decoder, features, strokes(focal_t, features, name))
    masks = torch.stack([answer.logits for answer in first])[None, :, ::2, ::2]
    off = (masks - vector(f"{name}.turn1.masks.sub")).abs()
    assert off.median() < 1e-3
    assert off.max() < 0.1


def test_text_encoder_agrees(
    case: tuple[str, Seem], sentences_of: Callable[[Seem, str], list[Sentence]]
) -> None:
    name, network = case
    sentence, *names = sentences_of(network, name)
    embeddings = unit(torch.stack([sentence.embedding for sentence in names]))
    assert_agrees(embeddings, f"{name}.vocab_embeddings")
    assert_agrees(sentence.embedding[None], f"{name}.text.class_emb")


def test_object_queries_agree(
    case: tuple[str, Seem], encoded: Features, focal_t_rows: Tensor
) -> None:
    name, network = case
    tiny = name == "focalt_v1"
    rows = focal_t_rows if tiny else turns.object_queries(network.decoder, encoded)
    logits = network.decoder.class_logits(rows, vector(f"{name}.vocab_embeddings").double())
    assert_agrees(logits[None], f"{name}.object.logits")
    masks = turns.mask_logits(network.decoder, encoded, rows)
    assert_agrees(masks[None, ::5, ::4, ::4], f"{name}.object.masks.sub")


def test_two_turns_with_two_objects_agree(case: tuple[str, Seem], encoded: Features) -> None:
    name, network = case
    first = turns.strokes_turn(network.decoder, encoded, strokes(network, encoded, name))
    masks = torch.stack([answer.logits for answer in first])
    assert_agrees(masks[None, :, ::2, ::2], f"{name}.turn1.masks.sub")
    again = strokes(network, encoded, name, "turn2.")
    second = turns.strokes_turn(network.decoder, encoded, again, list(masks))
    masks = torch.stack([answer.logits for answer in second])
    assert_agrees(masks[None, :, ::2, ::2], f"{name}.turn2.masks.sub")


def test_text_grounding_agrees(
    case: tuple[str, Seem], encoded: Features, sentence_of: Callable[[Seem, str], Sentence]
) -> None:
    name, network = case
    sentence = sentence_of(network, name)
    answer, rows = turns.text_turn(network.decoder, encoded, sentence)
    assert answer.index == vector(f"{name}.ground.match").item()
    masks = turns.mask_logits(network.decoder, encoded, rows)
    assert_agrees(masks[None, ::5, ::4, ::4], f"{name}.ground.masks.sub")
    if name == "focalt_v1":
        classes = network.decoder.class_embedding(rows)
        assert_agrees(classes[None, ::5], f"{name}.ground.texts.sub")


def test_rules_v0_agree(focal_t64: Seem, focal_t_features: Features) -> None:
    name, features = "focalt_v0", focal_t_features
    first = turns.strokes_turn(
        focal_t64.decoder, features, strokes(focal_t64, features, name), rules="v0"
    )
    masks = torch.stack([answer.logits for answer in first])
    assert_agrees(masks[:, None, ::2, ::2], f"{name}.turn1.masks.sub")
    again = strokes(focal_t64, features, name, "turn2.")
    second = turns.strokes_turn(focal_t64.decoder, features, again, list(masks), rules="v0")
    masks = torch.stack([answer.logits for answer in second])
    assert_agrees(masks[:, None, ::2, ::2], f"{name}.turn2.masks.sub")


@pytest.mark.parametrize("name", ["focalt_v0", "focalt_demo"])
def test_object_queries_are_the_same_under_all_rules(
    name: str,
    focal_t64: Seem,
    focal_t_features: Features,
    focal_t_rows: Tensor,
    sentence_of: Callable[[Seem, str], Sentence],
) -> None:
    vocabulary = vector("focalt_v1.vocab_embeddings").double()
    logits = focal_t64.decoder.class_logits(focal_t_rows, vocabulary)
    assert_agrees(logits[None], f"{name}.object.logits")
    masks = turns.mask_logits(focal_t64.decoder, focal_t_features, focal_t_rows)
    assert_agrees(masks[None, ::5, ::4, ::4], f"{name}.object.masks.sub")
    sentence = sentence_of(focal_t64, name)
    assert_agrees(sentence.embedding[None], f"{name}.text.class_emb")


@pytest.fixture(scope="module")
def reference(focal_t: Seem) -> Strokes:
    """The reference region of the demo set, seen in single precision.

    It has 613 pixels, of which the original drew 512 at random: its own choice is lost, so what
    depends on it can agree only as well as two choices do.
    """
    with torch.inference_mode():
        features = focal_t.encode(vector("focalt_demo.ref.image"))
        region = vector("focalt_demo.ref.mask").bool()
        seen = focal_t.decoder.strokes(features, points_of(region), None)
    assert seen.embedding is not None
    return Strokes(seen.embedding.double(), tuple(tokens.double() for tokens in seen.tokens))


CHOICE = 0.15
"""Logits up to 17 move by so much when other 512 of the 613 reference pixels are drawn."""


@pytest.mark.parametrize(
    ("mix", "mask", "tolerance"),
    [
        ("stroke", "mask", 1e-3),
        ("text", "mask", 1e-3),
        ("stroke_text", "mask", 1e-3),
        ("ref", "mask_out", CHOICE),
        ("all", "mask", CHOICE),
    ],
)
def test_any_mix_of_prompts_agrees_under_the_rules_of_the_demo(
    mix: str,
    mask: str,
    tolerance: float,
    focal_t64: Seem,
    focal_t_features: Features,
    reference: Strokes,
    sentence_of: Callable[[Seem, str], Sentence],
) -> None:
    name = "focalt_demo"
    sentence = sentence_of(focal_t64, name)
    answer = turns.mixed_turn(
        focal_t64.decoder,
        focal_t_features,
        strokes(focal_t64, focal_t_features, name)[0]
        if mix in ("stroke", "stroke_text", "all")
        else None,
        sentence if mix in ("text", "stroke_text", "all") else None,
        reference if mix in ("ref", "all") else None,
    )
    assert answer.index == vector(f"{name}.{mix}.query").item()
    assert_agrees(answer.logits[None, ::2, ::2], f"{name}.{mix}.{mask}.sub", tolerance)
    if mix == "stroke":
        logits = focal_t64.decoder.class_logits(
            answer.row, vector("focalt_v1.vocab_embeddings").double()
        )
        assert_agrees(logits, f"{name}.stroke.logits")


def test_the_reference_embedding_agrees_up_to_the_choice_of_pixels(reference: Strokes) -> None:
    assert reference.embedding is not None
    assert_agrees(reference.embedding[None, None], "focalt_demo.ref.visual_query_pos", 0.03)
