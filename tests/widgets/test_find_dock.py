"""The Find dock in a real viewer: what is looked at, what is listed, and going there."""

from __future__ import annotations

import numpy as np
import pytest
from qtpy.QtCore import Qt

from napari_seem.intensity import IntensityWindow
from napari_seem.viewer.model_input import choose_window
from napari_seem.widgets.find.findings import BY_PLACE
from napari_seem.widgets.find.panel import FOLDER


def planes(dock):
    return [dock.findings.entries[n].finding.place.position for n in dock.findings.shown()]


def written(dock, name="discs labels"):
    return np.asarray(dock.viewer.layers[name].data)


def press(qtbot, dock, key, modifier=Qt.KeyboardModifier.NoModifier):
    qtbot.keyClick(dock.panel.view, key, modifier)


def test_everything_a_word_names_is_listed_the_best_first(find_on, found, volume):
    dock = find_on(volume)
    dock.search("disc")
    found(dock)

    assert dock.findings.rowCount() == 9
    scores = [dock.findings.entries[n].finding.score for n in dock.findings.shown()]
    assert scores == sorted(scores, reverse=True)
    assert "9 found on 6 planes" in dock.panel.message.text()

    dock.panel.sort.setCurrentText(BY_PLACE)
    assert planes(dock) == [0, 0, 1, 2, 2, 3, 4, 4, 5]
    dock.panel.least.setValue(0.99)
    assert dock.findings.rowCount() == 6
    assert "6 of 9 shown" in dock.panel.count.text()


def test_the_planes_nearest_to_the_shown_one_come_first(find_on, found, volume):
    dock = find_on(volume)
    dock.viewer.dims.set_point(0, 4)
    dock.search("disc")
    found(dock)

    places = [entry.finding.place.position for entry in dock.findings.entries]
    assert list(dict.fromkeys(places)) == [4, 3, 5, 2, 1, 0]


def test_a_click_and_enter_go_there(find_on, found, volume, qtbot):
    dock = find_on(volume, scale=(4, 0.5, 0.5), translate=(10, 20, 30))
    dock.search("disc")
    found(dock)
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


def test_going_there_brings_the_planes_own_axes_back(find_on, found, volume):
    dock = find_on(volume)
    dock.search("disc")
    found(dock)
    dock.viewer.dims.order = (1, 0, 2)

    dock.go_to(dock.findings.shown()[0])

    assert tuple(dock.viewer.dims.displayed) == (1, 2)


def test_stop_keeps_what_was_found_and_find_goes_on(find_on, found, volume, slow, qtbot):
    slow.hold()
    dock = find_on(volume)
    dock.search("disc")
    slow.let(2)
    qtbot.waitUntil(lambda: dock.finder.done == 2, timeout=20_000)
    dock.finder.steps.progress.cancel()
    slow.let(1)
    found(dock)
    done = dock.finder.done
    assert done in (2, 3)
    assert "press Find to continue" in dock.panel.message.text()

    slow.let(10)
    dock.search()
    found(dock)
    assert dock.findings.rowCount() == 9
    assert len(slow.looked) <= 7  # one may have been looked at while it was stopped
    assert dock.finder.done == 6


def test_a_search_waits_while_a_person_does(find_on, found, volume, slow, qtbot):
    slow.hold()
    dock = find_on(volume)
    person = object()
    dock.search("disc")
    slow.let(1)
    qtbot.waitUntil(lambda: dock.finder.done == 1, timeout=20_000)
    dock.model_cache.gate.shut(person)
    slow.let(10)
    qtbot.wait(300)
    assert len(slow.looked) <= 2  # the one that was begun

    dock.model_cache.gate.open(person)
    found(dock)
    assert dock.finder.done == 6


def test_planes_encoded_already_cost_no_encoding(find_on, found, volume, slow):
    dock = find_on(volume)
    dock.search("disc")
    found(dock)
    encoded = slow.encoded

    dock.search_again()
    found(dock)

    assert slow.encoded == encoded + 1  # the look at nothing that tells whether the word is known
    assert dock.findings.rowCount() == 9


