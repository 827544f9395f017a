"""What the model takes without a viewer, and how long requests take wherever they run."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from napari_seem.embeddings import EmbeddingCache
from napari_seem.models.base import Model, Prediction
from napari_seem.models.turns import Request
from napari_seem.prompts import Point
from napari_seem.sources.source import open_plane, source_of_array

from .scene import Image, on_discs

Times = dict[str, list[float]]
"""Milliseconds by what took them."""


def timed(work: Callable[[], Any]) -> float:
    """Milliseconds of a call."""
    start = time.perf_counter()
    work()
    return (time.perf_counter() - start) * 1e3


def alone(model: Model, image: Image, repeats: int) -> Times:
    """Encoding, and turns on an encoded image."""
    few = max(2, repeats // 4)
    model.encode(image[:64, :64])  # what is made once only
    times: Times = {"encode": [timed(lambda: model.encode(image)) for _ in range(few)]}
    return times | turns(model, image, repeats) | unencoded(model, image, few)


def turns(model: Model, image: Image, repeats: int) -> Times:
    """First turns of objects, and second ones."""
    opened = open_plane(model, source_of_array(image), EmbeddingCache())
    first: list[float] = []
    later: list[float] = []
    places = on_discs(image, repeats + 1)
    for y, x in places:
        opened.predict([Point(y, x)])  # of a big image, it encodes the frame
    for y, x in places:
        answers: list[Prediction] = []
        start = Point(y, x)
        first.append(timed(lambda: answers.append(opened.predict([start]))))  # noqa: B023
        more = [start, Point(y + 2, x)]
        later.append(timed(lambda: opened.predict(more, answers[0].memory)))  # noqa: B023
    return {"first turn": first[1:], "later turn": later[1:]}


def unencoded(model: Model, image: Image, repeats: int) -> Times:
    """First turns on planes of which nothing is encoded; only what they look at is."""
    spent = []
    for number, (y, x) in enumerate(on_discs(image, repeats)):
        plane = np.roll(image, number + 1, 0)
        cache = EmbeddingCache()

        def ask(plane: Image = plane, cache: EmbeddingCache = cache, at: Any = (y, x)) -> None:
            source = source_of_array(plane)
            open_plane(model, source, cache, on_part=lambda: None).predict([Point(*at)])

        spent.append(timed(ask))
    return {"first turn, not encoded": spent}


@contextmanager
def watched_requests() -> Iterator[list[float]]:
    """Collect the milliseconds of every `Request.run`, whichever thread it is in."""
    spent: list[float] = []
    plain = Request.run

    def run(self: Request) -> Prediction:
        start = time.perf_counter()
        try:
            return plain(self)
        finally:
            spent.append((time.perf_counter() - start) * 1e3)

    Request.run = run  # type: ignore[method-assign]
    try:
        yield spent
    finally:
        Request.run = plain  # type: ignore[method-assign]


def ratio(some: Sequence[float], others: Sequence[float]) -> float:
    """The median of some times over that of others."""
    return float(np.median(some) / np.median(others))
