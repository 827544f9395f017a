"""The Objects dock in a real viewer: classes, their objects, and one undo for everything."""

from __future__ import annotations

import threading

import numpy as np
import pytest
import zarr
from discs import squares
from qtpy.QtCore import QModelIndex, Qt
from qtpy.QtTest import QTest

from napari_seem.edits import ObjectRecord, ObjectTable
from napari_seem.labels.plans import LONGEST
from napari_seem.viewer.label_layers.features import set_table, table_of
from napari_seem.viewer.label_layers.palette import palette_of
from napari_seem.widgets.objects import counter as counter_module
from napari_seem.widgets.objects.dock import ObjectsWidget

CELL = ObjectRecord("cell", 0.8, "compact", 2)


@pytest.fixture
def viewer(open_viewer):
    return open_viewer()


@pytest.fixture
def objects(viewer, put_in):
    """Open the dock: `objects(labels, names)` gives it with a layer whose ids have these names."""
    docks = []

    def open_on(data=None, names=None, **options):
        if data is not None:
            layer = viewer.add_labels(data, name="cells", **options)
            if names:
                records = {i: ObjectRecord(name, 0.8, "disc", 1) for i, name in names.items()}
                set_table(layer, ObjectTable(records))
        dock = ObjectsWidget(viewer)
        put_in(viewer, dock, "Objects")
        docks.append(dock)
        return dock

    yield open_on
    for dock in docks:
        dock.release()


@pytest.fixture
def dock(objects):
    """Two cells, two veins, and one object that nobody named."""
    return objects(squares(), {1: "cell", 2: "cell", 3: "vein", 4: "vein"})


def listed(dock):
    """Classes as the person sees them, with their counts."""
    return cells(dock.panel.classes)


def cells(table):
    model = table.model()
    columns = [c for c in range(model.columnCount()) if not table.isColumnHidden(c)]
    return [
        tuple(str(model.data(model.index(row, column))) for column in columns)
        for row in range(model.rowCount())
    ]


def choose_classes(dock, *names):
    dock.panel.classes.choose(lambda row: row.name in names)


def choose_objects(dock, *ids):
    dock.panel.objects.choose(lambda row: row.label_id in ids)


def press(button):
    assert button.isEnabled()
    button.click()


def type_over(table, row, column, text):
    """As after a double click on a cell."""
    model = table.model()
    model.setData(model.index(row, column, QModelIndex()), text, Qt.ItemDataRole.EditRole)


def said(dock):
    return dock.panel.message.text()


def test_classes_and_objects_are_listed_with_what_is_known_of_them(dock):
    assert listed(dock) == [("cell", "2"), ("vein", "2"), ("(no name)", "1")]
    assert len(cells(dock.panel.objects)) == 5

    choose_classes(dock, "vein")

    assert cells(dock.panel.objects) == [
        ("3", "vein", "0.80", "25"), ("4", "vein", "0.80", "36"),
    ]  # fmt: skip
    assert dock.panel.heading.text() == "2 objects of 'vein'"


def test_renaming_recolouring_merging_and_deleting_are_one_action_and_one_undo_each(dock):
    panel, layer = dock.panel, dock.layer
    start = layer.data.copy()
    type_over(panel.classes, 1, 0, "blood vessel")
    assert listed(dock)[0] == ("blood vessel", "2")
    choose_classes(dock, "blood vessel")
    dock.recolour("#abcdef")
    assert palette_of(layer).by_class
    assert np.allclose(layer.get_color(3)[:3], [0xAB / 255, 0xCD / 255, 0xEF / 255], atol=0.01)
    choose_classes(dock, "blood vessel", "cell")
    press(panel.merge_classes)
    assert listed(dock) == [("blood vessel", "4"), ("(no name)", "1")]
    choose_classes(dock, "blood vessel")
    press(panel.delete_class)
    assert listed(dock) == [("(no name)", "1")]
    assert np.unique(layer.data).tolist() == [0, 5]

    press(panel.undo)
    assert np.array_equal(layer.data, start)
    assert listed(dock) == [("blood vessel", "4"), ("(no name)", "1")]
    press(panel.undo)
    assert listed(dock) == [("blood vessel", "2"), ("cell", "2"), ("(no name)", "1")]
    press(panel.undo)
    assert not np.allclose(layer.get_color(3)[:3], [0xAB / 255, 0xCD / 255, 0xEF / 255], atol=0.01)
    press(panel.undo)
    assert listed(dock) == [("cell", "2"), ("vein", "2"), ("(no name)", "1")]
    assert not panel.undo.isEnabled()
    for _ in range(4):
        press(panel.redo)
    assert listed(dock) == [("(no name)", "1")]


