"""What is carried, labelled by example or found at once in a real viewer is recorded and redone."""

from __future__ import annotations

import numpy as np
import pytest
import tifffile
from discs import DiscModel, disc_image
from qtpy.compat import isalive

from benchmarks.stacks import phantoms
from napari_seem.commands.models import ModelCache
from napari_seem.commands.replay import replay
from napari_seem.embeddings import EmbeddingCache
from napari_seem.labels.log import read_log
from napari_seem.sources.identity import ImageFile
from napari_seem.viewer.documents import document_of
from napari_seem.viewer.files import save_labels
from napari_seem.widgets.everything.dock import EverythingWidget
from napari_seem.widgets.everything.review import SegmentRequest
from napari_seem.widgets.examples.dock import ExamplesWidget
from napari_seem.widgets.stack.dock import StackWidget


@pytest.fixture(scope="module")
def model_cache():
    return ModelCache(None, EmbeddingCache(1 << 30), "cpu")


@pytest.fixture(scope="module")
def body():
    """A body through eight small planes: (volume, labels)."""
    case = next(phantoms(seed=3))
    return case.volume[4:36:4, ::2, ::2], case.labels[4:36:4, ::2, ::2]


@pytest.fixture
def opened(open_viewer, model_cache, body, qtbot):
    """A dock on the body with some planes labelled: `opened(StackWidget, (1, 6))`."""
    docks = []

    def open_on(dock_class, planes):
        viewer = open_viewer()
        viewer.add_image(body[0], name="body")
        labels = np.zeros(body[1].shape, np.uint16)
        for k in planes:
            labels[k] = body[1][k]
        viewer.add_labels(labels, name="organ")
        docks.append(dock_class(viewer, model_cache))
        return docks[-1]

    yield open_on
    for dock in docks:
        if isalive(dock):
            steps = steps_of(dock)
            steps.stop()
            qtbot.waitUntil(lambda steps=steps: not steps.running, timeout=20_000)
            dock.release()


def steps_of(dock):
    return dock.runner.steps if isinstance(dock, StackWidget) else dock.labeller.steps


@pytest.fixture
def settle(qtbot):
    def wait(dock):
        qtbot.waitUntil(lambda: not steps_of(dock).running, timeout=60_000)
        qtbot.wait(20)

    return wait


@pytest.fixture
def again(tmp_path, body, model_cache):
    """Save labels and replay them by the models: `again(labels)` gives what came out."""

    def save_and_replay(labels, image=body[0], load=None):
        tifffile.imwrite(tmp_path / "body.tif", image)
        log = save_labels(labels, tmp_path / "out.tif")[-1]
        picture = ImageFile(tmp_path / "body.tif")
        return replay(read_log(log)[-1], picture.find, load or model_cache.model)

    return save_and_replay


def kinds(labels):
    return [event["event"] for event in document_of(labels).log.events]


def test_carrying_correcting_and_carrying_on_is_redone(opened, settle, again, body):
    dock = opened(StackWidget, (1, 6))
    dock.carry("both")
    settle(dock)
    organ = dock.viewer.layers["organ"]
    organ.data[3] = body[1][3]
    organ.refresh()
    dock.carry("both")
    settle(dock)
    dock.go_to(4)
    dock.accept_plane()

    found = again(organ)

    assert np.array_equal(found.labels, organ.data)
    assert not found.differences
    assert not found.stored
    told = kinds(organ)
    assert told.count("propagate") == 2
    assert told.count("propagate_plane") == found.redone >= 6
    assert "accept_plane" in told


def test_what_was_carried_and_taken_back_is_recorded(opened, settle, again):
    dock = opened(StackWidget, (1,))
    dock.carry("forward")
    settle(dock)
    organ = dock.viewer.layers["organ"]
    dock.take_back()

    found = again(organ)

    assert "restore_plane" in kinds(organ)
    assert np.array_equal(found.labels, organ.data)
    assert not found.labels[2:].any()


def test_labelling_by_example_is_redone(opened, settle, again, body):
    dock = opened(ExamplesWidget, (1, 6))
    for plane in (1, 6):
        dock.viewer.dims.set_point(0, plane)
        dock.add_plane()
    dock.run()
    settle(dock)
    organ = dock.viewer.layers["organ"]

    found = again(organ)

    assert np.array_equal(found.labels, organ.data)
    assert not found.differences
    assert not found.stored
    assert found.redone == kinds(organ).count("label_like") >= 4
    assert kinds(organ).count("learn") == 1


def test_everything_at_once_is_redone_but_for_what_was_merged(open_viewer, qtbot, again):
    image, truth = disc_image()
    model = DiscModel()
    viewer = open_viewer()
    viewer.add_image(image, name="discs")
    dock = EverythingWidget(viewer, ModelCache(lambda name: model, EmbeddingCache(1 << 20)))
    review = dock.review

    def look():
        review.find(SegmentRequest(viewer.layers["discs"], "compact"))
        qtbot.waitUntil(lambda: review.total > 0, timeout=20_000)
        qtbot.waitUntil(lambda: not review.steps.running, timeout=20_000)

    look()
    review.toggle_at((32, 20))
    (first,) = review.accept(None)
    labels = viewer.layers["discs labels"]
    look()
    review.merge_along([(32, 20), (32, 58)])
    review.accept(labels)

    found = again(labels, image, lambda name: model)
    dock.release()

    assert np.array_equal(found.labels, labels.data)
    assert found.redone == 1
    assert found.stored == ["event 4 (segment): objects were merged by hand"]
    assert np.array_equal(found.labels == first, truth == 2)


def test_any_change_of_labels_can_be_recorded(opened, again, body):
    dock = opened(StackWidget, (1, 6))
    organ = dock.viewer.layers["organ"]
    with document_of(organ).transaction("merge", {"event": "merge_objects", "ids": [1]}):
        organ.data[organ.data == 1] = 5

    found = again(organ)

    assert kinds(organ) == ["open", "merge_objects", "save"]
    assert np.array_equal(found.labels, organ.data)
