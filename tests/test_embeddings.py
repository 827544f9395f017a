"""Embeddings are encoded once, bounded by bytes, and found by content and model."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch

from napari_seem.embeddings import EmbeddingCache, EmbeddingStore, content_key
from napari_seem.errors import Abandoned
from napari_seem.models.base import Embedding


def embedding(nbytes: int = 100) -> Embedding:
    return Embedding("m", (1, 1), {"x": torch.zeros(nbytes, dtype=torch.uint8)})


def test_the_least_recently_used_goes_first():
    cache = EmbeddingCache(max_bytes=250)
    for name in "ab":
        cache.get_or_encode(("m", name), embedding)
    cache.get(("m", "a"))

    cache.get_or_encode(("m", "c"), embedding)

    assert ("m", "a") in cache
    assert ("m", "b") not in cache
    assert cache.nbytes == 200


def test_one_too_large_is_handed_out_but_not_kept():
    cache = EmbeddingCache(max_bytes=50)

    assert cache.get_or_encode(("m", "a"), embedding).nbytes == 100
    assert cache.nbytes == len(cache) == 0


def test_two_threads_encode_once():
    cache, calls, started = EmbeddingCache(), [], threading.Barrier(4)

    def encode():
        calls.append(1)
        time.sleep(0.05)
        return embedding()

    def ask(_):
        started.wait()
        return cache.get_or_encode(("m", "a"), encode)

    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(ask, range(4)))

    assert len(calls) == 1
    assert all(answer is answers[0] for answer in answers)


def test_a_failed_encode_raises_and_is_tried_again():
    cache = EmbeddingCache()

    with pytest.raises(ZeroDivisionError):
        cache.get_or_encode(("m", "a"), lambda: 1 / 0)
    assert cache.get_or_encode(("m", "a"), embedding).nbytes == 100


def test_clear_forgets():
    cache = EmbeddingCache()
    cache.get_or_encode(("m", "a"), embedding)

    cache.clear()

    assert cache.get(("m", "a")) is None
    assert cache.nbytes == 0


def test_the_key_is_of_content_window_bands_shape_and_dtype(rng):
    image = rng.integers(0, 9, (4, 6), dtype=np.uint8)
    changed = image.copy()
    changed[3, 5] += 1
    others = [
        changed, image.reshape(6, 4), image.view(np.int8), image.astype(np.uint16),
    ]  # fmt: skip

    keys = {content_key(other) for other in others}
    keys |= {content_key(image, window=(0.0, 5.0)), content_key(image, bands=[0])}

    assert content_key(image) == content_key(np.asfortranarray(image))
    assert len(keys | {content_key(image)}) == 7


def test_who_waits_for_work_that_is_abandoned_encodes_itself():
    cache, awaited = EmbeddingCache(), threading.Event()

    def give_up():
        assert awaited.wait(20)
        raise Abandoned("another plane is shown")

    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(cache.get_or_encode, ("m", "a"), give_up, need="soon")
        second = pool.submit(cache.get_or_encode, ("m", "a"), embedding)
        while not cache.is_awaited and not second.done():
            time.sleep(0.001)
        awaited.set()
        assert second.result().nbytes == 100
        with pytest.raises(Abandoned):
            first.result()
    assert not cache.is_awaited


def test_what_nobody_asked_about_goes_first():
    cache = EmbeddingCache(max_bytes=350)
    cache.get_or_encode(("m", "used"), embedding)
    cache.get_or_encode(("m", "shown"), embedding, need="soon")
    cache.get_or_encode(("m", "used later"), embedding)

    cache.get_or_encode(("m", "new"), embedding)

    assert ("m", "shown") not in cache
    assert all(("m", name) in cache for name in ("used", "used later", "new"))


def test_what_was_asked_for_last_stays_for_what_is_only_shown():
    cache = EmbeddingCache(max_bytes=150)
    cache.get_or_encode(("m", "used"), embedding)

    cache.get_or_encode(("m", "shown"), embedding, need="soon")
    assert ("m", "used") in cache
    assert ("m", "shown") not in cache

    cache.get_or_encode(("m", "asked"), embedding)
    assert ("m", "used") not in cache
    assert ("m", "asked") in cache


@pytest.mark.parametrize("need", ["soon", "ahead"])
def test_what_is_not_needed_now_is_written_when_it_is(need, tmp_path):
    pytest.importorskip("zarr")
    store, key = EmbeddingStore(tmp_path / "kept"), ("m", "a")
    cache = EmbeddingCache(store=store)
    cache.get_or_encode(key, embedding, need=need)
    cache.get(key, need)
    store.flush()
    assert key not in store

    cache.get_or_encode(key, embedding)
    store.flush()
    assert key in store


def test_an_emptied_cache_is_another_one():
    cache = EmbeddingCache(max_bytes=150)
    began, go = threading.Event(), threading.Event()

    def slow():
        began.set()
        assert go.wait(20)
        return embedding()

    with ThreadPoolExecutor(1) as pool:
        old = pool.submit(cache.get_or_encode, ("m", "a"), slow)
        assert began.wait(20)
        new = cache.emptied()
        go.set()
        old.result()
    assert len(new) == 0
    assert new.max_bytes == 150
