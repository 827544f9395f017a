"""Saving while files are open: by this program, by a scanner for a moment, or by another."""

from __future__ import annotations

import errno
import os
import shutil
import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from windows_files import scanned

import napari_seem as ns
from napari_seem.edits import ObjectRecord, ObjectTable
from napari_seem.errors import FileTrouble
from napari_seem.io.files import open_labels
from napari_seem.io.grid import Grid
from napari_seem.io.writing import disk
from napari_seem.io.writing.whole import PREFIX, replacing, settle
from napari_seem.io.zarr.label_store import LabelStore
from napari_seem.labels.journal import Journal, clean_up, is_live
from napari_seem.models.files import lessons, own, tensor_files
from napari_seem.models.registry import MODELS

pytestmark = pytest.mark.usefixtures("windows")


@pytest.mark.parametrize("suffix", [".safetensors", ".pt"])
def test_weights_that_are_loaded_are_replaced_and_removed(tmp_path, suffix):
    weights = {"a": torch.arange(100_000.0), "decoder_state.b": torch.ones(3)}
    path, other = tmp_path / f"own{suffix}", tmp_path / f"other{suffix}"
    for place in (path, other):
        (torch.save if suffix == ".pt" else save_file)(weights, place)
    loaded, second = tensor_files.load(path), tensor_files.load_second(path)
    os.replace(other, path)
    for place in tmp_path.iterdir():
        place.unlink()
    assert loaded["a"][-1] == 99_999
    assert second["b"].sum() == 3


KINDS = (".tif", ".ome.tif", ".nii", ".nii.gz", ".zarr", ".geojson", ".coco.json", ".zip")


def labels_of(number):
    labels = np.zeros((40, 60), np.uint16)
    labels[5:20, 10:30] = number
    return labels, ObjectTable({number: ObjectRecord(f"n{number}")})


def put(path, number):
    labels, table = labels_of(number)
    return ns.write_labels(path, labels, None, table)


def number_in(path):
    (number,) = set(np.unique(np.asarray(ns.read_labels(path)[0])).tolist()) - {0}
    return number


def test_the_stand_in_refuses_what_windows_refuses(tmp_path):
    path, other = tmp_path / "a", tmp_path / "b"
    path.write_bytes(bytes(4096))
    other.write_bytes(b"")
    mapped = np.memmap(path, np.uint8, "r")
    for act in (path.unlink, lambda: other.replace(path), lambda: path.replace(tmp_path / "c")):
        with pytest.raises(PermissionError) as refused:
            act()
        assert disk.is_held(refused.value)
    del mapped
    path.unlink()


@pytest.mark.parametrize("kind", KINDS)
def test_labels_are_saved_over_the_file_that_they_were_opened_from(tmp_path, monkeypatch, kind):
    for module in ("tiff", "nifti"):
        monkeypatch.setattr(f"napari_seem.io.{module}.LARGE", 1000)
    path = tmp_path / f"a{kind}"
    put(path, 1)
    opened = open_labels(path)
    np.asarray(opened.data)
    put(path, 2)

    assert number_in(path) == 2
    assert opened.table[1].name == "n1"
    assert not list(tmp_path.glob(f"{PREFIX}*"))


def test_a_large_packed_tiff_is_saved_over(tmp_path, monkeypatch):
    tifffile = pytest.importorskip("tifffile")
    monkeypatch.setattr("napari_seem.io.tiff.LARGE", 1000)
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, labels_of(1)[0], compression="zlib")
    labels = np.array(open_labels(path).data)
    ns.write_labels(path, labels + labels)

    assert number_in(path) == 2


@pytest.mark.parametrize("kind", KINDS)
def test_a_short_hold_is_waited_for(tmp_path, kind):
    path = tmp_path / f"a{kind}"
    held = next((one for one in put(path, 1)), path)
    if held.is_dir():
        held = held / "zarr.json"
    with scanned(held, 0.3):
        put(path, 2)

    assert number_in(path) == 2
    settle(tmp_path)
    assert not list(tmp_path.glob(f"{PREFIX}*"))


@pytest.mark.parametrize("kind", [".tif", ".nii", ".zarr", ".geojson"])
def test_what_was_written_is_kept_where_the_hold_does_not_end(tmp_path, monkeypatch, kind):
    monkeypatch.setattr(disk, "PATIENCE", 0.1)
    path = tmp_path / f"a{kind}"
    put(path, 1)
    held = path / "zarr.json" if path.is_dir() else path
    for number, name in ((2, f"a{kind} saved"), (3, f"a{kind} saved 2")):
        with scanned(held), pytest.raises(FileTrouble, match=f"'{name}'.*close the program"):
            put(path, number)
        settle(tmp_path)
        assert number_in(path) == 1
        assert number_in(tmp_path / name / path.name) == number

    shutil.rmtree(tmp_path / f"a{kind} saved 2")
    put(path, 4)
    assert number_in(path) == 4


@dataclass
class Taught:
    model: str
    name: str
    values: torch.Tensor = field(repr=False)


