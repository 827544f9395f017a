"""Words taught from the Annotate dock, in a real viewer with the shipped model."""

from __future__ import annotations

import numpy as np
import pytest
from concepts.test_concepts import overlap, picture, striped

import napari_seem as ns
from napari_seem.concepts import default_library
from napari_seem.edits import ObjectRecord, ObjectTable
from napari_seem.prompts import Box
from napari_seem.widgets.annotate.dock import AnnotateWidget
from napari_seem.widgets.annotate.teach_box import TeachRequest, read_ids, spans
from napari_seem.widgets.menus import libraries


@pytest.fixture(scope="module")
def compact():
    return ns.load_model("compact", device="cpu")


@pytest.fixture
def open_dock(open_viewer, put_in, compact, qtbot):
    """Open the dock on two planes of striped and flat discs, the first one labelled."""
    docks = []

    def opened() -> AnnotateWidget:
        viewer = open_viewer()
        viewer.add_image(np.stack([picture(0)[0], picture(1)[0]]), name="discs")
        marks = np.zeros((2, 192, 192), np.int32)
        marks[0] = picture(0)[1]
        labels = viewer.add_labels(marks, name="marked")
        dock = AnnotateWidget(viewer, loader=lambda name: compact)
        put_in(viewer, dock, "Annotate")
        viewer.dims.set_point(0, 0)
        dock.annotator.choose_labels(labels)
        docks.append(dock)
        return dock

    yield opened
    for dock in docks:
        qtbot.waitUntil(lambda d=dock: d.annotator.runner._worker is None, timeout=60_000)
        dock.release()


@pytest.fixture
def wait(qtbot):
    def until_done(dock: AnnotateWidget) -> None:
        qtbot.waitUntil(lambda: not dock.annotator.runner.busy, timeout=60_000)

    return until_done


def ids_of(labels: np.ndarray) -> list[int]:
    return [int(i) for i in np.unique(striped(labels)) if i]


def teach_stripes(dock, name: str = "zebra drop", count: int = 2, others: bool = False) -> None:
    dock.panel.word.setText(name)
    dock.panel.teach.click()
    dock.teaching.box.ids.setText(spans(ids_of(picture(0)[1])[:count]))
    dock.teaching.box.others.setChecked(others)
    dock.teaching.box.teach.click()


def test_a_word_is_taught_found_on_another_plane_and_kept(open_dock, wait, qtbot):
    dock = open_dock()
    teach_stripes(dock, count=9, others=True)
    wait(dock)

    assert "learned from 4 objects" in dock.panel.message.text()
    assert dock.teaching.box.isHidden()
    assert ns.ConceptLibrary.load(default_library()).names == ("zebra drop",)
    completer = dock.panel.word.completer()
    completer.setCompletionPrefix("zebra")
    assert completer.currentCompletion() == "zebra drop"

    dock.viewer.dims.set_point(0, 1)
    dock.panel.find_word.click()
    wait(dock)
    dock.panel.threshold.setValue(0)
    ids = dock.take_all()
    truth = striped(picture(1)[1]) > 0
    found = np.isin(dock.annotator.labels.data[1], ids)
    assert overlap(found, truth) > 0.5
    table = ObjectTable.from_features(dock.annotator.labels.features)
    assert {table[i].name for i in ids} == {"zebra drop"}

    again = open_dock()  # another day
    again.annotator.model_cache.model("compact")
    assert "zebra drop" in again.annotator.model_cache.model("compact").vocabulary()


def test_the_preview_teaches_too(open_dock, wait):
    dock = open_dock()
    rows, cols = np.nonzero(picture(0)[1] == ids_of(picture(0)[1])[0])
    dock.annotator.add_prompt(Box(rows.min(), cols.min(), rows.max() + 1, cols.max() + 1))
    wait(dock)
    dock.panel.word.setText("this one")
    dock.panel.teach.click()
    assert dock.teaching.box.preview.isChecked()
    assert not dock.teaching.box.objects.isChecked()
    dock.teaching.box.teach.click()
    wait(dock)

    assert dock.annotator.model_cache.words.library["this one"].objects == 1


