"""What a first click would wait for, done before: the model is loaded, the shown plane encoded."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING
from weakref import ref

from qtpy.QtCore import QObject, Signal
from qtpy.QtWidgets import QWidget

from ...commands.models import KnownPlane, ModelCache
from ...errors import Abandoned, NapariSeemError
from ...models.registry import MODELS
from ...models.running.pace import LONG, in_words
from ...models.running.patience import checkpoint, patiently
from ...sources.frames import SIDE, Frame, frames_around
from ...viewer.coordinates import shown_area, spatial_shape
from ...viewer.stacks import stack_axes
from .._shared.background.progress import time_left
from .._shared.background.steps import LOOK, Steps
from .._shared.events import Followed, later

if TYPE_CHECKING:
    from napari.layers import Image

    from ...planes import Plane
    from .annotator import Annotator
    from .sessions.planes import Question

IDLE = 200
"""Milliseconds without a change after which the viewer counts as idle."""
LOADING = "Getting ready: loading the model…"
ENCODING = "Getting ready: reading the image…"
WIDEST = 2 * SIDE
"""Longest side of what is shown of a big plane where its middle is likely to be clicked on."""
ROOM = 4
"""Planes beside the shown one are encoded where so many planes fit into the memory."""


@dataclass(frozen=True)
class Preparation:
    """What is to be ready.

    Attributes
    ----------
    model : str
    plane : KnownPlane or None
        The shown plane; None where there is none.
    frame : Frame or None
        Of a big plane: the part that is likely to be clicked on.
    beside : tuple of KnownPlane
        The next planes of a stack.
    """

    model: str
    plane: KnownPlane | None = None
    frame: Frame | None = None
    beside: tuple[KnownPlane, ...] = ()

    def key(self) -> tuple[object, ...]:
        """What tells it from others, without holding on to pixels."""
        return self.model, self.plane and ref(self.plane), self.frame


class GettingReady(QObject):
    """Loads the chosen model and encodes the shown plane in a thread, once the viewer is idle.

    A turn goes first, and what is no longer shown is dropped. What fails is tried once and told by
    the first prompt, which tries it again. After a turn that was answered from parts of a plane the
    rest of it is encoded, and the turn is answered anew.

    Parameters
    ----------
    annotator : Annotator
    page : QWidget
        Nothing is done while it is hidden.

    Attributes
    ----------
    said : Signal(str)
        What is done now; "" for nothing.
    steps : Steps
    """

    said = Signal(str)
    _told = Signal(str)

    def __init__(self, annotator: Annotator, page: QWidget) -> None:
        super().__init__(page)
        self._annotator, self._page = annotator, page
        self.steps = Steps(self, str)
        self.steps.stepped.connect(self._on_step)
        self.steps.ended.connect(self._on_end)
        self._told.connect(self._on_told)
        self._soon = later(self, IDLE, self._look)
        self._events = Followed()
        self._asked: tuple[object, ...] = ()
        self._failed: set[str] = set()
        self._no_room: set[tuple[int, int]] = set()
        self._begun = self._again = False
        annotator.answered_in_part.connect(self._on_part)

    def begin(self) -> None:
        """Follow the viewer from now on."""
        if self._begun:
            return
        self._begun = True
        camera = self._annotator.viewer.scene.camera.events
        self._events.follow(lambda _: self._soon.start(), camera.center, camera.zoom)
        self._annotator.changed.connect(self._soon.start)
        self._annotator.model_cache.forgotten.connect(self._on_forgotten)
        self._soon.start()

    def close(self) -> None:
        """Let go of the viewer; a stage that is being computed ends by itself."""
        self._soon.stop()
        self.steps.close()
        self._events.close()
        self._annotator.model_cache.forgotten.disconnect(self._on_forgotten, missing_ok=True)

    def _on_forgotten(self) -> None:
        self._asked = ()
        self._failed.clear()
        self._no_room.clear()
        self._soon.start()

    def _look(self) -> None:
        """Nothing was changed for a moment: begin with what is shown now."""
        if not self._page.isVisible():
            return
        wanted = self._wanted()
        if wanted.key() == self._asked:
            return
        if self.steps.running:
            self.steps.stop()
            self._asked = ()  # it begins anew where it is shown again
        elif absent := self._absent(wanted.model):
            self._asked = wanted.key()
            self.said.emit(absent)
        elif self._annotator.runner.busy:
            self._soon.start()
        else:
            self._asked = wanted.key()
            run = partial(self._run, wanted, self._annotator.model_cache)
            self.steps.start("Getting ready", 1, run)

    def _absent(self, name: str) -> str:
        """Say that a model is not on this computer, and how to get it; "" where it is."""
        spec = MODELS.get(name)
        loaded = self._annotator.model_cache.loaded(name) is not None
        if loaded or spec is None or spec.installed:
            return ""
        size = f" ({spec.megabytes:,} MB)" if spec.megabytes else ""
        return f"{name} is not on this computer yet: get it in the Models dock{size}."

    def _wanted(self) -> Preparation:
        annotator = self._annotator
        image, plane, model = annotator.image, annotator.plane, annotator.model_name
        if image is None or plane is None:
            return Preparation(model)
        try:
            question = annotator.question(image)
            known = annotator.sessions.known(plane, question.input)
            if known.source.is_big:
                return Preparation(model, known, _shown_frame(image, plane))
            return Preparation(model, known, None, self._beside(image, plane, question))
        except NapariSeemError:
            return Preparation(model)

    def _beside(self, image: Image, plane: Plane, question: Question) -> tuple[KnownPlane, ...]:
        """The next and the former plane along the axis that was moved along last."""
        axes = stack_axes(image, self._annotator.viewer.dims)
        if not axes:
            return ()
        axis, at = axes[0], plane.index[axes[0]] or 0
        near = (k for k in (at + 1, at - 1) if 0 <= k < spatial_shape(image)[axis])
        return tuple(
            self._annotator.sessions.known(_moved(plane, axis, k), question.input) for k in near
        )

    def _run(self, wanted: Preparation, models: ModelCache) -> Iterator[str]:
        """In the thread: load, encode what is shown, and then what lies beside it."""
        name, plane = wanted.model, wanted.plane
        if models.loaded(name) is None:
            if name in self._failed:
                return
            yield LOADING
            self._failed.add(name)
            models.model(name)
            self._failed.discard(name)
        if plane is None or plane.source.shape in self._no_room:
            return
        if not models.is_encoded(name, plane, wanted.frame):
            yield ENCODING
        with patiently(partial(self._pause, models), self._tell):
            opened = models.prepare(name, plane, wanted.frame)
        yield ""
        if plane.source.is_big:
            return
        if not models.is_encoded(name, plane, None):
            self._no_room.add(plane.source.shape)
        elif ROOM * opened.embedding.nbytes <= models.cache.max_bytes:
            with patiently(partial(self._pause, models, rest=True)):
                for other in wanted.beside:
                    checkpoint()
                    models.prepare(name, other)

    def _pause(self, models: ModelCache, *, rest: bool = False) -> None:
        """In the thread: let a person's turn go first; raise `Abandoned` once it was stopped."""
        while not models.cache.is_awaited:  # else the turn waits for this
            if self.steps.stopping:
                raise Abandoned("another plane is shown")
            if models.gate.wait(LOOK, rest=rest):
                return

    def _on_part(self) -> None:
        self._again = self.steps.running  # of a big plane, maybe of another frame
        if not self._again:
            self._asked = ()
            self._soon.start()

    def _tell(self, _: str, share: float, seconds: float) -> None:
        """In the thread: say how long a person waits, where that is long."""
        if seconds >= LONG:
            left = time_left((1 - share) * seconds)
            self._told.emit(f"{ENCODING[:-1]}, {left}. {in_words(seconds).capitalize()}")

    def _on_told(self, text: str) -> None:
        if self.steps.running:
            self.said.emit(text)

    def _on_step(self, doing: str) -> None:
        self.said.emit(doing)
        if not doing:
            self._annotator.turns.renew()

    def _on_end(self, _: str) -> None:
        self.said.emit("")
        if self._again:
            self._asked, self._again = (), False
        if self._begun or not self._asked:
            self._soon.start()


def _moved(plane: Plane, axis: int, at: int) -> Plane:
    return replace(plane, index=(*plane.index[:axis], at, *plane.index[axis + 1 :]))


def _shown_frame(image: Image, plane: Plane) -> Frame | None:
    """The frame in the middle of what is shown of a big plane; None where much more is shown."""
    y0, x0, y1, x1 = shown_area(image, plane)
    if max(y1 - y0, x1 - x0) > WIDEST:
        return None
    y, x = (y0 + y1) // 2, (x0 + x1) // 2
    return next(frames_around((y, x, y + 1, x + 1), plane.shape(spatial_shape(image))))
