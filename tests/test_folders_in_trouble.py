"""Folders that can't be written, or that go while a program runs: a sentence, and it goes on."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
import torch

import napari_seem as ns
from napari_seem.commands.taught_words import TaughtWords
from napari_seem.concepts.concept import Concept
from napari_seem.edits import ObjectRecord
from napari_seem.embeddings import EmbeddingCache, EmbeddingStore, key_of
from napari_seem.errors import FileTrouble
from napari_seem.io.grid import Grid
from napari_seem.io.zarr.label_store import LabelStore
from napari_seem.series.marks import DONE, MarkFolder


@pytest.fixture
def unwritable(tmp_path):
    """A folder in which also the superuser can write nothing: there is a file in its place."""
    (tmp_path / "home").write_text("no folder")
    return tmp_path / "home" / "napari-seem"


def test_what_is_kept_at_home_says_that_it_cannot_be(unwritable):
    word = Concept("word", "m", "2026", {"a": np.zeros(3, "f4")}, {}, ())
    with pytest.raises(FileTrouble, match="there can be no folder"):
        TaughtWords(unwritable / "concepts.zip").change(lambda known: known.added(word))
    with pytest.raises(FileTrouble, match="there can be no folder"):
        LabelStore.create(unwritable, "x", Grid.plain((4, 5)))
    with pytest.raises(FileTrouble, match="there can be no folder"):
        MarkFolder(unwritable).change("a.tif", state=DONE)


def test_a_cache_that_is_deleted_while_it_is_used_is_made_again(tmp_path, disc_model, disc_image):
    folder = tmp_path / "kept"
    cache = EmbeddingCache(0, EmbeddingStore(folder))
    for k in range(3):
        plane = disc_image[0] + k
        key = key_of(disc_model, plane)
        found = cache.get_or_encode(key, lambda p=plane: disc_model.encode(p))
        cache.close()
        assert torch.equal(found.tensors["gray"], disc_model.encode(plane).tensors["gray"])
        assert key in EmbeddingStore(folder)
        shutil.rmtree(folder)


@pytest.mark.parametrize("name", ["a.tif", "a.zarr", "a.geojson"])
def test_a_folder_that_is_deleted_while_labels_are_written_is_told(tmp_path, name):
    folder = tmp_path / "gone"
    folder.mkdir()
    table = ns.ObjectTable({1: ObjectRecord("cell")})

    def vanish(done, total, what):
        shutil.rmtree(folder, ignore_errors=True)

    with pytest.raises(FileTrouble, match="there is no folder"):
        ns.write_labels(folder / name, np.ones((9, 9), np.uint16), table=table, progress=vanish)
    folder.mkdir()
    ns.write_labels(folder / name, np.ones((9, 9), np.uint16), table=table)
    assert ns.read_labels(folder / name)[1][1].name == "cell"
