"""What is done in a real viewer is recorded, and replayed without one to the same labels."""

from __future__ import annotations

import json

import numpy as np
import pytest
import tifffile

from napari_seem.commands.replay import replay
from napari_seem.labels.journal import logs_folder
from napari_seem.labels.log import SessionLog, read_log
from napari_seem.prompts import Point
from napari_seem.sources.identity import ImageFile
from napari_seem.viewer.documents import document_of, saving
from napari_seem.viewer.files import save_labels
from napari_seem.widgets._shared.preferences import plugin_page

FIRST, SECOND = 1, 2


def middle(labels, number):
    return np.argwhere(labels == number).mean(0).round()


def points(dock):
    return dock.annotator.prompt_layers.points


def events(labels):
    return document_of(labels).log.events


def kinds(labels):
    return [event["event"] for event in events(labels)]


@pytest.fixture
def commit(dock, discs, settle):
    """Commit a disc by a click on it: `commit(number)`."""

    def click(number):
        points(dock).add(middle(discs[1], number))
        settle(dock)
        return dock.commit()

    return click


@pytest.fixture
def again(tmp_path, discs, model):
    """Save labels and replay them: `again(labels, models)` gives what came out."""

    def save_and_replay(labels, models):
        tifffile.imwrite(tmp_path / "discs.tif", discs[0])
        written = save_labels(labels, tmp_path / "out.tif")
        assert written[-1] == tmp_path / "out.log.jsonl"
        session = read_log(written[-1])[-1]
        image = ImageFile(tmp_path / "discs.tif")
        return replay(session, image.find, (lambda name: model) if models else None)

    return save_and_replay


@pytest.mark.parametrize("models", [False, True])
def test_clicks_strokes_undo_and_redo_come_out_the_same(dock, commit, again, models):
    for number in (FIRST, SECOND):
        commit(number)
    labels = dock.annotator.labels
    labels.brush_size = 6
    with labels.block_history():
        labels.paint((10, 10), 7)
        labels.paint((14, 30), 7)
    labels.paint((32, 20), 0)
    labels.undo()
    labels.undo()
    labels.redo()
    labels.fill((32, 58), 9)

    found = again(labels, models)

    assert np.array_equal(found.labels, labels.data)
    assert not found.differences
    assert found.redone == (2 if models else 0)
    assert kinds(labels)[:4] == ["open", "image", "commit", "commit"]
    assert kinds(labels)[4:-1] == ["paint", "paint", "undo", "undo", "redo", "paint"]
    assert found.table[1].model == "compact"
    assert found.table[2].prompts == 1


def test_the_turns_and_their_memory_are_recorded(dock, discs, settle, again):
    for number, positive in ((FIRST, True), (SECOND, True), (SECOND, False)):
        dock.annotator.set_positive(positive)
        points(dock).add(middle(discs[1], number) + (0 if positive else 4))
        settle(dock)
    dock.annotator.undo()
    settle(dock)
    dock.commit()

    done = next(e for e in events(dock.annotator.labels) if e["event"] == "commit")

    assert done["turns"] == [1, 2]
    assert [prompt["kind"] for prompt in done["prompts"]] == ["point", "point"]
    assert done["model"] == {"name": "compact", "identity": "disc"}
    assert np.array_equal(again(dock.annotator.labels, True).labels > 0, discs[1] > 0)


def test_what_a_script_writes_is_caught_before_the_next_event_there(dock, commit, again):
    commit(FIRST)
    labels = dock.annotator.labels
    labels.data[40:60, 50:70] = 5
    commit(SECOND)
    labels.data[0, 0] = 3

    found = again(labels, True)

    assert np.array_equal(found.labels, labels.data)
    assert kinds(labels)[-4:] == ["external", "commit", "external", "save"]
    assert not found.differences


def test_labels_that_were_there_before_are_part_of_the_record(dock, discs, commit, again):
    own = dock.viewer.add_labels(np.where(discs[1] == SECOND, 40, 0), name="mine")
    dock.annotator.choose_labels(own)
    commit(FIRST)

    found = again(own, True)

    assert np.array_equal(found.labels, own.data)
    assert events(own)[0]["pixels"] == (discs[1] == SECOND).sum()


def test_words_that_found_objects_are_redone(dock, settle, again):
    dock.annotator.ensure_work()
    dock.proposals.find("disc")
    settle(dock)
    assert dock.proposals.take_all() == [1, 2]

    found = again(dock.annotator.labels, True)

    told = next(e for e in events(dock.annotator.labels) if e["event"] == "segment")
    assert told["words"] == ["disc"]
    assert told["numbers"] == told["ids"] == [1, 2]
    assert found.redone == 1
    assert np.array_equal(found.labels, dock.annotator.labels.data)


def test_a_reopened_object_is_replaced_in_the_replay_too(dock, discs, commit, settle, again):
    commit(FIRST)
    assert dock.annotator.objects.pick(middle(discs[1], FIRST)) == 1
    dock.annotator.undo()
    dock.annotator.add_prompt(Point(*middle(discs[1], SECOND)))
    settle(dock)
    dock.commit()

    found = again(dock.annotator.labels, True)

    assert found.redone == 2
    assert not found.differences
    assert np.array_equal(found.labels, dock.annotator.labels.data)
    assert np.array_equal(found.labels == 1, discs[1] == SECOND)


def test_a_crashed_session_can_be_replayed_from_the_journal(dock, commit):
    commit(FIRST)
    commit(SECOND)

    (journal,) = logs_folder().glob("*.log.jsonl")
    with journal.open("a") as file:
        file.write('{"n": 5, "at": "20')
    session = read_log(journal)[-1]

    assert session.cut_off
    assert np.array_equal(replay(session).labels, dock.annotator.labels.data)


