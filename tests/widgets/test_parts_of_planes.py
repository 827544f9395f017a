"""A click on a plane that is not encoded is answered from parts of it, and then from the whole."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from discs import DiscModel, disc_image
from napari.components import ViewerModel
from qtpy.QtCore import QThreadPool

from napari_seem.embeddings import content_key
from napari_seem.embeddings.remote import RemoteEncoder
from napari_seem.models.base import Embedding, LazyEncoder
from napari_seem.models.running.patience import checkpoint
from napari_seem.widgets.annotate import ready
from napari_seem.widgets.annotate.dock import AnnotateWidget

LEFT, INSIDE, RIGHT = (32, 20), (34, 22), (32, 58)


class HastyModel(DiscModel):
    """Answers from parts, and misses a row of the object then; encodes once it is let go."""

    def __init__(self):
        super().__init__()
        self.begun, self.answered = 0, []
        self.go, self.encoding = threading.Event(), threading.Event()

    def encode(self, image, channels=None):
        self.encoding.set()
        while not self.go.wait(0.02):
            checkpoint()
        return super().encode(image, channels)

    def encode_lazily(self, image, sample=None):
        self.begun += 1
        gray = image.astype(np.float32) / 255
        whole = super().encode(image)
        self.encoded -= 1
        assert gray.shape == whole.shape
        return Embedding(self.name, whole.shape, dict(whole.tensors), {"parts": True})

    def predict(self, embedding, prompts, memory=None):
        answer = super().predict(embedding, prompts, memory)
        in_parts = bool(embedding.meta.get("parts"))
        self.answered.append(("parts" if in_parts else "whole", len(prompts)))
        if in_parts:
            logits = answer.logits.copy()
            logits[answer.bbox[0]] = -4
            return type(answer)(logits, answer.score, answer.label, answer.memory)
        return answer


@pytest.fixture
def model():
    return HastyModel()


@pytest.fixture
def dock(model, qtbot, monkeypatch):
    """The dock on two discs, in no window; nothing is done before a click until it is shown."""
    monkeypatch.setattr(ready, "IDLE", 20)
    viewer = ViewerModel()
    viewer.add_image(disc_image()[0], name="discs")
    dock = AnnotateWidget(viewer, loader=lambda name: model)
    dock.annotator.model_cache.gate.rest = 0
    yield dock
    model.go.set()
    dock.close()
    until(qtbot, lambda: not dock.annotator.runner.busy and not dock.ready.steps.running)
    dock.deleteLater()


@pytest.fixture
def one_thread():
    """Qt runs one worker at a time, as on a machine with one core."""
    pool = QThreadPool.globalInstance()
    before = pool.maxThreadCount()
    pool.setMaxThreadCount(1)
    yield
    pool.setMaxThreadCount(before)


def until(qtbot, condition):
    qtbot.waitUntil(lambda: bool(condition()), timeout=20_000)


def click(dock, at, qtbot):
    dock.annotator.prompt_layers.points.add(at)
    until(qtbot, lambda: not dock.annotator.runner.busy)


def lacking(dock):
    """Pixels of the left disc that the shown object lacks."""
    shown = dock.annotator.prediction
    return np.nan if shown is None else int((disc_image()[1] == 1).sum()) - shown.area


def test_an_object_is_written_as_the_whole_plane_answers(dock, model, qtbot):
    click(dock, LEFT, qtbot)
    click(dock, INSIDE, qtbot)
    assert model.answered == [("parts", 1), ("parts", 2)]
    assert (model.begun, model.encoded) == (1, 0)
    assert lacking(dock) > 0

    one = dock.annotator.commits.press()
    assert one.state == "waits"
    model.go.set()
    until(qtbot, lambda: one.state == "written")

    assert model.answered[2:] == [("whole", 1), ("whole", 2)]
    assert (model.begun, model.encoded) == (1, 1)
    assert (dock.annotator.labels.data == (disc_image()[1] == 1)).all()
    click(dock, RIGHT, qtbot)
    assert model.answered[4:] == [("whole", 1)]


def test_a_commit_that_is_pressed_before_the_answer_is_written_from_the_whole(dock, model, qtbot):
    dock.annotator.prompt_layers.points.add(LEFT)
    one = dock.annotator.commits.press()
    model.go.set()
    until(qtbot, lambda: one.state == "written")
    assert (dock.annotator.labels.data == (disc_image()[1] == 1)).all()


@pytest.mark.usefixtures("one_thread")
def test_the_rest_is_encoded_behind_and_the_object_answered_anew(dock, model, qtbot):
    click(dock, LEFT, qtbot)
    assert lacking(dock) > 0
    assert not model.encoding.is_set()
    dock.show()
    until(qtbot, model.encoding.is_set)
    click(dock, INSIDE, qtbot)  # the plane is being encoded
    assert model.answered == [("parts", 1), ("parts", 2)]

    model.go.set()
    until(qtbot, lambda: lacking(dock) == 0)
    until(qtbot, lambda: not dock.annotator.runner.busy)
    assert model.answered[2:] == [("whole", 1), ("whole", 2)]
    assert (model.begun, model.encoded) == (1, 1)
    one = dock.annotator.commits.press()
    assert one.state == "written"
    assert (dock.annotator.labels.data == (disc_image()[1] == 1)).all()


def test_the_next_turn_is_answered_from_the_whole_where_it_is_there(dock, model, qtbot):
    click(dock, LEFT, qtbot)
    models = dock.annotator.model_cache
    key = model.identity, content_key(disc_image()[0])
    model.go.set()
    models.cache.get_or_encode(key, lambda: model.encode(disc_image()[0]))
    click(dock, INSIDE, qtbot)

    assert model.answered == [("parts", 1), ("whole", 1), ("whole", 2)]
    assert lacking(dock) == 0
    dock.annotator.commits.press()
    assert len(model.answered) == 3


def test_an_image_with_other_pixels_is_begun_anew(dock, model, qtbot):
    click(dock, LEFT, qtbot)
    dock.viewer.layers["discs"].data = np.roll(disc_image()[0], 2, 0)
    until(qtbot, lambda: not dock.annotator.runner.busy)
    click(dock, INSIDE, qtbot)
    assert model.begun == 2
    one = dock.annotator.commits.press()
    model.go.set()
    until(qtbot, lambda: one.state == "written")
    assert (dock.annotator.labels.data == np.roll(disc_image()[1] == 1, 2, 0)).all()


def test_what_a_cluster_encodes_is_not_begun_here(model):
    assert isinstance(model, LazyEncoder)
    assert not isinstance(RemoteEncoder(model, None), LazyEncoder)
