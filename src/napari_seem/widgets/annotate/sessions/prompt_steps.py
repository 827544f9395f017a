"""The steps of objects in the making, as part of the viewer's one timeline."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING
from weakref import ref

from ....viewer.shown import is_seen, show_image, show_plane

if TYPE_CHECKING:
    from ....session import Session
    from ..annotator import Annotator
    from .planes import PlaneSession


class _Steps:
    """Steps of a session, which is let go once its image is gone."""

    def __init__(self, annotator: Annotator, work: PlaneSession) -> None:
        self._annotator, self._known = annotator, ref(work)

    @property
    def _work(self) -> PlaneSession | None:
        work = self._known()
        there = work is not None and work.image in self._annotator.viewer.layers
        return work if there else None


class PromptSteps(_Steps):
    """The steps of an object in the making, as part of the viewer's timeline."""

    @property
    def undo_title(self) -> str:
        """What undo would take back; "" once the object is committed or cleared."""
        work = self._work
        return work.session.undo_title if work and work in self._annotator.sessions else ""

    @property
    def redo_title(self) -> str:
        """What redo would bring back."""
        work = self._work
        return work.session.redo_title if work and work in self._annotator.sessions else ""

    def undo(self) -> None:
        """Take the last step of the prompts back."""
        self._travel(lambda session: session.step_back())

    def redo(self) -> None:
        """Bring it back."""
        self._travel(lambda session: session.step_forward())

    def _travel(self, step: Callable[[Session], None]) -> None:
        work = self._work
        if work is not None:
            self._annotator.travel(work, step)
            show_work(self._annotator, work)


def record_step(annotator: Annotator, work: PlaneSession) -> None:
    """Note that a step was made in the prompts of a plane, in the timeline and in the log."""
    annotator.timeline.record(PromptSteps(annotator, work))
    annotator.prompt_log.changed.append(work)
    annotator.prompt_log.soon.start()


class Cleared(_Steps):
    """That the prompts of a plane were cleared, as a step of the viewer's timeline."""

    @property
    def undo_title(self) -> str:
        """What undo would bring back; "" once the image is gone."""
        return "clear" if self._work else ""

    redo_title = undo_title

    def undo(self) -> None:
        """Bring the prompts back."""
        self._move(self._annotator.sessions.put_back)

    def redo(self) -> None:
        """Clear them again."""
        self._move(self._annotator.sessions.put_away)

    def _move(self, move: Callable[[PlaneSession], object]) -> None:
        work = self._work
        if work is not None:
            move(work)
            self._annotator.redraw(work)
            show_work(self._annotator, work)


def clear_prompts(annotator: Annotator) -> None:
    """Forget the prompts of the shown plane, as a step that can be undone."""
    work = annotator.work
    annotator.clear()
    if work is not None and work.session.prompts:
        annotator.timeline.record(Cleared(annotator, work))


def show_work(annotator: Annotator, work: PlaneSession) -> None:
    """Show the plane of an object in the making, where another plane or image is shown."""
    if work is not annotator.work:
        if work.image is not annotator.image and not is_seen(annotator.viewer, work.image):
            show_image(annotator.viewer, work.image)
        annotator.choose_image(work.image)
        show_plane(annotator.viewer, work.image, work.plane)