def test_objects_of_the_name_are_offered(open_dock):
    dock = open_dock()
    dock.annotator.labels.features = ObjectTable(
        {3: ObjectRecord("Zebra Drop", 1.0, "compact"), 101: ObjectRecord("flat", 1.0, "compact")}
    ).to_features()
    dock.panel.word.setText("zebra drop")
    dock.panel.teach.click()

    assert dock.teaching.box.ids.text() == "3"
    dock.panel.teach.click()
    assert dock.teaching.box.isHidden()


def test_a_word_taught_twice_is_asked_about(open_dock, wait):
    dock = open_dock()
    teach_stripes(dock)
    wait(dock)
    first = dock.annotator.model_cache.words.library["zebra drop"]
    asked = []

    def answer(choice):
        def ask(_, name):
            asked.append(name)
            return choice

        dock.teaching.ask = ask

    answer(None)
    teach_stripes(dock)
    wait(dock)
    assert asked == ["zebra drop"]
    assert dock.annotator.model_cache.words.library.concepts[0].made == first.made
    answer("join")
    teach_stripes(dock, count=1)
    wait(dock)
    assert dock.annotator.model_cache.words.library["zebra drop"].objects == 3
    answer("rename")
    teach_stripes(dock)
    wait(dock)
    assert dock.annotator.model_cache.words.library.names == ("zebra drop", "zebra drop 2")
    assert dock.panel.word.text() == "zebra drop 2"


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda box: box.name.setText("  "), "needs a name"),
        (lambda box: box.ids.setText("3-x"), "no id"),
        (lambda box: box.ids.setText("77"), "no object 77"),
        (lambda box: box.objects.setChecked(False), "No object is marked"),
    ],
)
def test_what_cant_be_taught_is_reported(open_dock, change, told):
    dock = open_dock()
    dock.panel.word.setText("a")
    dock.panel.teach.click()
    change(dock.teaching.box)
    dock.teaching.box.teach.click()

    assert told in dock.panel.message.text()
    assert not default_library().exists()


def test_models_that_cant_be_taught_say_so(dock, discs, settle):
    dock.annotator.choose_labels(dock.viewer.add_labels(discs[1]))
    dock.teaching.teach(TeachRequest("a"))
    settle(dock)

    assert "can't be taught words" in dock.panel.message.text()


def test_libraries_are_opened_saved_and_merged(open_dock, wait, tmp_path):
    dock = open_dock()
    model_cache = dock.annotator.model_cache
    teach_stripes(dock)
    wait(dock)
    libraries.save_to(model_cache, tmp_path / "copy.zip")
    dock.teaching.forget("zebra drop")
    assert "zebra drop" not in model_cache.model("compact").vocabulary()

    assert "1 word added" in libraries.merge_from(
        model_cache, tmp_path / "copy.zip", lambda name: None
    )
    assert "zebra drop" in model_cache.model("compact").vocabulary()
    other = ns.ConceptLibrary.load(tmp_path / "copy.zip").renamed("zebra drop", "else")
    other.save(tmp_path / "other.zip")
    assert "1 word of 'other.zip'" in libraries.use_library(model_cache, tmp_path / "other.zip")
    assert model_cache.model("compact").vocabulary()[-1] == "else"
    assert ns.ConceptLibrary.load(default_library()).names == ("zebra drop",)  # left as it is


def test_a_damaged_library_keeps_nobody_from_clicking(open_dock, wait):
    default_library().write_bytes(b"no zip")
    dock = open_dock()
    said = []
    dock.annotator.said.connect(lambda message, error: said.append(message))
    dock.annotator.add_prompt(Box(10, 10, 40, 40))
    wait(dock)

    assert dock.annotator.prediction is not None
    assert len([message for message in said if "damaged" in message]) == 1


def test_ids_are_written_and_read_as_spans():
    assert spans([1, 2, 3, 5, 8, 9]) == "1-3, 5, 8-9"
    assert read_ids("1-3, 5,8 - 9") == (1, 2, 3, 5, 8, 9)
    assert read_ids(" ") == ()
