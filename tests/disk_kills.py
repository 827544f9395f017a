"""Kills a program while it writes an object to labels in a folder, and looks at what is left."""

from __future__ import annotations

from functools import partial

import numpy as np
from kills import in_child
from napari.components import ViewerModel

from napari_seem.edits import ObjectRecord
from napari_seem.io.grid import Grid
from napari_seem.io.zarr.label_store import LabelStore
from napari_seem.labels.document import LabelDocument
from napari_seem.labels.hosts import ArrayHost
from napari_seem.labels.objects import NewObject
from napari_seem.planes import Plane
from napari_seem.viewer.label_layers.targets import new_labels
from napari_seem.viewer.timeline import document_in

SHAPE = (2048, 2048)
SIDE = 600


def commit(document, number):
    """An object over four chunks of the folder, in place of what is there."""
    record = ObjectRecord.made(f"v{number}", 0.5, "disc", 1)
    new = NewObject(np.ones((SIDE, SIDE), bool), (700, 700), number, record)
    document.write_objects(Plane.of(SHAPE), [new], overwrite=True)


def document_in_viewer():
    viewer = ViewerModel()
    layer = new_labels(viewer, viewer.add_image(np.zeros(SHAPE, np.uint8)))
    return document_in(viewer, layer, empty=True), viewer


def document_of_array(home):
    return LabelDocument(ArrayHost(LabelStore.create(home, "x", Grid.plain(SHAPE))), empty=True), 0


def state(folder):
    """Ids with pixels and how many, and ids with rows."""
    store, table, _ = LabelStore.open(folder)
    ids, counts = np.unique(np.asarray(store.array[...]), return_counts=True)
    pixels = dict(zip(ids.tolist(), counts.tolist(), strict=True))
    pixels.pop(0, None)
    return pixels, [label_id for label_id, _ in table.items()]


def kill_once(home, step, last, *, shown):
    """Commit or undo in a child that dies before a call of the file system.

    Gives the id of the object that is there, what is wrong with it, and whether the child came to
    its end. `NAPARI_SEEM_LABELS` is `home`, and labels of any size belong there.
    """
    document, _ = document_in_viewer() if shown else document_of_array(home)
    commit(document, 1)
    if step == "undo":
        commit(document, 2)
    work = document.undo if step == "undo" else partial(commit, document, 2)
    whole = in_child(work, last) is not None
    (folder,) = home.iterdir()
    pixels, rows = state(folder)
    left = [p.name for p in folder.rglob("*") if p.suffix == ".partial" or ".pending" in p.name]
    wrong = []
    if list(pixels.values()) != [SIDE * SIDE]:
        wrong.append(f"pixels by id {pixels}")
    if any(label_id not in rows for label_id in pixels):
        wrong.append(f"ids {list(pixels)}, rows {rows}")
    if left:
        wrong.append(f"left behind: {left}")
    return min(pixels, default=0), wrong, whole
