"""The Find dock in a real viewer: search, look, accept, reject, take back."""

from __future__ import annotations

import json
import threading

import numpy as np
import pytest
import tifffile
from discs import DiscModel
from qtpy.compat import isalive
from qtpy.QtCore import Qt
from skimage.io import imsave

from napari_seem.edits import ObjectTable
from napari_seem.embeddings import EmbeddingCache
from napari_seem.layers.seen import choose_look
from napari_seem.look import Look
from napari_seem.widgets.find import KEYS, FindWidget
from napari_seem.widgets.find_panel import FOLDER, IMAGES
from napari_seem.widgets.findings import BY_PLACE, State
from napari_seem.widgets.shelf import Shelf
from napari_seem.widgets.stack import StackWidget


class SlowModel(DiscModel):
    """Looks at a plane only once it is let."""

    def __init__(self):
        super().__init__()
        self.turns = threading.Semaphore(1000)
        self.looked = []

    def segment(self, embedding, names=None):
        if embedding.shape != (32, 32):
            assert self.turns.acquire(timeout=20)
            self.looked.append(float(embedding.tensors["gray"].min()))
        return super().segment(embedding, names)

    def hold(self):
        while self.turns.acquire(blocking=False):
            pass

    def let(self, count=1):
        self.turns.release(count)


@pytest.fixture
def model():
    return SlowModel()


@pytest.fixture
def volume(discs):
    """Six planes: two discs on the even ones, the left one on the others."""
    image, labels = discs
    one = np.where(labels == 1, image, 20)
    return np.stack([(one if k % 2 else image) + k for k in range(6)]).astype(np.uint8)


@pytest.fixture
def opened(make_napari_viewer, model, qtbot):
    """Open the dock: `opened(data, **layer options)` gives it."""
    docks = []

    def open_on(data=None, **options):
        viewer = make_napari_viewer()
        if data is not None:
            viewer.add_image(data, name="discs", **options)
            viewer.dims.set_point(0, 0)
        shelf = Shelf(lambda name: model, EmbeddingCache(1 << 28))
        shelf.gate.rest = 0
        dock = FindWidget(viewer, shelf)
        viewer.window.add_dock_widget(dock, name="Find")
        docks.append(dock)
        return dock

    yield open_on
    model.let(1000)
    for dock in docks:
        if isalive(dock):
            dock.finder.steps.stop()
            qtbot.waitUntil(lambda dock=dock: not dock.finder.steps.running, timeout=20_000)
            qtbot.waitUntil(lambda dock=dock: not dock.decisions.files.busy, timeout=20_000)
            qtbot.waitUntil(lambda dock=dock: not dock._runner.busy, timeout=20_000)
            dock.release()


@pytest.fixture
def settle(qtbot):
    def wait(dock):
        qtbot.waitUntil(lambda: not dock.finder.steps.running, timeout=60_000)
        qtbot.waitUntil(lambda: not dock.decisions.files.busy, timeout=60_000)
        qtbot.wait(20)

    return wait


def planes(dock):
    return [dock.findings.entries[n].finding.place.position for n in dock.findings.shown()]


def states(dock):
    return [str(entry.state) for entry in dock.findings.entries]


def written(dock, name="discs labels"):
    return np.asarray(dock.viewer.layers[name].data)


def press(qtbot, dock, key, modifier=Qt.KeyboardModifier.NoModifier):
    qtbot.keyClick(dock.panel.view, key, modifier)


def test_everything_a_word_names_is_listed_the_best_first(opened, settle, volume):
    dock = opened(volume)
    dock.search("disc")
    settle(dock)

    assert dock.findings.rowCount() == 9
    scores = [dock.findings.entries[n].finding.score for n in dock.findings.shown()]
    assert scores == sorted(scores, reverse=True)
    assert "9 found on 6 planes" in dock.panel.message.text()

    dock.panel.sort.setCurrentText(BY_PLACE)
    assert planes(dock) == [0, 0, 1, 2, 2, 3, 4, 4, 5]
    dock.panel.least.setValue(0.99)
    assert dock.findings.rowCount() == 6
    assert "6 of 9 shown" in dock.panel.told.text()