def test_a_lesson_is_saved_over_the_file_that_it_was_read_from(tmp_path):
    path = tmp_path / "cells.lesson"
    lessons.save(path, Taught("m", "cells", torch.ones(50_000)), "m", "cells")
    known = lessons.load(path, Taught, "m")
    lessons.save(path, Taught("m", "cells", known.values + 1), "m", "cells")

    assert lessons.load(path, Taught, "m").values[0] == 2
    assert known.values[0] == 1


def test_a_classifier_of_pixels_is_saved_over_the_file_that_it_was_read_from(tmp_path):
    path = tmp_path / "cells.pixels"
    image, strokes = np.zeros((64, 64), np.uint8), np.zeros((64, 64), np.uint16)
    image[:, 32:], strokes[5:50, 5], strokes[5:50, 60] = 200, 1, 2
    ns.PixelClassifier.fit(None, [(image, strokes)], names={1: "dark"}).save(path)
    known = ns.PixelClassifier.load(path, None)
    ns.PixelClassifier.fit(None, [(image, strokes)], also=known, names={2: "light"}).save(path)

    assert ns.PixelClassifier.load(path, None).names == {1: "dark", 2: "light"}


def test_a_fine_tuned_model_that_is_loaded_is_replaced_renamed_and_removed(tmp_path, monkeypatch):
    monkeypatch.setenv("NAPARI_SEEM_HOME", str(tmp_path))
    content = Path(MODELS["compact"].weights.path).read_bytes()
    name = own.install(content, "mine")
    model = ns.load_model(name)
    assert own.install(content, "mine", replace=True) == name
    new = own.rename(name, "other")
    again = ns.load_model(new)
    own.remove(new)

    assert model.identity.partition("@")[2] == again.identity.partition("@")[2]
    assert not list((tmp_path / "models").iterdir())


@pytest.mark.parametrize("seconds", [0.3, None])
def test_a_stroke_on_labels_on_disk_waits_for_a_scanner(tmp_path, monkeypatch, seconds):
    pytest.importorskip("zarr")
    monkeypatch.setattr(disk, "PATIENCE", 5.0 if seconds else 0.1)
    store = LabelStore.create(tmp_path, "cells", Grid.plain((3, 64, 64)), coarser=True)
    block = (slice(0, 1), slice(5, 9), slice(5, 9))
    store.write(block, np.ones((1, 4, 4), np.uint16))
    chunk = next(one for one in store.path.rglob("c/*/*/*") if one.is_file())
    with scanned(chunk, seconds):
        if seconds is None:
            with pytest.raises(FileTrouble, match=r"open in another program.*close the program"):
                store.write(block, np.full((1, 4, 4), 2, np.uint16))
        else:
            store.write(block, np.full((1, 4, 4), 2, np.uint16))
    if seconds is None:
        store.write(block, np.full((1, 4, 4), 2, np.uint16))

    assert (np.asarray(store.array[block]) == 2).all()


def test_an_old_log_that_is_held_stops_no_new_one(tmp_path):
    old = tmp_path / "2020-01-01-old.log.jsonl"
    old.write_text("{}\n", encoding="utf-8")
    os.utime(old, (0, 0))
    with scanned(old):
        clean_up(tmp_path)
        assert old.exists()
        journal = Journal(tmp_path / "new.log.jsonl", warn=pytest.fail)
        journal.put({"event": "paint"})
    assert is_live(journal.path)
    clean_up(tmp_path)

    assert not old.exists()
    assert journal.path.exists()


@pytest.mark.parametrize(("error", "remedy"), [
    (OSError(errno.ENOSPC, "No space left on device"), "Free some disk space"),
    (OSError(errno.EACCES, "Permission denied"), "Choose a folder that you may write to"),
    (OSError(errno.EROFS, "Read-only file system"), "on another disk"),
    (OSError(errno.ENAMETOOLONG, "File name too long"), "Choose a shorter name"),
])  # fmt: skip
def test_messages_say_what_helps(tmp_path, error, remedy):
    def fail():
        raise error

    with pytest.raises(FileTrouble, match=remedy) as told, replacing(tmp_path / "a.tif"):
        fail()
    assert ("Free some disk space" in str(told.value)) == (error.errno == errno.ENOSPC)
    assert "an older file is unchanged" in str(told.value)


def test_a_path_that_windows_takes_for_missing_is_called_too_long(tmp_path):
    error = FileNotFoundError(2, "The system cannot find the path specified")
    error.winerror = 3

    assert "more than 259 letters" in disk.remedy_of(error, (tmp_path / ("a" * 200),))
    assert "259" not in disk.remedy_of(error, (Path(tmp_path.anchor, "a"),))


def test_a_share_that_can_only_be_read_is_told_of_at_once(tmp_path, monkeypatch):
    """`os.access` says yes there, and `tempfile` would try thousands of names."""
    tried = []

    def refuse(self, *_, **__):
        tried.append(self)
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr(Path, "mkdir", refuse)
    start = time.monotonic()
    with pytest.raises(FileTrouble, match="Choose a folder that you may write to"):
        put(tmp_path / "a.tif", 1)
    assert len(tried) == 1
    assert time.monotonic() - start < 2
