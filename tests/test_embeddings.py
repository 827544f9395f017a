"""Embeddings are encoded once, bounded by bytes, and found by content and model."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch

from napari_seem.embeddings import EmbeddingCache, content_key
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
