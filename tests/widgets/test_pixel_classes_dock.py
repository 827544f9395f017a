"""The Pixel classes dock in a real viewer: strokes, live answers, what is written, lessons."""

from __future__ import annotations

import numpy as np
import pytest
from discs import DiscModel
from napari.layers import Image, Labels
from pixel_scene import BAR, GROUND, bars, stroke, truth
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QLineEdit

from napari_seem.commands.replay import replay
from napari_seem.labels.log import SessionLog
from napari_seem.viewer.coordinates import lie_alike
from napari_seem.viewer.documents import saving
from napari_seem.viewer.roles import PREVIEW, ROLE
from napari_seem.widgets.pixel_classes.panel import SHOWN, STACK

GOOD = 0.9
"""Share of pixels that two strokes are enough for."""


@pytest.fixture
def taught(pixels_on, classified):
    """The dock on one plane, with a stroke on a bar and one on the ground."""
    dock = pixels_on(bars())
    teach(dock)
    classified(dock)
    return dock


def teach(dock, at: tuple[int, ...] = ()) -> None:
    dock.paint()
    layer = dock.strokes.layer
    stroke(layer, 1, BAR, at)
    stroke(layer, 2, GROUND, at)


def shown(dock) -> np.ndarray:
    """The numbers of classes that are seen on the shown plane."""
    layer = dock.views.classes.layer
    return np.zeros((64, 80), int) if layer is None else np.squeeze(layer.data)


def share(found: np.ndarray, k: int = 0) -> float:
    """How much of a plane is as it should be."""
    return float(((found == 1) == truth(k)).mean())


def test_the_first_stroke_goes_into_a_layer_on_the_images_own_grid(pixels_on):
    affine = np.eye(4)
    affine[:3, 3] = 0, 30, -4
    dock = pixels_on(bars(3), scale=(2, 0.5, 0.5), affine=affine, units=("um",) * 3)

    dock.paint()

    layer = dock.strokes.layer
    image = dock.panel.image.layer
    assert layer.name == "Strokes of bars"
    assert layer.data.shape == image.data.shape
    assert lie_alike(layer, image)
    assert layer.units == image.units
    assert dock.viewer.layers.selection.active is layer
    assert (str(layer.mode), layer.selected_label) == ("paint", 1)
    assert list(layer.features["name"])[1:] == ["object", "background"]
    assert dock.panel.strokes.layer is layer
    assert dock.panel.labels.layer is None  # no objects are written into strokes


def test_every_pixel_is_classified_after_a_stroke_of_a_second_class(pixels_on, classified):
    dock = pixels_on(bars())
    dock.paint()
    stroke(dock.strokes.layer, 1, BAR)
    classified(dock)
    assert "two classes" in dock.panel.status.text()
    assert not shown(dock).any()

    stroke(dock.strokes.layer, 2, GROUND)
    classified(dock)

    assert share(shown(dock)) > GOOD
    layer = dock.views.classes.layer
    assert layer.visible
    assert not layer.editable
    assert np.allclose(layer.colormap.color_dict[1], dock.strokes.layer.colormap.color_dict[1])
    layers = list(dock.viewer.layers)
    assert layers.index(layer) == layers.index(dock.strokes.layer) - 1
    assert dock.viewer.layers.selection.active is dock.strokes.layer


def test_an_undone_stroke_teaches_no_more(taught, classified):
    layer = taught.strokes.layer
    before = shown(taught).copy()
    stroke(layer, 2, BAR)
    stroke(layer, 1, GROUND)
    classified(taught)
    assert share(shown(taught)) < 0.2

    layer.undo()
    layer.undo()
    classified(taught)

    assert np.array_equal(shown(taught), before)


def test_without_live_a_plane_is_classified_when_it_is_asked_for(pixels_on, classified):
    dock = pixels_on(bars())
    dock.panel.live.setChecked(False)
    teach(dock)
    classified(dock)
    assert not shown(dock).any()

    dock.classify()
    classified(dock)

    assert share(shown(dock)) > GOOD


def test_probability_and_uncertainty_are_layers_on_the_image(taught, classified):
    taught.panel.probability.setChecked(True)
    taught.panel.uncertainty.setChecked(True)
    classified(taught)  # also comes to rest: no two maps want the same place

    probability, unsure = taught.views.probability.layer, taught.views.uncertainty.layer
    assert isinstance(probability, Image)
    assert lie_alike(probability, taught.panel.image.layer)
    assert (probability.data[truth()] > 0.5).mean() > 0.95
    assert probability.name == "SEEM probability of object"
    assert np.allclose(unsure.data, taught.answer.classes.uncertainty, atol=1e-3)

    taught.panel.classes.setCurrentRow(1)
    assert (probability.data[truth()] < 0.5).mean() > 0.95

    taught.panel.uncertainty.setChecked(False)
    assert not unsure.visible
    unmapped = taught.views.classes.layer
    unmapped.visible = False  # by its eye in the list of layers
    assert not taught.panel.map.isChecked()
    stroke(taught.strokes.layer, 1, BAR)
    classified(taught)
    assert not unmapped.visible


