"""What a word is taught from: alone or in lists, in every form, and what is refused."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest

import napari_seem as ns
from napari_seem.errors import (
    ConceptTrouble,
    InvalidArgument,
    InvalidImage,
    InvalidLabels,
    UnsupportedPrompt,
)

LABELS = np.zeros((64, 64), np.int32)
LABELS[8:24, 8:24], LABELS[36:52, 36:52] = 1, 2
IMAGE = np.random.default_rng(0).normal(60, 4, LABELS.shape) + 60 * (LABELS > 0)
PAIR = IMAGE, LABELS


@pytest.fixture(scope="module")
def model():
    return ns.load_model("compact", device="cpu")


@pytest.fixture(scope="module")
def word(model):
    return ns.teach_word(model, "square", PAIR)


def meaning(word):
    return [np.asarray(array).tolist() for _, array in sorted(word.arrays.items())]


def test_one_or_several_examples_teach_the_same(model, word):
    shown = ns.Shown(*PAIR)
    for examples in (shown, [shown], [PAIR], (shown,), iter([PAIR]), (IMAGE, LABELS > 0)):
        other = ns.teach_word(model, "square", examples)
        assert other.arrays.keys() == word.arrays.keys()
        assert other.objects == (1 if isinstance(examples, tuple) and len(examples) == 2 else 2)
    assert meaning(ns.teach_word(model, "square", shown)) == meaning(word)


@pytest.mark.parametrize(("examples", "error", "said"), [
    (None, InvalidLabels, "no marked image"), ([], InvalidLabels, "no example"),
    (IMAGE, InvalidLabels, "no marked image"), ("a.png", InvalidLabels, "no marked image"),
    ([IMAGE], InvalidLabels, "example 1"), ([PAIR, None], InvalidLabels, "example 2"),
    ((IMAGE, LABELS * 0), InvalidLabels, "no example has a label"),
    ((IMAGE, IMAGE), InvalidLabels, "not integers"), ((IMAGE, -LABELS), InvalidLabels, "negative"),
    ((IMAGE, LABELS[1:]), InvalidLabels, "shape"), ((IMAGE, LABELS * np.nan), InvalidLabels, "not"),
    ((np.stack([IMAGE] * 40), LABELS), InvalidImage, "of a stack"),
    ((IMAGE * np.nan, LABELS), InvalidImage, "no finite value"),
    (ns.Shown(IMAGE, LABELS, IMAGE), InvalidLabels, "True and False"),
    (ns.Shown(IMAGE, LABELS, LABELS[1:] > 0), InvalidLabels, "True and False"),
])  # fmt: skip
def test_examples_that_can_t_be_meant_are_refused(model, examples, error, said):
    with pytest.raises(error, match=said):
        ns.teach_word(model, "square", examples)


@pytest.mark.parametrize("name", [None, 3, "", "  ", "x" * 101, "a\0b"])
def test_names_that_are_none_are_refused(model, name):
    with pytest.raises(ConceptTrouble):
        ns.teach_word(model, name, PAIR)
    with pytest.raises((ConceptTrouble, InvalidArgument)):
        ns.teach_word(model, "square", PAIR, [name])


def test_one_synonym_is_one_and_not_its_letters(model):
    assert ns.teach_word(model, "square", PAIR, "box").synonyms == ("box",)


@pytest.mark.parametrize(("keywords", "said"), [
    ({"cache": True}, "an EmbeddingCache"), ({"keep_examples": "no"}, "True or False"),
    ({"progress": 3}, "True for a bar"), ({"synonyms": 3}, "give one text"),
])  # fmt: skip
def test_options_that_can_t_be_meant_are_refused(model, keywords, said):
    with pytest.raises(InvalidArgument, match=said):
        ns.teach_word(model, "square", PAIR, **keywords)


def test_what_can_t_be_taught_is_refused(disc_model):
    for wrong in (None, "compact", IMAGE):
        with pytest.raises(InvalidArgument, match="load_model"):
            ns.teach_word(wrong, "square", PAIR)
    with pytest.raises(UnsupportedPrompt, match="compact"):
        ns.teach_word(disc_model, "square", PAIR)


def test_progress_is_told(model):
    told = []
    ns.teach_word(model, "square", [PAIR, PAIR], progress=lambda *step: told.append(step))
    assert told == [(n, 2, "teach") for n in range(3)]


def test_words_and_libraries_are_values(word, tmp_path):
    library = ns.ConceptLibrary((word,))
    library.save(str(tmp_path / "words.zip"))
    read = ns.ConceptLibrary.load(str(tmp_path / "words.zip"))

    for one, others in ((word, (copy.deepcopy(word), read["square"])), (library, (read,))):
        for other in (*others, pickle.loads(pickle.dumps(one))):
            assert other == one
            assert hash(other) == hash(one)
    assert word != word.renamed("other")
    assert repr(word).startswith("Concept('square', objects=2, model='compact")
    assert repr(library) == "ConceptLibrary(words=[square])"
    assert repr(ns.Shown(*PAIR, source="a.tif")) == (
        "Shown(shape=(64, 64), objects=2, source='a.tif')"
    )
    assert 3 not in library
    assert ns.Shown(*PAIR) == ns.Shown(IMAGE.copy(), LABELS)


def test_libraries_refuse_what_is_no_word(word):
    library = ns.ConceptLibrary((word,))
    for ask in (lambda: ns.ConceptLibrary(("square",)), lambda: library.added("square"),
                lambda: library.added(word, "replaced"), lambda: library.merged((word,)),
                lambda: library[3], lambda: library.save(None),
                lambda: ns.ConceptLibrary.load(3)):  # fmt: skip
        with pytest.raises(InvalidArgument):
            ask()