def test_all_objects_of_a_class_are_selected_merged_and_come_apart_again(dock):
    panel, layer = dock.panel, dock.layer
    choose_classes(dock, "vein")
    press(panel.select_all)
    assert dock.chosen_objects == [3, 4]

    press(panel.merge_objects)

    assert cells(panel.objects) == [("4", "vein", "0.80", "61")]  # the larger one stays
    assert not (layer.data == 3).any()
    press(panel.undo)
    assert (layer.data == 3).sum() == 25
    assert table_of(layer)[4].prompts == 1


def test_strokes_and_steps_of_the_dock_are_taken_back_in_the_order_they_were_made(dock, qtbot):
    panel, layer = dock.panel, dock.layer
    dock.rename_class("cell", "nucleus")
    with layer.block_history():
        layer.paint((30, 30), 9)
    qtbot.waitUntil(lambda: ("(no name)", "2") in listed(dock))
    choose_classes(dock, "vein")
    press(panel.delete_class)
    assert panel.undo.text() == "Undo: delete 2 objects"

    layer.undo()  # Ctrl+Z on the canvas
    qtbot.waitUntil(lambda: ("vein", "2") in listed(dock))
    assert panel.undo.text() == "Undo: painting"
    press(panel.undo)
    assert listed(dock)[-1] == ("(no name)", "1")
    layer.undo()
    qtbot.waitUntil(lambda: ("cell", "2") in listed(dock))
    layer.redo()
    qtbot.waitUntil(lambda: ("nucleus", "2") in listed(dock))


@pytest.mark.window
def test_ctrl_z_works_in_the_dock_too(dock, viewer, qtbot):
    viewer.window._qt_window.show()
    dock.activateWindow()
    dock.rename_class("cell", "nucleus")
    dock.panel.objects.setFocus()
    qtbot.waitUntil(dock.panel.objects.hasFocus)

    QTest.keyClick(dock.panel.objects, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)

    assert ("cell", "2") in listed(dock)


def test_a_click_goes_to_the_plane_where_the_object_is_largest(objects, viewer):
    data = np.zeros((6, 40, 40), np.uint8)
    data[1, 2:4, 2:4], data[4, 20:30, 20:30] = 3, 3
    dock = objects(data, {3: "cell"}, scale=(2.0, 0.5, 0.5))
    assert cells(dock.panel.objects) == [("3", "cell", "0.80", "4", "104")]

    table = dock.panel.objects
    at = table.visualRect(table.model().index(0, 0)).center()
    QTest.mouseClick(table.viewport(), Qt.MouseButton.LeftButton, pos=at)

    assert viewer.dims.current_step[0] == 4
    assert np.allclose(viewer.scene.camera.center[-2:], (12.25, 12.25))
    assert dock.layer.selected_label == 3


def test_napari_s_picker_chooses_the_object_in_the_table(dock):
    dock.layer.selected_label = 4
    assert dock.chosen_objects == [4]
    choose_objects(dock, 1, 2)
    dock.panel.by_class.setChecked(True)  # napari tells of a label, but none was picked
    assert dock.chosen_objects == [1, 2]


def test_names_nobody_could_use_are_refused_in_words(dock):
    for bad, word in (("  ", "empty"), ("x" * 500, "500 characters")):
        dock.rename_class("cell", bad)
        assert word in said(dock)
        dock.rename_object(1, bad)
        assert word in said(dock)
    assert listed(dock)[0] == ("cell", "2")
    assert not dock.panel.undo.isEnabled()

    dock.rename_class("cell", 'a, "b"')
    assert listed(dock)[0] == ('a, "b"', "2")
    dock.rename_class('a, "b"', "x" * LONGEST)
    assert len(dock.panel.undo.text()) < 60


def test_classes_that_differ_in_capitals_stay_two_and_are_told_of(dock):
    dock.rename_class("cell", "Vein")
    assert listed(dock)[:2] == [("Vein", "2"), ("vein", "2")]
    assert "differ in capitals only" in said(dock)

    dock.rename_class("Vein", "vein")
    assert listed(dock)[0] == ("vein", "4")


def test_objects_without_a_name_get_one(dock):
    choose_classes(dock, "")
    assert dock.panel.rename_class.isEnabled()
    dock.recolour("#ff0000")
    assert "name them first" in said(dock)
    dock.rename_class("", "dust")
    assert ("dust", "1") in listed(dock)

    choose_classes(dock, "dust")
    choose_objects(dock, 5)
    dock.put_into("cell")
    assert listed(dock) == [("cell", "3"), ("vein", "2")]


