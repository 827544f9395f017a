"""Pixels classified from a few strokes."""

from __future__ import annotations

import numpy as np
import pytest

import napari_seem as ns
from napari_seem.pixel_classes import features as pixel_features
from napari_seem.sources import frames

NAMES = {1: "vessel", 2: "ground"}


def overlap(found, truth) -> float:
    return (found & truth).sum() / (found | truth).sum()


def test_a_few_strokes_find_the_vessels_by_plain_filters(scene):
    image, mask, strokes = scene
    classes = ns.PixelClassifier.fit(None, (image, strokes), names=NAMES).predict(image)
    assert overlap(classes.labels == 1, mask) > 0.6
    assert np.mean((strokes == classes.labels)[strokes > 0]) > 0.97
    assert classes.names == NAMES


def test_the_features_of_a_model_are_used_beside_plain_filters(scene, little_model):
    image, mask, strokes = scene
    classifier = ns.PixelClassifier.fit(little_model, (image, strokes))
    plain = ns.PixelClassifier.fit(None, (image, strokes))
    assert classifier.samples.features.shape[1] > plain.samples.features.shape[1]
    assert overlap(classifier.predict(image).labels == 1, mask) > 0.6
    assert "little@1" in repr(classifier)


def test_probabilities_and_uncertainty_fit_together(scene):
    image, _, strokes = scene
    classes = ns.PixelClassifier.fit(None, (image, strokes)).predict(image)
    assert classes.probabilities.shape == (2, *image.shape[:2])
    np.testing.assert_allclose(classes.probabilities.sum(0, dtype=float), 1, atol=2e-3)
    sure = 1 - np.abs(classes.probability(1).astype(float) - classes.probability(2))
    np.testing.assert_allclose(classes.uncertainty, sure, atol=2e-3)
    np.testing.assert_array_equal(np.asarray(classes), classes.labels)


def test_another_stroke_changes_the_answer_without_new_features(scene, little_model, monkeypatch):
    image, _, strokes = scene
    features = ns.PixelFeatures(little_model, image)
    first = ns.PixelClassifier.fit(little_model, (features, strokes)).predict(features)
    monkeypatch.setattr(pixel_features, "plain_features", None)  # would fail if it were called
    more = strokes.copy()
    more[60:64, 60:90] = 3
    second = ns.PixelClassifier.fit(little_model, (features, more)).predict(features)
    assert first.ids == (1, 2)
    assert second.ids == (1, 2, 3)
    assert second.labels[61, 75] == 3


def test_strokes_are_learned_together_with_those_of_before(scene):
    image, _, strokes = scene
    only_vessels = np.where(strokes == 1, 1, 0)
    both = ns.PixelClassifier.fit(None, (image, strokes), names=NAMES)
    third = np.where(strokes == 2, 7, 0)
    more = ns.PixelClassifier.fit(
        None, [(image, only_vessels), (image, third)], names={7: "shade"}, also=both
    )
    assert more.ids == (1, 2, 7)
    assert more.names == {**NAMES, 7: "shade"}


def test_a_big_plane_in_frames_is_classified_as_one_piece_would_be(scene, monkeypatch):
    image, _, strokes = scene
    classifier = ns.PixelClassifier.fit(None, (image, strokes))
    whole = classifier.predict(image)
    monkeypatch.setattr(frames, "WHOLE", 100)
    monkeypatch.setattr(frames, "SIDE", 128)
    monkeypatch.setattr(frames.cores, "__defaults__", (1, 40))
    seen = []
    in_parts = classifier.predict(image, progress=lambda done, total, what: seen.append(done))
    assert max(seen) > 1
    assert np.mean(in_parts.labels == whole.labels) > 0.995


def test_features_of_a_big_plane_are_let_go_within_the_limit(scene, monkeypatch):
    image, _, strokes = scene
    monkeypatch.setattr(frames, "WHOLE", 100)
    monkeypatch.setattr(frames, "SIDE", 128)
    monkeypatch.setattr(frames.cores, "__defaults__", (1, 40))
    monkeypatch.setattr(pixel_features, "MOST_BYTES", 1_500_000)
    features = ns.PixelFeatures(None, image)
    ns.PixelClassifier.fit(None, (features, strokes)).predict(features)
    assert 0 < features.nbytes <= 1_500_000


@pytest.mark.parametrize(
    ("dtype", "shape"), [(np.uint16, (70, 90)), (np.float32, (33, 51, 4)), (np.bool_, (40, 40))]
)
def test_images_of_other_kinds(dtype, shape, rng):
    image = (rng.random(shape) * 200).astype(dtype)
    strokes = np.zeros(shape[:2], np.int64)
    strokes[5, 5:20], strokes[20, 5:20] = 1, 300
    classes = ns.PixelClassifier.fit(None, (image, strokes)).predict(image)
    assert set(np.unique(classes.labels)) <= {1, 300}
    assert classes.shape == shape[:2]


def test_a_plane_of_few_pixels(little_model):
    image = np.arange(6, dtype=np.uint8).reshape(2, 3) * 40
    strokes = np.array([[1, 0, 0], [0, 0, 2]])
    classes = ns.PixelClassifier.fit(little_model, (image, strokes)).predict(image)
    assert classes.labels[0, 0] == 1
    assert classes.labels[1, 2] == 2
