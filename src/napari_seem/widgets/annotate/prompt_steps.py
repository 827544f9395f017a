"""The steps of objects in the making, as part of the viewer's one timeline."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...viewer.shown import is_seen, show_image, show_plane

if TYPE_CHECKING:
    from .annotator import Annotator
    from .plane_sessions import PlaneSession


class PromptSteps:
    """The steps of an object in the making, as part of the viewer's timeline."""

    def __init__(self, annotator: Annotator, work: PlaneSession) -> None:
        self._annotator, self._work = annotator, work

    @property
    def undo_title(self) -> str:
        """What undo would take back; "" once the object is committed or cleared."""
        current = self._work in self._annotator.sessions
        return self._work.session.undo_title if current else ""

    @property
    def redo_title(self) -> str:
        """What redo would bring back."""
        current = self._work in self._annotator.sessions
        return self._work.session.redo_title if current else ""

    def undo(self) -> None:
        """Take the last step of the prompts back."""
        self._annotator.travel(self._work, lambda session: session.step_back())
        show_work(self._annotator, self._work)

    def redo(self) -> None:
        """Bring it back."""
        self._annotator.travel(self._work, lambda session: session.step_forward())
        show_work(self._annotator, self._work)


class Cleared:
    """That the prompts of a plane were cleared, as a step of the viewer's timeline."""

    def __init__(self, annotator: Annotator, work: PlaneSession) -> None:
        self._annotator, self._work = annotator, work

    @property
    def undo_title(self) -> str:
        """What undo would bring back; "" once the image is gone."""
        return "clear" if self._work.image in self._annotator.viewer.layers else ""

    redo_title = undo_title

    def undo(self) -> None:
        """Bring the prompts back."""
        self._annotator.sessions.put_back(self._work)
        self._show()

    def redo(self) -> None:
        """Clear them again."""
        self._annotator.sessions.put_away(self._work)
        self._show()

    def _show(self) -> None:
        self._annotator.redraw(self._work)
        show_work(self._annotator, self._work)


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
