"""Clicks in the Annotate dock, and the same turns done by a `Session`."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from qtpy.QtTest import QTest

from napari_seem.embeddings import EmbeddingCache
from napari_seem.models.running import threads
from napari_seem.prompts import Point
from napari_seem.session import Session
from napari_seem.sources.source import open_plane, source_of_array
from napari_seem.widgets.annotate.dock import AnnotateWidget

from .headless import Times, watched_requests
from .machine import spinner
from .scene import Image, on_discs
from .window import Window, opened

FIRST, LATER = "first click of an object", "later click"
ASIDE = ((0, 0), (4, 0), (0, 6))
"""Where the clicks of an object lie, from the first of them, in pixels."""


@dataclass
class Clicks:
    """Milliseconds of clicks in the dock.

    Attributes
    ----------
    frames : dict
        To the drawn frame, by what was done.
    worker, session, session_all : dict
        The same turns in the dock's worker; by a `Session` with as many threads; with all.
    slowest : str
        What is known of the slowest click.
    """

    frames: Times = field(default_factory=dict)
    worker: Times = field(default_factory=dict)
    session: Times = field(default_factory=dict)
    session_all: Times = field(default_factory=dict)
    busy: Times = field(default_factory=dict)
    width: int = 0
    canvas: str = ""
    slowest: str = ""
    most: float = 0.0

    def note(self, what: str, ms: float, worker: float, longest: float) -> None:
        """Keep a click."""
        self.frames.setdefault(what, []).append(ms)
        self.worker.setdefault(what, []).append(worker)
        if ms > self.most:
            self.most = ms
            self.slowest = (
                f"{what}: {ms:.0f} ms, {worker:.0f} of them in the worker; the event loop stood "
                f"still for {longest:.0f} ms at most"
            )


class DockedWindow:
    """The Annotate dock on an image."""

    def __init__(self, window: Window, model: str) -> None:
        self.window = window
        self.dock = AnnotateWidget(window.viewer)
        window.viewer.window.add_dock_widget(self.dock, name="Annotate")
        self.annotator = self.dock.annotator
        self.annotator.choose_model(model)
        window.lay_out()

    def click(self, at: tuple[float, float]) -> float:
        """Click, and wait for the frame with the mask."""
        try:
            ms = self.window.click(at, self.annotator.answered)
        except TimeoutError as error:
            said = self.dock.panel.message.text()
            raise TimeoutError(f"{error} of a click at {at}; the dock said '{said}'") from None
        return ms

    def rest(self) -> None:
        """Wait until the dock computes and draws nothing."""
        for _ in range(400):
            if not self.annotator.runner.busy:
                break
            QTest.qWait(20)
        self.window.settle()


def in_dock(model: str, image: Image, repeats: int) -> Clicks:
    """Objects of three clicks each, committed; every turn is done by a `Session` too."""
    clicks = Clicks()
    with opened(image) as window, watched_requests() as spent:
        docked = DockedWindow(window, model)
        clicks.width = docked.dock.width()
        native = window.mouse.canvas.native
        clicks.canvas = f"{native.width()} x {native.height()}"
        places = on_discs(image, repeats + 1)
        _object(docked, places[0], Clicks(), spent)  # loads and encodes
        loaded = docked.annotator.model_cache.loaded(model)
        assert loaded is not None
        plane = open_plane(loaded, source_of_array(image), EmbeddingCache())
        plane.predict([Point(*places[0])])  # of a big image, it encodes the frame
        for at in places[1:]:
            answered = _object(docked, at, clicks, spent)
            for into, all_threads in ((clicks.session, False), (clicks.session_all, True)):
                _by_session(Session(plane.model, plane.embedding), answered, into, spent,
                            all_threads)  # fmt: skip
        beside = Clicks()
        with spinner():
            for at in places[1 : 2 + repeats // 2]:
                _object(docked, at, beside, spent)
        clicks.busy = beside.worker
        docked.dock.release()
    return clicks


def _object(
    docked: DockedWindow, at: tuple[float, float], clicks: Clicks, spent: list[float]
) -> tuple[Any, ...]:
    """Click three times on an object and commit it; return its prompts."""
    for number, aside in enumerate(ASIDE):
        spent.clear()
        ms = docked.click((at[0] + aside[0], at[1] + aside[1]))
        what = LATER if number else FIRST
        clicks.note(what, ms, sum(spent[:1]), docked.window.longest)
        docked.rest()
    work = docked.annotator.work
    assert work is not None
    prompts = work.session.prompts
    docked.annotator.overwrite = True
    ms = docked.window.frame_after(docked.dock.commit)
    clicks.frames.setdefault("commit", []).append(ms)
    docked.dock.clear()
    docked.rest()
    return prompts


def _by_session(
    session: Session, prompts: tuple[Any, ...], into: Times, spent: list[float], all_threads: bool
) -> None:
    with ExitStack() as held:
        if not all_threads:
            held.enter_context(threads.turn())
        for number, prompt in enumerate(prompts):
            spent.clear()
            session.add(prompt)
            what = LATER if number else FIRST
            into.setdefault(what, []).append(sum(spent[:1]))


def unencoded_in_dock(model: str, image: Image, planes: int) -> list[float]:
    """Clicks on planes of a stack at the moment when each is first shown."""
    stack = np.stack([np.roll(image, 7 * k, 0) for k in range(planes + 1)])
    spent = []
    with opened(stack) as window:
        docked = DockedWindow(window, model)
        window.viewer.dims.set_current_step(0, 0)
        docked.click(on_discs(stack[0], 1)[0])  # loads the model
        docked.rest()
        for k in range(1, planes + 1):
            at = on_discs(stack[k], 1, seed=k)[0]
            window.mouse.hover(at)
            window.settle()
            window.viewer.dims.set_current_step(0, k)
            spent.append(window.frame_after(lambda at=at: window.mouse.click(at),
                                            docked.annotator.answered))  # fmt: skip
            docked.rest()
        docked.dock.release()
    return spent
