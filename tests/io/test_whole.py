"""Files are whole or not at all: kills, links, permissions, and files of other software beside."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from files import full_disk
from kills import killed

import napari_seem as ns
from napari_seem.edits import ObjectRecord, ObjectTable
from napari_seem.errors import FileTrouble
from napari_seem.io.files import open_labels, read_labels, write_labels
from napari_seem.io.formats import find_labels
from napari_seem.io.images import images_in
from napari_seem.io.writing.whole import PREFIX, locked, replacing, settle
from napari_seem.io.zarr.label_store import moment_of

KINDS = (".tif", ".nii.gz", ".zarr", ".geojson")


def labels_of(number):
    """Labels of one object, and its table."""
    data = np.zeros((16, 24), np.uint16)
    data[3:9, 4:12] = number
    return data, ObjectTable({number: ObjectRecord(f"n{number}")})


def put(path, number):
    labels, table = labels_of(number)
    return write_labels(path, labels, None, table)


def version(path):
    """The one number that labels and table are of."""
    labels, table = read_labels(path)
    (number,) = set(np.unique(np.asarray(labels)).tolist()) - {0}
    assert {i: record.name for i, record in table.items()} == {number: f"n{number}"}
    return number


@pytest.mark.skipif(not hasattr(os, "fork"), reason="children are forked")
def test_a_kill_leaves_the_old_or_the_new():
    assert killed("tif", "words", "image", count=3) == []  # zarr of the last begins threads


@pytest.mark.parametrize("kind", [".tif", ".nii.gz", ".zarr"])
@pytest.mark.parametrize("moves", [1, 2])
def test_what_was_about_to_be_put_in_place_is_put_there_by_the_next(
    tmp_path, monkeypatch, kind, moves
):
    """As `kill -9` before the first or second move."""
    path = tmp_path / f"a{kind}"
    put(path, 1)
    real, done = Path.replace, []

    def replace(self, target):
        if Path(target).parent == tmp_path or "old" in Path(target).parts:
            done.append(target)
            if len(done) == moves:
                raise KeyboardInterrupt
        return real(self, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", replace)
        with pytest.raises(KeyboardInterrupt):
            put(path, 2)
    assert len(list(tmp_path.glob(f"{PREFIX}*"))) == 1

    assert find_labels(path) == path
    assert version(path) == 2
    assert not list(tmp_path.glob(f"{PREFIX}*"))


@pytest.mark.parametrize("kind", KINDS)
def test_a_disk_that_refuses_a_move_leaves_all_as_it_was(tmp_path, monkeypatch, kind):
    path = tmp_path / f"a{kind}"
    put(path, 1)
    before = sorted(one.name for one in tmp_path.iterdir())
    real, last = Path.replace, path if kind in (".zarr", ".geojson") else tmp_path / "a.json"

    def replace(self, target):
        if target == last and "new" in self.parts:
            raise PermissionError(13, "somebody has it open")
        return real(self, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", replace)
        with pytest.raises(FileTrouble, match="somebody has it open"):
            put(path, 2)
    assert version(path) == 1
    assert sorted(one.name for one in tmp_path.iterdir()) == before


def test_a_list_of_files_leads_nowhere_else(tmp_path):
    """A folder that was made by somebody else, as in an archive, moves nothing out of its place."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (tmp_path / "in" / "link").parent.mkdir()
    (tmp_path / "in" / "link").symlink_to(outside)
    for number, name in enumerate(["../outside/x", str(outside / "x"), "link/x", ".."]):
        place = tmp_path / "in" / f"{PREFIX}{number:08}"
        part = place / "new" / "x"
        part.parent.mkdir(parents=True)
        part.write_text("bad")
        (place / "new" / "link").mkdir()
        (place / "new" / "link" / "x").write_text("bad")
        (place / "lock").touch()
        (place / "list").write_text(name)
    settle(tmp_path / "in")
    assert not list(outside.iterdir())
    assert [one.name for one in (tmp_path / "in").iterdir()] == ["link"]


def test_unfinished_files_of_a_program_at_work_are_left_to_it(tmp_path):
    with replacing(tmp_path / "a.txt") as (part,):
        part.write_text("new")
        settle(tmp_path)
        assert part.exists()
        (tmp_path / "b.tif").touch()
        assert images_in(tmp_path) == [tmp_path / "b.tif"]
        assert part.parent.parent.stat().st_mode & 0o077 == 0
    assert sorted(one.name for one in tmp_path.iterdir()) == ["a.txt", "b.tif"]


def test_links_are_written_through_and_permissions_stay(tmp_path):
    real = tmp_path / "disk" / "real.tif"
    real.parent.mkdir()
    put(real, 1)
    real.chmod(0o640)
    link = tmp_path / "a.tif"
    link.symlink_to(real)
    put(link, 2)

    assert link.is_symlink()
    assert real.stat().st_mode & 0o777 == 0o640
    assert set(np.unique(read_labels(real)[0])) == {0, 2}
    assert version(link) == 2


