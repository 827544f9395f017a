"""The mask that a click would give where the mouse is, before the button is let go."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from qtpy.QtCore import QObject

from ...commands.models import KnownPlane
from ...errors import InvalidPrompt, NapariSeemError
from ...models.base import Capability, Model
from ...models.context import Context
from ...prompts import Prompt
from ...viewer.drawing.shapes import drawn_point
from ...viewer.drawing.tools import hindrance
from ...viewer.preview import Preview
from .._shared.background.runner import Job, explained
from .._shared.events import Followed, later
from .annotator import Annotator
from .hand import Hand
from .panel import Panel
from .sessions.planes import PlaneSession, Question, uses_parts

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Image
    from napari.utils.events import Event

    from ...models.turns import Request
    from ...planes import Plane
    from .sessions.turns import Foreseen

EVERY, REST = 100, 300
"""Milliseconds between two masks; and for which the mouse has to rest where one takes longer: no
press of a button is answered beforehand then."""
NOT_ENCODED = (
    "The mask under the mouse is shown as soon as this plane is encoded; a click encodes it."
)
NO_POINTS = "The model '{}' takes no points, so that no mask is shown under the mouse."
SLOW = "A mask takes {:.1f} s with this model; it is shown where the mouse rests."

Place = tuple[tuple[float, ...], bool]
"""Where the mouse is in the viewer's world, and whether a click there is on the object."""


@dataclass(frozen=True)
class Situation:
    """What the answer to a click depends on, besides where it is made.

    Attributes
    ----------
    image : Image
    plane : Plane
    question : Question
    known : KnownPlane
    model : Model
    prompts : tuple of Prompt
        Those of the object in the making.
    choices : tuple of int
        Which of the answers to them were chosen.
    context : Context or None
        What was accepted before.
    positive : bool
        What the dock is set to.
    """

    image: Image
    plane: Plane
    question: Question
    known: KnownPlane
    model: Model | None
    prompts: tuple[Prompt, ...]
    choices: tuple[int, ...]
    context: Context | None
    positive: bool


@dataclass(frozen=True)
class Asked:
    """A click that nobody has made: where the mouse was, and the request that it would lead to."""

    at: Place
    situation: Situation
    request: Request

    def run(self) -> Foreseen:
        """Compute the answer, in any thread, and how many milliseconds it took."""
        started = time.perf_counter()
        return self.request.run(), (time.perf_counter() - started) * 1e3


