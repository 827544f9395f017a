"""SEEM behind the project's door, at a tiny size with made-up weights and vocabulary."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import save_file

from napari_seem import Box, Mask, Point, Polygon, Reference, Scribble, Text
from napari_seem.errors import InvalidPrompt, UnsupportedPrompt, WeightsError
from napari_seem.models import registry
from napari_seem.models.base import Embedding, Model
from napari_seem.models.seem import turns
from napari_seem.models.seem.checkpoint import load_network
from napari_seem.models.seem.config import FOCAL_T, TINY
from napari_seem.models.seem.decoder import Features, QueryDecoder
from napari_seem.models.seem.model import SeemModel, build
from napari_seem.models.seem.network import Seem
from napari_seem.models.seem.strokes import Strokes, points_of
from napari_seem.models.seem.tokenizer import Tokenizer

pytest.importorskip("tokenizers")
SHAPE = (48, 70)


@pytest.fixture(scope="session")
def image() -> np.ndarray:
    rng = np.random.default_rng(3)
    image = rng.integers(0, 255, (*SHAPE, 3), dtype=np.uint8)
    image[10:30, 20:50] = (200, 30, 30)
    return image


@pytest.fixture(scope="session")
def embedding(model: SeemModel, image: np.ndarray) -> Embedding:
    return model.encode(image)


def block() -> np.ndarray:
    mask = np.zeros(SHAPE, dtype=bool)
    mask[10:30, 20:50] = True
    return mask


PROMPTS = {
    "point": Point(20, 30),
    "box": Box(10, 20, 30, 50),
    "polygon": Polygon(np.array([[10, 20], [10, 49], [29, 35]])),
    "scribble": Scribble(block()),
    "mask": Mask(block()),
    "text": Text("dog"),
}


def test_it_is_a_model(model: SeemModel) -> None:
    assert isinstance(model, Model)
    assert model.vocabulary() == ()
    assert model.capabilities == registry.model_spec("seem-focal-t").capabilities


@pytest.mark.parametrize("kind", PROMPTS)
def test_every_kind_of_prompt_gives_a_mask_of_the_image(
    kind: str, model: SeemModel, embedding: Embedding
) -> None:
    prediction = model.predict(embedding, [PROMPTS[kind]])
    assert prediction.logits.shape == SHAPE
    assert prediction.logits.dtype == np.float32
    assert 0 <= prediction.score <= 1
    assert prediction.label == ("dog" if kind == "text" else None)
    again = model.predict(embedding, [PROMPTS[kind]])
    np.testing.assert_array_equal(prediction.logits, again.logits)


def test_prompts_mix(model: SeemModel, embedding: Embedding, image: np.ndarray) -> None:
    other = model.encode(image[::-1].copy())
    reference = Reference(other, block()[::-1].copy())
    alone = model.predict(embedding, [reference])
    mixed = model.predict(embedding, [reference, Text("dog"), Point(20, 30), Point(2, 2, False)])
    assert alone.logits.shape == mixed.logits.shape == SHAPE
    assert not np.array_equal(alone.logits, mixed.logits)


def test_a_negative_point_and_the_memory_change_the_answer(
    model: SeemModel, embedding: Embedding
) -> None:
    first = model.predict(embedding, [Point(20, 30)])
    more = model.predict(embedding, [Point(20, 30), Point(40, 5, positive=False)])
    later = model.predict(embedding, [Point(20, 30)], memory=first.memory)
    assert not np.array_equal(first.logits, more.logits)
    assert not np.array_equal(first.logits, later.logits)


def test_objects_of_one_turn_do_not_see_each_other(model: SeemModel, embedding: Embedding) -> None:
    one, two = [Point(20, 30)], [Point(40, 60)]
    alone = model.predict(embedding, one)
    together = model.predict_objects(embedding, [one, two])
    np.testing.assert_allclose(together[0].logits, alone.logits, atol=1e-4)
    memories = [prediction.memory for prediction in together]
    again = model.predict_objects(embedding, [one, two], memories)
    assert [prediction.logits.shape for prediction in again] == [SHAPE, SHAPE]


def test_what_is_left_out_of_a_turn_cannot_influence_it(tiny: Seem, image: np.ndarray) -> None:
    decoder = tiny.decoder
    pixels = torch.from_numpy(image).permute(2, 0, 1)
    features = tiny.encode(pixels)
    positive = points_of(torch.from_numpy(block()))
    strokes = decoder.strokes(features, positive, None)
    (answer,) = turns.strokes_turn(decoder, features, [strokes])
    few = turns.Rows(
        decoder.query_feat.weight[:3], decoder.query_embed.weight[:3], ("few", "strokes")
    )
    every = turns.Rows(decoder.query_feat.weight, decoder.query_embed.weight, ("every",))
    rows = decoder.run(features, {"every": every, "few": few}, {"strokes": strokes.tokens})
    masks = turns.mask_logits(decoder, features, rows["few"])
    torch.testing.assert_close(masks[answer.index], answer.logits, atol=1e-4, rtol=0)


@pytest.mark.parametrize(
    ("objects", "sizes"), [(1, [32]), (2, [16, 16]), (3, [11, 11, 10]), (5, [7, 6, 7, 6, 6])]
)
def test_all_memory_tokens_are_shared_out(objects: int, sizes: list[int]) -> None:
    shares = turns.memory_tokens(32, objects)
    assert [len(tokens) for tokens in shares] == sizes
    assert [token for tokens in shares for token in tokens] == list(range(32))


def test_every_one_of_more_objects_than_memory_tokens_has_one() -> None:
    assert turns.memory_tokens(2, 4) == [[0], [0], [1], [1]]


def test_a_later_turn_of_three_objects_is_that_of_one_sequence_with_an_attention_mask(
    tiny: Seem, image: np.ndarray
) -> None:
    decoder, features = tiny.decoder, tiny.encode(torch.from_numpy(image).permute(2, 0, 1))
    regions = torch.zeros(3, *SHAPE, dtype=torch.bool)
    regions[0, 10:30, 20:50] = regions[1, 35:45, 5:25] = regions[2, 2:8, 55:65] = True
    strokes = [decoder.strokes(features, points_of(region), None) for region in regions]
    before = [a.logits for a in turns.strokes_turn(decoder, features, strokes)]
    answers = turns.strokes_turn(decoder, features, strokes, before)
    expected = one_sequence(decoder, features, strokes, before)
    for k, answer in enumerate(answers):
        torch.testing.assert_close(answer.logits, expected[3 * k + answer.index], atol=3e-5, rtol=0)


def one_sequence(
    decoder: QueryDecoder, features: Features, strokes: list[Strokes], before: list[torch.Tensor]
) -> torch.Tensor:
    """Mask logits (3 * n, h, w) of rule set v1 for n objects, as the original lays it out.

    Queries, memories and tokens of all objects are one sequence, of which each row knows its
    object and its kind; who attends to whom is one boolean matrix.
    """
    n, memories = len(strokes), decoder.spatial_featured.num_embeddings
    rows = 3 * n + memories
    lengths = torch.tensor([len(each.tokens[0]) for each in strokes])
    owner = torch.cat(
        [
            torch.arange(3 * n) // 3,
            torch.arange(memories) * n // memories,
            torch.arange(n).repeat_interleave(lengths),
        ]
    )
    kind = torch.tensor([0] * 3 * n + [1] * memories + [2] * int(lengths.sum()))
    sees = (owner[:, None] == owner) & ((kind[:, None] == 0) | (kind[:, None] == kind))
    x = torch.cat([decoder.query_feat.weight[: 3 * n], decoder.spatial_featured.weight])
    position = torch.cat([decoder.query_embed.weight[: 3 * n], decoder.spatial_embed.weight])
    for layer, feed_forward in enumerate(decoder.transformer_ffn_layers):
        scale = layer % 3
        seen = decoder.mask_embedding(x[: 3 * n]) @ features.coarse[scale].mT
        resized = [
            F.interpolate(logits[None, None], size=features.sizes[scale], mode="bilinear").flatten()
            for logits in before
        ]
        mask = torch.cat([seen, torch.stack(resized)[owner[3 * n : rows]]]) >= 0
        mask |= ~mask.any(dim=1, keepdim=True)
        look = decoder.transformer_cross_attention_layers[layer]
        x = look(x, x + position, features.places[scale], features.sources[scale], mask)
        tokens = torch.cat([each.tokens[scale] for each in strokes])
        values, positions = torch.cat([x, tokens]), torch.cat([position, tokens])
        keys = values + positions
        attend = decoder.transformer_self_attention_layers[layer]
        x = feed_forward(attend(values, keys, keys, values, sees)[:rows])
    return turns.mask_logits(decoder, features, x[: 3 * n])


def test_negative_prompts_alone_give_nothing(model: SeemModel, embedding: Embedding) -> None:
    prediction = model.predict(embedding, [Point(20, 30, positive=False)])
    assert not prediction.mask.any()
    assert prediction.memory is None


@pytest.mark.parametrize("shape", [(10, 10), (31, 17, 3), (1, 200), (200, 1), (65, 33, 4)])
def test_small_and_narrow_images_work(model: SeemModel, shape: tuple[int, ...]) -> None:
    embedding = model.encode(np.random.default_rng(0).random(shape))
    prediction = model.predict(embedding, [Point(0, 0)])
    assert prediction.logits.shape == shape[:2]
    assert np.isfinite(prediction.logits).all()


@pytest.mark.parametrize(
    ("prompts", "message"),
    [
        ([], "no prompt"),
        ([Point(99, 1)], "outside"),
        ([Text("dog", positive=False), Point(5, 5)], "no negative word"),
        ([Text("z" * 80)], "80 tokens and SEEM reads at most 75"),
    ],
)
def test_prompts_it_cannot_take_are_refused(
    prompts: list, message: str, model: SeemModel, embedding: Embedding
) -> None:
    with pytest.raises((InvalidPrompt, UnsupportedPrompt), match=message):
        model.predict(embedding, prompts)


def test_embeddings_and_memories_of_others_are_refused(
    model: SeemModel, embedding: Embedding
) -> None:
    other = Embedding("other", SHAPE, embedding.tensors, embedding.meta)
    with pytest.raises(InvalidPrompt, match="made by 'other'"):
        model.predict(other, [Point(5, 5)])
    with pytest.raises(InvalidPrompt, match="memory is of another model"):
        model.predict(embedding, [Point(5, 5)], memory=np.zeros(SHAPE))


def test_words_without_their_vocabulary_say_what_to_put_where(
    tiny: Seem, tmp_path: Path, image: np.ndarray
) -> None:
    model = SeemModel(tiny, Tokenizer([tmp_path]), short_side=64, long_side=128)
    embedding = model.encode(image)
    assert model.predict(embedding, [Point(5, 5)]).logits.shape == SHAPE
    with pytest.raises(WeightsError) as caught:
        model.predict(embedding, [Text("dog")])
    assert str(tmp_path / "vocab.json") in str(caught.value)


def test_a_damaged_vocabulary_is_named(tiny: Seem, tmp_path: Path) -> None:
    (tmp_path / "vocab.json").write_text("{")
    (tmp_path / "merges.txt").write_text("")
    with pytest.raises(WeightsError, match="not a byte-pair vocabulary"):
        Tokenizer([tmp_path])(["dog"])


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        ("dog", [513]),
        (
            "A  DOG's 12 éclairs, doggy!",
            [353, 513, 39, 371, 305, 306, 195, 169, 99, 108, 97, 105, 114, 371, 300, 512, 103, 103,
             377, 289],
        ),
        ("naïve\ndo-do", [110, 97, 195, 175, 118, 357, 100, 367, 301, 100, 367]),
        ("日本 dog.", [230, 151, 165, 230, 156, 428, 513, 302]),
    ],
)  # fmt: skip
def test_ids_are_those_of_clip(words: Path, text: str, ids: list[int]) -> None:
    """Against CLIPTokenizer of transformers 5.24.0, which read the same vocabulary."""
    assert Tokenizer([words])([text])[0].tolist() == [514, *ids, 515]


def test_everything_is_named_and_scored(model: SeemModel, embedding: Embedding) -> None:
    names = ("dog", "cat", "wall-other-merged")
    found = model.segment(embedding, names, threshold=0.26)
    assert found.names == names
    assert found.semantic is not None
    assert set(np.unique(found.semantic)) <= {1, 2, 3}
    assert len(found.instances) > 0
    covered = sum(instance.full_mask(SHAPE).astype(int) for instance in found.instances)
    assert covered.max() == 1
    scores = [instance.score for instance in found.instances]
    assert scores == sorted(scores, reverse=True)
    assert {instance.label for instance in found.instances} <= set(names)
    labels = [instance.label for instance in found.instances]
    assert labels.count("wall-other-merged") <= 1


def test_instances_are_ranked(model: SeemModel, embedding: Embedding) -> None:
    found = model.instances(embedding, ("dog", "cat"), limit=7)
    assert 0 < len(found.instances) <= 7
    scores = [instance.score for instance in found.instances]
    assert scores == sorted(scores, reverse=True)
    assert all(0 < score < 1 for score in scores)


def test_nothing_is_found_above_an_impossible_threshold(
    model: SeemModel, embedding: Embedding
) -> None:
    found = model.segment(embedding, ("dog",), threshold=1.0)
    assert found.instances == ()
    assert not found.labels.any()


def test_a_predicted_object_can_be_named(model: SeemModel, embedding: Embedding) -> None:
    prediction = model.predict(embedding, [Point(20, 30)])
    name, score = model.name_of(prediction, ("dog", "cat"))
    assert name in {"dog", "cat", None}
    assert 1 / 3 <= score <= 1


def test_bfloat16_encoding_stays_near(tiny: Seem, words: Path, image: np.ndarray) -> None:
    sides = {"short_side": 64, "long_side": 128}
    exact = SeemModel(tiny, Tokenizer([words]), **sides)
    rough = SeemModel(tiny, Tokenizer([words]), **sides, bfloat16=True)
    one, two = exact.encode(image), rough.encode(image)
    assert one.model != two.model
    for key, tensor in one.tensors.items():
        off = (two.tensors[key] - tensor).norm() / tensor.norm()
        assert off < 0.05, key


@pytest.fixture(scope="session")
def checkpoint(tiny: Seem, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint as it is published: a torch file that also holds what inference needs not."""
    path = tmp_path_factory.mktemp("weights") / "tiny.pt"
    torch.save({**tiny.state_dict(), "criterion.empty_weight": torch.ones(4)}, path)
    return path


