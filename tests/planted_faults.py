"""Faults that are planted on purpose: `tests/sequences.py` must find each of them."""

from __future__ import annotations

from dataclasses import replace

from napari_seem.commands.carried import Made
from napari_seem.edits import ObjectTable
from napari_seem.io.zarr.label_store import LabelStore
from napari_seem.labels import changes, history, plans
from napari_seem.labels.document import LabelDocument
from napari_seem.labels.history import UndoHistory
from napari_seem.labels.patches import Patch
from napari_seem.labels.snapshot import LabelSnapshot
from napari_seem.planes import Plane


def undo_leaves_rows(patch):
    """Undo and redo give pixels back, and rows of the table never."""
    patch.setattr(history, "with_rows", lambda table, rows: table)


def an_id_is_given_twice(patch):
    """The next id is that of the last object."""
    right = LabelDocument.next_id
    patch.setattr(LabelDocument, "next_id", lambda *a, **k: max(1, right(*a, **k) - 1))


def redo_loses_a_colour(patch):
    """What is redone has the colours of before."""
    right = UndoHistory.redo

    def redo(self):
        palette = self.host.palette
        title = right(self)
        self.host.write_palette(palette)
        return title

    patch.setattr(UndoHistory, "redo", redo)


def a_patch_lies_a_row_too_low(patch):
    """Changed pixels of all but the first rows are logged in the next one."""
    right = Patch.moved

    def moved(self, first, width, into):
        low = right(self, first, width, into)
        return replace(low, starts=low.starts + into) if low.count > 20 else low

    patch.setattr(Patch, "moved", moved)


def a_merged_class_loses_an_object(patch):
    """Of the classes that are merged the last object stays where it was."""
    right = plans.merge_classes

    def merge(classes, table, names, into):
        plan = right(classes, table, names, into)
        rows = dict(plan.rows)
        if len(rows) > 1:
            rows.popitem()
        return replace(plan, rows=rows)

    patch.setattr(plans, "merge_classes", merge)


def the_plane_beside_is_written(patch):
    """An object of a stack lands on the next plane."""
    right = Plane.place

    def place(self, mask, corner=(0, 0)):
        offset, block = right(self, mask, corner)
        shown = len(self.index) - 3
        beside = tuple(1 if i == shown and at == 0 else at for i, at in enumerate(offset))
        return (beside if self.axes == (1, 2) else offset), block

    patch.setattr(Plane, "place", place)


def a_snapshot_is_stale(patch):
    """The log overlooks changes of few pixels."""
    right = LabelSnapshot.take

    def take(self, data, area=None):
        found = right(self, data, area)
        return found if found.count > 3 else Patch.empty()

    patch.setattr(LabelSnapshot, "take", take)


def another_object_is_named(patch):
    """The name that an object is given goes to the one of the highest id."""
    right = plans.rename_object
    patch.setattr(
        plans, "rename_object", lambda table, label_id, name: right(table, max(table), name)
    )


def half_a_step_stays(patch):
    """What failed in the midst leaves its rows and pixels behind."""

    def finish(self):
        try:
            right(self)
        finally:
            self._host.write_table(ObjectTable(dict(self._host.read_table().items())))

    right = changes.Transaction.finish
    patch.setattr(changes.Transaction, "finish", finish)
    patch.setattr("napari_seem.labels.undo.restore", lambda *_: None)


def a_run_is_taken_back_with_later_strokes(patch):
    """Taking a run back gives whole planes what they were, whatever was done since."""

    def take_back(self, document, place):
        with document.transaction("restore planes"):
            for number, values in self.before.items():
                document.write_plane(place(number), values)

    patch.setattr(Made, "take_back", take_back)


def nothing_is_kept_beside_the_pixels(patch):
    """A folder has the pixels, and the table of when it was made."""
    patch.setattr(LabelStore, "describe", lambda *_, **__: None)


def a_brush_is_not_noticed(patch):
    """Strokes of napari's own tools go by unseen."""
    patch.setattr(UndoHistory, "notice", lambda self: self.remember())


def the_first_layer_is_written(patch):
    """Objects go to the layer that was worked on first."""
    right, first = LabelDocument.write_objects, []

    def write(self, *args, **options):
        same = [one for one in first if one.data.shape == self.data.shape]
        first.append(self)
        return right((same or [self])[0], *args, **options)

    patch.setattr(LabelDocument, "write_objects", write)


def a_column_of_others_is_lost(patch):
    """Rows that come back are without the cells of other programs' columns."""
    from napari_seem.viewer.documents import LayerHost

    patch.setattr(LayerHost, "other_columns", lambda *_: None)


FAULTS = {
    "memory": (
        undo_leaves_rows, an_id_is_given_twice, redo_loses_a_colour, a_patch_lies_a_row_too_low,
        a_merged_class_loses_an_object, the_plane_beside_is_written, a_snapshot_is_stale,
        another_object_is_named, half_a_step_stays, a_run_is_taken_back_with_later_strokes,
    ),
    "folder": (nothing_is_kept_beside_the_pixels,),
    "layer": (a_brush_is_not_noticed, the_first_layer_is_written, a_column_of_others_is_lost),
}  # fmt: skip
"""Kind of labels -> faults that are planted in it."""
