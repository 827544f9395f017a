"""The row of the Annotate dock that encodes the rest of a stack in the background."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from qtpy.QtWidgets import QPushButton, QVBoxLayout, QWidget

from ...embeddings import Ready, encode_ahead
from ...errors import InvalidImage, NapariSeemError
from ...sources import is_big
from ...viewer.coordinates import shown_plane, spatial_shape
from ...viewer.stacks import StackSource, plane_text, shown_stack, stack_axes
from .._shared.background.steps import LOOK, Steps
from .._shared.events import Followed
from .._shared.forms import on_click, row
from .._shared.message import Message
from .._shared.preferences import MEGABYTE

if TYPE_CHECKING:
    from napari.components import Dims
    from napari.layers import Image

    from ...commands.models import ModelCache
    from ...models.running.threads import IdleGate
    from .annotator import Annotator


class EmbedAhead(QWidget):
    """Encodes the planes of the shown stack for the chosen model, the nearest to the shown first.

    It shows only where there is a stack. One plane at a time is encoded; before each, the work
    waits until no turn runs or waits in the Annotate dock, and while it is paused.

    Parameters
    ----------
    annotator : Annotator
        Knows image, model and channels: what is encoded is what its turns will ask for.
    parent : QWidget

    Attributes
    ----------
    steps : Steps
    """

    def __init__(self, annotator: Annotator, parent: QWidget) -> None:
        super().__init__(parent)
        self._annotator = annotator
        self.steps = Steps(self)
        self._events = Followed()
        self.begin = QPushButton("Encode the rest of the stack")
        self.pause = QPushButton("Pause")
        self.message = Message()
        self._going = threading.Event()
        self._stack: StackSource | None = None
        self._image: Image | None = None
        self._here = 0
        self._done: list[Ready] = []
        self._looked_at: tuple[Any, ...] = ()
        self._arrange()
        self._connect()
        self._show_running(False)
        self._say("")
        self._look()

    def start(self) -> None:
        """Begin with the stack that is shown."""
        annotator = self._annotator
        image = annotator.image
        if image is None or self.steps.running:
            return
        try:
            plane = shown_stack(image, annotator.viewer.dims)
            if not _is_fit(image, annotator.viewer.dims):
                raise InvalidImage(
                    "planes this big are encoded in parts, where they are clicked on"
                )
        except NapariSeemError as error:
            self._say(str(error), problem=True)
            return
        question = annotator.question(image)
        stack = replace(plane, source=question.input.source(plane.plane, image.name))
        self._stack, self._image, self._here, self._done = stack, image, stack.position, []
        self._going.set()
        self._show_running(True)
        self._say(f"{stack.shape[0]} planes ...")
        run = partial(self._run, stack, question.model, annotator.model_cache)
        self.steps.start(f"Encoding '{image.name}'", stack.shape[0], run)

    def toggle_pause(self) -> None:
        """Pause after the plane that is being encoded, or go on."""
        if self._going.is_set():
            self._going.clear()
        else:
            self._going.set()
        self.pause.setText("Pause" if self._going.is_set() else "Go on")
        self._tell()

    def close_run(self) -> None:
        """Stop for good; what is encoded stays."""
        self.steps.close()
        self._events.close()

    def _arrange(self) -> None:
        self.begin.setToolTip(
            "Encode its other planes in the background, the nearest first, so that the first click "
            "on each is answered at once. Clicks go first"
        )
        self.pause.setToolTip("Wait after the present plane, or go on")
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addLayout(row(self.begin, self.pause))
        column.addWidget(self.message)

    def _connect(self) -> None:
        on_click(((self.begin, self.start), (self.pause, self.toggle_pause)))
        self.steps.stepped.connect(self._on_plane)
        self.steps.ended.connect(self._on_end)
        self._annotator.place_changed.connect(self._look)
        dims = self._annotator.viewer.dims.events
        self._events.follow(self._look, dims.point, dims.order)

    def _run(self, stack: StackSource, model: str, models: ModelCache) -> Iterator[Ready]:
        """In the thread: load the model, then encode plane by plane."""
        yield from encode_ahead(
            models.model(model), lambda k: stack[k, :, :], range(stack.shape[0]), models.cache,
            lambda: self._here, partial(self._may_go_on, models.gate),
        )  # fmt: skip

    def _may_go_on(self, gate: IdleGate) -> bool:
        """In the thread: wait while it is paused or a person waits; False once it was stopped."""
        while self.steps.may_go_on(gate):
            if self._going.wait(LOOK):
                return True
        return False

    def _look(self, _: object = None) -> None:
        """Another image or plane may be shown."""
        image, dims = self._annotator.image, self._annotator.viewer.dims
        if self._image is not None and self._image not in self._annotator.viewer.layers:
            self.steps.stop()
        looked_at = (image, tuple(dims.point), tuple(dims.order), dims.ndisplay)
        if looked_at == self._looked_at:
            return
        self._looked_at = looked_at
        try:
            several = image is not None and _is_fit(image, dims)
            if image is not None and self._stack is not None and image is self._image:
                self._here = shown_plane(image, dims).index[self._stack.axis] or 0
        except NapariSeemError:
            several = False
        self.setVisible(several or self.steps.running)

    def _on_plane(self, ready: Ready) -> None:
        self._done.append(ready)
        self._tell()

    def _tell(self) -> None:
        if self._stack is not None and self.steps.running:
            paused = "" if self._going.is_set() else ", paused"
            self._say(f"{len(self._done)} of {self._stack.shape[0]} planes encoded{paused}")

    def _on_end(self, outcome: str) -> None:
        self._show_running(False)
        if outcome and outcome != "stopped":
            self._say(outcome, problem=True)
        else:
            failed = [ready for ready in self._done if ready.outcome == "failed"]
            self._say(self._summary(outcome == "stopped"), problem=bool(failed))
        self._stack, self._image, self._looked_at = None, None, ()
        self._look()

    def _summary(self, stopped: bool) -> str:
        count = {kind: sum(ready.outcome == kind for ready in self._done)
                 for kind in ("encoded", "there", "failed")}  # fmt: skip
        kept = sum(ready.nbytes for ready in self._done) / MEGABYTE
        said = f"{count['encoded']} planes encoded, {count['there']} were there; {kept:,.0f} MB"
        if count["failed"]:
            first = next(ready for ready in self._done if ready.outcome == "failed")
            where = f"plane {first.index}"
            if self._image is not None and self._stack is not None:
                dims, plane = self._annotator.viewer.dims, self._stack.at(first.index)
                where = plane_text(self._image, dims, plane, self._stack.axis)
            said += f"; {count['failed']} failed, {where}: {first.problem}"
        return f"stopped: {said}" if stopped else said

    def _say(self, text: str, *, problem: bool = False) -> None:
        self.message.say(text, problem=problem)
        self.message.setVisible(bool(text))

    def _show_running(self, running: bool) -> None:
        self.begin.setVisible(not running)
        self.pause.setVisible(running)
        self.pause.setText("Pause")


def _is_fit(image: Image, dims: Dims) -> bool:
    """Whether the shown plane has neighbours, and each is encoded as one."""
    big = is_big(shown_plane(image, dims).shape(spatial_shape(image)))
    return bool(stack_axes(image, dims)) and not big
