"""The Examples dock in a real viewer: planes, layers and files as examples and as targets."""

from __future__ import annotations

import json

import numpy as np
import pytest
import tifffile
from qtpy.compat import isalive
from qtpy.QtCore import Qt
from skimage.io import imsave

from napari_seem.commands.models import ModelCache
from napari_seem.embeddings import EmbeddingCache
from napari_seem.widgets.examples.dock import ExamplesWidget
from napari_seem.widgets.examples.panel import FOLDER, IMAGES
from napari_seem.widgets.examples.strip import thumbnail


def iou(mask, truth):
    return (mask & truth).sum() / (mask | truth).sum()


def scene(seed, size=96):
    """Bright discs and dim squares: image and classes 1 and 2."""
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[:size, :size]
    classes = np.zeros((size, size), np.int32)
    for number, place in enumerate(rng.permutation(9)[:6]):
        y, x = 16 + 32 * (place // 3), 16 + 32 * (place % 3)
        if number % 2:
            classes[np.maximum(abs(rows - y), abs(columns - x)) < 10] = 2
        else:
            classes[np.hypot(rows - y, columns - x) < 11] = 1
    grey = np.array([50, 200, 120])[classes] + rng.normal(0, 8, classes.shape)
    return np.clip(grey, 0, 255).astype(np.uint8), classes


@pytest.fixture(scope="module")
def model_cache():
    return ModelCache(None, EmbeddingCache(1 << 30), "cpu")


@pytest.fixture
def dock(open_viewer, put_in, model_cache, qtbot):
    """The dock on a stack of six scenes, two of which are labelled."""
    viewer = open_viewer()
    scenes = [scene(seed) for seed in range(6)]
    viewer.add_image(np.stack([image for image, _ in scenes]), name="stack")
    labels = np.zeros((6, 96, 96), np.uint8)
    for k in (1, 4):
        labels[k] = scenes[k][1]
    viewer.add_labels(labels, name="classes")
    dock = ExamplesWidget(viewer, model_cache)
    dock.scenes = scenes
    put_in(viewer, dock, "Examples")
    yield dock
    if isalive(dock):
        dock.labeller.steps.stop()
        qtbot.waitUntil(lambda: not dock.labeller.steps.running, timeout=20_000)
        dock.release()


@pytest.fixture
def settle(qtbot):
    def wait(dock):
        qtbot.waitUntil(lambda: not dock.labeller.steps.running, timeout=60_000)
        qtbot.wait(20)

    return wait


def show(dock, *planes):
    for plane in planes:
        dock.viewer.dims.set_point(0, plane)
        dock.add_plane()


def test_the_rest_of_a_stack_is_labelled_like_its_examples(dock, settle):
    show(dock, 1, 4)
    assert [example.title for example in dock.panel.strip.examples] == [
        "stack plane 1",
        "stack plane 4",
    ]

    dock.run()
    settle(dock)

    labels = dock.viewer.layers["classes"].data
    for k, (_, truth) in enumerate(dock.scenes):
        assert iou(labels[k] == 1, truth == 1) > 0.7
        assert iou(labels[k] == 2, truth == 2) > 0.6
    assert dock.panel.results.count() == 4
    assert dock.panel.message.text() == "Everything is labelled."


def test_planes_that_a_person_labelled_stay_as_they_are(dock, settle):
    show(dock, 1)
    before = dock.viewer.layers["classes"].data[4].copy()

    dock.run()
    settle(dock)

    np.testing.assert_array_equal(dock.viewer.layers["classes"].data[4], before)


def test_clicking_a_result_goes_to_its_plane_the_least_sure_first(dock, settle):
    show(dock, 1)
    dock.run()
    settle(dock)
    results = dock.panel.results
    scores = [results.item(k).data(Qt.ItemDataRole.UserRole)[0] for k in range(results.count())]
    assert scores == sorted(scores)

    results.setCurrentRow(2)

    shown = dock.viewer.dims.current_step[0]
    assert results.item(2).text().startswith(f"plane {shown} ")


def test_what_was_done_before_a_stop_is_not_done_again(dock, settle):
    show(dock, 1, 4)
    answered = []
    dock.labeller.answered.connect(lambda answer: answered.append(answer.target.title))
    stop = dock.labeller.steps.stop
    dock.labeller.answered.connect(lambda _: stop())
    dock.run()
    settle(dock)
    first = list(answered)
    assert 1 <= len(first) < 4

    dock.labeller.answered.disconnect()
    dock.labeller.answered.connect(lambda answer: answered.append(answer.target.title))
    dock.run()
    settle(dock)

    assert sorted(answered) == ["plane 0", "plane 2", "plane 3", "plane 5"]


def test_other_images_get_layers_of_their_own(dock, settle):
    show(dock, 1, 4)
    image, truth = scene(7)
    dock.viewer.add_image(image, name="other", scale=(2, 3))
    dock.panel.targets.value = IMAGES

    dock.run()
    settle(dock)

    made = dock.viewer.layers["other by example"]
    assert tuple(made.scale) == (2, 3)
    assert iou(made.data == 1, truth == 1) > 0.7


def test_a_folder_is_labelled_file_by_file_and_a_bad_one_does_not_end_it(dock, settle, tmp_path):
    show(dock, 1, 4)
    for name, seed in (("a", 8), ("c", 9)):
        imsave(tmp_path / f"{name}.png", scene(seed)[0], check_contrast=False)
    (tmp_path / "b.png").write_bytes(b"this is no picture")
    dock.panel.targets.value = FOLDER

    dock.run(tmp_path)
    settle(dock)

    for name, seed in (("a", 8), ("c", 9)):
        found = tifffile.imread(tmp_path / "labels" / f"{name}_labels.tif")
        assert iou(found == 1, scene(seed)[1] == 1) > 0.7
        rows = json.loads((tmp_path / "labels" / f"{name}_labels.json").read_text())["objects"]
        assert [row["index"] for row in rows] == [1, 2]
    assert "b.png" in dock.panel.results.item(0).text()
    assert "1 could not be labelled" in dock.panel.message.text()


def test_files_are_examples_too(dock, settle, tmp_path):
    image, classes = scene(11)
    imsave(tmp_path / "x.png", image, check_contrast=False)
    tifffile.imwrite(tmp_path / "x_labels.tif", classes.astype(np.uint8))

    dock.add_files(tmp_path / "x.png", tmp_path / "x_labels.tif")
    dock.run()
    settle(dock)

    truth = dock.scenes[0][1]
    assert iou(dock.viewer.layers["classes"].data[0] == 1, truth == 1) > 0.6


def test_the_same_plane_replaces_itself_and_delete_takes_it_out(dock, qtbot):
    show(dock, 1, 4, 1)
    strip = dock.panel.strip
    assert strip.count() == 2

    strip.item(0).setSelected(True)
    qtbot.keyClick(strip, Qt.Key.Key_Delete)

    assert [example.title for example in strip.examples] == ["stack plane 1"]


@pytest.mark.parametrize(
    ("act", "told"),
    [
        (lambda dock, _: dock.run(), "There is no example"),
        (lambda dock, _: show(dock, 0), "Nothing is labelled on the shown plane"),
        (lambda dock, path: dock.add_files(path / "no.png", path / "no.tif"), "There is no file"),
    ],
)
def test_what_is_missing_is_reported(dock, tmp_path, act, told):
    act(dock, tmp_path)

    assert told in dock.panel.message.text()
    assert not dock.labeller.steps.running


def test_label_files_on_another_grid_are_reported(dock, tmp_path):
    imsave(tmp_path / "x.png", scene(1)[0], check_contrast=False)
    tifffile.imwrite(tmp_path / "y.tif", np.ones((5, 6), np.uint8))

    dock.add_files(tmp_path / "x.png", tmp_path / "y.tif")

    assert "own grid" in dock.panel.message.text()


def test_what_is_taught_is_used_saved_and_opened(dock, settle, qtbot, tmp_path):
    show(dock, 1, 4)
    dock.teach()
    qtbot.waitUntil(lambda: not dock.labeller.teaching.running, timeout=60_000)
    qtbot.wait(20)
    assert dock.panel.curve.values
    assert dock.panel.message.text() == ""
    assert dock.panel.method.text() == "Labels by: taught from 2 examples"

    dock.save_taught(tmp_path / "classes")
    dock.panel.strip.clear()
    dock._on_examples()
    assert dock.panel.method.text() == "Labels by: no example yet"
    dock.open_taught(tmp_path / "classes.safetensors")
    assert dock.panel.method.text() == "Labels by: as in classes.safetensors"
    dock.run()
    settle(dock)

    truth = dock.scenes[0][1]
    assert iou(dock.viewer.layers["classes"].data[0] == 1, truth == 1) > 0.7


def test_a_file_that_holds_nothing_taught_is_reported(dock, tmp_path):
    (tmp_path / "x.safetensors").write_bytes(b"nothing")

    dock.open_taught(tmp_path / "x.safetensors")
    assert "can't be read as a lesson" in dock.panel.message.text()
    dock.save_taught(tmp_path / "y")
    assert "Nothing was taught yet" in dock.panel.message.text()


def test_thumbnails_show_labels_in_colour():
    image, classes = scene(0)
    small = thumbnail(image, classes, 40)

    assert small.dtype == np.uint8
    assert max(small.shape[:2]) <= 40
    inside = classes[::3, ::3] > 0
    spread = np.ptp(small.astype(int), axis=2)
    assert spread[inside].min() > 10
    assert spread[~inside].max() == 0
