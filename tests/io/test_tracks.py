"""Files of the Cell Tracking Challenge: written by its rules, and read again."""

from __future__ import annotations

import numpy as np
import pytest
import tifffile

import napari_seem as ns
from napari_seem.cli import main
from napari_seem.errors import FileTrouble, InvalidLabels
from napari_seem.io.grid import Grid
from napari_seem.samples import video


@pytest.fixture(scope="module")
def cells():
    """A video with its lineage: (labels, table)."""
    sample = video(seed=1, shape=(16, 96, 96), count=4)
    table = ns.ObjectTable({
        int(i): ns.ObjectRecord(f"cell {i}", parent=sample.parents.get(int(i), 0))
        for i in np.unique(sample.truth)[1:]
    })  # fmt: skip
    return sample.truth, table


@pytest.mark.parametrize("name", ["man_track", "res_track"])
def test_tracks_come_back_with_parents_names_and_spacing(tmp_path, cells, name):
    labels, table = cells
    grid = Grid.scaled(labels.shape, ("t", "y", "x"), (5, 0.65, 0.65), units=("min", "um", "um"))

    written = ns.write_labels(tmp_path / f"{name}.txt", labels, grid, table)

    assert len(written) == 2 + len(labels)
    assert ns.check_tracks(written[0]) == []
    again, known = ns.read_labels(written[0])
    np.testing.assert_array_equal(again, labels)
    assert {i: r.parent for i, r in known.items()} == {i: r.parent for i, r in table.items()}
    assert known[2].name == "cell 2"
    opened = ns.open_image(written[0])
    assert opened.grid.axes == ("t", "y", "x")
    assert opened.grid.spacing[1:] == pytest.approx((0.65, 0.65))


def test_the_text_says_label_begin_end_parent(tmp_path):
    labels = np.zeros((4, 8, 8), np.uint8)
    labels[:2, 2:6, 2:6] = 1
    labels[2:, 2:6, 2:4], labels[2:, 2:6, 5] = 2, 3
    table = ns.ObjectTable({i: ns.ObjectRecord(parent=1) for i in (2, 3)})

    ns.write_labels(tmp_path / "res_track.txt", labels, table=table)

    assert (tmp_path / "res_track.txt").read_text() == "1 0 1 0\n2 2 3 1\n3 2 3 1\n"
    mask = tifffile.imread(tmp_path / "mask002.tif")
    assert mask.dtype == np.uint16
    np.testing.assert_array_equal(mask, labels[2])


def test_an_object_with_gaps_is_written_in_parts_and_comes_back_as_one(tmp_path):
    labels = np.zeros((6, 3, 8, 8), np.uint16)
    labels[[0, 1, 3, 5], 1, 2:5, 2:5] = 7
    labels[5, 2, 6:, 6:] = 9

    path = ns.write_labels(tmp_path / "res_track.txt", labels)[0]

    assert path.read_text() == "7 0 1 0\n9 5 5 0\n10 3 3 7\n11 5 5 10\n"
    assert ns.check_tracks(path) == []
    np.testing.assert_array_equal(ns.read_labels(path)[0], labels)


def test_a_parent_that_goes_on_is_refused_before_anything_is_written(tmp_path):
    labels = np.zeros((3, 8, 8), np.uint8)
    labels[:, :4] = 1
    labels[1:, 5:] = 2
    table = ns.ObjectTable({2: ns.ObjectRecord(parent=1)})

    with pytest.raises(InvalidLabels, match="its parent 1 is there until frame 2"):
        ns.write_labels(tmp_path / "man_track.txt", labels, table=table)

    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["tracks_track.txt", "my_res_track.txt"])
def test_another_name_is_refused(tmp_path, name):
    with pytest.raises(InvalidLabels, match=r"man_track\.txt"):
        ns.write_labels(tmp_path / name, np.ones((2, 4, 4), np.uint8))


def test_masks_of_a_longer_video_are_not_left_among_the_new_ones(tmp_path, cells):
    labels, table = cells
    ns.write_labels(tmp_path / "man_track.txt", labels, table=table)
    with pytest.raises(FileTrouble, match="other frames"):
        ns.write_labels(tmp_path / "man_track.txt", labels[:5])
    assert ns.check_tracks(tmp_path / "man_track.txt") == []


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("1 0 1 0\n1 0 1 0\n", "two tracks 1"),
        ("1 1 0 0\n", "from frame 1 to 0"),
        ("1 0 2 0\n", "frames 0 to 1"),
        ("1 0 1 5\n", "parent 5, which is no track"),
        ("2 0 1 0\n", "label 1 in 'man_track000.tif' has no track"),
        ("1 0 0 0\n", "label 1 in 'man_track001.tif' is outside its track"),
        ("1 0 1 0\n2 0 1 0\n", "track 2 is absent from 'man_track000.tif'"),
        ("1 0 1 0\n2 1 1 1\n", "its parent 1 is there until frame 1"),
    ],
)
def test_every_broken_rule_is_named(tmp_path, text, problem):
    path = tmp_path / "man_track.txt"
    ns.write_labels(path, np.ones((2, 4, 4), np.uint8))
    path.write_text(text)

    assert any(problem in one for one in ns.check_tracks(path))


def test_files_that_break_the_rules_are_not_read_as_labels(tmp_path):
    path = tmp_path / "man_track.txt"
    ns.write_labels(path, np.ones((3, 4, 4), np.uint8))
    path.write_text("1 0 1 0\n")
    with pytest.raises(FileTrouble, match="outside its track"):
        ns.read_labels(path)
    path.write_text("one two\n")
    with pytest.raises(FileTrouble, match="four numbers"):
        ns.read_labels(path)
    (tmp_path / "man_track001.tif").unlink()
    with pytest.raises(FileTrouble, match=r"man_track001\.tif"):
        ns.open_image(path)


def test_ids_of_more_than_16_bits_are_refused(tmp_path):
    with pytest.raises(InvalidLabels, match="number the objects anew"):
        ns.write_labels(tmp_path / "man_track.txt", np.full((2, 4, 4), 70_000, np.uint32))


def test_the_command_line_converts_and_checks(tmp_path, cells, capsys):
    labels, table = cells
    ns.write_labels(tmp_path / "cells.tif", labels.astype(np.uint16), table=table)
    text = tmp_path / "man_track.txt"

    assert main(["tracks", str(tmp_path / "cells.tif"), "-o", str(text)]) == 0
    assert main(["tracks", str(text)]) == 0
    assert "keeps the rules" in capsys.readouterr().out
    text.write_text(text.read_text() + "999 0 0 0\n")
    assert main(["tracks", str(text)]) == 1
    assert "track 999 is absent from 'man_track000.tif'" in capsys.readouterr().out


def test_the_command_line_divides_along_time(tmp_path, cells):
    labels, _ = cells
    video_file, seeds, out = (tmp_path / name for name in ("v.tif", "s.tif", "res_track.txt"))
    picture = np.where(labels > 0, 200, 40).astype(np.uint8)
    seed = np.zeros_like(labels, np.uint16)
    seed[0] = labels[0]
    for path, data in ((video_file, picture), (seeds, seed)):
        tifffile.imwrite(path, data, imagej=True, metadata={"axes": "TYX"})

    assert main(["propagate", str(video_file), str(seeds), "-o", str(out)]) == 0

    assert ns.check_tracks(out) == []
    assert any(int(line.split()[3]) for line in out.read_text().splitlines())
