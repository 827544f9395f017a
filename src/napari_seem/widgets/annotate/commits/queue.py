"""Commits in the order in which they were pressed: each is written once its mask is there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any
from weakref import WeakValueDictionary

from qtpy.QtCore import QObject, QTimer, Signal

from ....commands.commit import Commit
from ....errors import InvalidLabels, InvalidPrompt, NapariSeemError
from ....labels.changes import Change
from ....labels.document import LabelDocument
from ....labels.plans import counted
from ....viewer.coordinates import shown_plane
from ....viewer.documents import document_of
from ....viewer.label_layers.targets import check_target
from ....viewer.model_input import check_pixels
from ..._shared.background.runner import Job, explained
from ..sessions.prompt_steps import show_work
from .continued import Continued

if TYPE_CHECKING:
    from napari.layers import Labels

    from ....models.base import Prediction
    from ....models.turns import Request
    from ..annotator import Annotator
    from ..sessions.planes import PlaneSession

NO_OBJECT = "there is no object yet; add a prompt on it first"


@dataclass(eq=False)
class PressedCommit:
    """A commit as it was when it was pressed; a step of undo for as long as it waits.

    Attributes
    ----------
    queue : Commits
    work : PlaneSession
        Its prompts stay as they are.
    labels : Labels
    name, concept : str
        What the person called it, and its class; empty ones are found out when it is written.
    label_id : int or None
        The id that was asked for; then that which was written.
    overwrite : bool
    continued : Continued or None
    state : str
        "waits", "written", "withdrawn" by undo, "lost" while its prompts are nowhere, "returned"
        where they are on their plane again.
    """

    queue: Commits = field(repr=False)
    work: PlaneSession
    labels: Labels
    name: str
    concept: str
    label_id: int | None
    overwrite: bool
    continued: Continued | None
    state: str = "waits"

    @property
    def undo_title(self) -> str:
        """As of `Undoable`."""
        return "object" if self.state in ("waits", "lost") and self.queue.has_place(self) else ""

    @property
    def redo_title(self) -> str:
        """As of `Undoable`."""
        return "object" if self.state == "withdrawn" and self.queue.has_place(self) else ""

    def undo(self) -> None:
        """Take it back before it is written: its prompts are there again."""
        self.queue.withdraw(self)

    def redo(self) -> None:
        """Press it again."""
        self.queue.press_again(self)


class Commits(QObject):
    """Writes objects into Labels layers, each for the plane and image that it was pressed on.

    Parameters
    ----------
    annotator : Annotator

    Attributes
    ----------
    changed : Signal()
        The object that commits add to is another, or none.
    waiting : list of PressedCommit
        Those whose masks are not there, and those after them.
    continued : Continued or None
        The object that commits add to.
    title : str
        What it is called; "" for none, and before its first commit.
    """

    changed = Signal()

    def __init__(self, annotator: Annotator) -> None:
        super().__init__(annotator)
        self._annotator = annotator
        self.waiting: list[PressedCommit] = []
        self.continued: Continued | None = None
        self.title = ""
        self._last: PressedCommit | None = None
        self._written: WeakValueDictionary[str, PlaneSession] = WeakValueDictionary()
        self._then: list[Callable[[], None]] = []

    def press(self, name: str = "", label_id: int | None = None) -> PressedCommit | None:
        """Write the object on the shown plane, at once or when its mask is there.

        Parameters
        ----------
        name : str
            The object's name; where it is empty, that of its class. What a model guesses is only
            shown: a wrong name in a table is worse than none.
        label_id : int, optional
            Its id; by default that of the object picked up again, of the one that is gone on with,
            else the next free one.

        Returns
        -------
        PressedCommit or None
            None where there is nothing to write, or where the labels can't take it.
        """
        annotator = self._annotator
        with annotator.reporting():
            work = annotator.work
            if work is None or not work.session.prompts:
                if annotator.image is not None and annotator.plane is None:
                    shown_plane(annotator.image, annotator.viewer.dims)  # says why
                raise InvalidPrompt(NO_OBJECT)
            labels = annotator.objects.target()
            check_target(labels, work.image, label_id or work.label_id or 1)
            one = PressedCommit(
                self, work, labels, name or work.name, annotator.classes.active, label_id,
                annotator.overwrite, self.continued,
            )  # fmt: skip
            annotator.sessions.settle(work)
            if self.waiting or work.session.prediction is None:
                annotator.clear()
                annotator.timeline.record(one)
                self._wait(one)
            else:
                self._write(one)
                annotator.clear()
                self._say_written(one)
            self._last = one
            return one
        return None

    def go_on(self, wanted: bool) -> None:
        """Let commits add to the object picked up or committed last, or end that.

        Where there is none, the next commit begins it.
        """
        self.continued = self._to_continue() if wanted else None
        if self.continued is not None and self.continued.label_id is not None:
            self._annotator.classes.choose(self.continued.concept)
        self._show_continued()

    def when_written(self, then: Callable[[], None]) -> None:
        """Call a function once nothing waits any more."""
        self._then.append(then)
        self._call_waiting()

    def on_change(self, change: Change) -> None:
        """A document was changed: prompts of a commit that is undone come back, or go again."""
        annotator, work = self._annotator, self._written.get(change.uid)
        if self.continued is not None and self.continued.label_id in change.rows:
            self._show_continued()
        if work is None or work.image not in annotator.viewer.layers or change.state == "done":
            return
        if change.state == "undone":
            annotator.sessions.put_back(work)
        elif work in annotator.sessions:
            annotator.sessions.put_away(work)
        annotator.redraw(work)
        show_work(annotator, work)

    def has_place(self, one: PressedCommit) -> bool:
        """Whether the image of a commit is there."""
        return one.work.image in self._annotator.viewer.layers

    def withdraw(self, one: PressedCommit) -> None:
        """Take a commit back that is not written; its prompts are there again."""
        if not self._annotator.sessions.put_back(one.work):
            return
        if one in self.waiting:
            self.waiting.remove(one)
        one.state = "withdrawn"
        self._annotator.redraw(one.work)
        show_work(self._annotator, one.work)
        self._write_ready()

    def press_again(self, one: PressedCommit) -> None:
        """Press a commit again that was taken back."""
        self._annotator.sessions.put_away(one.work)
        self._annotator.redraw(one.work)
        self._wait(one)

    def take_up(self, work: PlaneSession, name: str, concept: str) -> None:
        """Press a commit for prompts that were pressed before and could not be written then."""
        annotator = self._annotator
        one = PressedCommit(
            self, work, annotator.objects.target(), name, concept, work.label_id,
            annotator.overwrite, None,
        )  # fmt: skip
        annotator.sessions.end(work.image, work.plane)
        annotator.timeline.record(one)
        self._wait(one)

    def close(self) -> None:
        """Say which commits are not written."""
        left, self.waiting = len(self.waiting), []
        if left:
            self._annotator.say(
                f"{counted(left)} {'was' if left == 1 else 'were'} not written: the Annotate dock "
                "was closed before the masks were there. Open it again, and they are written",
                error=True,
            )  # fmt: skip
        self._call_waiting()

    def _wait(self, one: PressedCommit) -> None:
        """Write a commit after those before it, once its mask is there."""
        annotator, session, one.state = self._annotator, one.work.session, "waits"
        self.waiting.append(one)
        annotator.prompt_log.keep(one.work)
        if session.prediction is not None:
            QTimer.singleShot(0, self._write_ready)  # after the step of undo that this may be
            return
        self._answer(one)
        annotator.say(self._say_waiting())

    def _answer(self, one: PressedCommit) -> None:
        annotator, session = self._annotator, one.work.session
        request = session.request()

        def answer() -> Prediction:
            best = session.best  # by a turn that ran when it was pressed
            return request.run() if best is None or session.prediction is None else best

        job = Job(
            answer, partial(self._on_answer, one, request), partial(self._on_failure, one),
            lambda: "" if annotator.sessions.is_encoded(one.work) else "Reading the image",
            partial(self._lose, one, "its mask was cancelled"), lane="",
        )  # fmt: skip
        annotator.runner.submit(job)

    def _on_answer(self, one: PressedCommit, request: Request, best: Prediction) -> None:
        one.work.session.deliver(request, best)
        if one in self.waiting:
            self._write_ready()
        elif one.work is self._annotator.work:
            self._annotator.turns.compute()

    def _on_failure(self, one: PressedCommit, error: Exception) -> None:
        self._lose(one, explained(error))

    def _write_ready(self) -> None:
        """Write those whose masks are there, in their order."""
        while self.waiting and self.waiting[0].work.session.prediction is not None:
            one = self.waiting[0]
            if self._annotator.sessions.settle(one.work):
                self._answer(one)
                return
            try:
                with self._annotator.timeline.in_place_of(one):
                    self._write(one)
            except NapariSeemError as error:
                self._lose(one, str(error))
                return
            self.waiting.remove(one)
            self._annotator.prompt_log.keep(one.work)
            self._say_written(one)
        self._call_waiting()

    def _lose(self, one: PressedCommit, reason: str) -> None:
        """Say that a waiting commit can't be written, and give its prompts back."""
        if one not in self.waiting:
            return
        annotator = self._annotator
        self.waiting.remove(one)
        back = self.has_place(one) and annotator.sessions.put_back(one.work)
        one.state = "returned" if back else "lost"
        annotator.prompt_log.keep(one.work)
        message = f"an object was not written: {reason}"
        if back:
            annotator.redraw(one.work)
            message += "; its prompts are there again"
        elif self.has_place(one):
            message += "; undo until its prompts are there again"
        annotator.say(message, error=True)
        self._write_ready()

    def _write(self, one: PressedCommit) -> None:
        """Write a commit; raises where the labels can't take it, and writes nothing then."""
        annotator, work, prediction = self._annotator, one.work, one.work.session.prediction
        if prediction is None or prediction.bbox is None:
            raise InvalidPrompt(NO_OBJECT)
        if one.labels not in annotator.viewer.layers:
            raise InvalidLabels(f"the labels layer '{one.labels.name}' was removed")
        check_pixels(work.question.input.layers, work.known.source.input)
        workspace = annotator.objects.workspace(one.labels, work.image, one.label_id or 1)
        document = workspace.document
        known = workspace.fields(work.question.model, work.known)
        command = Commit(
            **known, **Commit.of_prompts(work.session.prompts, work.session.choices),
            **self._identity(one, document), **work.context_fields(),
            replaces=work.label_id is not None, overwrite=one.overwrite,
        )  # fmt: skip
        made: list[Change] = []
        with document.listening(made.append):
            (one.label_id,) = command.apply(workspace, prediction)
        self._written.update((change.uid, work) for change in made)
        one.state = "written"
        if one.continued is not None:
            one.continued.written(one.label_id, one.labels)
            self._show_continued()
        annotator.classes.note_use(command.concept)
        annotator.objects.written(one.labels, work)

    def _identity(self, one: PressedCommit, document: LabelDocument) -> dict[str, Any]:
        """Id, name and class of the object that a commit writes, and the colour of the class."""
        label_id = one.label_id or one.work.label_id
        if one.work.label_id is not None:  # picked up again: it stays in its class
            return {"label_id": label_id, "name": one.name}
        fields: dict[str, Any] = {"label_id": label_id, "name": "", "concept": one.concept}
        if one.continued is not None and label_id is None:
            fields |= one.continued.fields(document, one.labels)
        concept = fields.pop("concept")
        if concept:
            colour = self._annotator.classes.colour_in(document, concept)
            fields |= {"concept": concept} | ({"colour": colour} if colour else {})
        return fields | ({"name": one.name} if one.name else {})

    def _to_continue(self) -> Continued:
        annotator, work, last = self._annotator, self._annotator.work, self._last
        new = Continued()
        if work is not None and work.label_id is not None and annotator.labels is not None:
            new.written(work.label_id, annotator.labels)
        elif last is not None and last.state == "waits":
            last.continued = new
        elif last is not None and last.state == "written" and last.label_id is not None:
            there = last.labels in annotator.viewer.layers
            if there and last.label_id in document_of(last.labels).table:
                new.written(last.label_id, last.labels)
        return new

    def _show_continued(self) -> None:
        self.title = "" if self.continued is None else self.continued.title
        self.changed.emit()

    def _say_written(self, one: PressedCommit) -> None:
        more = f"; {self._say_waiting()}" if self.waiting else ""
        self._annotator.say(f"object {one.label_id} written to '{one.labels.name}'{more}")

    def _say_waiting(self) -> str:
        waits = "waits" if len(self.waiting) == 1 else "wait"
        return f"{counted(len(self.waiting))} {waits} for the mask"

    def _call_waiting(self) -> None:
        while self._then and not self.waiting:
            self._then.pop(0)()
