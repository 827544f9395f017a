"""Planes encoded ahead: in which order, what is skipped, and where it ends."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import tifffile
from discs import DiscModel
from skimage.io import imsave

from napari_seem import load_model
from napari_seem.cli import main
from napari_seem.embeddings import EmbeddingCache, EmbeddingStore, encode_ahead, key_of
from napari_seem.errors import InvalidImage, StoreTrouble
from napari_seem.intensity import IntensityWindow


@pytest.fixture
def planes(disc_image) -> np.ndarray:
    """Seven planes that differ."""
    return np.stack([disc_image[0] + k for k in range(7)])


@pytest.fixture
def store(tmp_path) -> EmbeddingStore:
    return EmbeddingStore(tmp_path / "kept")


def indices(runs) -> list[int]:
    return [ready.index for ready in runs]


def test_the_nearest_come_first_also_once_another_is_shown(store, disc_model, planes):
    shown = [3]
    run = encode_ahead(
        disc_model, planes.__getitem__, range(7), EmbeddingCache(store=store), lambda: shown[0]
    )
    first = [next(run).index for _ in range(3)]
    shown[0] = 6

    assert first == [3, 2, 4]
    assert indices(run) == [6, 5, 1, 0]
    assert store.usage().images == disc_model.encoded == 7


def test_what_is_there_is_not_encoded_again(store, disc_model, planes):
    for _ in range(2):  # first by hand, then after a restart
        cache = EmbeddingCache(store=EmbeddingStore(store.folder))
        for k in (2, 5):
            cache.get_or_encode(key_of(disc_model, planes[k]),
                                lambda k=k: disc_model.encode(planes[k]))  # fmt: skip
        cache.close()

    ready = list(encode_ahead(disc_model, planes.__getitem__, range(7), EmbeddingCache(0, store)))

    assert [r.index for r in ready if r.outcome == "there"] == [2, 5]
    assert disc_model.encoded == 7


def test_no_click_loses_its_embedding_to_a_plane_nobody_asked_for(store, disc_model, planes):
    size = disc_model.encode(planes[0]).nbytes
    cache = EmbeddingCache(2 * size, store)
    keys = [key_of(disc_model, plane) for plane in planes]
    cache.get_or_encode(keys[6], lambda: disc_model.encode(planes[6]))

    list(encode_ahead(disc_model, planes.__getitem__, range(7), cache))

    assert keys[6] in cache
    assert keys[0] in cache  # there was room for one
    assert len(cache) == 2
    assert store.usage().images == 7


def test_it_ends_before_it_pushes_its_own_planes_out(store, disc_model, planes):
    size = store.put(("m", "old"), disc_model.encode(planes[0]))
    store.max_bytes = int(3.5 * size)
    run = encode_ahead(disc_model, planes.__getitem__, range(7), EmbeddingCache(store=store))

    kept = []
    with pytest.raises(StoreTrouble, match="full with 3 planes"):
        kept.extend(run)

    assert indices(kept) == [0, 1, 2]
    assert all(key_of(disc_model, planes[k]) in store for k in (0, 1, 2))
    assert ("m", "old") not in store


def test_without_a_disk_memory_is_filled_and_no_further(disc_model, planes):
    cache = EmbeddingCache(4 * disc_model.encode(planes[0]).nbytes)

    with pytest.raises(StoreTrouble, match="memory"):
        list(encode_ahead(disc_model, planes.__getitem__, range(7), cache))
    assert [key_of(disc_model, plane) in cache for plane in planes] == [True] * 4 + [False] * 3


def test_what_is_made_in_a_moment_is_not_kept_on_disk(store, disc_model, planes):
    def encode(plane):
        return replace(DiscModel.encode(disc_model, plane), lasting=False)

    disc_model.encode = encode
    cache = EmbeddingCache(store=store)
    cache.get_or_encode(("disc", "x"), lambda: encode(planes[0]))
    list(encode_ahead(disc_model, planes.__getitem__, range(3), cache))
    store.flush()

    assert len(cache) == 4
    assert store.usage() == (0, 0)


def test_a_plane_that_cannot_be_read_is_told_and_left_out(store, disc_model, planes):
    def read(number):
        if number == 1:
            raise InvalidImage("nothing to see")
        return planes[number].astype(float) * (np.nan if number == 2 else 1)

    ready = list(encode_ahead(disc_model, read, range(4), EmbeddingCache(store=store)))

    assert [r.outcome for r in ready] == ["encoded", "failed", "failed", "encoded"]
    assert ready[1].problem == "nothing to see"
    assert "NaN" in ready[2].problem


def test_a_disk_that_cannot_be_written_ends_it(tmp_path, disc_model, planes):
    (tmp_path / "file").write_text("no folder")
    cache = EmbeddingCache(store=EmbeddingStore(tmp_path / "file" / "kept"))

    with pytest.raises(StoreTrouble, match="choose another folder"):
        list(encode_ahead(disc_model, planes.__getitem__, range(7), cache))


def test_it_stops_before_the_next_plane(store, disc_model, planes):
    answers = iter([True, True, False])
    run = encode_ahead(disc_model, planes.__getitem__, range(7), EmbeddingCache(store=store),
                       may_go_on=lambda: next(answers))  # fmt: skip

    assert indices(run) == [0, 1]


@pytest.fixture
def files(tmp_path, planes):
    tifffile.imwrite(tmp_path / "stack.tif", planes[:5])
    imsave(tmp_path / "discs.png", planes[5], check_contrast=False)
    return tmp_path / "stack.tif", tmp_path / "discs.png"


def test_the_command_fills_the_docks_own_store(files, planes, monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("NAPARI_SEEM_CACHE", str(tmp_path / "mine"))
    assert main(["embed", *map(str, files)]) == 0
    assert "6 planes encoded, 0 were there, 0 failed" in capsys.readouterr().out

    model, store = load_model("compact"), EmbeddingStore()
    assert store.folder == tmp_path / "mine"
    assert all(key_of(model, planes[k]) in store for k in range(6))

    assert main(["embed", *map(str, files)]) == 0
    told = capsys.readouterr()
    assert "0 planes encoded, 6 were there" in told.out
    assert "plane 5 of 5" in told.err
    assert main(["embed", "--clear"]) == 0
    assert store.usage() == (0, 0)


def test_a_stack_along_another_axis(files, planes, tmp_path, capsys):
    folder = tmp_path / "kept"
    assert main(["embed", str(files[0]), "--axis", "2", "--folder", str(folder)]) == 0

    store = EmbeddingStore(folder)
    unlike = {planes[:5, :, k].tobytes() for k in range(80)}  # planes that look alike share one
    assert store.usage().images == len(unlike)
    assert key_of(load_model("compact"), planes[:5, :, 40]) in store


def test_what_is_encoded_is_what_a_window_shows(files, planes, tmp_path):
    folder = tmp_path / "kept"
    assert main(["embed", str(files[0]), "--window", "0,99", "--folder", str(folder)]) == 0

    model, store = load_model("compact"), EmbeddingStore(folder)
    assert key_of(model, IntensityWindow(window=(0, 99)).apply(planes[2])) in store
    assert key_of(model, planes[2]) not in store


def test_one_bad_file_does_not_end_the_run(files, tmp_path, capsys):
    bad = tmp_path / "bad.tif"
    bad.write_text("no picture")

    assert main(["embed", str(bad), str(files[1]), "--folder", str(tmp_path / "kept")]) == 2

    told = capsys.readouterr()
    assert "1 planes encoded, 0 were there, 1 failed" in told.out
    assert "bad.tif" in told.err


def test_planes_that_are_clicked_on_in_parts_are_not_encoded_as_one(tmp_path, capsys):
    big = tmp_path / "big.tif"
    tifffile.imwrite(big, np.zeros((2049, 64), np.uint8))

    assert main(["embed", str(big), "--folder", str(tmp_path / "kept")]) == 2
    assert "in parts" in capsys.readouterr().err
    assert not (tmp_path / "kept").exists()


@pytest.mark.parametrize(
    ("arguments", "told"),
    [([], "--clear"), (["x.png"], "no file"), (["x.png", "--megabytes", "-1"], "negative")],
)
def test_bad_input_is_reported(arguments, told, capsys):
    assert main(["embed", *arguments]) == 2
    assert told in capsys.readouterr().err
