"""A series of images and how far each is, without a viewer."""

from __future__ import annotations

import json

import numpy as np
import pytest
import tifffile

from napari_seem.cli import main
from napari_seem.edits import ObjectRecord, ObjectTable
from napari_seem.errors import FileTrouble, InvalidImage
from napari_seem.io.files import write_labels
from napari_seem.io.grid import Grid
from napari_seem.io.opened import OpenedLabels
from napari_seem.series.listing import labels_for, list_images
from napari_seem.series.marks import DONE, IN_WORK, SKIPPED, TO_DO, MarkFolder
from napari_seem.series.series import Series, counts_of


@pytest.fixture
def folder(tmp_path, rng):
    """Four images."""
    for number in (1, 2, 10, 9):
        image = rng.integers(0, 255, (24, 32), np.uint8)
        tifffile.imwrite(tmp_path / f"cell{number}.tif", image)
    return tmp_path


def names(series):
    return [image.name for image in series.images]


def two_cells(name="cell"):
    labels = np.zeros((24, 32), np.uint16)
    labels[2:8, 2:8], labels[10:20, 10:20] = 1, 2
    return labels, ObjectTable({1: ObjectRecord(name), 2: ObjectRecord("axon")})


def save(path, labels, table):
    path.parent.mkdir(exist_ok=True)
    write_labels(path, labels, table=table)


def test_images_are_in_the_order_of_their_numbers_and_labels_are_none(folder):
    save(folder / "cell1_labels.tif", *two_cells())

    assert names(Series.of_files([folder])) == ["cell1.tif", "cell2.tif", "cell9.tif", "cell10.tif"]


def test_files_of_several_folders_are_named_from_the_one_above(folder):
    (folder / "more").mkdir()
    tifffile.imwrite(folder / "more" / "cell1.tif", np.zeros((4, 4), np.uint8))
    root, images = list_images([folder / "cell1.tif", folder / "more" / "cell1.tif"])

    assert root == folder
    assert [image.name for image in images] == ["cell1.tif", "more/cell1.tif"]
    assert len({labels_for(image, folder / "labels") for image in images}) == 2


def test_images_that_differ_in_their_ending_only_have_labels_of_their_own(tmp_path):
    for name in ("cell.png", "cell.TIF", "cell.jpg", "cell2.png"):
        (tmp_path / name).write_bytes(b"")
    series = Series.of_files([tmp_path])

    places = [series.labels_path(index).name for index in range(4)]
    assert places == ["cell2_labels.tif", "cell.jpg_labels.tif", "cell.png_labels.tif",
                      "cell.TIF_labels.tif"]  # fmt: skip


def test_a_path_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(FileTrouble, match="nowhere"):
        Series.of_files([tmp_path / "nowhere"])


def test_a_folder_of_dicom_series_is_a_series(tmp_path, make_series):
    for name in ("b", "a"):
        make_series([0, 1, 2], name)

    assert [image.name for image in list_images([tmp_path])[1]] == ["a", "b"]


def test_a_folder_without_images_is_refused(tmp_path):
    with pytest.raises(InvalidImage, match="no image file"):
        Series.of_files([tmp_path])


@pytest.mark.parametrize("place", ["labels/cell1_labels.tif", "labels/cell1.nii.gz",
                                   "labels/cell1.geojson", "cell1_labels.tif"])  # fmt: skip
def test_labels_that_are_there_are_found_under_usual_names(folder, place):
    save(folder / place, *two_cells())

    assert Series.of_files([folder]).labels_path(0) == folder / place


def test_work_is_taken_up_where_it_was(folder):
    first = Series.of_files([folder], annotator="anna")
    first.change(0, state=DONE)
    first.change(1, state=SKIPPED, note="out of focus")
    first.change(2, state=IN_WORK)

    second = Series.of_files([folder], annotator="ben")
    assert second.states() == {"to do": 1, "in work": 1, "done": 1, "skipped": 1}
    assert second.mark_of(1).note == "out of focus"
    assert second.mark_of(1).annotator == "anna"
    assert second.first() == 3  # what anna began is hers
    assert Series.of_files([folder], annotator="anna").first() == 2


