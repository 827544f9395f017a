"""A label document in memory: ids, rows and undo stay in step."""

from __future__ import annotations

import numpy as np
import pytest

from napari_seem.commands.commit import Commit
from napari_seem.commands.names import RenameClass
from napari_seem.commands.workspace import Workspace
from napari_seem.edits import Edit, ObjectRecord, ObjectTable
from napari_seem.labels.document import LabelDocument
from napari_seem.labels.history import STEPS
from napari_seem.labels.hosts import ArrayHost
from napari_seem.labels.objects import NewObject
from napari_seem.models.base import Prediction
from napari_seem.planes import Plane

SHAPE = (8, 40)


@pytest.fixture
def document():
    """Object 2, a daughter of object 1, of which there are no pixels."""
    labels = np.zeros(SHAPE, np.uint16)
    labels[:2, :2] = 2
    table = ObjectTable({1: ObjectRecord("cell"), 2: ObjectRecord("cell", parent=1)})
    return LabelDocument(ArrayHost(labels, "labels", table))


def commit(document, corner, **fields):
    y, x = corner
    logits = np.full(SHAPE, np.float32(-3))
    logits[y : y + 2, x : x + 2] = 3
    command = Commit(images=[], windows=[], plane=Plane.of(SHAPE).to_dict(), **fields)
    return command.apply(Workspace(document), Prediction(logits, 0.5, None, 1))[0]


def test_an_object_that_is_committed_again_keeps_its_parent(document):
    commit(document, (4, 4), label_id=2, replaces=True)
    assert document.table[2].parent == 1


def test_a_class_that_is_renamed_to_itself_is_no_step(document):
    assert RenameClass(old="cell", new="cell").apply(document) is None
    assert document.history.undo_title == ""


def test_an_id_that_was_only_painted_is_not_given_to_an_object(document):
    assert document.next_id() == 3
    new = np.array(document.data)
    new[6:, 30:] = 9
    with document.transaction("a stroke") as transaction:
        transaction.write(Edit.between((0, 0), np.array(document.data), new))
    assert commit(document, (4, 4)) == 10


def test_the_oldest_steps_are_forgotten_with_their_rows(document):
    for step in range(STEPS + 2):
        document.write_objects(
            Plane.of(SHAPE), [object_at(step)], overwrite=True, replaces=True
        )  # fmt: skip
    rows = dict(document.table.items())
    for _ in range(STEPS):
        assert document.undo()
    assert document.undo() == ""
    assert set(np.unique(document.data)) - {0} <= {i for i, _ in document.table.items()}
    for _ in range(STEPS):
        assert document.redo()
    assert dict(document.table.items()) == rows


def object_at(step):
    mask = np.ones((1, 1 + step % 2), bool)
    return NewObject(mask, (step % 8, 2 * (step // 8)), 10 + step, ObjectRecord(f"of step {step}"))
