"""The way of a click through napari_seem, traced in a real viewer with the tests' disc model.

A point is added to the Points layer of the Annotate dock; every Python call is recorded until the
preview shows the answer, in the main thread and in the worker thread. Recorded are calls of
functions of `napari_seem` with their nearest caller of `napari_seem`: what lies between (Qt,
psygnal, napari) is passed over. Calls below the model's own methods and below an import are left
out.

The path is what a reader has to follow: the calls that stand on the stack at one of three ends, and
so lead there.

1. The worker thread is started.
2. The model is asked.
3. The preview layer is refreshed.

`passed` lists the modules on the path; `path_calls` lists the pairs of caller and callee on it that
lie in different modules. What a worker thread runs first is called by who started the thread; the
calls of Qt, napari and the model itself are none of ours. `entered` and `calls` list the same over
everything that ran, helpers and listeners (a button enabled, a title shown) included.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "src" / "napari_seem"
TIMEOUT = 30
"""Seconds until a click must have been answered."""
FIRST, SECOND = (32, 20), (34, 22)
"""Rows and columns of two points on one disc of `discs.disc_image`."""


@dataclass(frozen=True, order=True)
class Place:
    """A function of the package: its module's path within the package, and its qualified name."""

    module: str
    function: str

    def __str__(self) -> str:
        return f"{self.module}  {self.function}"


START, MODEL, SHOWN = "the worker thread starts", "the model is asked", "the preview is shown"


@dataclass
class Trace:
    """What one click called.

    Attributes
    ----------
    ran : dict
        Pairs (caller, callee) that ran, in order; the caller is None where Qt or a thread called.
    ends : dict
        By what happened there, the stacks that led to it, outermost call first.
    """

    ran: dict[tuple[Place | None, Place], None] = field(default_factory=dict)
    ends: dict[str, list[tuple[Place, ...]]] = field(
        default_factory=lambda: {START: [], MODEL: [], SHOWN: []}
    )

    @property
    def entered(self) -> list[str]:
        """The modules in which something ran."""
        return sorted({callee.module for _, callee in self.ran})

    @property
    def calls(self) -> list[tuple[Place, Place]]:
        """The calls from one module to another."""
        return _crossing(self.ran)

    @property
    def passed(self) -> list[str]:
        """The modules on the path, in the order in which the click comes to them."""
        return list(dict.fromkeys(place.module for stack in self._stacks() for place in stack))

    @property
    def path_calls(self) -> list[tuple[Place, Place]]:
        """The calls from one module to another on the path."""
        pairs = [pair for stack in self._stacks() for pair in pairwise(stack)]
        hops = [(a[-1], b[0]) for a in self.ends[START] for b in self.ends[MODEL] if a and b]
        return _crossing(dict.fromkeys([*pairs, *hops]))

    def describe(self) -> str:
        """The path as text, a stack for each way to an end."""
        lines = []
        for end, stacks in self.ends.items():
            for stack in dict.fromkeys(stacks):
                lines += ["", f"until {end}:"]
                before = ""
                for place in stack:
                    lines.append(f"  {'->' if place.module != before else '  '} {place}")
                    before = place.module
        return "\n".join(lines)

    def _stacks(self) -> Iterator[tuple[Place, ...]]:
        for stacks in self.ends.values():
            yield from stacks


def _crossing(pairs: dict[Any, None]) -> list[tuple[Place, Place]]:
    return [(a, b) for a, b in pairs if a is not None and a.module != b.module]


class _Recorder:
    """The profile function of a trace."""

    def __init__(self, ends: dict[CodeType, tuple[str, Callable[[FrameType], bool]]]) -> None:
        self.trace = Trace()
        self._ends = ends
        self._model = {code for code, (end, _) in ends.items() if end == MODEL}
        self._places: dict[CodeType, Place | None] = {}

    def __call__(self, frame: FrameType, event: str, _: Any) -> None:
        if event != "call":
            return
        end, applies = self._ends.get(frame.f_code, ("", None))
        place = self._place(frame.f_code)
        if place is None and not (applies and applies(frame)):
            return
        stack = self._stack(frame)
        if stack is None or (not stack and not place):
            return
        if place is None:
            self.trace.ends[end].append(stack)
        else:
            self.trace.ran[stack[-2] if len(stack) > 1 else None, place] = None

    def _stack(self, frame: FrameType) -> tuple[Place, ...] | None:
        """The package's functions on the stack, the outermost first; None below model or import."""
        found: list[Place] = []
        above: FrameType | None = frame
        while above is not None:
            code = above.f_code
            if above is not frame and code in self._model:
                return None
            place = self._place(code)
            if place is not None:
                found.append(place)
            elif code.co_name == "<module>" and Path(code.co_filename).is_relative_to(PACKAGE):
                return None
            above = above.f_back
        return tuple(reversed(found))

    def _place(self, code: CodeType) -> Place | None:
        if code not in self._places:
            self._places[code] = _place_of(code)
        return self._places[code]