def test_a_range_and_another_axis(find_on, found, volume):
    dock = find_on(np.moveaxis(volume, 0, 2))
    dock.panel.along.setCurrentIndex(0)
    dock.viewer.dims.order = (2, 0, 1)
    dock.panel.first.setValue(1)
    dock.panel.last.setValue(3)
    dock.search("disc")
    found(dock)
    assert sorted(planes(dock)) == [1, 2, 2, 3]

    dock.accept_all()
    assert [len(np.unique(written(dock)[..., k])) - 1 for k in range(6)] == [0, 1, 2, 1, 0, 0]


def test_a_look_is_what_the_model_sees(find_on, found, volume):
    dock = find_on(volume.astype(np.uint16) + 5000)
    choose_window(dock.viewer.layers["discs"], IntensityWindow(window=(9000, 9900)))
    dock.search("disc")
    found(dock)
    assert dock.findings.rowCount() == 0
    assert "No 'disc'" in dock.panel.message.text()


def test_lazy_stacks(find_on, found, volume):
    dask = pytest.importorskip("dask.array")
    dock = find_on(dask.from_array(volume, chunks=(1, 32, 32)))
    dock.search("disc")
    found(dock)
    dock.accept_all()
    assert len(np.unique(written(dock))) == 10


@pytest.mark.parametrize(
    ("word", "told"),
    [("dics", "no word of model"), ("x" * 500, "no word of model"), ("", "type one")],
)
def test_words_that_are_none_are_reported(find_on, found, volume, word, told):
    dock = find_on(volume)
    dock.search(word)
    found(dock)
    assert told in dock.panel.message.text()
    assert dock.findings.rowCount() == 0
    suggested = [
        dock.panel._suggestions.itemAt(k).widget().text()
        for k in range(dock.panel._suggestions.count())
    ]
    assert suggested == (["disc"] if word else [])
    if suggested:
        dock.panel._suggestions.itemAt(0).widget().click()
        found(dock)
        assert dock.findings.rowCount() == 9


def test_nothing_to_search_is_reported(find_on, found, tmp_path):
    dock = find_on()
    dock.search("disc")
    assert "open one first" in dock.panel.message.text()
    dock.panel.scope.setCurrentText(FOLDER)
    dock.panel.folder.setText(str(tmp_path / "gone"))
    dock.search("disc")
    assert "o folder" in dock.panel.message.text()
    dock.panel.folder.setText(str(tmp_path))
    dock.search("disc")
    assert "no image file" in dock.panel.message.text()


def test_the_models_words_are_offered(find_on, volume, qtbot):
    dock = find_on(volume)
    qtbot.keyClicks(dock.panel.word, "d")
    qtbot.waitUntil(lambda: dock.panel.words.stringList() == ["disc"], timeout=20_000)


def test_other_pixels_or_another_look_are_looked_at_anew(find_on, found, volume):
    dock = find_on(volume)
    dock.search("disc")
    found(dock)
    image = dock.viewer.layers["discs"]

    image.data = np.where(volume > 100, 20, 20).astype(np.uint8)
    dock.search("disc")
    found(dock)
    assert dock.findings.rowCount() == 0

    image.data = volume
    choose_window(image, IntensityWindow(window=(0, 2000)))
    dock.search("disc")
    found(dock)
    assert dock.findings.rowCount() == 0
    choose_window(image, IntensityWindow(window=(0, 255)))
    dock.search("disc")
    found(dock)
    assert dock.findings.rowCount() == 9


def test_a_search_ends_with_its_image(find_on, found, volume, slow, qtbot):
    slow.hold()
    dock = find_on(volume)
    dock.search("disc")
    slow.let(1)
    qtbot.waitUntil(lambda: dock.finder.done == 1, timeout=20_000)
    dock.viewer.layers.remove("discs")
    slow.let(10)
    found(dock)
    assert dock.finder.done < 6


def test_big_planes_are_searched_in_frames_and_accepted(find_on, found):
    image = np.full((2100, 300), 20, np.uint8)
    image[1000:1100, 100:200] = 220
    dock = find_on(image)
    dock.search("disc")
    found(dock)
    dock.accept_all()
    labels = np.asarray(dock.viewer.layers["discs labels"].data)
    np.testing.assert_array_equal(labels == 1, image == 220)
