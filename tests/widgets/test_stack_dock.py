"""The Stack dock in a real viewer: carry, look, correct, carry on, take back."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.propagate import dice
from benchmarks.stacks import phantoms
from napari_seem.viewer.documents import document_of
from napari_seem.viewer.stacks import read_labels, shown_stack, stack_axes
from napari_seem.widgets.stack.dock import KEYS, StackWidget
from napari_seem.widgets.stack.panel import OUTLINES


@pytest.fixture(scope="module")
def body():
    """A body through 16 small planes: (volume, labels)."""
    case = next(phantoms(seed=3))
    return case.volume[4:36:2, ::2, ::2], case.labels[4:36:2, ::2, ::2]


@pytest.fixture
def opened(open_stack):
    return open_stack


@pytest.fixture
def settle(qtbot):
    def wait(dock):
        qtbot.waitUntil(lambda: not dock.runner.steps.running, timeout=60_000)
        qtbot.wait(20)

    return wait


def organ(dock):
    return dock.viewer.layers["organ"].data


def test_carrying_fills_every_plane_and_ranks_them(opened, settle, body):
    volume, truth = body
    dock = opened(volume, {2: truth[2], 12: truth[12]})

    dock.carry("both")
    settle(dock)

    assert dice(organ(dock) > 0, truth > 0) > 0.85
    np.testing.assert_array_equal(organ(dock)[2], truth[2])
    queue = dock.panel.queue
    assert queue.count() == 14
    worst = min(dock.runner.engine.to_review(), key=lambda k: dock.runner.engine.scores[k])
    dock.next_doubtful()
    assert dock.viewer.dims.current_step[0] == worst
    assert "14 planes carried" in dock.panel.message.text()


def test_forward_and_range_bound_what_is_labelled(opened, settle, body):
    volume, truth = body
    dock = opened(volume, {6: truth[6]})
    dock.viewer.dims.set_point(0, 6)
    dock.panel.last.setValue(9)

    dock.carry("forward")
    settle(dock)

    labelled = np.flatnonzero(organ(dock).any((1, 2)))
    assert labelled.tolist() == [6, 7, 8, 9]


def test_a_correction_is_carried_on_from(opened, settle, body):
    volume, truth = body
    dock = opened(volume, {2: truth[2], 13: truth[13]})
    dock.carry()
    settle(dock)
    layer = dock.viewer.layers["organ"]
    stack = shown_stack(dock.panel.image.layer, dock.viewer.dims)
    document_of(layer).write_plane(
        stack.at(7), np.zeros_like(truth[7])
    )  # the person wipes the plane

    dock.carry()
    settle(dock)

    assert dock.runner.engine.results[7].accepted
    assert not organ(dock)[7].any()
    assert organ(dock)[3].any()
    assert dock.panel.queue.count() == 13


def test_what_a_person_accepts_leaves_the_queue(opened, settle, body):
    volume, truth = body
    dock = opened(volume, {2: truth[2]})
    dock.panel.last.setValue(6)
    dock.carry()
    settle(dock)
    before = dock.panel.queue.count()

    dock.next_doubtful()
    dock.accept_plane()

    assert dock.panel.queue.count() == before - 1
    assert dock.runner.engine.results[dock.viewer.dims.current_step[0]].accepted


def test_only_the_selected_object_is_carried_and_others_keep_their_pixels(opened, settle, body):
    volume, truth = body
    seeds = {5: np.where(truth[5] > 0, 3, 0)}
    seeds[5][2:12, 2:12] = 9
    dock = opened(volume, seeds)
    layer = dock.viewer.layers["organ"]
    blocked = np.argwhere(truth[6] > 0)[10]
    layer.data[6, blocked[0], blocked[1]] = 4
    layer.selected_label = 3
    dock.panel.only_selected.value = True

    dock.carry()
    settle(dock)

    assert set(np.unique(organ(dock))) == {0, 3, 4, 9}
    assert (organ(dock) == 9).sum() == 100
    assert organ(dock)[6, blocked[0], blocked[1]] == 4
    assert (organ(dock)[6] == 3).any()


def test_a_run_can_be_taken_back(opened, settle, body):
    volume, truth = body
    dock = opened(volume, {2: truth[2]})
    before = organ(dock).copy()
    dock.carry()
    settle(dock)
    assert organ(dock)[9].any()

    dock.take_back()

    np.testing.assert_array_equal(organ(dock), before)
    assert dock.panel.queue.count() == 0


def test_a_run_can_be_stopped_and_gone_on_with(opened, settle, body, qtbot):
    volume, truth = body
    dock = opened(volume, {2: truth[2]})
    dock.runner.written.connect(lambda _: dock.runner.steps.stop())
    dock.carry()
    settle(dock)
    done = int(organ(dock).any((1, 2)).sum())
    assert 1 < done < 16
    assert "left" in dock.panel.message.text()

    dock.runner.written.disconnect()
    dock.runner.written.connect(dock._on_written)
    dock.carry()
    settle(dock)

    assert not dock.runner.engine.pending


def test_a_new_dock_knows_which_planes_were_carried(opened, settle, body, model_cache):
    volume, truth = body
    dock = opened(volume, {2: truth[2]})
    dock.panel.last.setValue(5)
    dock.carry()
    settle(dock)
    second = StackWidget(dock.viewer, model_cache)
    second.panel.last.setValue(5)

    second.carry()
    settle(second)

    accepted = [k for k, r in second.runner.engine.results.items() if r.accepted]
    assert accepted == [2]
    second.release()


def test_outlines_need_no_model(opened, settle, body):
    volume, truth = body
    dock = opened(volume, {3: truth[3], 9: truth[9]})
    dock.panel.model.setCurrentText(OUTLINES)

    dock.carry()
    settle(dock)

    assert dice(organ(dock)[3:10] > 0, truth[3:10] > 0) > 0.8


def test_turned_views_carry_along_the_shown_axis(opened, settle, body):
    volume, truth = body
    turned, labels = np.moveaxis(volume, 0, 2), np.moveaxis(truth, 0, 2)
    seed = np.zeros_like(labels)
    seed[..., 7] = labels[..., 7]
    dock = opened(turned, {})
    dock.viewer.layers["organ"].data = seed.astype(np.uint16)
    dock.viewer.dims.order = (2, 1, 0)  # shows transposed planes, sliding along the last axis

    dock.carry()
    settle(dock)

    assert dock.panel.along.currentText().startswith("axis 2")
    assert dice(organ(dock) > 0, labels > 0) > 0.75


def test_time_series_of_stacks_stay_at_their_time(open_viewer):
    viewer = open_viewer()
    image = viewer.add_image(np.zeros((3, 5, 16, 18), np.uint8))
    labels = viewer.add_labels(np.zeros((3, 5, 16, 18), np.uint8))
    viewer.dims.set_point(0, 2)
    viewer.dims.set_point(1, 1)
    assert sorted(stack_axes(image, viewer.dims)) == [0, 1]

    stack = shown_stack(image, viewer.dims, 1)
    plane = np.zeros((16, 18), int)
    plane[4:6, 7] = 5
    document_of(labels).write_plane(stack.at(3), plane)

    assert stack.shape == (5, 16, 18)
    assert np.argwhere(labels.data == 5).tolist() == [[2, 3, 4, 7], [2, 3, 5, 7]]
    np.testing.assert_array_equal(read_labels(labels, stack.at(3)), plane)
    labels.undo()
    assert not labels.data.any()


def test_nothing_labelled_is_reported(opened, body):
    dock = opened(body[0], {})

    dock.carry()

    assert "no plane in which anything is labelled" in dock.panel.message.text()
    assert not dock.runner.steps.running


def test_a_label_layer_of_another_size_is_reported(opened, body):
    volume, _ = body
    dock = opened(volume, {})
    dock.viewer.layers["organ"].data = np.ones((4, 5, 6), np.uint8)

    dock.carry()

    assert "choose a labels layer of the image's own size" in dock.panel.message.text()


def test_keys_of_the_dock_are_free_in_napari(make_napari_viewer):
    from napari.layers import Image, Labels, Points, Shapes
    from napari.utils.key_bindings import coerce_keybinding

    viewer = make_napari_viewer()
    taken = set(viewer.class_keymap) | set(viewer.keymap)
    for layer in (Image, Labels, Points, Shapes):
        taken |= set(layer.class_keymap)
    assert not {coerce_keybinding(key) for key in KEYS.values()} & taken


def test_closing_gives_the_keys_back(opened, body):
    dock = opened(body[0], {})
    dock.release()

    from napari.utils.key_bindings import coerce_keybinding

    assert not any(coerce_keybinding(key) in dock.viewer.keymap for key in KEYS.values())


def test_the_plot_tells_the_plane_under_the_mouse(opened, body):
    dock = opened(body[0], {})
    plot = dock.panel.plot
    plot.resize(408, 70)
    plot.show_scores(16, {3: 0.4}, [2], 0.5)

    assert plot.plane_at(4) == 0
    assert plot.plane_at(4 + 400 * 3.5 / 16) == 3
    assert plot.plane_at(999) == 15
    plot.clicked.emit(3)
    assert dock.viewer.dims.current_step[0] == 3
