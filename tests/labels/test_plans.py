"""What renaming, merging and deleting do to the table, before anything is changed."""

from __future__ import annotations

import math

import pytest

from napari_seem.edits import ObjectRecord, ObjectTable
from napari_seem.errors import InvalidName
from napari_seem.labels.plans import (
    LONGEST,
    classes_of,
    clean_name,
    delete_objects,
    look_alikes,
    merge_classes,
    merge_objects,
    move,
    quoted,
    rename_class,
    rename_object,
)


@pytest.fixture
def table():
    return ObjectTable({
        1: ObjectRecord("nucleus", 0.9, "compact", 2, "nucleus", "2026-01-01T00:00:00+00:00"),
        2: ObjectRecord("the big one", 0.5, "compact", 1, "nucleus"),
        3: ObjectRecord("Nucleus"),
        4: ObjectRecord("vein, left", 0.7, "seem-focal-t", 4),
    })  # fmt: skip


def classes(table, *more):
    return classes_of(table, more)


def test_an_object_counts_to_its_concept_or_else_to_its_name(table):
    assert classes(table, 1, 7, 8) == {
        "Nucleus": [3], "nucleus": [1, 2], "vein, left": [4], "": [7, 8],
    }  # fmt: skip
    assert look_alikes(classes(table)) == [("Nucleus", "nucleus")]


def test_renaming_a_class_keeps_what_its_objects_are_called_themselves(table):
    plan = rename_class(classes(table), table, "nucleus", " cell\tnucleus ", {"nucleus": "#112233"})

    assert plan.rows[1].name == plan.rows[1].concept == "cell nucleus"
    assert (plan.rows[2].name, plan.rows[2].concept) == ("the big one", "cell nucleus")
    assert plan.rows[1].time == table[1].time
    assert set(plan.rows) == {1, 2}
    assert plan.colours == {"cell nucleus": "#112233", "nucleus": None}
    assert not plan.pixels


def test_renaming_to_a_class_that_is_there_makes_them_one_and_keeps_its_colour(table):
    plan = rename_class(classes(table), table, "Nucleus", "nucleus", {"Nucleus": "#112233"})

    assert set(plan.rows) == {3}
    assert plan.rows[3].class_name == "nucleus"
    assert plan.colours == {}
    assert "merge" in plan.title


def test_objects_nobody_named_get_rows_when_their_class_is_named(table):
    plan = rename_class(classes(table, 7, 8), table, "", "vacuole", {})

    assert {i: r.class_name for i, r in plan.rows.items()} == {7: "vacuole", 8: "vacuole"}


def test_renaming_a_class_to_its_own_name_changes_nothing(table):
    found = classes(table)
    assert rename_class(found, table, "nucleus", "nucleus", {}).is_empty
    assert not rename_class(found, table, "vein, left", "vein, left", {}).pixels


def test_merging_classes_leaves_objects_apart(table):
    plan = merge_classes(classes(table), table, ["nucleus", "Nucleus", "vein, left"], "nucleus")

    assert set(plan.rows) == {3, 4}
    assert {record.class_name for record in plan.rows.values()} == {"nucleus"}
    assert not plan.pixels


def test_an_object_with_another_name_stays_in_its_class(table):
    for label_id, name in ((1, "small one"), (4, "left")):
        was = table[label_id].class_name
        record = rename_object(table, label_id, name).rows[label_id]
        assert (record.name, record.class_name) == (name, was)
    assert rename_object(table, 9, "new").rows[9].class_name == "new"
    assert rename_object(table, 3, "Nucleus").is_empty


def test_moved_objects_take_the_new_name_where_they_had_the_old(table):
    rows = move(table, [1, 2], "cell").rows
    assert (rows[1].name, rows[2].name) == ("cell", "the big one")
    assert {r.concept for r in rows.values()} == {"cell"}


def test_merged_objects_keep_the_first_and_take_what_it_lacks(table):
    plan = merge_objects(table, [3, 1, 9])

    kept = plan.rows[3]
    assert (kept.name, kept.model, kept.prompts, kept.score) == ("Nucleus", "compact", 2, 0.9)
    assert kept.time > table[1].time
    assert plan.rows[1] is None
    assert 9 not in plan.rows  # there was no row
    assert plan.pixels == {1: 3, 9: 3}
    assert math.isnan(merge_objects(ObjectTable(), [5, 6]).rows[5].score)


def test_deleting_takes_rows_and_pixels(table):
    plan = delete_objects(table, [1, 9])

    assert plan.rows == {1: None}
    assert plan.pixels == {1: 0, 9: 0}
    assert plan.title == "delete 2 objects"


@pytest.mark.parametrize(("bad", "said"), [("", "empty"), (" \n\t ", "empty"), ("x" * 500, "500")])
def test_names_that_nobody_could_read_are_refused(table, bad, said):
    for act in (
        lambda: clean_name(bad),
        lambda: rename_class(classes(table), table, "nucleus", bad, {}),
        lambda: move(table, [1], bad),
    ):
        with pytest.raises(InvalidName, match=said):
            act()


def test_commas_quotes_and_line_breaks_are_no_trouble():
    assert clean_name(" a, \"b\"\n'c' ") == "a, \"b\" 'c'"
    assert clean_name("x" * LONGEST) == "x" * LONGEST
    assert len(quoted("x" * LONGEST)) < 40
