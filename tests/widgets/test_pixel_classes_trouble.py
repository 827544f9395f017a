"""The Pixel classes dock while layers change, go and come, and where nothing can be classified."""

from __future__ import annotations

import numpy as np
import pytest
from pixel_scene import BAR, GROUND, bars, stroke, truth
from test_pixel_classes_dock import GOOD, share, shown, teach

from napari_seem.pixel_classes import features
from napari_seem.viewer.coordinates import data_to_world, world_to_data
from napari_seem.widgets.pixel_classes.dock import PixelClassesWidget
from napari_seem.widgets.pixel_classes.panel import STACK

TURNED = np.eye(3)
TURNED[1:, 1:] = [[0.96, -0.28], [0.28, 0.96]]
MOVES = {
    "scale": (2, 0.5, 0.25), "translate": (0, 1000, -7), "rotate": TURNED, "shear": (0, 0, 0.3),
    "units": ("nm",) * 3,
}  # fmt: skip


@pytest.fixture
def stacked(pixels_on, classified):
    """The dock on three planes, the second of which is shown and taught."""
    dock = pixels_on(bars(3), units=("um",) * 3)
    dock.viewer.dims.set_point(0, 1)
    teach(dock, (1,))
    classified(dock)
    return dock


def test_nothing_is_there_to_be_classified(open_viewer):
    dock = PixelClassesWidget(open_viewer())
    for action in (dock.paint, dock.classify, dock.write, dock.write_objects, dock.save_lesson,
                   dock.go_to_unsure):  # fmt: skip
        dock.panel.message.say("")
        action()
        assert dock.panel.message.text()
    dock.release()


@pytest.mark.parametrize("what", MOVES)
def test_what_is_shown_goes_with_the_image_and_so_do_strokes(stacked, classified, what):
    viewer, image = stacked.viewer, stacked.panel.image.layer
    setattr(image, what, MOVES[what])
    viewer.dims.set_point(0, data_to_world(image, (1, 0, 0), viewer.dims)[0])
    classified(stacked)

    assert stacked.answer.question.plane.index[0] == 1
    for layer, corner in ((stacked.views.classes.layer, 0), (stacked.strokes.layer, 1)):
        world = data_to_world(layer, (corner, 0, 0), viewer.dims)
        assert np.allclose(world_to_data(image, world, viewer.dims), (1, 0, 0), atol=1e-6)
    stacked.write()
    classified(stacked)
    labels = stacked.viewer.layers["bars classes"]
    assert share(labels.data[1], 1) > GOOD
    assert not labels.data[[0, 2]].any()


def test_strokes_that_are_laid_elsewhere_teach_nothing_and_that_is_said(stacked, classified):
    stacked.strokes.layer.translate = (0, 5, 5)
    classified(stacked)

    assert "does not lie on" in stacked.panel.status.text()
    assert not shown(stacked).any()
    stacked.strokes.layer.translate = (0, 0, 0)
    stacked.classify()
    classified(stacked)
    assert share(shown(stacked), 1) > GOOD


def test_other_pixels_are_classified_anew(stacked, classified):
    image = stacked.panel.image.layer
    image.data = bars(3)[:, ::-1].copy()
    classified(stacked)
    # The strokes stayed, so that the former bar's place is now partly ground.
    assert stacked.answer.question.source.input.images[0].array is image.data

    image.data = bars(3)
    classified(stacked)
    assert share(shown(stacked), 1) > GOOD


def test_pixels_that_were_changed_in_place_are_classified_anew(stacked, classified):
    image = stacked.panel.image.layer
    image.data[1] = 40
    image.data[1, 24:34] = 165
    image.refresh()
    classified(stacked)

    assert not (shown(stacked)[6:12] == 1).mean() > 0.5


def test_an_image_of_another_shape_takes_no_strokes_of_before(stacked, classified):
    image = stacked.panel.image.layer
    image.data = bars(3)[:, :40].copy()
    classified(stacked)

    assert "shape" in stacked.panel.status.text()
    assert not shown(stacked).any()


def test_pixels_are_replaced_while_a_stack_is_classified(stacked, classified):
    stacked.panel.planes.setCurrentText(STACK)
    stacked.write()
    stacked.panel.image.layer.data = bars(3, seed=9)
    classified(stacked)

    assert "replaced" in stacked.panel.message.text()
    assert "bars classes" not in stacked.viewer.layers


def test_strokes_that_are_removed_teach_no_more(stacked, classified):
    viewer, layer = stacked.viewer, stacked.strokes.layer
    viewer.layers.remove(layer)
    classified(stacked)
    assert stacked.strokes is None
    assert not shown(stacked).any()

    stacked.paint()
    assert stacked.strokes.layer is not layer
    assert stacked.strokes.layer in viewer.layers
    stroke(stacked.strokes.layer, 1, BAR, (1,))
    stroke(stacked.strokes.layer, 2, GROUND, (1,))
    classified(stacked)
    assert share(shown(stacked), 1) > GOOD


def test_the_image_is_removed_while_it_is_classified(stacked, classified):
    stroke(stacked.strokes.layer, 2, np.s_[14:18, 8:72], (1,))
    stacked._soon.timeout.emit()  # asked now, not a moment later
    stacked.viewer.layers.remove("bars")
    classified(stacked)

    assert stacked.answer is None
    assert not shown(stacked).any()


