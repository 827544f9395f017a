"""A program that dies while it writes to labels in a folder leaves all of an object or nothing."""

from __future__ import annotations

import numpy as np
import pytest
from killing import killed_after
from napari.components import ViewerModel

from napari_seem.edits import ObjectRecord
from napari_seem.io.label_store import LabelStore
from napari_seem.labels.document import LabelDocument
from napari_seem.labels.hosts import ArrayHost
from napari_seem.labels.objects import NewObject
from napari_seem.planes import Plane
from napari_seem.viewer import targets
from napari_seem.viewer.targets import new_labels
from napari_seem.viewer.timeline import document_in

SHAPE = (2048, 2048)
SIDE = 600


def commit(document, number):
    """An object over four chunks of the folder, in place of what is there."""
    record = ObjectRecord.made(f"v{number}", 0.5, "disc", 1)
    new = NewObject(np.ones((SIDE, SIDE), bool), (700, 700), number, record)
    document.write_objects(Plane.of(SHAPE), [new], overwrite=True)


def in_viewer():
    viewer = ViewerModel()
    layer = new_labels(viewer, viewer.add_image(np.zeros(SHAPE, np.uint8)))
    return document_in(viewer, layer, empty=True), viewer


def in_array(home):
    from napari_seem.io.grid import Grid

    return LabelDocument(ArrayHost(LabelStore.create(home, "x", Grid.plain(SHAPE))), empty=True), 0


def state(folder):
    """Ids with pixels and how many, and ids with rows."""
    store, table, _ = LabelStore.open(folder)
    ids, counts = np.unique(np.asarray(store.array[...]), return_counts=True)
    pixels = dict(zip(ids.tolist(), counts.tolist(), strict=True))
    pixels.pop(0, None)
    return pixels, [label_id for label_id, _ in table.items()]


@pytest.mark.parametrize("shown", [True, False])
@pytest.mark.parametrize("step", ["commit", "undo"])
def test_an_object_is_written_whole_with_its_row_or_not_at_all(tmp_path, monkeypatch, shown, step):
    monkeypatch.setattr(targets, "IN_MEMORY", 0)  # as for a big image
    seen = set()
    for files in range(1, 40):
        home = tmp_path / str(files)
        monkeypatch.setenv("NAPARI_SEEM_LABELS", str(home))
        document, _ = in_viewer() if shown else in_array(home)
        commit(document, 1)
        if step == "undo":
            commit(document, 2)
        killed = killed_after(
            files, document.undo if step == "undo" else lambda d=document: commit(d, 2)
        )
        (folder,) = home.iterdir()
        pixels, rows = state(folder)
        (label_id,) = pixels
        assert pixels[label_id] == SIDE * SIDE
        assert label_id in rows
        assert (label_id == 1) <= (2 not in rows)
        assert not [path for path in folder.rglob("*") if path.name.startswith(".pending")]
        assert not list(folder.rglob("*.partial"))
        seen.add(label_id)
        if not killed:
            break
    assert not killed
    assert seen == {1, 2}