def test_the_least_sure_place_is_shown_and_then_another(taught):
    taught.go_to_unsure()
    first = taught.viewer.scene.camera.center[1:]
    assert taught.viewer.layers.selection.active is taught.strokes.layer
    unsure = taught.answer.classes.uncertainty.astype(float)
    y, x = (round(c) for c in first)
    assert unsure[max(y - 2, 0) : y + 3, max(x - 2, 0) : x + 3].mean() > unsure.mean()

    taught.act("go_to_unsure")
    assert taught.viewer.scene.camera.center[1:] != first


def test_classes_of_the_list_are_those_of_the_brush(taught, classified):
    layer, classes = taught.strokes.layer, taught.panel.classes
    classes.setCurrentRow(1)
    assert layer.selected_label == 2
    layer.selected_label = 1  # with napari's own controls
    assert classes.current == "object"

    taught.brush.add("vein")
    assert layer.selected_label == 3
    assert classes.current == "vein"
    taught.brush.rename("vein", "artery")
    taught.brush.recolour("#112233")
    assert list(layer.features["name"])[1:] == ["object", "background", "artery"]
    assert np.allclose(layer.colormap.color_dict[3][:3], np.array([0x11, 0x22, 0x33]) / 255)

    taught.brush.rename("artery", "background")
    assert "another name" in taught.panel.message.text()
    assert classes.current == "artery"

    stroke(layer, 3, np.s_[12:18, 8:72])
    classified(taught)
    assert 3 in shown(taught)
    taught.brush.remove()
    classified(taught)
    assert not (layer.data == 3).any()
    assert classes.count() == 2
    assert 3 not in shown(taught)


def test_a_label_that_is_of_no_class_becomes_one(taught, classified):
    stroke(taught.strokes.layer, 7, np.s_[12:18, 8:72])
    classified(taught)

    names = [taught.panel.classes.item(row).text() for row in range(3)]
    assert names == ["object", "background", "class 7"]
    assert taught.answer.classes.names[3] == "class 7"


def test_strokes_on_several_planes_teach_and_the_slider_shows_each(pixels_on, classified):
    dock = pixels_on(bars(4))
    dock.paint()
    stroke(dock.strokes.layer, 1, BAR, (0,))
    dock.viewer.dims.set_point(0, 2)
    stroke(dock.strokes.layer, 2, GROUND, (2,))
    classified(dock)

    assert len(dock.answer.question.lesson.planes) == 2
    assert share(shown(dock), 2) > GOOD
    dock.viewer.dims.set_point(0, 1)
    classified(dock)
    assert dock.answer.question.plane.index[0] == 1
    assert share(shown(dock), 1) > GOOD
    assert dock.views.classes.layer.data.shape == (1, 64, 80)


def test_strokes_on_another_image_teach_too(taught, classified):
    viewer = taught.viewer
    other = viewer.add_image(bars(seed=3)[::-1], name="other")
    classified(taught)

    assert taught.panel.image.layer is other
    assert taught.strokes is None
    assert share(shown(taught)[::-1]) > GOOD  # by the strokes on the first
    taught.paint()
    layer = taught.strokes.layer
    assert list(layer.features["name"])[1:] == ["object", "background"]
    stroke(layer, 2, np.s_[2:6, 8:72])
    classified(taught)
    assert {one.source.input.images[0].name for one in taught.answer.question.lesson.planes} == {
        "bars", "other",
    }  # fmt: skip


def test_classes_are_written_in_one_step(taught, classified):
    found = shown(taught).copy()
    taught.write()
    classified(taught)

    labels = taught.viewer.layers["bars classes"]
    assert isinstance(labels, Labels)
    assert lie_alike(labels, taught.panel.image.layer)
    assert np.array_equal(labels.data, found)
    assert list(labels.features["name"])[1:] == ["object", "background"]
    assert np.allclose(labels.colormap.color_dict[1], taught.strokes.layer.colormap.color_dict[1])
    labels.undo()
    assert not labels.data.any()
    labels.redo()
    assert np.array_equal(labels.data, found)


