"""Embeddings on disk: the same to the last bit, bounded, shared, and never in the way."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import threading
import warnings
from contextlib import closing

import numpy as np
import pytest
import torch

import napari_seem as ns
from napari_seem.embeddings import EmbeddingCache, EmbeddingStore, default_folder, key_of, packing
from napari_seem.errors import MissingPackage
from napari_seem.io.writing.whole import PREFIX, Workplace
from napari_seem.models.base import Embedding
from napari_seem.models.tensors import pack, unpack

KEY = ("m", "c")


def embedding(seed: int = 0, size: int = 40) -> Embedding:
    """Every kind of tensor that a model may keep."""
    made = torch.Generator().manual_seed(seed)
    half = torch.randn(6, size, 50, generator=made).to(torch.bfloat16)
    return Embedding(
        "m", (5, 7),
        {"coarse0": half.permute(2, 0, 1), "fine.0": torch.relu(torch.randn(3, 9, generator=made)),
         "zeros": torch.zeros(4, 4, dtype=torch.float16), "scalar": torch.tensor(3.5),
         "empty": torch.zeros(0, 3), "flags": torch.tensor([True, False])},
        {"sizes": [(1, 2), (3, 4)], "none": None, "deep": {"tuple": 1}},
    )  # fmt: skip


def same(one: Embedding | None, other: Embedding) -> bool:
    return one is not None and (
        (one.model, one.shape, one.meta) == (other.model, other.shape, other.meta)
        and set(one.tensors) == set(other.tensors)
        and all(alike(one.tensors[name], tensor) for name, tensor in other.tensors.items())
    )


def alike(one: torch.Tensor, other: torch.Tensor) -> bool:
    facts = [(t.dtype, t.shape, t.stride()) for t in (one, other)]
    return facts[0] == facts[1] and torch.equal(one, other)


@pytest.fixture
def store(tmp_path) -> EmbeddingStore:
    return EmbeddingStore(tmp_path / "kept")


def test_what_is_read_is_what_was_written(store):
    store.put(KEY, embedding())

    assert same(EmbeddingStore(store.folder).get(KEY), embedding())
    assert store.get(("m", "other")) is None
    assert store.get(("other", "c")) is None


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float8_e5m2, torch.int64, torch.bool])
def test_any_layout_in_memory_comes_back(dtype):
    whole = torch.arange(2 * 3 * 4 * 5).reshape(2, 3, 4, 5).to(torch.float32).to(dtype)
    for tensor in (whole, whole.permute(0, 3, 1, 2), whole.permute(3, 2, 1, 0), whole[:1]):
        back = unpack(pack(tensor))
        assert (back.dtype, back.shape, back.stride()) == (dtype, tensor.shape, tensor.stride())
        assert torch.equal(back.double(), tensor.double())


def test_gaps_and_repeats_in_memory_are_left_out():
    for tensor in (torch.arange(20).reshape(4, 5)[:, ::2], torch.ones(3, 1).expand(3, 4)):
        assert torch.equal(unpack(pack(tensor)), tensor)


def test_predictions_are_those_of_the_fresh_embedding(store, disc_image):
    model = ns.load_model("compact", device="cpu")
    image = np.tile(disc_image[0], (3, 2))
    fresh = model.encode(image)
    key = key_of(model, image)
    store.put(key, fresh)
    kept = store.get(key)

    for prompts in ([ns.Point(32, 20)], [ns.Box(18, 44, 46, 74), ns.Point(5, 5, False)]):
        one, other = (model.predict(e, prompts) for e in (fresh, kept))
        np.testing.assert_array_equal(one.logits, other.logits)
        assert (one.score, one.label) == (other.score, other.label)
    one, other = (model.segment(e) for e in (fresh, kept))
    np.testing.assert_array_equal(one.labels, other.labels)
    one, other = (ns.label_like(model, model.learn([ns.Example(e, np.tile(disc_image[1], (3, 2)))]),
                                [image])[0].labels for e in (fresh, kept))  # fmt: skip
    np.testing.assert_array_equal(one, other)


def test_a_restart_encodes_nothing_again(store, disc_model, disc_image):
    key = key_of(disc_model, disc_image[0])
    first = EmbeddingCache(store=store)
    first.get_or_encode(key, lambda: disc_model.encode(disc_image[0]))
    first.close()

    second = EmbeddingCache(store=EmbeddingStore(store.folder))
    assert key not in second
    found = second.get_or_encode(key, lambda: disc_model.encode(disc_image[0]))

    assert disc_model.encoded == 1
    assert key in second
    assert torch.equal(found.tensors["gray"], disc_model.encode(disc_image[0]).tensors["gray"])


def test_those_not_used_for_longest_go_first(store):
    size = store.put(("m", "a"), embedding(1))
    store.max_bytes = int(3.5 * size)
    for name in "bc":
        store.put(("m", name), embedding(1))
    assert store.get(("m", "a")) is not None

    store.put(("m", "d"), embedding(1))

    assert [name for name in "abcd" if ("m", name) in store] == ["a", "c", "d"]
    assert store.usage() == (3, pytest.approx(3 * size, rel=0.1))


def test_one_too_large_is_not_kept_and_pushes_nothing_out(store):
    size = store.put(KEY, embedding())
    store.max_bytes = 2 * size

    assert store.put(("m", "large"), embedding(size=4000)) is None
    assert store.usage().images == 1
    assert len(list(store.folder.iterdir())) == 1


def test_only_own_files_are_counted_and_deleted(store):
    store.put(KEY, embedding())
    mine = store.folder / "thesis.zarr.zip"
    mine.write_bytes(b"x" * 1000)
    store.max_bytes = 0

    store.put(("m", "d"), embedding())
    assert store.clear().images == 1
    assert list(store.folder.iterdir()) == [mine]


def test_what_a_program_left_half_written_goes_with_the_next(store):
    store.put(KEY, embedding())
    with closing(Workplace(store.folder)) as at_work:
        left = store.folder / f"{PREFIX}12345678"
        left.mkdir()
        (left / store.path(KEY).name).write_bytes(b"half")
        store.put(("m", "d"), embedding())
        assert at_work.path.exists()  # somebody is writing it
        assert not left.exists()
    assert store.usage().images == 2
    assert len(list(store.folder.iterdir())) == 2


@pytest.mark.parametrize("harm", ["flip", "directory", "cut", "zeros"])
def test_damage_is_found_and_never_believed(store, harm):
    store.put(KEY, embedding())
    path, dice = store.path(KEY), random.Random(harm)
    whole = path.read_bytes()
    directory = whole.find(b"PK\x01\x02")
    dropped = 0
    for _ in range(40):
        data, place = bytearray(whole), dice.randrange(len(whole))
        if harm == "flip":
            data[place] ^= 1 << dice.randrange(8)
        elif harm == "directory":
            data[dice.randrange(directory, len(whole))] ^= 1 << dice.randrange(8)
        elif harm == "cut":
            data = data[:place]
        else:
            data[place : place + 300] = bytes(300)
        path.write_bytes(data)
        found = store.get(KEY)
        assert found is None or same(found, embedding())
        dropped += not path.exists()
    assert dropped > 5


def test_a_damaged_embedding_is_encoded_again(store, disc_model, disc_image):
    key = key_of(disc_model, disc_image[0])
    for damaged in (False, True):
        cache = EmbeddingCache(store=store)
        if damaged:
            data = bytearray(store.path(key).read_bytes())
            data[len(data) // 2] ^= 255
            store.path(key).write_bytes(data)
        cache.get_or_encode(key, lambda: disc_model.encode(disc_image[0]))
        cache.close()

    assert disc_model.encoded == 2
    assert store.get(key) is not None


def test_an_embedding_under_another_s_name_is_not_taken_for_it(store):
    store.put(KEY, embedding())
    store.path(KEY).rename(store.path(("m", "d")))

    assert store.get(("m", "d")) is None


def test_a_folder_that_cannot_be_written_is_warned_of_once(tmp_path, disc_model, disc_image):
    (tmp_path / "file").write_text("no folder")  # also the superuser can't write below a file
    store = EmbeddingStore(tmp_path / "file" / "kept")
    cache = EmbeddingCache(store=store)

    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        for k in range(3):
            plane = disc_image[0] + k
            cache.get_or_encode(key_of(disc_model, plane), lambda p=plane: disc_model.encode(p))
            store.flush()

    assert [str(w.message).count(str(store.folder)) > 0 for w in told] == [True]
    assert len(cache) == 3
    assert store.usage() == (0, 0)
    assert store.clear().images == 0


def test_a_full_disk_leaves_nothing_half_written(store):
    resource = pytest.importorskip("resource")  # not on Windows
    store.put(KEY, embedding())
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    former = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, limits[1]))
        with pytest.raises(OSError, match="large"):
            store.put(("m", "d"), embedding())
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, former)

    assert [path.name for path in store.folder.iterdir()] == [store.path(KEY).name]
    assert same(store.get(KEY), embedding())


def test_what_another_program_deletes_is_only_absent(store):
    other = EmbeddingStore(store.folder)
    store.put(KEY, embedding())
    other.clear()

    assert store.get(KEY) is None
    assert store.touch(KEY) is None
    assert KEY not in store


PROGRAM = """
import random, sys
from tests.test_embedding_store import embedding, same
from napari_seem.embeddings import EmbeddingStore
store, dice = EmbeddingStore(sys.argv[1], int(sys.argv[2])), random.Random(sys.argv[3])
read = 0
for _ in range(120):
    seed = dice.randrange(8)
    found = store.get(("m", str(seed)))
    if found is None:
        store.put(("m", str(seed)), embedding(seed))
    else:
        assert same(found, embedding(seed)), seed
        read += 1
