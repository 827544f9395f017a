"""Other answers to the prompts of the object in the making, shown one after another."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from qtpy.QtCore import QObject, Qt
from qtpy.QtWidgets import QPushButton

from ....models.turns import with_choice
from ..._shared.background.runner import Job, explained
from ..._shared.events import later
from .planes import uses_parts
from .prompt_steps import record_step

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.utils.events import Event

    from ....models.base import Prediction
    from ....session import Session
    from ..annotator import Annotator

AHEAD = 300
"""Milliseconds after an answer until the others are decoded, if nothing else is asked for."""
NO_OBJECT = "there is no object yet; add a prompt on it first"
ONE = "there is only one answer to these prompts; add another prompt to change it"
DROPPED = "this is the best answer of the model chosen now; the one chosen before was of the former"


class AnswerButton(QPushButton):
    """Says which of the answers to the prompts is shown; pressed, it asks for the next one."""

    def __init__(self) -> None:
        super().__init__()
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)  # keys belong to the canvas
        self.show_of(None)

    def show_of(self, session: Session | None) -> None:
        """Show the number of the answer that counts, from 1, and how many there are, if known."""
        number = session.chosen + 1 if session is not None and session.prompts else 0
        best = session.best if session is not None and number else None
        known = None if best is None else best.known_alternatives
        count = len(known or ())
        text = f"answer {number}" + (f" of {count}" if count else "")
        self.setText("one answer" if count == 1 else text if number else "answers")
        self.setEnabled(number > 0 and count != 1)


class Alternatives(QObject):
    """Lets a person choose among the answers to the prompts on the shown plane.

    A choice is a step of the session, which need not know how many answers there are: it is
    answered in a thread like a prompt. The others are decoded a moment after an answer, so that
    their number can be shown.

    Parameters
    ----------
    annotator : Annotator
    """

    def __init__(self, annotator: Annotator) -> None:
        super().__init__(annotator)
        self._annotator = annotator
        self._soon = later(self, AHEAD, self._decode)
        self._turned = 0.0
        self._asked, self._remark = False, ""
        self._viewer: ViewerModel = annotator.viewer
        self._viewer.mouse_wheel_callbacks.append(self._on_wheel)
        annotator.answered.connect(self._on_answer)

    def step(self, by: int = 1) -> None:
        """Show the next answer, after the last one the first; -1 shows the one before."""
        annotator, work = self._annotator, self._annotator.work
        if work is None or not work.session.prompts:
            annotator.say(NO_OBJECT)
            return
        session, known = work.session, self._known()
        if known is not None and len(known) == 1:
            annotator.say(ONE)
            return
        number = session.chosen + by
        annotator.sessions.settle(work)  # others are chosen among answers from the whole plane
        session.replace(session.prompts, with_choice(session.choices, len(session.prompts), number))
        self._asked = session.prediction is None
        record_step(annotator, work)
        annotator.turns.compute()

    def expect_model(self) -> None:
        """Another model is chosen: what was chosen among the answers of the former is dropped."""
        work = self._annotator.work
        if work is not None and any(work.session.choices):
            self._remark = DROPPED

    def remark(self) -> str:
        """What to say with the present answer, once; "" for nothing."""
        text, self._remark = self._remark, ""
        return text

    def close(self) -> None:
        """Let go of the viewer."""
        self._soon.stop()
        self._viewer.mouse_wheel_callbacks.remove(self._on_wheel)

    def _known(self) -> tuple[Prediction, ...] | None:
        """All answers to the present prompts; None where they are not decoded."""
        work = self._annotator.work
        best = None if work is None else work.session.best
        return None if best is None else best.known_alternatives

    def _on_answer(self, _: Prediction) -> None:
        known = self._known()
        if self._asked and known is not None and len(known) == 1:
            self._remark = ONE
        self._asked = False
        if known is None:
            self._soon.start()

    def _decode(self) -> None:
        """Decode the other answers in the thread, where nothing else is asked for."""
        annotator, work = self._annotator, self._annotator.work
        if work is None or work.session.best is None or self._known() is not None:
            return
        if uses_parts(work.session.resolve):  # it is answered anew, once the plane is encoded
            return
        if annotator.runner.busy:
            self._soon.start()
            return
        best = work.session.best
        annotator.runner.submit(
            Job(
                lambda: len(best.alternatives), lambda _: annotator.changed.emit(),
                lambda error: annotator.say(explained(error), error=True), lane="alternatives",
            )
        )  # fmt: skip

    def _on_wheel(self, _: ViewerModel, event: Event) -> None:
        """Shift and the wheel: towards the person is the next answer."""
        work = self._annotator.work
        if list(event.modifiers) != ["Shift"] or work is None or not work.session.prompts:
            return
        self._turned -= float(np.clip(np.sum(event.delta), -1, 1))  # a touchpad gives small parts
        steps, event.handled = int(self._turned), True
        if steps:
            self._turned -= steps
            self.step(steps)
