"""Classifiers of pixels as files; bad files and bad input."""

from __future__ import annotations

import numpy as np
import pytest

import napari_seem as ns
from napari_seem.pixel_classes import files


@pytest.fixture(scope="module")
def fitted(scene):
    image, _, strokes = scene
    return ns.PixelClassifier.fit(
        None, (image, strokes), names={1: "vessel"}, colours={1: "#ff0000"}
    )


def test_a_saved_classifier_answers_as_before(scene, fitted, tmp_path):
    path = tmp_path / "vessels.safetensors"
    fitted.save(path)
    again = ns.PixelClassifier.load(path, None)
    assert again == fitted
    assert (again.names, again.colours) == ({1: "vessel"}, {1: "#ff0000"})
    np.testing.assert_array_equal(again.predict(scene[0]).labels, fitted.predict(scene[0]).labels)


def test_a_loaded_classifier_learns_more(scene, fitted, tmp_path):
    image, _, strokes = scene
    fitted.save(tmp_path / "vessels.safetensors")
    before = ns.PixelClassifier.load(tmp_path / "vessels.safetensors", None)
    more = ns.PixelClassifier.fit(None, (image, np.where(strokes == 2, 3, 0)), also=before)
    assert more.ids == (1, 2, 3)


def test_other_weights_are_refused_by_name(scene, fitted, little_model, tmp_path):
    fitted.save(tmp_path / "plain.safetensors")
    with pytest.raises(ns.InvalidLabels, match=r"fitted with 'plain filters', not with 'little@1'"):
        ns.PixelClassifier.load(tmp_path / "plain.safetensors", little_model)
    with pytest.raises(ns.InvalidLabels, match=r"with 'plain filters', not with 'little@1'"):
        ns.PixelClassifier.fit(little_model, scene[::2], also=fitted)
    with pytest.raises(ns.InvalidLabels, match="features are of 'little@1'"):
        fitted.predict(ns.PixelFeatures(little_model, scene[0]))


@pytest.mark.parametrize("harm", ["cut", "noise", "text", "other"])
def test_damaged_files_are_refused_by_name(fitted, tmp_path, harm, rng):
    path = tmp_path / "lesson.safetensors"
    fitted.save(path)
    whole = path.read_bytes()
    if harm == "cut":
        path.write_bytes(whole[: len(whole) // 2])
    elif harm == "noise":
        path.write_bytes(rng.bytes(4096))
    elif harm == "text":
        path.write_text("vessel")
    else:
        from safetensors.numpy import save_file

        save_file({"weights": np.zeros(3, np.float32)}, path)
    with pytest.raises(ns.InvalidLabels, match=r"lesson\.safetensors"):
        ns.PixelClassifier.load(path, None)


def test_a_file_with_former_filters_is_refused_with_what_to_do(fitted, tmp_path, monkeypatch):
    path = tmp_path / "old.safetensors"
    with monkeypatch.context() as patch:
        patch.setattr(files, "FORMAT", files.FORMER)
        fitted.save(path)
    with pytest.raises(ns.InvalidLabels, match=r"old\.safetensors.*paint the strokes again"):
        ns.PixelClassifier.load(path, None)


def test_a_missing_file(tmp_path):
    with pytest.raises(ns.InvalidLabels, match="there is no file of pixel classes"):
        ns.PixelClassifier.load(tmp_path / "none.safetensors", None)


def test_strokes_that_can_not_be_learned_from(scene):
    image, _, strokes = scene
    fit = ns.PixelClassifier.fit
    with pytest.raises(ns.InvalidLabels, match="of the class 1 only"):
        fit(None, (image, np.where(strokes == 1, 1, 0)))
    with pytest.raises(ns.InvalidLabels, match="the strokes are missing"):
        fit(None, (image, np.zeros_like(strokes)))
    with pytest.raises(ns.InvalidLabels, match="the strokes of example 2"):
        fit(None, [(image, strokes), (image, strokes[:50])])
    with pytest.raises(ns.InvalidLabels, match="there is no example"):
        fit(None, [])
    with pytest.raises(ns.InvalidLabels, match="give the pair"):
        fit(None, [image])
    with pytest.raises(ns.InvalidLabels, match="up to 65535"):
        fit(None, (image, strokes.astype(np.int64) * 40_000))
    with pytest.raises(ns.InvalidArgument, match="the names are"):
        fit(None, (image, strokes), names=["vessel", "ground"])


def test_an_embedding_of_another_image(scene, little_model):
    other = little_model.encode(scene[0][:96])
    with pytest.raises(ns.InvalidPrompt, match="not of"):
        ns.PixelFeatures(little_model, scene[0], other)