def test_the_planes_nearest_to_the_shown_one_come_first(opened, settle, volume):
    dock = opened(volume)
    dock.viewer.dims.set_point(0, 4)
    dock.search("disc")
    settle(dock)

    found = [entry.finding.place.position for entry in dock.findings.entries]
    assert list(dict.fromkeys(found)) == [4, 3, 5, 2, 1, 0]


def test_a_click_and_enter_go_there(opened, settle, volume, qtbot):
    dock = opened(volume, scale=(4, 0.5, 0.5), translate=(10, 20, 30))
    dock.search("disc")
    settle(dock)
    dock.panel.sort.setCurrentText(BY_PLACE)

    dock.panel.view.setCurrentIndex(dock.findings.index(7))
    press(qtbot, dock, Qt.Key.Key_Return)

    assert dock.viewer.dims.current_step[0] == 4
    finding = dock.findings.entries[dock.panel.view.number].finding
    y0, x0, y1, x1 = finding.bbox
    middle = np.array([(y0 + y1 - 1) / 2, (x0 + x1 - 1) / 2]) * 0.5 + (20, 30)
    assert np.allclose(dock.viewer.scene.camera.center[-2:], middle, atol=0.01)
    share = (y1 - y0) * 0.5 * dock.viewer.scene.camera.zoom / min(dock.viewer.canvas.size)
    assert 1 / 12 < share < 2 / 3
    assert dock.preview.values().sum() == finding.area

    rect = dock.panel.view.visualRect(dock.findings.index(0))
    qtbot.mouseClick(dock.panel.view.viewport(), Qt.MouseButton.LeftButton, pos=rect.center())
    assert dock.viewer.dims.current_step[0] == 0


def test_going_there_brings_the_planes_own_axes_back(opened, settle, volume):
    dock = opened(volume)
    dock.search("disc")
    settle(dock)
    dock.viewer.dims.order = (1, 0, 2)

    dock.go_to(dock.findings.shown()[0])

    assert tuple(dock.viewer.dims.displayed) == (1, 2)


def test_accepted_findings_are_objects_with_their_names(opened, settle, volume, discs, qtbot):
    dock = opened(volume)
    dock.search("disc")
    settle(dock)
    dock.panel.sort.setCurrentText(BY_PLACE)
    dock.panel.view.setCurrentIndex(dock.findings.index(0))

    press(qtbot, dock, Qt.Key.Key_K)
    press(qtbot, dock, Qt.Key.Key_K)

    labels = written(dock)
    np.testing.assert_array_equal(labels[0] > 0, discs[1] > 0)
    assert not labels[1:].any()
    table = ObjectTable.from_features(dock.viewer.layers["discs labels"].features)
    assert [(i, r.name, r.score, r.model) for i, r in table.items()] == [
        (1, "disc", 0.99, "compact"), (2, "disc", 0.98, "compact"),
    ]  # fmt: skip
    assert states(dock).count("accepted") == 2
    assert dock.findings.entries[dock.panel.view.number].finding.place.position == 1

    layer = dock.viewer.layers["discs labels"]
    layer.undo()
    assert written(dock).max() == 1
    assert states(dock).count("accepted") == 1
    assert len(ObjectTable.from_features(layer.features)) == 1
    layer.redo()
    assert states(dock).count("accepted") == 2
    layer.undo()
    layer.undo()
    assert not written(dock).any()
    assert states(dock).count("accepted") == 0


