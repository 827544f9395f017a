"""Edits hold changed pixels only, undo themselves, and keep what others drew."""

from __future__ import annotations

from datetime import datetime

import numpy as np
import pytest

from napari_seem.edits import Edit, ObjectRecord, ObjectTable, check_labels
from napari_seem.errors import InvalidLabels
from napari_seem.labels.undo import UndoStack


@pytest.fixture
def labels():
    """Object 1 over rows 2..4, columns 2..4 of a 10 x 12 plane."""
    out = np.zeros((10, 12), np.uint8)
    out[2:5, 2:5] = 1
    return out


def square(shape=(10, 12)):
    mask = np.zeros(shape, bool)
    mask[4:8, 4:8] = True
    return mask


def test_existing_labels_are_kept_unless_overwritten(labels):
    kept = Edit.from_mask(labels, square(), 2)
    taken = Edit.from_mask(labels, square(), 2, overwrite=True)

    assert (kept.count, taken.count) == (15, 16)
    kept.apply(labels)
    assert labels[4, 4] == 1
    assert (labels == 2).sum() == 15


def test_revert_restores_every_pixel(labels):
    before = labels.copy()
    edit = Edit.from_mask(labels, square(), 2, overwrite=True)

    edit.apply(labels)
    assert not np.array_equal(labels, before)
    edit.revert(labels)

    assert np.array_equal(labels, before)


def test_only_changed_pixels_are_held():
    volume = np.zeros((50, 200, 200), np.int32)
    mask = np.zeros((1, 200, 200), bool)
    mask[0, 10:14, 20:25] = True

    edit = Edit.from_mask(volume, mask, 3, (7, 0, 0))

    assert edit.offset == (7, 10, 20)
    assert edit.changed.shape == (1, 4, 5)
    assert edit.nbytes < 400
    edit.apply(volume)
    assert volume[7, 10:14, 20:25].sum() == volume.sum() == 60


def test_replace_erases_the_rest_of_the_same_object_only(labels):
    labels[9, 9] = 5
    edit = Edit.from_mask(labels, square(), 1, replace=True)

    edit.apply(labels)

    assert np.array_equal(labels == 1, square())
    assert labels[9, 9] == 5


def test_an_edit_that_changes_nothing_is_empty(labels):
    edit = Edit.from_mask(labels, labels == 1, 1)
    before = labels.copy()

    edit.apply(labels)

    assert edit.count == 0
    assert np.array_equal(labels, before)


def test_a_full_dtype_names_itself_its_limit_and_the_remedy():
    with pytest.raises(InvalidLabels, match=r"256 .* uint8 .* 255.*wider"):
        check_labels(np.full((3, 3), 255, np.uint8), 256)


@pytest.mark.parametrize(
    ("shape", "offset"), [((10, 13), None), ((10, 12), (1, 0)), ((1, 10, 12), None)]
)
def test_a_mask_that_does_not_fit_is_refused(labels, shape, offset):
    with pytest.raises(InvalidLabels, match="does not fit"):
        Edit.from_mask(labels, np.ones(shape, bool), 2, offset)


def test_float_labels_and_bad_ids_are_refused(labels):
    with pytest.raises(InvalidLabels, match="float64"):
        Edit.from_mask(labels.astype(float), square(), 2)
    for bad in (0, -1, 256):
        with pytest.raises(InvalidLabels, match="does not fit"):
            Edit.from_mask(labels, square(), bad)


def test_read_only_labels_are_refused_untouched(labels):
    edit = Edit.from_mask(labels, square(), 2)
    before = labels.copy()
    labels.flags.writeable = False

    with pytest.raises(InvalidLabels, match="read-only"):
        edit.apply(labels)
    assert np.array_equal(labels, before)


def test_the_table_survives_a_data_frame():
    pd = pytest.importorskip("pandas")
    table = ObjectTable({4: ObjectRecord("cell", 0.5, "compact", 3), 2: ObjectRecord("nucleus")})

    columns = table.to_features()
    back = ObjectTable.from_features(pd.DataFrame(columns))

    assert columns["index"] == [0, 2, 4]
    assert columns["name"] == ["background", "nucleus", "cell"]
    assert back[4] == table[4]
    assert [i for i, _ in back.items()] == [2, 4]
    assert np.isnan(back[2].score)


def test_a_foreign_table_is_read_as_empty_and_unknown_ids_are_plain():
    table = ObjectTable.from_features({"area": [1, 2]})

    assert len(table) == 0
    assert table[7].name == ""


def edit_of(labels, y, value):
    return Edit.from_mask(labels, np.ones((2, 3), bool), value, (y, 1), overwrite=True)


def test_a_stack_takes_steps_back_and_does_them_again():
    labels, stack = np.zeros((9, 9), np.uint8), UndoStack()
    for value in (1, 2):
        edit = edit_of(labels, 3 * value, value)
        edit.apply(labels)
        stack.add((edit,))

    for edit in stack.back():
        edit.revert(labels)
    assert set(np.unique(labels)) == {0, 1}
    for edit in stack.forward():
        edit.apply(labels)
    assert set(np.unique(labels)) == {0, 1, 2}
    assert stack.forward() == ()


def test_a_step_that_undoes_the_last_is_no_new_one():
    labels, stack = np.zeros((9, 9), np.uint8), UndoStack()
    edit = edit_of(labels, 3, 1)
    stack.add((edit,))
    stack.add((edit.turned,))
    assert (len(stack.done), len(stack.undone)) == (0, 1)
    stack.add((edit,))
    assert (len(stack.done), len(stack.undone)) == (1, 0)
    stack.add(())
    assert len(stack.done) == 1


def test_a_stack_forgets_the_oldest_and_what_was_undone_before_a_new_step():
    labels = np.zeros((9, 9), np.uint8)
    one, two, three = (edit_of(labels, y, y) for y in (1, 3, 5))
    stack = UndoStack(max_bytes=2 * one.nbytes)
    for edit in (one, two, three):
        stack.add((edit,))
    assert [step[0] for step in stack.done] == [two, three]
    stack.back()
    stack.add((one,))
    assert stack.forward() == ()
    assert [step[0] for step in stack.done] == [two, one]


def test_tables_of_older_versions_and_of_others_still_read():
    pd = pytest.importorskip("pandas")
    old = pd.DataFrame({"index": [0, 3], "name": ["background", "cell"], "prompts": [0, 2.0]})
    table = ObjectTable.from_features(old)
    assert table[3] == ObjectRecord("cell", table[3].score, "", 2)
    assert (table[3].concept, table[3].time) == ("", "")

    gaps = pd.DataFrame({"index": [1, 2, None], "name": ["a", None, "c"], "score": [0.5, None, 1]})
    gaps["prompts"] = pd.array([3, None, 1], dtype="Int64")
    table = ObjectTable.from_features(gaps)
    assert [i for i, _ in table.items()] == [1, 2]
    assert (table[2].name, table[2].prompts) == ("", 0)

    by_row = ObjectTable.from_features({"name": ["background", "one", "two"]})
    assert {i: record.name for i, record in by_row.items()} == {1: "one", 2: "two"}


def test_what_a_model_found_by_a_word_is_of_its_concept_and_has_a_time():
    record = ObjectRecord.made("nucleus", 0.87654, "compact", 2)
    assert (record.name, record.concept, record.score) == ("nucleus", "nucleus", 0.877)
    assert datetime.fromisoformat(record.time).tzinfo is not None
    assert ObjectRecord.made(None, 0.5, "compact").class_name == ""