def test_two_people_at_once_keep_each_other_s_marks(folder):
    anna, ben = (Series.of_files([folder], annotator=name) for name in ("anna", "ben"))
    anna.change(0, state=DONE)
    ben.change(1, state=DONE)
    anna.change(0, note="fine")
    ben.change(0, note="I say so too")  # ben has not seen that it is done

    assert anna.refresh()
    assert not anna.refresh()
    assert anna.within((DONE,)) == [0, 1]
    assert (anna.mark_of(0).annotator, anna.mark_of(1).annotator) == ("anna", "ben")
    assert anna.mark_of(0).note == "I say so too"


def test_a_folder_that_moves_keeps_its_marks(folder, tmp_path):
    series = Series.of_files([folder])
    save(folder / "labels" / "cell1_labels.tif", *two_cells())
    series.change(0, state=DONE, labels="cell1_labels.tif")
    moved = tmp_path.with_name("elsewhere")
    folder.rename(moved)

    again = Series.of_files([moved])
    assert again.within((DONE,)) == [0]
    assert again.labels_path(0) == moved / "labels" / "cell1_labels.tif"


def test_renamed_images_keep_their_marks_and_labels(folder):
    series = Series.of_files([folder], annotator="anna")
    save(folder / "labels" / "cell2_labels.tif", *two_cells())
    series.change(1, state=DONE, labels="cell2_labels.tif")
    (folder / "cell2.tif").rename(folder / "nucleus.tif")

    again = Series.of_files([folder], annotator="ben")
    assert again.within((DONE,)) == [3]
    assert again.mark_of(3).annotator == "anna"
    assert again.labels_path(3).name == "cell2_labels.tif"
    assert again.missing == []


def test_images_that_are_gone_are_told_and_new_ones_are_to_do(folder):
    Series.of_files([folder]).change(0, state=DONE)
    (folder / "cell1.tif").unlink()
    tifffile.imwrite(folder / "cell11.tif", np.ones((5, 5), np.uint8))

    series = Series.of_files([folder])
    assert series.missing == ["cell1.tif"]
    assert series.states()[TO_DO] == 4


def test_a_damaged_mark_is_kept_aside(folder):
    series = Series.of_files([folder])
    series.change(0, state=DONE)
    marks = MarkFolder(series.folder)
    path = marks.path_of("cell1.tif")
    path.write_text("{")

    again = Series.of_files([folder])
    assert again.mark_of(0).state == TO_DO
    again.change(0, state=SKIPPED)
    assert path.with_name("cell1.tif.json.damaged").read_text() == "{"


def test_filters_choose_the_next_image(folder):
    series = Series.of_files([folder])
    series.change(1, state=DONE)
    series.change(2, state=SKIPPED)

    assert series.beside(0, 1) == 1
    assert series.beside(0, 1, (TO_DO,)) == 3
    assert series.beside(3, -1, (DONE, TO_DO)) == 1
    assert series.beside(3, 1) is None


def test_objects_are_counted_by_class_where_they_have_pixels():
    labels, table = two_cells()
    table[7] = ObjectRecord("cell")
    labels[22:, 30:] = 9

    both = np.stack([labels, labels])
    opened = OpenedLabels("x", both, table, Grid.plain(both.shape))
    assert counts_of(opened) == {"cell": 1, "axon": 1, "": 1}


def test_the_command_prints_progress_and_classes(folder, capsys):
    series = Series.of_files([folder])
    series.change(0, state=DONE)
    save(folder / "labels" / "cell1_labels.tif", *two_cells())
    save(folder / "labels" / "cell9_labels.tif", *two_cells("glia"))
    out = folder / "status.json"

    assert main(["series", str(folder), "--status", "-o", str(out)]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "done 1 of 4 (3 to do)", "axon: 2", "cell: 1", "glia: 1",
    ]  # fmt: skip
    told = json.loads(out.read_text())
    assert told["states"]["done"] == 1
    assert [row["state"] for row in told["rows"]] == ["done", "to do", "to do", "to do"]


def test_marks_that_cannot_be_written_are_told(folder):
    series = Series.of_files([folder])
    series.folder.mkdir()
    MarkFolder(series.folder).folder.write_text("in the way")

    with pytest.raises(FileTrouble, match="choose another folder"):
        series.change(0, state=SKIPPED)
    assert series.mark_of(0).state == TO_DO