def test_saving_again_replaces_the_session_and_keeps_others(dock, commit, tmp_path):
    commit(FIRST)
    labels = dock.annotator.labels
    save_labels(labels, tmp_path / "out.tif")
    log = tmp_path / "out.log.jsonl"
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    lines[0]["session"] = "another"
    log.write_text("".join(json.dumps(line) + "\n" for line in lines))
    commit(SECOND)

    save_labels(labels, tmp_path / "out.tif")
    save_labels(labels, tmp_path / "out.tif")

    sessions = read_log(log)
    assert [session.name == "another" for session in sessions] == [True, False]
    assert np.array_equal(replay(sessions[1]).labels, labels.data)


def test_a_copy_of_the_layer_gets_its_own_changes_into_the_log(dock, commit, again):
    commit(FIRST)
    labels = dock.annotator.labels
    copy = dock.viewer.add_labels(labels.data.copy(), metadata=dict(labels.metadata))
    copy.data[:3] = 8

    found = again(copy, False)

    assert np.array_equal(found.labels, copy.data)
    assert kinds(labels) == ["open", "image", "commit"]


def test_no_log_is_written_of_a_layer_that_was_only_painted(open_viewer, tmp_path):
    layer = open_viewer().add_labels(np.zeros((20, 20), np.uint8))
    layer.paint((5, 5), 1)

    assert not [p for p in save_labels(layer, tmp_path / "out.tif") if p.suffix == ".jsonl"]


def test_no_session_log_is_kept_by_a_person_who_wants_none(dock, commit):
    page = plugin_page()
    page.keep_log = False
    try:
        commit(FIRST)
    finally:
        page.keep_log = True

    assert not list(logs_folder().glob("*"))
    assert kinds(dock.annotator.labels)[-1] == "commit"


def test_a_folder_that_cannot_be_written_is_told_once_and_work_goes_on(
    dock, commit, tmp_path, monkeypatch
):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("NAPARI_SEEM_LOGS", str(tmp_path / "file"))
    said = []
    monkeypatch.setattr("napari.utils.notifications.show_warning", said.append)

    commit(FIRST)
    commit(SECOND)

    assert len(said) == 1
    assert "can't be written" in said[0]
    assert kinds(dock.annotator.labels).count("commit") == 2


class Hand:
    """Does one thing or another to discs and their labels, by chance."""

    def __init__(self, dock, discs, settle, seed):
        self.dock, self.discs, self.settle = dock, discs, settle
        self.rng = np.random.default_rng(seed)

    @property
    def labels(self):
        return self.dock.annotator.labels

    def click(self):
        where = middle(self.discs[1], int(self.rng.integers(1, 3)))
        points(self.dock).add(where + self.rng.integers(-6, 7, 2))

    def commit(self):
        self.dock.annotator.overwrite = bool(self.rng.integers(2))
        if self.dock.annotator.prediction is not None:
            self.dock.commit()

    def word(self):
        self.dock.annotator.ensure_work()
        self.dock.proposals.find("disc")
        self.settle(self.dock)
        self.dock.proposals.take_all()

    def stroke(self):
        self.labels.brush_size = int(self.rng.integers(1, 12))
        with self.labels.block_history():
            for _ in range(int(self.rng.integers(1, 4))):
                self.labels.paint(self._pixel(), int(self.rng.integers(0, 9)))

    def fill(self):
        self.labels.fill(self._pixel(), int(self.rng.integers(1, 9)))

    def merge(self):
        with document_of(self.labels).transaction("merge", {"event": "merge_objects"}):
            self.labels.data[self.labels.data == 1] = 2

    def script(self):
        y, x = self._pixel()
        self.labels.data[y : y + 5, x : x + 9] = self.rng.integers(0, 9)

    def undo(self):
        self.labels.undo()

    def redo(self):
        self.labels.redo()

    def unclick(self):
        self.dock.annotator.undo()

    def anything(self):
        names = ["click", "commit", "word", "stroke", "fill", "merge", "script", "undo", "undo",
                 "redo", "unclick"]  # fmt: skip
        getattr(self, str(self.rng.choice(names)))()
        self.settle(self.dock)

    def _pixel(self):
        return tuple(int(n) for n in self.rng.integers(0, self.discs[1].shape))


@pytest.mark.parametrize("seed", range(4))
def test_any_session_comes_out_the_same(dock, discs, settle, again, seed):
    hand = Hand(dock, discs, settle, seed)
    hand.click()
    settle(dock)
    dock.commit()
    for _ in range(40):
        hand.anything()

    for models in (False, True):
        found = again(hand.labels, models)
        assert np.array_equal(found.labels, hand.labels.data)
        assert not found.differences
        assert not found.stored
    assert found.redone >= 2


def test_labels_on_disk_and_in_several_resolutions_are_recorded_too(open_viewer, tmp_path, discs):
    zarr = pytest.importorskip("zarr")
    viewer = open_viewer()
    array = zarr.create_array(tmp_path / "x.zarr", shape=(300, 400), chunks=(100, 100), dtype="u2")
    array[5:9, 5:9] = 7
    shown = viewer.add_labels([array, np.zeros((150, 200), np.uint16)], multiscale=True)
    with document_of(shown).transaction(
        "object", {"event": "commit"}, (slice(256, 300), slice(0, 100))
    ):
        array[270:280, 10:90] = 1
    array[0, 0] = 9

    events_of = saving(shown, "x.tif")
    events = events_of()

    assert [event["event"] for event in events] == ["open", "commit", "external", "save"]
    assert np.array_equal(replay(SessionLog(events)).labels, array[:])
