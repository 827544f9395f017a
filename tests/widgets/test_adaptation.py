"""The button that fits the model to the objects on the plane."""

from __future__ import annotations

import numpy as np

from napari_seem.models.base import Embedding


class Fitted:
    """The disc model's stand-in that can be fitted; remembers to what."""

    def __init__(self, model):
        self.inner, self.is_adapted, self.masks = model, False, []
        self.fewest_objects = 1

    def __getattr__(self, name):
        return getattr(self.inner, name)

    def adapted(self, embedding, masks, *, progress=None):
        assert isinstance(embedding, Embedding)
        new = Fitted(self.inner)
        new.masks, new.is_adapted = masks, len(masks) > 1
        return new

    def plain(self):
        return Fitted(self.inner)


def prepared(dock, model, discs, ids):
    dock.annotator.model_cache._models["compact"] = Fitted(model)
    labels = dock.viewer.add_labels(np.where(np.isin(discs[1], ids), discs[1], 0))
    dock.annotator.choose_labels(labels)


def test_the_model_is_fitted_and_taken_back(dock, model, discs, settle):
    prepared(dock, model, discs, [1, 2])
    dock.panel.learn.click()
    settle(dock)

    used = dock.annotator.model_cache.model("compact")
    assert [int(mask.sum()) for mask in used.masks] == [(discs[1] == i).sum() for i in (1, 2)]
    assert dock.panel.learn.isChecked()
    assert "2 objects" in dock.panel.message.text()

    dock.panel.learn.click()
    assert dock.annotator.model_cache.model("compact").is_adapted is False
    assert not dock.panel.learn.isChecked()


def test_a_fit_that_is_no_help_is_reported(dock, model, discs, settle):
    prepared(dock, model, discs, [1])
    dock.panel.learn.click()
    settle(dock)

    assert "stays as it is" in dock.panel.message.text()
    assert not dock.panel.learn.isChecked()


def test_without_labels_or_with_another_model_it_is_reported(dock, discs, settle):
    dock.panel.learn.click()
    assert "Commit some objects first" in dock.panel.message.text()
    assert not dock.panel.learn.isChecked()

    labels = dock.viewer.add_labels(discs[1])
    dock.annotator.choose_labels(labels)
    dock.panel.learn.click()
    settle(dock)
    assert "can't be fitted" in dock.panel.message.text()
    assert not dock.panel.learn.isChecked()


def test_too_few_objects_are_told_before_the_work(dock, model, discs, settle):
    prepared(dock, model, discs, [1, 2])
    dock.annotator.model_cache.model("compact").fewest_objects = 4
    dock.panel.learn.click()
    settle(dock)
    assert "2 objects of 16 pixels or more lie on this plane" in dock.panel.message.text()
    assert not dock.panel.learn.isChecked()