def test_a_file_that_may_not_be_written_is_not_replaced(tmp_path):
    path = tmp_path / "a.tif"
    put(path, 1)
    path.chmod(0o444)
    with pytest.raises(FileTrouble, match="read-only"):
        put(path, 2)
    assert version(path) == 1


@pytest.mark.parametrize("kind", [*KINDS, ".ome.tif", ".coco.json", ".zip"])
def test_a_full_disk_is_told_in_a_sentence_and_changes_nothing(tmp_path, kind):
    if kind == ".zip":
        pytest.importorskip("roifile")
    path = tmp_path / f"a{kind}"
    put(path, 1)
    before = sorted(one.name for one in tmp_path.iterdir())
    noise = np.random.default_rng(0).integers(0, 60_000, (64, 64)).astype(np.uint16)
    with full_disk(900), pytest.raises(FileTrouble, match=r"can't be written|Free some"):
        write_labels(path, noise)
    assert version(path) == 1
    assert sorted(one.name for one in tmp_path.iterdir()) == before


SIDECAR = '{"RepetitionTime": 2}'


@pytest.mark.parametrize("name", ["a.tif", "a.nii.gz", "a.ome.tif"])
def test_the_json_of_other_software_stays(tmp_path, name):
    path, side = tmp_path / name, tmp_path / "a.json"
    side.write_text(SIDECAR)
    written = put(path, 1)
    assert written == [path, tmp_path / f"{name}.json"]
    assert side.read_text() == SIDECAR
    assert version(path) == 1
    assert find_labels(written[1]) == path
    put(path, 2)
    assert version(path) == 2
    written[1].write_text(SIDECAR)
    with pytest.raises(FileTrouble, match="move one of them"):
        put(path, 3)
    assert (side.read_text(), written[1].read_text()) == (SIDECAR, SIDECAR)


def test_labels_in_two_formats_have_a_table_each(tmp_path):
    first, second = tmp_path / "a.tif", tmp_path / "a.nii.gz"
    assert put(first, 1)[1].name == "a.json"
    assert put(second, 2)[1].name == "a.nii.gz.json"
    assert (version(first), version(second)) == (1, 2)
    put(first, 3)
    assert (version(first), version(second)) == (3, 2)
    assert find_labels(tmp_path / "a.json") == first
    first.unlink()
    (tmp_path / "a.json").unlink()
    put(second, 4)
    assert (version(second), (tmp_path / "a.json").exists()) == (4, False)


def test_tracks_are_read_beside_a_json_of_other_software(tmp_path):
    (tmp_path / "res_track.json").write_text(SIDECAR)
    labels = np.zeros((2, 8, 8), np.uint16)
    labels[:, 2:4, 2:4] = 1
    path = tmp_path / "res_track.txt"
    write_labels(path, labels, None, ObjectTable({1: ObjectRecord("cell")}))
    assert (tmp_path / "res_track.json").read_text() == SIDECAR
    assert open_labels(path).table[1].name == "cell"


def test_a_moment_of_labels_on_disk_stays_whatever_is_written(tmp_path):
    zarr = pytest.importorskip("zarr")
    array = zarr.create_array(tmp_path / "x.zarr", shape=(4, 300, 400), chunks=(1, 128, 128),
                              dtype="u2")  # fmt: skip
    array[1] = 7
    before = array[:]
    moment = moment_of(array)
    array[:] = 9
    assert np.array_equal(moment[:], before)
    place = next(tmp_path.glob(f"{PREFIX}*"))
    del moment
    assert not place.exists()


def test_a_file_is_changed_by_one_at_a_time(tmp_path):
    path, order = tmp_path / "x.json", []
    path.write_text("[]")

    def add(number):
        with locked(path):
            known = json.loads(path.read_text())
            with replacing(texts={path: json.dumps([*known, number])}, durable=False):
                order.append(number)

    threads = [threading.Thread(target=add, args=(k,)) for k in range(12)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert json.loads(path.read_text()) == order
    assert sorted(order) == list(range(12))
    assert [one.name for one in tmp_path.iterdir()] == ["x.json"]


TEACH = """
import sys
import numpy as np
from napari_seem.commands.taught_words import TaughtWords
from napari_seem.concepts.concept import Concept
from pathlib import Path
words = TaughtWords(Path(sys.argv[1]))
for k in range(12):
    word = Concept(f"word {sys.argv[2]}{k}", "m", "2026", {"a": np.zeros(3, "f4")}, {}, ())
    words.change(lambda known: known.added(word))
"""


def test_two_programs_that_teach_words_lose_none(tmp_path):
    path = tmp_path / "new folder" / "concepts.zip"
    runs = [subprocess.Popen([sys.executable, "-c", TEACH, str(path), who]) for who in "ab"]
    assert [run.wait(timeout=120) for run in runs] == [0, 0]
    assert len(ns.ConceptLibrary.load(path)) == 24
    assert [one.name for one in path.parent.iterdir()] == ["concepts.zip"]
