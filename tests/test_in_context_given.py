"""What `label_like` and `teach` are given: alone or in lists, and what is refused."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest
from seggpt_recipe import made_up_network

import napari_seem as ns
from napari_seem.errors import (
    InvalidArgument,
    InvalidImage,
    InvalidLabels,
    InvalidPrompt,
    NapariSeemError,
    UnsupportedPrompt,
)
from napari_seem.models.seggpt.model import SegGptModel

RNG = np.random.default_rng(0)
LABELS = np.zeros((48, 48), np.int32)
LABELS[8:24, 8:24], LABELS[28:44, 28:44] = 3, 7
IMAGE = (RNG.normal(60, 4, LABELS.shape) + 20 * LABELS).clip(0, 255).astype(np.uint8)
PAIR = IMAGE, LABELS


@pytest.fixture(scope="module")
def model():
    return ns.load_model("compact", device="cpu")


@pytest.fixture(scope="module")
def seggpt():
    return SegGptModel(made_up_network(), "made-up")


@pytest.mark.parametrize("target", [
    IMAGE, np.dstack([IMAGE] * 3), IMAGE[..., None], IMAGE.astype(float), IMAGE > 100,
    np.dstack([IMAGE] * 5).astype(np.uint16),
])  # fmt: skip
def test_one_picture_gives_one_result(model, target):
    found = ns.label_like(model, PAIR, target)

    assert isinstance(found, ns.Labelled)
    assert found.labels.shape == LABELS.shape


def test_several_pictures_give_a_list_of_results(model):
    for targets in ([IMAGE, IMAGE[:32]], (IMAGE, IMAGE[:32]), iter([IMAGE, IMAGE[:32]])):
        found = ns.label_like(model, PAIR, targets)
        assert [one.shape for one in found] == [(48, 48), (32, 48)]


def test_examples_may_be_one_or_several_pairs_or_objects_of_the_model(model):
    embedding = model.encode(IMAGE)
    expected = ns.label_like(model, [PAIR], IMAGE)
    example = ns.Example(embedding, LABELS)

    for examples in (PAIR, [*[PAIR]], (PAIR,), example, [example], (embedding, LABELS),
                     [[IMAGE, LABELS]], iter([PAIR])):  # fmt: skip
        assert ns.label_like(model, examples, IMAGE) == expected
    assert ns.label_like(model, PAIR, embedding) == expected
    assert set(expected.scores) == {3, 7}


def noisy():
    return RNG.integers(0, 255, LABELS.shape).astype(np.uint8)


@pytest.mark.parametrize(("examples", "error", "said"), [
    (None, InvalidLabels, "give \\(image, labels\\)"), ([], InvalidLabels, "no example"),
    (IMAGE, InvalidLabels, "ndarray"), ("a.png", InvalidLabels, "a str"),
    ({0: PAIR}, InvalidLabels, "a dict"), ([IMAGE], InvalidLabels, "example 1 is a ndarray"),
    ([PAIR, None], InvalidLabels, "example 2 is a NoneType"),
    ((IMAGE, LABELS, LABELS), InvalidLabels, "example 1"),
    ((IMAGE, LABELS * 0), InvalidLabels, "no example has a label"),
    ((IMAGE, LABELS.astype(float)), InvalidLabels, "float64, not integers"),
    ((IMAGE, LABELS * np.nan), InvalidLabels, "not integers"),
    ((IMAGE, LABELS.astype(str)), InvalidLabels, "not integers"),
    ((IMAGE, None), InvalidLabels, "NoneType"), ((IMAGE, "a.tif"), InvalidLabels, "not integers"),
    ((IMAGE, [[1], [1, 2]]), InvalidLabels, "no array"),
    ((IMAGE, -LABELS), InvalidLabels, "negative"), ((IMAGE, LABELS[1:]), InvalidLabels, "shape"),
    ((IMAGE, np.dstack([LABELS] * 3)), InvalidLabels, "shape"),
    ((IMAGE, noisy()), InvalidLabels, "pixels of an image"),
    ((IMAGE, LABELS.astype(np.uint64) << 40), InvalidLabels, "number the objects up to"),
    ((np.stack([IMAGE] * 40), LABELS), InvalidImage, "of a stack give a list"),
    ((np.stack([IMAGE] * 3), LABELS), InvalidImage, "moveaxis"),
    ((IMAGE[:0], LABELS[:0]), InvalidImage, "no pixel"),
    ((IMAGE * np.nan, LABELS), InvalidImage, "no finite value"),
    ((IMAGE * 1j, LABELS), InvalidImage, "complex"),
])  # fmt: skip
def test_examples_that_can_t_be_meant_are_refused(model, examples, error, said):
    with pytest.raises(error, match=said):
        ns.label_like(model, examples, IMAGE)
    with pytest.raises(error, match=said):
        ns.teach(model, examples)


@pytest.mark.parametrize(("targets", "said"), [
    (None, "NoneType"), ("a.png", "read it first"), (3, "a int"), ([], "no target"),
    (iter([]), "no target"), ([IMAGE, "a.png"], "target 2 is a str"), ([None], "target 1"),
    (np.stack([IMAGE] * 5), "of a stack give a list"), (IMAGE[None, None], "of a stack"),
    (IMAGE[0], "one picture is"), (IMAGE[:0], "no pixel"), ([[1, 2], [3, 4]], "target 1 is a list"),
    (IMAGE * np.nan, "no finite value"), (IMAGE.astype(str), "convert it"),
])  # fmt: skip
def test_targets_that_are_no_pictures_are_refused(model, targets, said):
    with pytest.raises(InvalidImage, match=said):
        ns.label_like(model, PAIR, targets)


@pytest.mark.parametrize(("keywords", "said"), [
    ({"kind": "instances"}, "did you mean 'instance'"), ({"kind": None}, "choose one of"),
    ({"bogus": 3}, "no option 'bogus'"), ({"ensemble": "spatial"}, "it takes none"),
    ({"progress": 7}, "give True for a bar"), ({"progress": "yes"}, "give True for a bar"),
    ({"cache": True}, "an EmbeddingCache"), ({"cache": "folder"}, "an EmbeddingCache"),
])  # fmt: skip
def test_options_that_do_not_exist_are_refused(model, keywords, said):
    with pytest.raises(InvalidArgument, match=said):
        ns.label_like(model, PAIR, IMAGE, **keywords)


@pytest.mark.parametrize(("keywords", "said"), [
    ({"ensamble": "spatial"}, "did you mean 'ensemble'"),
    ({"ensemble": "both"}, "feature, spatial"),
    ({"draws": 0}, "give 1 or more"), ({"draws": 1.5}, "whole number"), ({"seed": "a"}, "whole"),
])  # fmt: skip
def test_options_of_seggpt_are_its_own(seggpt, keywords, said):
    with pytest.raises(InvalidArgument, match=said):
        ns.label_like(seggpt, PAIR, IMAGE, **keywords)


@pytest.mark.parametrize(("wrong", "error", "said"), [
    (None, InvalidArgument, "is no model"), ("compact", InvalidArgument, "load_model\\('compact'"),
    (IMAGE, InvalidArgument, "is no model"), (ns.load_model, InvalidArgument, "is no model"),
])  # fmt: skip
def test_what_is_no_model_is_refused(wrong, error, said):
    for ask in (lambda: ns.label_like(wrong, PAIR, IMAGE), lambda: ns.teach(wrong, PAIR),
                lambda: ns.load_lesson("a", wrong)):  # fmt: skip
        with pytest.raises(error, match=said):
            ask()


def test_models_that_can_t_label_by_example_name_those_that_can(model, disc_model):
    for wrong in (disc_model, ns.TiledModel(model)):
        with pytest.raises(UnsupportedPrompt, match=r"compact|the model itself"):
            ns.label_like(wrong, PAIR, IMAGE)


def test_embeddings_and_lessons_of_another_model_are_refused(model, seggpt):
    stranger = copy.copy(model)
    stranger.identity = "another"
    lesson = list(ns.teach(model, PAIR))[-1].lesson
    alien = ns.Embedding("another", (48, 48), {})

    for ask in (lambda: ns.label_like(model, (alien, LABELS), IMAGE),
                lambda: ns.label_like(model, ns.Example(alien, LABELS), IMAGE),
                lambda: ns.label_like(model, PAIR, alien), lambda: ns.teach(model, (alien, LABELS)),
                lambda: ns.label_like(seggpt, (model.encode(IMAGE), LABELS), IMAGE)):  # fmt: skip
        with pytest.raises(InvalidPrompt, match="encode the image again"):
            ask()
    for other in (stranger, seggpt):
        with pytest.raises(InvalidLabels, match=r"from examples|from the examples again"):
            ns.label_like(other, lesson, IMAGE)
    with pytest.raises(InvalidArgument, match=r"model\.encode"):
        ns.Example(IMAGE, LABELS)


@pytest.mark.parametrize(("path", "lesson", "error"), [
    (None, "own", InvalidArgument), (3, "own", InvalidArgument), (b"a", "own", InvalidArgument),
    ("none/there/a", "own", NapariSeemError), ("a", None, InvalidLabels), ("a", 3, InvalidLabels),
])  # fmt: skip
def test_lessons_that_can_t_be_kept_say_why(model, tmp_path, path, lesson, error):
    own = list(ns.teach(model, PAIR))[-1].lesson
    place = str(tmp_path / path) if isinstance(path, str) else path
    with pytest.raises(error):
        ns.save_lesson(place, model, own if lesson == "own" else lesson)


def test_lessons_take_text_for_a_path(model, tmp_path):
    lesson = list(ns.teach(model, PAIR))[-1].lesson
    ns.save_lesson(str(tmp_path / "a"), model, lesson)
    read = ns.load_lesson(str(tmp_path / "a"), model)

    assert repr(read) == repr(lesson)
    assert len(repr(lesson)) < 120
    assert ns.label_like(model, read, IMAGE).scores.keys() == {3, 7}


@pytest.mark.parametrize("steps", [-1, 1.5, "3", None, True])
def test_teaching_takes_whole_numbers_of_steps(model, steps):
    with pytest.raises(InvalidArgument, match=r"whole number|0 or more"):
        ns.teach(model, PAIR, steps=steps)


def test_progress_is_told_and_may_cancel(model):
    told = []
    ns.label_like(model, PAIR, [IMAGE] * 3, progress=lambda *step: told.append(step))
    assert told == [(n, 3, "label images") for n in range(4)]

    class Enough(Exception):
        pass

    def stop(done, total, what):
        if done == 2:
            raise Enough

    done = []
    with pytest.raises(Enough):
        done.extend(ns.iter_label_like(model, PAIR, iter([IMAGE] * 5), progress=stop))
    assert len(done) == 2
    assert done[0] == done[1]


def test_huge_ids_take_no_memory(model):
    large = np.where(LABELS == 3, 2_000_000_000, LABELS)
    assert set(ns.label_like(model, (IMAGE, large), IMAGE).scores) == {7, 2_000_000_000}
    assert ns.label_like(model, (IMAGE, large), IMAGE, "instance").labels.max() < 10


def test_results_are_values(model):
    found = ns.label_like(model, PAIR, IMAGE)

    for other in (copy.copy(found), copy.deepcopy(found), pickle.loads(pickle.dumps(found))):
        assert other == found
        assert hash(other) == hash(found)
    assert found != ns.label_like(model, PAIR, IMAGE[::-1])
    assert found != 3
    np.testing.assert_array_equal(np.asarray(found), found.labels)
    with pytest.raises(ValueError, match="read-only"):
        found.labels[0, 0] = 1
    assert repr(found).startswith("Labelled(shape=(48, 48), ids=[3, 7], score=0.")
    many = ns.Labelled(LABELS, LABELS, dict.fromkeys(range(1, 3000), 0.5))
    assert len(repr(many)) < 150

    example = ns.Example(model.encode(IMAGE), LABELS)
    assert repr(example) == "Example(shape=(48, 48), ids=[3, 7])"
    assert copy.deepcopy(example).labels.shape == LABELS.shape