def test_rejected_ones_stay_out_and_the_next_is_chosen(opened, settle, volume, qtbot):
    dock = opened(volume)
    dock.search("disc")
    settle(dock)
    dock.panel.view.setCurrentIndex(dock.findings.index(0))
    first = dock.panel.view.number

    press(qtbot, dock, Qt.Key.Key_J)

    assert dock.findings.entries[first].state == State.REJECTED
    assert dock.panel.view.number == dock.findings.shown()[1]
    dock.accept_all()
    assert states(dock).count("accepted") == 8

    press(qtbot, dock, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    assert states(dock).count("open") == 8
    assert not written(dock).any()
    press(qtbot, dock, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    assert states(dock).count("open") == 9
    press(qtbot, dock, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    assert "nothing to take back" in dock.panel.message.text()


def test_accepting_all_takes_what_scores_enough(opened, settle, volume):
    dock = opened(volume)
    dock.search("disc")
    settle(dock)
    dock.panel.least.setValue(0.99)

    dock.accept_all()

    labels = written(dock)
    assert [len(np.unique(plane)) - 1 for plane in labels] == [1] * 6
    assert sorted(np.unique(labels)) == list(range(7))


@pytest.mark.parametrize("overwrite", [False, True])
def test_other_objects_keep_their_pixels_unless_told_otherwise(
    opened, settle, volume, discs, overwrite
):
    dock = opened(volume)
    mine = np.zeros(volume.shape, np.uint16)
    mine[0, :, :20] = 7
    dock.viewer.add_labels(mine, name="mine")
    dock.panel.labels.setCurrentText("mine")
    dock.panel.overwrite.setChecked(overwrite)
    dock.search("disc")
    settle(dock)

    dock.accept_all()

    labels = written(dock, "mine")
    inside = discs[1][:, :20] == 1
    assert (labels[0, :, :20][inside] == 7).all() != overwrite
    assert (labels[0, :, :20][~inside] == 7).all()
    assert labels[0].max() >= 8


def test_what_is_labelled_already_is_told_and_ends_nothing(opened, settle, volume):
    dock = opened(volume)
    mine = np.zeros(volume.shape, np.uint16)
    mine[0] = 7
    dock.viewer.add_labels(mine, name="mine")
    dock.panel.labels.setCurrentText("mine")
    dock.search("disc")
    settle(dock)

    dock.accept_all()

    assert (written(dock, "mine")[0] == 7).all()
    assert states(dock).count("accepted") == 7
    assert "7 written" in dock.panel.message.text()
    assert "belongs to another" in dock.panel.message.text()


def test_stop_keeps_what_was_found_and_find_goes_on(opened, settle, volume, model, qtbot):
    model.hold()
    dock = opened(volume)
    dock.search("disc")
    model.let(2)
    qtbot.waitUntil(lambda: dock.finder.done == 2, timeout=20_000)
    dock.panel.stop.click()
    model.let(1)
    settle(dock)
    done = dock.finder.done
    assert done in (2, 3)
    assert "Find goes on" in dock.panel.message.text()

    model.let(10)
    dock.search()
    settle(dock)
    assert dock.findings.rowCount() == 9
    assert len(model.looked) <= 7  # one may have been looked at while it was stopped
    assert dock.finder.done == 6


def test_a_search_waits_while_a_person_does(opened, settle, volume, model, qtbot):
    model.hold()
    dock = opened(volume)
    person = object()
    dock.search("disc")
    model.let(1)
    qtbot.waitUntil(lambda: dock.finder.done == 1, timeout=20_000)
    dock.shelf.gate.shut(person)
    model.let(10)
    qtbot.wait(300)
    assert len(model.looked) <= 2  # the one that was begun

    dock.shelf.gate.open(person)
    settle(dock)
    assert dock.finder.done == 6


def test_planes_encoded_already_cost_no_encoding(opened, settle, volume, model):
    dock = opened(volume)
    dock.search("disc")
    settle(dock)
    encoded = model.encoded

    dock.search_again()
    settle(dock)

    assert model.encoded == encoded + 1  # the look at nothing that tells whether the word is known
    assert dock.findings.rowCount() == 9


def test_a_range_and_another_axis(opened, settle, volume):
    dock = opened(np.moveaxis(volume, 0, 2))
    dock.panel.along.setCurrentIndex(0)
    dock.viewer.dims.order = (2, 0, 1)
    dock.panel.first.setValue(1)
    dock.panel.last.setValue(3)
    dock.search("disc")
    settle(dock)
    assert sorted(planes(dock)) == [1, 2, 2, 3]

    dock.accept_all()
    assert [len(np.unique(written(dock)[..., k])) - 1 for k in range(6)] == [0, 1, 2, 1, 0, 0]


def test_a_look_is_what_the_model_sees(opened, settle, volume):
    dock = opened(volume.astype(np.uint16) + 5000)
    choose_look(dock.viewer.layers["discs"], Look(window=(9000, 9900)))
    dock.search("disc")
    settle(dock)
    assert dock.findings.rowCount() == 0
    assert "no 'disc'" in dock.panel.message.text()


def test_lazy_stacks(opened, settle, volume):
    dask = pytest.importorskip("dask.array")
    dock = opened(dask.from_array(volume, chunks=(1, 32, 32)))
    dock.search("disc")
    settle(dock)
    dock.accept_all()
    assert len(np.unique(written(dock))) == 10


def test_all_images_of_the_viewer_get_layers_of_their_own(opened, settle, discs):
    dock = opened()
    dock.viewer.add_image(discs[0], name="first")
    dock.viewer.add_image(discs[0][:, :40], name="second", scale=(2, 3))
    dock.panel.scope.setCurrentText(IMAGES)
    dock.search("disc")
    settle(dock)
    assert dock.findings.rowCount() == 3

    dock.accept_all()

    assert len(np.unique(written(dock, "first labels"))) == 3
    assert tuple(dock.viewer.layers["second labels"].scale) == (2, 3)
    dock.viewer.layers.remove("first")
    dock.go_to(0)
    assert "closed" in dock.panel.message.text()


def folder_of(tmp_path, discs):
    imsave(tmp_path / "a.png", discs[0], check_contrast=False)
    (tmp_path / "b.png").write_text("no picture")
    tifffile.imwrite(tmp_path / "c.tif", np.stack([discs[0]] * 3), imagej=True,
                     metadata={"axes": "ZYX"})  # fmt: skip
    return tmp_path


def test_a_folder_is_searched_and_its_label_files_are_written(
    opened, settle, discs, tmp_path, qtbot
):
    dock = opened()
    dock.panel.scope.setCurrentText(FOLDER)
    dock.panel.folder.setText(str(folder_of(tmp_path, discs)))
    dock.search("disc")
    settle(dock)
    assert dock.findings.rowCount() == 8
    assert "b.png" in dock.panel.message.text()

    dock.panel.sort.setCurrentText(BY_PLACE)
    dock.panel.view.setCurrentIndex(dock.findings.index(0))
    dock.accept()
    settle(dock)
    path = tmp_path / "labels" / "a_labels.tif"
    np.testing.assert_array_equal(tifffile.imread(path) == 1, discs[1] == 1)
    dock.accept_all()
    settle(dock)
    assert set(np.unique(tifffile.imread(path))) == {0, 1, 2}
    stack = tifffile.imread(tmp_path / "labels" / "c_labels.tif")
    assert len(np.unique(stack)) == 7
    objects = json.loads(path.with_suffix(".json").read_text())["objects"]
    assert [(o["index"], o["name"], o["score"]) for o in objects] == [
        (1, "disc", 0.99), (2, "disc", 0.98),
    ]  # fmt: skip

    dock.take_back()
    settle(dock)
    assert set(np.unique(tifffile.imread(path))) == {0, 1}
    assert not tifffile.imread(tmp_path / "labels" / "c_labels.tif").any()
    assert states(dock).count("accepted") == 1


def test_a_file_is_opened_where_one_goes_there(opened, settle, discs, tmp_path, qtbot):
    dock = opened()
    dock.panel.scope.setCurrentText(FOLDER)
    dock.panel.folder.setText(str(folder_of(tmp_path, discs)))
    dock.search("disc")
    settle(dock)
    dock.panel.sort.setCurrentText(BY_PLACE)

    dock.go_to(dock.findings.shown()[0])
    qtbot.waitUntil(lambda: "a" in dock.viewer.layers, timeout=20_000)
    dock.go_to(dock.findings.shown()[-1])
    qtbot.waitUntil(lambda: "c" in dock.viewer.layers, timeout=20_000)

    assert dock.viewer.dims.current_step[0] == 2
    assert not dock.viewer.layers["a"].visible
    assert dock.preview.values().any()
    dock.go_to(dock.findings.shown()[0])
    assert dock.viewer.layers["a"].visible
    assert len([layer for layer in dock.viewer.layers if layer.name.startswith("a")]) == 1


def test_a_label_file_of_another_grid_is_left_as_it_is(opened, settle, discs, tmp_path):
    dock = opened()
    imsave(tmp_path / "a.png", discs[0], check_contrast=False)
    (tmp_path / "labels").mkdir()
    path = tmp_path / "labels" / "a_labels.tif"
    tifffile.imwrite(path, np.zeros((5, 5), np.uint8))
    dock.panel.scope.setCurrentText(FOLDER)
    dock.panel.folder.setText(str(tmp_path))
    dock.search("disc")
    settle(dock)
    dock.accept_all()
    settle(dock)

    assert tifffile.imread(path).shape == (5, 5)
    assert "accepted" not in states(dock)
    assert "(5, 5)" in dock.panel.message.text()


@pytest.mark.parametrize(
    ("word", "told"),
    [("dics", "no word of model"), ("x" * 500, "no word of model"), ("", "type a word")],
)
def test_words_that_are_none_are_told(opened, settle, volume, word, told):
    dock = opened(volume)
    dock.search(word)
    settle(dock)
    assert told in dock.panel.message.text()
    assert dock.findings.rowCount() == 0
    suggested = [
        dock.panel._suggestions.itemAt(k).widget().text()
        for k in range(dock.panel._suggestions.count())
    ]
    assert suggested == (["disc"] if word else [])
    if suggested:
        dock.panel._suggestions.itemAt(0).widget().click()
        settle(dock)
        assert dock.findings.rowCount() == 9


def test_nothing_to_search_is_told(opened, settle, tmp_path):
    dock = opened()
    dock.search("disc")
    assert "open one first" in dock.panel.message.text()
    dock.panel.scope.setCurrentText(FOLDER)
    dock.panel.folder.setText(str(tmp_path / "gone"))
    dock.search("disc")
    assert "no folder" in dock.panel.message.text()
    dock.panel.folder.setText(str(tmp_path))
    dock.search("disc")
    assert "no image file" in dock.panel.message.text()


def test_the_models_words_are_offered(opened, volume, qtbot):
    dock = opened(volume)
    qtbot.keyClicks(dock.panel.word, "d")
    qtbot.waitUntil(lambda: dock.panel.words.stringList() == ["disc"], timeout=20_000)


def test_another_word_begins_a_list_of_its_own_and_labels_stay(opened, settle, volume, model):
    model.vocabulary = lambda: ("disc", "plate")
    dock = opened(volume)
    dock.search("disc")
    settle(dock)
    dock.accept_all()
    before = written(dock).copy()

    dock.search("plate")
    settle(dock)

    assert dock.findings.rowCount() == 9
    assert set(states(dock)) == {"open"}
    np.testing.assert_array_equal(written(dock), before)
    dock.viewer.layers["discs labels"].undo()
    assert set(states(dock)) == {"open"}


def test_the_dock_used_last_has_the_keys(opened, settle, volume):
    from napari.utils.key_bindings import coerce_keybinding

    dock = opened(volume)
    carry = StackWidget(dock.viewer, dock.shelf)
    dock.search("disc")
    settle(dock)
    accept = coerce_keybinding(KEYS["accept"])
    dock.go_to(dock.findings.shown()[0])

    dock.viewer.keymap[accept](dock.viewer)
    assert states(dock).count("accepted") == 1

    carry.carry()
    dock.viewer.keymap[accept](dock.viewer)
    assert states(dock).count("accepted") == 1
    carry.release()
    dock.viewer.keymap[accept](dock.viewer)
    assert states(dock).count("accepted") == 2
    dock.release()
    assert not any(coerce_keybinding(key) in dock.viewer.keymap for key in KEYS.values())
