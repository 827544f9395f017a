"""Models taught from labelled examples: the loss falls, the model stays, the lesson is a file."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from encoding_once import encoding_once
from safetensors.torch import save_file
from seggpt_recipe import made_up_network

import napari_seem as ns
from napari_seem.errors import InvalidLabels, UnsupportedPrompt
from napari_seem.models.seggpt.model import SegGptModel


def striped(seed):
    """Fine stripes in coarse ones: image and the class of the fine ones."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:96, :96]
    labels = np.zeros((96, 96), np.int32)
    for _ in range(3):
        a, b = rng.integers(8, 60, 2)
        labels[a : a + 28, b : b + 28] = 4
    waves = np.where(labels == 4, np.sin(x * 1.6), np.sin(y * 0.5))
    image = 120 + 50 * waves + rng.normal(0, 12, labels.shape)
    return np.clip(image, 0, 255).astype(np.uint8), labels


@pytest.fixture(scope="module")
def model():
    return encoding_once(ns.load_model("compact", device="cpu"))


@pytest.fixture(scope="module")
def examples():
    return [striped(seed) for seed in range(3)]


def iou(mask, truth):
    return (mask & truth).sum() / (mask | truth).sum()


def test_the_compact_loss_falls_and_the_answer_is_no_worse(model, examples):
    steps = list(ns.teach(model, examples, steps=10))
    target, truth = striped(9)
    plain = ns.label_like(model, examples, [target])[0]

    taught = ns.label_like(model, steps[-1].lesson, [target])[0]

    assert steps[9].loss < steps[0].loss
    assert [step.step for step in steps[:10]] == list(range(1, 11))
    assert iou(taught.labels == 4, truth == 4) > iou(plain.labels == 4, truth == 4) - 0.02


def test_one_or_two_examples_keep_the_closed_form(model, examples):
    steps = list(ns.teach(model, examples[:2]))
    plain = ns.label_like(model, examples[:2], [examples[2][0]])[0]

    taught = ns.label_like(model, steps[-1].lesson, [examples[2][0]])[0]

    assert len(steps) == 1
    np.testing.assert_array_equal(taught.labels, plain.labels)


def test_stopping_early_leaves_a_lesson_that_works(model, examples):
    tuned = next(iter(ns.teach(model, examples, "instance")))

    (found,) = ns.label_like(model, tuned.lesson, [examples[0][0]])

    assert found.labels.max() >= 1


def test_a_saved_lesson_labels_the_same(model, examples, tmp_path):
    lesson = list(ns.teach(model, examples, steps=3))[-1].lesson
    path = tmp_path / "stripes.safetensors"

    ns.save_lesson(path, model, lesson, "stripes")
    read = ns.load_lesson(path, model)

    target = striped(5)[0]
    np.testing.assert_allclose(
        ns.label_like(model, read, [target])[0].confidence,
        ns.label_like(model, lesson, [target])[0].confidence,
        atol=1e-5,
    )
    assert path.stat().st_size < 2_000_000
    assert not list(tmp_path.glob("*.part"))


@pytest.mark.parametrize("kind", ["semantic", "instance"])
def test_teaching_seggpt_changes_the_prompt_and_not_the_network(kind, tmp_path):
    network = made_up_network()
    before = {key: t.clone() for key, t in network.state_dict().items()}
    seggpt = SegGptModel(network, "seggpt:small")
    pairs = [(image[:64, :64], labels[:64, :64]) for image, labels in map(striped, (0, 1))]

    steps = list(ns.teach(seggpt, pairs, kind, steps=16))

    assert steps[-1].loss < steps[1].loss - 0.02
    assert all(torch.equal(before[key], t) for key, t in network.state_dict().items())
    assert steps[-1].lesson.images.shape == (1, 3, 64, 64)
    ns.save_lesson(tmp_path / "a.safetensors", seggpt, steps[-1].lesson)
    read = ns.load_lesson(tmp_path / "a.safetensors", seggpt)
    target = pairs[0][0]
    np.testing.assert_array_equal(
        ns.label_like(seggpt, read, [target])[0].labels,
        ns.label_like(seggpt, steps[-1].lesson, [target])[0].labels,
    )


def test_a_lesson_of_another_model_or_no_lesson_is_refused(model, examples, tmp_path):
    lesson = next(iter(ns.teach(model, examples[:1]))).lesson
    path = tmp_path / "a.safetensors"
    ns.save_lesson(path, model, lesson)

    stranger = copy.copy(model)
    stranger.identity = "another"
    with pytest.raises(InvalidLabels, match=r"taught to .*, not to 'another'"):
        ns.load_lesson(path, stranger)
    with pytest.raises(InvalidLabels, match="there is no lesson file"):
        ns.load_lesson(tmp_path / "none", model)
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(InvalidLabels, match="can't be read as a lesson"):
        ns.load_lesson(path, model)
    save_file({"x": torch.zeros(2)}, path)
    with pytest.raises(InvalidLabels, match="is not a lesson file"):
        ns.load_lesson(path, model)


def test_teaching_needs_a_model_and_labels(model, disc_model):
    with pytest.raises(UnsupportedPrompt):
        next(iter(ns.teach(disc_model, [striped(0)])))
    with pytest.raises(InvalidLabels, match="no example"):
        next(iter(ns.teach(model, [])))