def _place_of(code: CodeType) -> Place | None:
    path = Path(code.co_filename)
    if code.co_name == "<module>" or not path.is_relative_to(PACKAGE):
        return None
    return Place(path.relative_to(PACKAGE).as_posix(), code.co_qualname.replace(".<locals>", ""))


@contextmanager
def _recording(dock: Any, model: Any) -> Iterator[Trace]:
    """Record all calls, those of napari's worker threads too: Qt starts them, not `threading`."""
    from napari.layers import Layer
    from superqt.utils._qthreading import WorkerBase

    def is_preview(frame: FrameType) -> bool:
        return frame.f_locals["self"] is dock.annotator.preview.layer

    def always(_: FrameType) -> bool:
        return True

    recorder = _Recorder({
        WorkerBase.start.__code__: (START, always),
        type(model).encode.__code__: (MODEL, always),
        type(model).predict.__code__: (MODEL, always),
        Layer.refresh.__code__: (SHOWN, is_preview),
    })  # fmt: skip
    run = WorkerBase.run

    def recorded(worker: Any) -> None:
        sys.setprofile(recorder)
        try:
            run(worker)
        finally:
            sys.setprofile(None)

    WorkerBase.run = recorded
    threading.setprofile(recorder)
    sys.setprofile(recorder)
    try:
        yield recorder.trace
    finally:
        sys.setprofile(None)
        threading.setprofile(None)  # type: ignore[arg-type]
        WorkerBase.run = run


def trace_click(dock: Any, model: Any, position: tuple[int, int]) -> Trace:
    """Add a point to the Points layer of the Annotate dock and record what runs until it is shown.

    Parameters
    ----------
    dock : AnnotateWidget
        Open on an image, with no job running.
    model : Model
        The one that answers; its `encode` and `predict` must be its class's own.
    position : (row, column)

    Raises
    ------
    TimeoutError
        The click was not answered.
    RuntimeError
        An end of the path was not seen: threads are started, or masks shown, in another way now.
    """
    from qtpy.QtWidgets import QApplication

    annotator, latest = dock.annotator, time.monotonic() + TIMEOUT
    with _recording(dock, model) as trace:
        annotator.prompt_layers.points.add(position)
        while annotator.runner.busy:
            QApplication.processEvents()
            if time.monotonic() > latest:
                raise TimeoutError(f"the click was not answered within {TIMEOUT} s")
    missed = [end for end, stacks in trace.ends.items() if not stacks]
    if missed:
        raise RuntimeError(f"the trace has lost the click: never seen that {', '.join(missed)}")
    return trace


def trace_two_clicks(viewer: Any) -> tuple[Trace, Trace]:
    """Open the Annotate dock and click twice: the image is encoded for the first click only."""
    if str(ROOT / "tests") not in sys.path:
        sys.path.insert(0, str(ROOT / "tests"))
    from discs import DiscModel, disc_image

    from napari_seem.widgets.annotate.dock import AnnotateWidget

    model = DiscModel()
    viewer.add_image(disc_image()[0], name="discs")
    dock = AnnotateWidget(viewer, loader=lambda name: model)
    dock.annotator.prompt_log.soon.setInterval(60_000)  # the log of prompts waits for no click
    viewer.window.add_dock_widget(dock, name="Annotate")
    try:
        return trace_click(dock, model, FIRST), trace_click(dock, model, SECOND)
    finally:
        dock.release()


def trace_in_new_viewer() -> tuple[Trace, Trace]:
    """As `trace_two_clicks`, in a viewer on a virtual screen where there is no other."""
    sys.path[:0] = [str(ROOT / "src"), str(ROOT / "tests")]
    from screen import has_display, open_screen

    screen = None if has_display() else open_screen()
    import napari

    viewer = napari.Viewer(show=False)
    try:
        return trace_two_clicks(viewer)
    finally:
        viewer.close()
        if screen is not None:
            screen.communicate()