def test_a_published_checkpoint_is_converted_and_gives_the_same_answers(
    checkpoint: Path, words: Path, model: SeemModel, image: np.ndarray, embedding: Embedding
) -> None:
    loaded = SeemModel(
        build(checkpoint, "cpu", TINY, "tiny").network,
        Tokenizer([words]),
        "tiny",
        short_side=64,
        long_side=128,
    )
    assert checkpoint.with_suffix(".safetensors").is_file()
    assert loaded.identity == model.identity
    ours = loaded.predict(loaded.encode(image), [Point(20, 30)])
    expected = model.predict(embedding, [Point(20, 30)])
    np.testing.assert_allclose(ours.logits, expected.logits, atol=1e-4)


def test_checkpoints_of_another_size_or_in_part_are_refused(
    checkpoint: Path, tmp_path: Path, tiny: Seem
) -> None:
    with pytest.raises(WeightsError, match="expected \\(96, 3, 7, 7\\)"):
        load_network(checkpoint, FOCAL_T)
    state = tiny.state_dict()
    lacking = "sem_seg_head.predictor.pn_indicator.weight"
    part = tmp_path / "part.safetensors"
    save_file({key: t.contiguous() for key, t in state.items() if key != lacking}, part)
    with pytest.raises(WeightsError, match=lacking):
        load_network(part, TINY)
    cut = tmp_path / "cut.pt"
    cut.write_bytes(checkpoint.read_bytes()[:10_000])
    with pytest.raises(WeightsError, match=r"cut\.pt"):
        load_network(cut, TINY)


def test_the_registry_says_what_to_download(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NAPARI_SEEM_HOME", str(tmp_path))
    with pytest.raises(WeightsError) as caught:
        registry.load_model("seem-focal-t")
    assert "https://huggingface.co/xdecoder/SEEM" in str(caught.value)
    assert str(tmp_path / "seem_focalt_v1.pt") in str(caught.value)