class Hover(QObject):
    """Shows what a click with the point tool would make of the object, where the mouse is.

    A mask is computed only while nothing else is, of the newest position; a turn that a person
    asks for waits for one such mask at most, and is answered by it if it is that of the click.
    While it is off nothing is shown, and a mask computed only where a button goes down: napari
    adds the point when it comes up again, and the answer is mostly there by then.

    Parameters
    ----------
    annotator : Annotator
    hand : Hand
        Knows whether a click is for the point tool.
    panel : Panel

    Attributes
    ----------
    preview : Preview or None
        The outline of the mask; None while it is off.
    """

    def __init__(self, annotator: Annotator, hand: Hand, panel: Panel) -> None:
        super().__init__(annotator)
        self._annotator, self._hand, self._panel = annotator, hand, panel
        self._viewer: ViewerModel = annotator.viewer
        self.preview: Preview | None = None
        self._events = Followed()
        self._soon = later(self, EVERY, self._ask)
        self._image: Image | None = None
        self._at: Place | None = None
        self._asked: Asked | None = None
        self._answer: tuple[Asked, Foreseen] | None = None
        self._asked_at, self._took, self._said = 0.0, 0.0, ""
        self._viewer.mouse_drag_callbacks.append(self._on_press)
        annotator.layers_changed.connect(self._forget)

    @property
    def waiting(self) -> bool:
        """Whether a position waits to be asked about."""
        return self._soon.isActive()

    def switch(self, on: bool) -> None:
        """Show masks under the mouse from now on, or no longer."""
        if on == (self.preview is not None):
            return
        if not on:
            self._end()
            return
        self.preview, self._asked = Preview(self._viewer, "SEEM hover", dashed=True), None
        self._viewer.mouse_move_callbacks.append(self._on_move)
        self._events.follow(self._on_leave, self._viewer.events.mouse_over_canvas)
        self._annotator.changed.connect(self._on_changed)
        self._on_changed()

    def close(self) -> None:
        """Let go of the viewer."""
        self.switch(False)
        self._viewer.mouse_drag_callbacks.remove(self._on_press)
        self._annotator.layers_changed.disconnect(self._forget)
        self._annotator.turns.foreseen, self._answer = None, None

    def _end(self) -> None:
        self._annotator.changed.disconnect(self._on_changed)
        self._events.close()
        self._viewer.mouse_move_callbacks.remove(self._on_move)
        self._drop()
        self._say("")
        if self.preview is not None:
            self.preview.close()
        self.preview, self._image, self._answer, self._took = None, None, None, 0.0

    def _on_move(self, _: ViewerModel, event: Event) -> None:
        """The mouse moved with no button held; only the newest position counts."""
        self._at = event.position, "Control" not in event.modifiers
        if self._took > REST:
            self._soon.start(REST)
        elif not self._soon.isActive():
            self._wait_a_while()

    def _on_press(self, _: ViewerModel, event: Event) -> Iterator[None]:
        """Compute the answer to a click at once; a drag moves or draws something."""
        if event.button in (1, 2) and "Alt" not in event.modifiers:
            self._at = event.position, event.button == 1 and "Control" not in event.modifiers
            annotator = self._annotator
            if not (annotator.runner.busy or annotator.turns.last_ms > REST):
                self._ask()
                if annotator.runner.busy:
                    annotator.turns.held.hold()
        self._at = None
        self._soon.stop()
        yield
        if event.type == "mouse_move":
            self._drop()
            self._annotator.turns.held.release()  # the picture moves with the mouse

    def _on_leave(self, _: object = None) -> None:
        if not self._viewer.mouse_over_canvas:
            self._drop()

    def _on_changed(self) -> None:
        """Prompts, plane, image, model or sign may be others: what was shown counts no more."""
        situation = self._situation()
        if self._asked is not None and self._asked.situation != situation:
            self._drop()
        image = self._annotator.image
        if image is not self._image and image is not None and self.preview is not None:
            self.preview.prepare(image)
        self._image = image

    def _forget(self) -> None:
        """Let go of an image that was removed."""
        layers = self._viewer.layers
        if self._answer is not None and self._answer[0].situation.image not in layers:
            self._answer = None
        if self._asked is not None and self._asked.situation.image not in layers:
            self._asked = None

    def _drop(self) -> None:
        """Show nothing, and wait for the mouse to move again."""
        self._at, self._asked = None, None
        self._soon.stop()
        if self.preview is not None:
            self.preview.clear()

    def _wait_a_while(self) -> None:
        passed = (time.monotonic() - self._asked_at) * 1e3
        self._soon.start(max(round(EVERY - passed), 0))

    def _situation(self) -> Situation | None:
        """What a click would be asked in now; None where it would be for no plane."""
        annotator = self._annotator
        image, plane = annotator.image, annotator.plane
        if image is None or plane is None or image not in self._viewer.layers:
            return None
        question, work = annotator.question(image), annotator.work
        if work is not None and work.session.prompts:
            prompts, choices = work.session.prompts, work.session.choices
            context = work.context
        else:
            prompts, choices = (), ()
            context = annotator.accepted.on_plane(image, plane)
        return Situation(
            image, plane, question, annotator.sessions.known(plane, question.input),
            annotator.model_cache.loaded(question.model),
            prompts, choices, context, annotator.positive,
        )  # fmt: skip

    def _ask(self) -> None:
        """Compute the mask where the mouse is, unless something else is being computed."""
        if self._at is None:
            return
        if self._annotator.runner.busy:
            self._soon.start(EVERY)
            return
        situation = self._situation()
        if self._asked is not None and (self._asked.at, self._asked.situation) == (
            self._at, situation,
        ):  # fmt: skip
            return
        self._asked = None if situation is None else self._asked_here(situation, self._at)
        if self._asked is None:
            if self.preview is not None:
                self.preview.clear()
            return
        self._asked_at = time.monotonic()
        self._annotator.turns.foreseen = self._foreseen
        self._annotator.runner.submit(
            Job(
                self._asked.run,
                partial(self._on_answer, self._asked),
                self._on_failure,
                lane="hover",
            )
        )

    def _asked_here(self, situation: Situation, at: Place) -> Asked | None:
        """The click that could be made, or None where none would be answered at once."""
        annotator, layers, work = self._annotator, self._annotator.prompt_layers, None
        if layers is None or self._hand.tool != "point":
            return None
        if hindrance(self._viewer, layers, self._hand.tool):
            return None
        if situation.prompts:
            work = annotator.work
            if work is None or work.session.prediction is None:
                return None
        positive = annotator.positive and at[1]
        if not positive and not any(prompt.positive for prompt in situation.prompts):
            return None
        vertex = np.asarray(layers.points.world_to_data(at[0]), float)
        try:  # the very point that a click there adds
            request = annotator.sessions.request_with(
                drawn_point(vertex, situation.plane, positive).prompt,
                situation.image, situation.plane, situation.question,
            )  # fmt: skip
        except InvalidPrompt:  # beside the image
            return None
        if not self._is_ready(situation, request):
            return None
        return Asked(at, situation, request)

    def _is_ready(self, situation: Situation, request: Request) -> bool:
        """Whether the model answers points, and here without encoding; says where it doesn't."""
        model, name = situation.model, situation.question.model
        if model is not None and Capability.POINT not in model.capabilities:
            self._say(NO_POINTS.format(name))
            return False
        if not self._annotator.model_cache.is_encoded(name, situation.known, request):
            self._say(NOT_ENCODED)
            return False
        if self._said != self._slow():
            self._say(self._slow())
        return True

    def _on_answer(self, asked: Asked, answer: Foreseen) -> None:
        prediction, self._took = answer
        self._answer = asked, answer
        self._forget()
        work, situation = self._annotator.work, asked.situation
        if work is not None and work.session.prompts and work.session.prediction is None:
            if self._foreseen(work, work.session.request()) is not None:
                self._annotator.turns.compute()  # the click was made meanwhile
            return
        if asked is not self._asked or self.preview is None:
            return
        self.preview.show(situation.image, situation.plane, *prediction.overview())
        self._say(self._slow())
        if self._at is not None and self._at != asked.at:
            self._wait_a_while()

    def _on_failure(self, error: Exception) -> None:
        """A click there would fail as well, and says why; what nobody expects ends it."""
        self._asked = None
        if self.preview is not None and not isinstance(error, NapariSeemError):
            self._panel.hover.setChecked(False)
            self._annotator.say(explained(error), error=True)

    def _foreseen(self, work: PlaneSession, request: Request) -> Foreseen | None:
        """The answer to a request, where it is that of the click that was asked about last."""
        if self._answer is None:
            return None
        asked, answer = self._answer
        there = asked.situation
        same = (
            (asked.request.prompts, asked.request.choices) == (request.prompts, request.choices)
            and (there.image, there.plane.key()) == (work.image, work.plane.key())
            and (there.question, there.known) == (work.question, work.known)
            and there.context == work.context
            and there.model is self._annotator.model_cache.loaded(there.question.model)
            and not uses_parts(asked.request.resolve)
        )
        return answer if same else None

    def _slow(self) -> str:
        return SLOW.format(self._took / 1e3) if self._took > REST else ""

    def _say(self, text: str) -> None:
        """Say how things stand in place of what was said before, not of other messages."""
        message = self._panel.message
        if self.preview is None:
            return
        if text != self._said and (text or message.text() == self._said):
            message.say(text)
        self._said = text
