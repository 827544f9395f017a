"""A classifier that is fitted again with every stroke computes what the stroke changed."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

import napari_seem as ns
from napari_seem.errors import InvalidLabels
from napari_seem.pixel_classes import features as features_module
from napari_seem.pixel_classes import incremental as module
from napari_seem.pixel_classes.incremental import IncrementalClassifier, TaughtPlane
from napari_seem.sources.source import source_of_array

NAMES = {1: "vessel", 2: "ground"}


@pytest.fixture
def computed(monkeypatch):
    """How often plain features of an image were computed, by the sum of its pixels."""
    counts: Counter[int] = Counter()
    plain = features_module.plain_features

    def counting(rgb):
        counts[int(rgb.sum(dtype=np.int64))] += 1
        return plain(rgb)

    monkeypatch.setattr(features_module, "plain_features", counting)
    return counts


def taught(source, strokes, numbers=None) -> TaughtPlane:
    places = np.argwhere(strokes)
    ids = strokes[tuple(places.T)].astype(np.int64)
    return TaughtPlane.of(source, places, ids, numbers or {1: 1, 2: 2})


def test_it_answers_as_a_classifier_fitted_at_once(scene):
    image, _, strokes = scene
    engine, source = IncrementalClassifier(), source_of_array(image, colours=True)

    classifier = engine.fit(None, [taught(source, strokes)], NAMES, {})
    area, classes = engine.predict(classifier, source)

    expected = ns.PixelClassifier.fit(None, (image, strokes), names=NAMES).predict(image)
    assert area == (0, 0, *image.shape[:2])
    np.testing.assert_array_equal(classes.labels, expected.labels)
    assert classes.names == NAMES


def test_features_are_computed_once_for_all_strokes_on_a_plane(scene, computed):
    image, _, strokes = scene
    engine, source = IncrementalClassifier(), source_of_array(image, colours=True)
    engine.prepare(None, source)
    assert computed.total() == 1

    for rows in (80, 120, 160):
        part = np.where(np.arange(160)[:, None] < rows, strokes, 0)
        engine.predict(engine.fit(None, [taught(source, part)], NAMES, {}), source)

    assert computed.total() == 1


def test_the_same_strokes_are_not_fitted_again(scene):
    image, _, strokes = scene
    engine, source = IncrementalClassifier(), source_of_array(image, colours=True)
    plane = taught(source, strokes)

    first = engine.fit(None, [plane], NAMES, {})

    assert engine.fit(None, [plane], NAMES, {}) is first
    assert engine.fit(None, [plane], {1: "road", 2: "ground"}, {}) is not first


def test_pixels_that_changed_in_place_are_read_again(scene, computed):
    image, _, strokes = scene
    image = image.copy()
    engine, source = IncrementalClassifier(), source_of_array(image, colours=True)
    plane = taught(source, strokes)
    before = engine.fit(None, [plane], NAMES, {})
    engine.predict(before, source)

    image[:] = 255 - image
    engine.predict(before, source)  # the plane is shown, and found to be another
    after = engine.fit(None, [plane], NAMES, {})

    assert sorted(computed.values()) == [1, 1]
    assert after is not before
    assert not np.array_equal(after.samples.features, before.samples.features)


def test_strokes_of_planes_whose_features_are_let_go_still_teach(scene, computed, monkeypatch):
    monkeypatch.setattr(module, "MOST_BYTES", 1)
    image, _, strokes = scene
    engine = IncrementalClassifier()
    sources = [source_of_array(one, colours=True) for one in (image, image[::-1].copy())]
    first = taught(sources[0], np.where(strokes == 1, strokes, 0))
    second = taught(sources[1], np.where(strokes == 2, strokes, 0)[::-1])

    for _ in range(2):
        classifier = engine.fit(None, [first, second], NAMES, {})
        engine.predict(classifier, sources[1])

    assert classifier.ids == (1, 2)
    assert computed.total() == 2


def test_ids_of_no_class_teach_nothing(scene):
    image, _, strokes = scene
    source = source_of_array(image, colours=True)

    plane = taught(source, strokes, {2: 7})

    assert set(plane.classes) == {7}
    np.testing.assert_array_equal(plane.strokes(), np.where(strokes == 2, 7, 0))
    assert plane.digest != taught(source, strokes).digest
    with pytest.raises(InvalidLabels, match="two classes"):
        IncrementalClassifier().fit(None, [plane], NAMES, {})


def test_a_lesson_and_strokes_are_learned_together(scene):
    image, _, strokes = scene
    engine, source = IncrementalClassifier(), source_of_array(image, colours=True)
    lesson = ns.PixelClassifier.fit(None, (image, strokes), names=NAMES)
    third = np.zeros_like(strokes)
    third[60:64, 60:90] = 3

    plane = taught(source, third, {3: 3})
    classifier = engine.fit(None, [plane], {**NAMES, 3: "spot"}, {}, lesson)

    assert classifier.ids == (1, 2, 3)
    assert len(classifier.samples.classes) == len(lesson.samples.classes) + (third > 0).sum()