def test_a_stack_is_written_in_one_step(pixels_on, classified):
    dock = pixels_on(bars(4))
    teach(dock, (0,))
    classified(dock)
    dock.panel.planes.setCurrentText(STACK)
    dock.write()
    assert dock.writer.steps.progress.total == 4
    classified(dock)

    labels = dock.viewer.layers["bars classes"]
    assert all(share(plane, k) > GOOD for k, plane in enumerate(labels.data))
    labels.undo()
    assert not labels.data.any()


def test_what_is_done_of_a_cancelled_stack_is_written(pixels_on, classified):
    dock = pixels_on(bars(40))
    teach(dock, (0,))
    classified(dock)
    dock.panel.planes.setCurrentText(STACK)
    dock.writer.steps.stepped.connect(lambda _: dock.writer.steps.progress.cancel())
    dock.write()
    classified(dock)

    written = dock.viewer.layers["bars classes"].data.any((1, 2))
    assert written[0]
    assert not written[-1]
    assert "of 40" in dock.panel.message.text()


def test_all_images_are_written_each_into_labels_of_its_own(taught, classified):
    taught.viewer.add_image(bars(seed=3)[::-1], name="other")
    taught.panel.planes.setCurrentText(SHOWN)
    taught.write()
    classified(taught)

    layers = taught.viewer.layers
    assert share(layers["bars classes"].data) > GOOD
    assert share(layers["other classes"].data[::-1]) > GOOD


def test_objects_of_a_class_are_numbered(taught, classified):
    taught.panel.classes.setCurrentRow(0)
    taught.write_objects()
    classified(taught)

    labels = taught.viewer.layers["bars object"]
    assert set(np.unique(labels.data)) == {0, 1, 2}
    assert ((labels.data > 0) == truth()).mean() > GOOD
    assert list(labels.features["name"])[1:] == ["object", "object"]
    labels.undo()
    assert not labels.data.any()


def test_a_lesson_is_used_on_another_image(taught, classified, pixels_on, tmp_path):
    taught.brush.rename("object", "vessel")
    taught.save_lesson(tmp_path / "vessels")
    classified(taught)
    taught.release()

    other = pixels_on(bars(seed=5), name="other")
    other.open_lesson(tmp_path / "vessels.safetensors")
    classified(other)

    assert share(shown(other)) > GOOD
    assert "vessels" in other.panel.lesson.text()
    assert [one.name for one in other.teaching.classes] == ["vessel", "background"]
    other.paint()
    stroke(other.strokes.layer, 2, BAR)
    classified(other)
    assert len(other.answer.classifier.samples.classes) > len(other.lesson.samples.classes)

    other.forget_lesson()
    classified(other)
    assert not shown(other).any()


def test_what_was_painted_and_written_can_be_replayed(taught, classified):
    taught.write()
    classified(taught)
    labels, pixels = taught.viewer.layers["bars classes"], taught.panel.image.layer.data

    done = replay(SessionLog(saving(labels, "out.tif")()), lambda _: pixels, lambda _: DiscModel())

    assert done.redone == 1
    assert not done.stored
    assert np.array_equal(done.labels, labels.data)
    strokes = taught.strokes.layer
    again = replay(SessionLog(saving(strokes, "strokes.tif")()))
    assert np.array_equal(again.labels, strokes.data)


def test_a_file_that_is_no_lesson_is_refused(taught, classified, tmp_path):
    (tmp_path / "wrong.safetensors").write_bytes(b"nothing")
    taught.open_lesson(tmp_path / "wrong.safetensors")
    classified(taught)

    assert "wrong.safetensors" in taught.panel.message.text()
    assert taught.lesson is None


def test_maps_belong_to_nobody_and_strokes_to_the_person(taught):
    roles = {layer.name: layer.metadata.get(ROLE) for layer in taught.viewer.layers}
    assert roles["SEEM pixel classes"] not in (None, PREVIEW)
    assert roles["Strokes of bars"] is None


def test_a_name_is_typed_in_the_list(taught, classified, qtbot):
    classes = taught.panel.classes
    classes.type_name()
    (field,) = classes.findChildren(QLineEdit)
    stroke(taught.strokes.layer, 1, BAR)  # what comes meanwhile does not take the field away
    classified(taught)
    assert classes.findChildren(QLineEdit) == [field]
    field.setText("vessel")
    qtbot.keyClick(field, Qt.Key.Key_Return)

    layer = taught.strokes.layer
    qtbot.waitUntil(lambda: list(layer.features["name"])[1] == "vessel", timeout=5000)
    qtbot.waitUntil(lambda: classes.item(0).text() == "vessel", timeout=5000)
