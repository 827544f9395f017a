"""Prompts and answers are values: they own what they hold, compare, copy, pickle, print short."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest
import skimage.data

import napari_seem as ns


def sent(value):
    return pickle.loads(pickle.dumps(value))


IMAGE = skimage.data.coins()[:160, :200]


@pytest.fixture(scope="module")
def model():
    return ns.load_model("compact", "cpu")


@pytest.fixture(scope="module")
def embedding(model):
    return model.encode(IMAGE)


@pytest.fixture(scope="module")
def values(model, embedding) -> dict[str, object]:
    session = ns.Session(model, embedding)
    prediction = session.add(ns.Point(130, 120))
    found = model.segment(embedding)
    labels = np.zeros(IMAGE.shape, np.uint16)
    return {
        "point": ns.Point(1.5, 2, positive=False),
        "box": ns.Box(1, 2, 30, 40),
        "polygon": ns.Polygon([(0, 0), (0, 9), (9, 0)]),
        "scribble": ns.Scribble(prediction.mask),
        "mask": ns.Mask(np.ones((3, 4), bool), corner=(5, 6)),
        "text": ns.Text("nucleus"),
        "reference": ns.Reference(embedding, prediction.mask),
        "embedding": embedding,
        "prediction": prediction,
        "segmentation": found,
        "instance": found.instances[0],
        "panoptic": found.panoptic,
        "edit": session.commit(1, labels),
        "table": ns.ObjectTable({1: ns.ObjectRecord("coin"), 3: ns.ObjectRecord(score=0.5)}),
        "example": ns.Example(embedding, prediction.mask),
        "labelled": ns.label_like(model, (IMAGE, prediction.mask), IMAGE),
        "objects": ns.segment_objects(model, embedding, [[130, 120], [52, 170]]),
        "wanted": ns.Wanted(names=[f"word {n}" for n in range(3)]),
    }


NAMES = (
    "point", "box", "polygon", "scribble", "mask", "text", "reference", "embedding", "prediction",
    "segmentation", "instance", "panoptic", "edit", "table", "example", "labelled", "objects",
    "wanted",
)  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("again", [copy.copy, copy.deepcopy, sent])
def test_a_copy_is_equal(values, name, again):
    value = values[name]
    other = again(value)

    assert other == value
    assert type(other) is type(value)
    if name not in ("table", "objects"):  # those hold tables, which change
        assert hash(other) == hash(value)


@pytest.mark.parametrize("name", NAMES)
def test_a_value_prints_in_a_line(values, name):
    text = repr(values[name])

    assert len(text) < 300
    assert " object at 0x" not in text
    assert "\n" not in text


@pytest.mark.parametrize(
    ("name", "arrays"),
    [
        ("polygon", ["vertices"]), ("scribble", ["mask"]), ("mask", ["mask"]),
        ("reference", ["mask"]), ("prediction", ["logits", "mask", "picture"]),
        ("segmentation", ["labels", "semantic"]), ("instance", ["mask"]), ("panoptic", ["labels"]),
        ("edit", ["changed", "old", "new"]), ("example", ["labels"]),
        ("labelled", ["labels", "confidence"]), ("objects", ["labels"]),
    ],
)  # fmt: skip
@pytest.mark.parametrize("again", [lambda value: value, sent])
def test_arrays_are_read_only(values, name, arrays, again):
    value = again(values[name])
    for array in arrays:
        assert not getattr(value, array).flags.writeable, array


@pytest.mark.parametrize(
    ("name", "array"),
    [
        ("scribble", "mask"), ("mask", "mask"), ("prediction", "mask"), ("segmentation", "labels"),
        ("instance", "mask"), ("panoptic", "labels"), ("labelled", "labels"), ("objects", "labels"),
    ],
)  # fmt: skip
def test_a_value_is_an_array(values, name, array):
    value = values[name]

    assert np.array_equal(np.asarray(value), getattr(value, array))
    assert np.array(value).flags.writeable
    assert np.asarray(value, dtype=np.int64).dtype == np.int64


def test_values_do_not_change_with_what_they_were_made_of():
    mask = np.zeros((6, 6), bool)
    mask[1:3] = True
    logits, vertices = (
        np.where(mask, 1.0, -1.0).astype(np.float32),
        np.array([[0.0, 0], [0, 5], [5, 0]]),
    )
    made = [ns.Scribble(mask), ns.Prediction(logits, 0.5), ns.Polygon(vertices)]
    before = copy.deepcopy(made)
    mask[:], logits[:], vertices[:] = False, -1, 0

    assert made == before


def test_a_big_image_may_be_changed_once_it_is_encoded_and_sent_elsewhere(model):
    big = np.full((2100, 500), 60, np.uint8)
    big[1900:1960, 200:260] = 200
    embedding = model.encode(big)
    big[:] = 0

    first = model.predict(embedding, [ns.Point(1930, 230)])
    received = sent(embedding)

    assert 3000 < first.area < 4200
    assert model.predict(received, [ns.Point(1930, 230)]).bbox == first.bbox


def test_a_session_says_what_to_send_instead(model, embedding):
    with pytest.raises(ns.InvalidArgument, match=r"send session\.prompts"):
        pickle.dumps(ns.Session(model, embedding))


def test_the_order_of_words_does_not_count(model, embedding):
    one = model.segment(embedding, ["nucleus", "cell"])
    other = model.segment(embedding, ["cell", "nucleus"])

    assert len(one) > 5
    assert [i.label for i in one.instances] == [i.label for i in other.instances]
    assert np.array_equal(one.labels, other.labels)


def test_ids_that_labels_cannot_hold_are_not_wrapped(model, embedding):
    session = ns.Session(model, embedding)
    session.add(ns.Point(130, 120))
    narrow = np.zeros(IMAGE.shape, np.uint8)

    with pytest.raises(ns.InvalidLabels, match="300 does not fit"):
        session.commit(300, np.zeros(IMAGE.shape, np.uint16)).apply(narrow)
    assert not narrow.any()


def test_a_table_of_others_is_not_overwritten(tmp_path):
    (tmp_path / "a.json").write_text('{"mine": 1}')

    table = ns.ObjectTable({1: ns.ObjectRecord("nucleus")})
    ns.write_labels(tmp_path / "a.tif", np.ones((4, 4), np.uint8), table=table)

    assert (tmp_path / "a.json").read_text() == '{"mine": 1}'
    assert ns.read_labels(tmp_path / "a.tif")[1][1].name == "nucleus"