def test_in_3d_and_beside_the_image_nothing_is_shown(stacked, classified):
    viewer = stacked.viewer
    viewer.dims.ndisplay = 3
    classified(stacked)
    assert stacked.answer is None
    assert "2-D" in stacked.panel.status.text()

    viewer.dims.ndisplay = 2
    viewer.add_image(np.zeros((40, 64, 80), np.uint8), name="longer", visible=False)
    viewer.dims.set_point(0, 30)
    classified(stacked)
    assert "slider" in stacked.panel.status.text()
    stacked.write()
    assert "slider" in stacked.panel.message.text()
    viewer.dims.set_point(0, 1)
    classified(stacked)
    assert share(shown(stacked), 1) > GOOD


def test_planes_along_other_axes_are_painted_and_classified(stacked, classified):
    stacked.viewer.dims.order = (1, 0, 2)
    stacked.viewer.dims.set_point(1, 28)
    layer = stacked.strokes.layer
    layer.brush_size = 1
    with layer.block_history():
        layer.paint((2, 28, 20), 2)
    classified(stacked)

    assert stacked.answer.question.plane.axes == (0, 2)
    assert stacked.views.classes.layer.data.shape == (3, 1, 80)
    keys = [one.source.plane.axes for one in stacked.answer.question.lesson.planes]
    assert sorted(keys) == [(0, 2), (1, 2)]


def test_a_renamed_image_keeps_its_strokes(stacked, classified):
    stacked.panel.image.layer.name = "other"
    stacked.strokes.layer.name = "scribbles"
    classified(stacked)

    assert stacked.panel.strokes.currentText() == "scribbles"
    assert share(shown(stacked), 1) > GOOD


def test_strokes_are_known_by_their_name_where_they_were_opened_again(pixels_on, classified):
    dock = pixels_on(bars())
    strokes = np.zeros((64, 80), np.uint8)
    strokes[BAR], strokes[GROUND] = 1, 2
    layer = dock.viewer.add_labels(strokes, name="Strokes of bars")
    classified(dock)

    assert dock.panel.strokes.layer is layer
    assert share(shown(dock)) > GOOD
    assert [one.name for one in dock.teaching.classes] == ["class 1", "class 2"]


def test_of_two_layers_of_strokes_the_chosen_one_teaches(stacked, classified):
    first = stacked.strokes.layer
    stacked.panel.strokes.setCurrentIndex(0)  # a new layer
    classified(stacked)
    assert not shown(stacked).any()
    stacked.paint()
    assert stacked.strokes.layer is not first
    stacked.panel.strokes.select(first)
    stacked.panel.strokes.chosen.emit(first)
    classified(stacked)

    assert stacked.strokes.layer is first
    assert share(shown(stacked), 1) > GOOD


def test_labels_of_a_person_can_be_chosen_as_strokes(pixels_on, classified):
    dock = pixels_on(bars())
    labels = dock.viewer.add_labels(truth() + np.uint8(1), name="theirs")
    box = dock.panel.strokes
    box.setCurrentIndex(box.findText("theirs"))
    classified(dock)

    assert dock.strokes.layer is labels
    assert share(shown(dock) % 2) < 0.1  # the bars are of the second class


def test_a_second_dock_goes_on_with_the_strokes(stacked, classified):
    viewer = stacked.viewer
    second = PixelClassesWidget(viewer)
    second.panel.model.setCurrentIndex(1)
    assert stacked.is_released
    classified(second)

    assert second.strokes.layer.name == "Strokes of bars"
    assert share(shown(second), 1) > GOOD
    maps = [layer for layer in viewer.layers if layer.name == "SEEM pixel classes"]
    assert len(maps) == 1
    second.release()
    assert not maps[0].visible


def test_features_are_ready_before_the_first_stroke(pixels_on, classified, monkeypatch):
    computed = []
    plain = features.plain_features
    monkeypatch.setattr(features, "plain_features", lambda rgb: computed.append(1) or plain(rgb))
    dock = pixels_on(bars(3))
    classified(dock)
    assert len(computed) == 1

    dock.viewer.dims.set_point(0, 1)  # and those of the plane that is shown then
    classified(dock)
    assert len(computed) == 2
    teach(dock, (1,))
    classified(dock)

    assert share(shown(dock), 1) > GOOD
    assert len(computed) == 2


def test_objects_that_are_written_again_on_a_plane_leave_no_rows(stacked, classified):
    stacked.write_objects()
    classified(stacked)
    labels = stacked.viewer.layers["bars object"]
    first = list(labels.features["index"])
    stacked.write_objects()
    classified(stacked)

    assert len(labels.features) == len(first) == 1 + len(set(np.unique(labels.data)) - {0})
    assert not set(first[1:]) & set(labels.features["index"])
    stacked.viewer.dims.set_point(0, 2)
    classified(stacked)
    stacked.write_objects()
    classified(stacked)
    assert set(labels.features["index"]) == set(np.unique(labels.data))
    labels.undo()
    assert not labels.data[2].any()