print(read)
store = EmbeddingStore(sys.argv[4])
for k in range(3):
    store.put_later(("m", str(k)), embedding(k))
"""
"""Reads and writes in one folder, and ends with work left in another."""


@pytest.fixture(scope="module")
def programs(tmp_path_factory):
    """Two programs that have worked at once: their store, what they told, where each left work."""
    home = tmp_path_factory.mktemp("programs")
    shared = EmbeddingStore(home / "shared")
    size = shared.put(("m", "0"), embedding(0))
    runs = [
        subprocess.Popen(
            [sys.executable, "-c", PROGRAM, str(shared.folder), str(5 * size), name, home / name],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        for name in "ab"
    ]  # fmt: skip
    told = [run.communicate(timeout=120) for run in runs]
    assert [run.returncode for run in runs] == [0, 0], told
    return shared, told, [EmbeddingStore(home / name) for name in "ab"]


@pytest.mark.long
def test_two_programs_share_a_folder(programs):
    store, told, _ = programs
    assert all(int(out) > 5 for out, _ in told)
    assert 1 <= store.usage().images <= 5
    assert not list(store.folder.glob("*.part"))


def test_what_waits_is_written_when_the_program_ends(programs):
    *_, left = programs
    for store in left:
        assert all(same(store.get(("m", str(k))), embedding(k)) for k in range(3))


def test_writing_never_holds_an_answer_up(store, monkeypatch):
    go = threading.Event()
    write = packing.write
    monkeypatch.setattr(packing, "write", lambda *args: go.wait(20) and write(*args))
    cache = EmbeddingCache(store=store)
    for k in range(9):
        cache.get_or_encode(("m", str(k)), lambda k=k: embedding(k))
    assert len(cache) == 9

    go.set()
    cache.close()
    assert 4 <= store.usage().images <= 5  # one being written, four waiting; the rest was dropped


def test_without_zarr_the_extra_is_named(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "zarr", None)

    with pytest.raises(MissingPackage, match=r"napari-seem\[zarr\]"):
        EmbeddingStore(tmp_path)


def test_the_default_folder_can_be_moved(monkeypatch, tmp_path):
    monkeypatch.setenv("NAPARI_SEEM_CACHE", str(tmp_path / "fast"))
    assert default_folder() == EmbeddingStore().folder == tmp_path / "fast"
    monkeypatch.delenv("NAPARI_SEEM_CACHE")
    monkeypatch.setenv("NAPARI_SEEM_HOME", str(tmp_path / "home"))
    assert default_folder() == tmp_path / "home" / "embeddings"


def test_weights_that_differ_have_other_keys(disc_model, disc_image, monkeypatch):
    before = key_of(disc_model, disc_image[0])
    monkeypatch.setattr(disc_model, "identity", "disc@other", raising=False)
    assert key_of(disc_model, disc_image[0]) != before
