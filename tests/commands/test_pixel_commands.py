"""Classes of pixels written into labels, undone, and replayed."""

from __future__ import annotations

import numpy as np
import pytest

import napari_seem as ns
from napari_seem.commands.in_context import LabelledExample
from napari_seem.commands.pixel_classes import ClassifyPixels, LearnPixels, PixelRun
from napari_seem.commands.replay_runner import ReplayRunner
from napari_seem.commands.workspace import Workspace
from napari_seem.edits import ObjectRecord
from napari_seem.labels.document import LabelDocument
from napari_seem.labels.hosts import ArrayHost
from napari_seem.labels.recorder import Recorder
from napari_seem.sources.source import source_of_array


def scene():
    """Two bright bars on a dark ground with strokes: image, strokes, mask (48, 64)."""
    image = np.full((48, 64), 40, np.uint8)
    image[10:20, 4:28] = image[10:20, 36:60] = 200
    strokes = np.zeros(image.shape, np.uint16)
    strokes[14:16, 8:24], strokes[30, 8:40] = 1, 2
    return image, strokes, image > 100


@pytest.fixture
def done():
    image, strokes, mask = scene()
    labels = np.zeros(image.shape, np.uint16)
    host = ArrayHost(labels, "bars")
    document = LabelDocument(host, Recorder(labels, "bars", host.rows(), empty=True, grid={}))
    source = source_of_array(image, name="bars")
    classifier = ns.PixelClassifier.fit(
        None, (image, strokes), names={1: "bar", 2: "ground"}, colours={1: "#ff0000"}
    )
    run = PixelRun(classifier, "", [LabelledExample("bars", image, strokes, (), source)])
    return document, Workspace(document), source, run, mask


def written(run, workspace, source, **options):
    command = run.command(workspace, source, source.plane, **options)
    *_, labels = command.compute(run.classifier, source.read())
    return command, labels, run.write(workspace, command, labels)


def test_classes_are_written_in_one_step_that_can_be_undone(done):
    document, workspace, source, run, mask = done
    _, labels, ids = written(run, workspace, source)
    assert ids == [1, 2]
    assert (document.table[1].class_name, document.table[2].class_name) == ("bar", "ground")
    assert document.palette.colours["bar"] == "#ff0000"
    np.testing.assert_array_equal(document.data, labels)
    assert np.mean((document.data == 1) == mask) > 0.99
    document.undo()
    assert not document.data.any()
    assert not list(document.table)


def test_objects_of_a_class_are_written_instead(done):
    document, workspace, source, run, mask = done
    document.write_plane(source.plane, mask * 9, rows={9: ObjectRecord("old")})
    _, labels, ids = written(run, workspace, source, instances=True, classes=[1], smallest=20)
    assert ids == [1, 2]
    np.testing.assert_array_equal(document.data > 0, labels == 1)
    assert sorted(document.table) == [1, 2]


def test_chosen_classes_only(done):
    document, workspace, source, run, _ = done
    _, _, ids = written(run, workspace, source, classes=[1])
    assert ids == [1]
    assert set(np.unique(document.data)) == {0, 1}


def test_commands_come_back_from_the_log_and_give_the_same_pixels(done):
    document, workspace, source, run, _ = done
    command, _, _ = written(run, workspace, source, instances=True, classes=[1])
    lines = [event for event in document.log.events if "event" in event]
    learned = next(line for line in lines if line["event"] == "learn_pixels")
    line = next(line for line in lines if line["event"] == "classify_pixels")
    assert ClassifyPixels.from_line(line).to_dict() == command.to_dict()
    assert LearnPixels.from_line(learned).names == {"1": "bar", "2": "ground"}
    replayed = np.zeros(document.data.shape, np.uint16)
    again = LabelDocument(ArrayHost(replayed, "bars"))
    runner = ReplayRunner(again, lambda name: None, lambda line: scene()[0])
    for one in lines:
        runner.prepare(one)
    made, why = runner.plane(line)
    assert not why
    np.testing.assert_array_equal(made, document.data)


def test_strokes_of_a_file_are_not_done_again(done):
    document, workspace, source, run, _ = done
    other = PixelRun(run.classifier, "", [], "read from a file")
    written(other, workspace, source)
    learned = next(e for e in document.log.events if e.get("event") == "learn_pixels")
    assert learned["stored"] == "the classifier was read from a file"


def test_rows_of_objects_that_are_written_again_on_a_plane_of_a_stack_go(done):
    _, _, source, run, mask = done
    labels = np.zeros((3, *mask.shape), np.uint16)
    labels[0, :5], labels[1, :5], labels[1, 30:], labels[2, 40:] = 8, 8, 9, 10
    host = ArrayHost(labels, "bars")
    document = LabelDocument(host, Recorder(labels, "bars", host.rows(), empty=False, grid={}))
    with document.transaction("rows") as transaction:
        transaction.set_rows({i: ObjectRecord(f"old {i}") for i in (8, 9, 10)})
    workspace, plane = Workspace(document), ns.Plane.across(0, 1)

    for expected in ([11, 12], [13, 14]):
        options = {"instances": True, "classes": [1], "smallest": 20}
        command = run.command(workspace, source, plane, **options)
        *_, found = command.compute(run.classifier, source.read())
        assert run.write(workspace, command, found) == expected
        assert sorted(document.table) == [8, 10, *expected]  # 8 lies on plane 0, too

    document.undo()
    assert sorted(document.table) == [8, 10, 11, 12]
    document.undo()
    assert sorted(document.table) == [8, 9, 10]
    assert (labels[1, 30:] == 9).all()
