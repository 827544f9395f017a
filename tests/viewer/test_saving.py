"""Labels saved in the background are of one moment, and an image is never written over."""

from __future__ import annotations

import threading

import numpy as np
import pytest
import tifffile
from napari.components import ViewerModel

from napari_seem.commands.replay import replay
from napari_seem.edits import ObjectRecord
from napari_seem.errors import FileTrouble
from napari_seem.io.files import read_labels
from napari_seem.labels.log import log_path, read_log
from napari_seem.labels.objects import NewObject
from napari_seem.planes import Plane
from napari_seem.viewer.documents import document_of
from napari_seem.viewer.files import labels_to_save
from napari_seem.viewer.label_layers.targets import new_labels, new_labels_on_disk


def commit(layer, number):
    document = document_of(layer)
    at = (number * 7 % 50, number * 11 % 50)
    record = ObjectRecord.made("cell", 0.5, "disc", 1)
    plane = Plane.across(0, number % 4)
    new = NewObject(np.ones((9, 9), bool), at, document.next_id(plane), record)
    document.write_objects(plane, [new], overwrite=True)


@pytest.fixture(params=["memory", "disk"])
def layer(request, tmp_path):
    viewer = ViewerModel()
    image = viewer.add_image(np.zeros((4, 64, 64), np.uint8))
    if request.param == "disk":
        pytest.importorskip("zarr")
        return new_labels_on_disk(viewer, image, "kept", tmp_path / "kept")
    return new_labels(viewer, image)


@pytest.mark.parametrize("name", ["w.tif", "w.nii.gz", "w.zarr"])
def test_what_is_committed_meanwhile_is_not_saved(layer, tmp_path, name):
    for number in range(9):
        commit(layer, number)
    moment, rows = np.array(layer.data), len(layer.features) - 1
    order = labels_to_save(layer, tmp_path / name)

    thread = threading.Thread(target=order.run)
    commit(layer, 9)
    thread.start()
    for number in range(10, 20):
        commit(layer, number)
    thread.join()

    found, table = read_labels(tmp_path / name)
    labels = np.asarray(found)
    assert np.array_equal(labels, moment)
    assert {i for i, _ in table.items()} == set(np.unique(labels).tolist()) - {0}
    assert len(table) == rows
    assert np.array_equal(replay(read_log(log_path(tmp_path / name))[-1]).labels, labels)
    assert not np.array_equal(np.array(layer.data), moment)


def test_labels_do_not_replace_an_image_that_is_open(make_napari_viewer, tmp_path):
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, np.zeros((20, 30), np.uint8))
    before = path.read_bytes()
    viewer = make_napari_viewer()
    viewer.open(path, plugin="napari")
    labels = viewer.add_labels(np.ones((20, 30), np.uint16))
    with pytest.raises(FileTrouble, match="which labels must not replace"):
        labels_to_save(labels, path)
    with pytest.raises(FileTrouble, match="which labels must not replace"):
        labels.save(str(path), plugin="napari-seem")
    assert path.read_bytes() == before