def test_without_a_layer_the_dock_says_what_to_do_and_takes_up_the_next_one(objects, viewer):
    dock = objects()
    assert "no labels layer" in said(dock)
    dock.rename_class("a", "b")
    assert "no labels layer" in said(dock)
    assert not dock.panel.delete_class.isEnabled()

    layer = viewer.add_labels(squares())
    assert listed(dock) == [("(no name)", "5")]
    viewer.layers.remove(layer)
    assert "no labels layer" in said(dock)
    assert listed(dock) == []


def test_a_multiscale_layer_is_named_but_not_painted(objects):
    dock = objects([squares(), squares()[::2, ::2]], {1: "cell", 2: "vein"}, multiscale=True)
    dock.rename_class("cell", "nucleus")
    assert ("nucleus", "1") in listed(dock)
    choose_classes(dock, "nucleus")
    press(dock.panel.delete_class)
    assert "several resolutions" in said(dock)
    press(dock.panel.undo)
    assert ("cell", "1") in listed(dock)


def test_colours_by_class_are_a_switch_and_new_objects_follow(dock, qtbot):
    layer = dock.layer
    own = layer.get_color(1)
    dock.panel.by_class.setChecked(True)
    assert np.allclose(layer.get_color(1), layer.get_color(2))

    table = table_of(layer)
    table[5] = CELL
    set_table(layer, table)
    assert np.allclose(layer.get_color(5), layer.get_color(1))
    qtbot.waitUntil(lambda: ("cell", "3") in listed(dock))
    choose_classes(dock, "vein")
    dock.panel.only.setChecked(True)
    assert layer.get_color(1)[3] == 0
    dock.panel.only.setChecked(False)
    dock.panel.by_object.setChecked(True)
    assert np.allclose(layer.get_color(1), own)


@pytest.fixture
def large(tmp_path, monkeypatch):
    """A stack on disk that counts as large: ids 1 and 2 on all of its 12 planes."""
    monkeypatch.setattr(counter_module, "AT_ONCE", 1000)
    monkeypatch.setattr("napari_seem.labels.census.BATCH", 1600)
    data = np.zeros((12, 40, 40), np.uint16)
    data[:, 5:9, 5:9], data[:, 20:30, 20:30] = 1, 2
    return zarr.create_array(tmp_path / "labels.zarr", data=data, chunks=(1, 16, 16))


def test_a_large_stack_on_disk_is_counted_in_a_thread_and_changed_as_a_whole(objects, large, qtbot):
    dock = objects(large, {1: "cell", 2: "vein"})
    assert dock.work.counter.running
    dock.delete_classes()
    assert "Choose what to delete" in said(dock)
    choose_classes(dock, "vein")
    dock.delete_classes()
    assert "still being counted" in said(dock)
    assert "vein" in {row[0] for row in listed(dock)}

    qtbot.waitUntil(lambda: not dock.work.counter.running, timeout=20_000)
    dock.refresh()
    assert cells(dock.panel.objects) == [("2", "vein", "0.80", "0", "1,200")]
    press(dock.panel.delete_class)
    assert not (np.asarray(large) == 2).any()
    assert (np.asarray(large) == 1).sum() == 192
    dock.layer.undo()
    assert (np.asarray(large) == 2).sum() == 1200
    qtbot.waitUntil(lambda: not dock.work.counter.running, timeout=20_000)


def test_planes_painted_while_they_are_counted_are_counted_again(
    objects, large, qtbot, monkeypatch
):
    go, real = threading.Event(), counter_module.count_planes

    def held(data, indices):
        for batch in real(data, indices):
            yield batch
            assert go.wait(20)

    monkeypatch.setattr(counter_module, "count_planes", held)
    dock = objects(large)
    qtbot.waitUntil(lambda: len(dock.work.counter.census) == 1, timeout=20_000)
    with dock.layer.block_history():
        dock.layer.paint((0, 35, 35), 7)
    go.set()

    counter = dock.work.counter
    qtbot.waitUntil(lambda: counter.settle(), timeout=20_000)
    assert counter.census.objects()[7].area == (np.asarray(large[0]) == 7).sum()


def test_another_layer_is_taken_up_while_one_is_counted(objects, viewer, large, qtbot):
    dock = objects(large)
    other = viewer.add_labels(np.asarray(large)[:2] * 3, name="other")
    dock.panel.labels.setCurrentIndex(1)
    assert dock.layer is other

    qtbot.waitUntil(lambda: dock.work.counter.settle(), timeout=20_000)
    assert {i: f.area for i, f in dock.work.found.items()} == {3: 32, 6: 200}


@pytest.mark.window
def test_the_dock_lets_go_of_layer_and_viewer(dock, viewer):
    layer = dock.layer
    dock.panel.only.setChecked(True)
    viewer.window.remove_dock_widget(dock)  # what the x of a dock does

    assert layer.get_color(1)[3] == 1
    layer.selected_label = 3
    set_table(layer, ObjectTable())
    viewer.layers.remove(layer)
