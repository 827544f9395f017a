"""How an image is shown to the model is chosen in the Annotate dock, and kept with the results."""

from __future__ import annotations

import numpy as np
import pytest
from discs import disc_image

from napari_seem.viewer.files import ABOUT
from napari_seem.viewer.model_input import LOOK
from napari_seem.widgets._shared.intensity_box import CHOICES
from napari_seem.widgets.annotate.dock import AnnotateWidget


@pytest.fixture
def seen(model, monkeypatch):
    """Every picture that the model was given to encode."""
    pictures, encode = [], model.encode
    monkeypatch.setattr(model, "encode", lambda image: pictures.append(image) or encode(image))
    return pictures


def choose(dock: AnnotateWidget, title: str) -> None:
    """Pick an entry as the mouse does."""
    number = list(CHOICES).index(title)
    dock.panel.look.setCurrentIndex(number)
    dock.panel.look.activated.emit(number)


def click(dock, settle, at=(20, 20)) -> None:
    dock.annotator.prompt_layers.points.add(np.asarray(at))
    settle(dock)


def test_a_window_is_what_the_model_sees_and_what_the_labels_tell(docked, seen, settle):
    picture = np.linspace(-1000, 1000, 64 * 64).reshape(64, 64)
    dock = docked(picture)
    choose(dock, "CT soft tissue")
    click(dock, settle)
    assert seen[-1].dtype == np.uint8
    np.testing.assert_array_equal(seen[-1] == 0, np.repeat((picture < -160 + 1.6)[..., None], 3, 2))
    assert dock.commit() == 1
    about = dock.annotator.labels.metadata[ABOUT]
    assert about["shown"] == {"name": "soft tissue", "window": [-160.0, 240.0]}

    choose(dock, "as it is")
    click(dock, settle)
    assert seen[-1].dtype == picture.dtype
    assert dock.commit() == 2
    assert dock.annotator.labels.metadata[ABOUT]["shown"] == [about["shown"], {}]


def test_a_ct_window_is_what_the_person_sees_too(docked):
    picture = np.linspace(-1000, 1000, 64 * 64).reshape(64, 64)
    dock = docked(picture)
    image = dock.annotator.image
    choose(dock, "CT bone")
    assert tuple(image.contrast_limits) == (-450, 1050)
    choose(dock, "whole volume")
    low, high = image.contrast_limits
    assert (low, high) == pytest.approx(tuple(np.percentile(picture, (1, 99))), abs=2)
    choose(dock, "as it is")
    assert tuple(image.contrast_limits) == (low, high)


def test_another_look_answers_the_present_prompts_anew(dock, seen, settle):
    click(dock, settle)
    assert len(seen) == 1
    choose(dock, "contrast limits")
    settle(dock)
    assert len(seen) == 2
    assert dock.annotator.prediction is not None
    choose(dock, "as it is")
    settle(dock)
    assert len(seen) == 2  # kept in memory


def test_contrast_limits_are_followed(docked, seen, settle, qtbot):
    dock = docked(np.linspace(0, 4000, 64 * 64).reshape(64, 64).astype(np.uint16))
    choose(dock, "contrast limits")
    image = dock.annotator.image
    image.contrast_limits = (0, 4000)
    click(dock, settle)
    assert seen[-1].max() == 255
    image.contrast_limits = (0, 10)
    qtbot.waitUntil(lambda: len(seen) == 2, timeout=20_000)
    settle(dock)
    assert (seen[-1][1:] == 255).all()
    assert dock.annotator.prediction is not None


def test_a_whole_volume_has_one_window(docked, seen, settle):
    dock = docked(np.stack([np.full((64, 64), value, np.uint16) + np.eye(64, dtype=np.uint16)
                            for value in (100, 900)]))  # fmt: skip
    choose(dock, "whole volume")
    dock.viewer.dims.set_point(0, 0)
    dock.annotator.prompt_layers.points.add([0, 20, 20])
    settle(dock)
    dark = seen[-1].mean()
    dock.viewer.dims.set_point(0, 1)
    dock.annotator.prompt_layers.points.add([1, 20, 20])
    settle(dock)
    assert seen[-1].mean() > dark + 200


def test_the_vegetation_index_needs_its_bands(docked, seen, settle):
    dock = docked(disc_image()[0][..., 0] if disc_image()[0].ndim == 3 else disc_image()[0])
    choose(dock, "vegetation index")
    assert "near infrared" in dock.panel.message.text()
    assert dock.panel.look.currentText() == "as it is"
    image = dock.annotator.image
    image.name = "field red"
    dock.viewer.add_image(np.full(image.data.shape, 200, np.uint8), name="field nir")
    choose(dock, "vegetation index")
    click(dock, settle)
    assert seen[-1].shape == (*image.data.shape, 3)
    assert dock.commit() == 1
    shown = dock.annotator.labels.metadata[ABOUT]["shown"]
    assert shown == {"normalised difference": ["field nir", "field red"]}


def test_channels_keep_their_own_windows(docked, seen, settle):
    ramp = np.linspace(0, 1000, 64 * 64).reshape(64, 64).astype(np.uint16)
    dock = docked(ramp)
    image = dock.annotator.image
    dock.viewer.add_image(ramp * 10, name="second", blending="additive")
    dock.viewer.layers.selection.active = image
    dock.panel.channels.setChecked(True)
    choose(dock, "contrast limits")
    dock.viewer.layers["second"].contrast_limits = (0, 10000)
    dock.annotator.image.contrast_limits = (0, 500)
    click(dock, settle)
    assert seen[-1].shape == (64, 64, 2)
    assert (seen[-1][40:, :, 0] == 255).all()
    assert 120 < np.median(seen[-1][..., 1]) < 135


def test_the_choice_belongs_to_the_image(dock):
    choose(dock, "CT lung")
    first = dock.annotator.image
    second = dock.viewer.add_image(np.zeros((16, 16)), name="other")
    dock.panel.image.chosen.emit(second)
    assert dock.panel.look.currentText() == "as it is"
    dock.panel.image.chosen.emit(first)
    assert dock.panel.look.currentText() == "CT lung"
    assert first.metadata[LOOK].name == "lung"
