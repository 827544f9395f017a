"""Prompts that were not committed, kept as plain values and taken up again."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from typing import TYPE_CHECKING

from ....errors import LogTrouble
from ....labels.log import Event
from ....labels.prompt_values import prompts_from_dict, prompts_to_dict
from ....planes import Plane
from ....viewer.documents import document_of
from ....viewer.drawing.shapes import drawn_again
from ....viewer.recovery.left_prompts import close_draft, draft_of, leave, taken_up
from ..._shared.events import later

if TYPE_CHECKING:
    from napari.layers import Image, Labels

    from ..annotator import Annotator
    from .planes import PlaneSession


KEPT_AFTER = 400
"""Milliseconds after a prompt until it is in the log."""


class PromptLog:
    """Keeps prompts in the log of the labels, or of the image without any, as they are made.

    Parameters
    ----------
    annotator : Annotator

    Attributes
    ----------
    changed : list of PlaneSession
        Planes whose prompts are kept when the timer `soon` ends: a click must not wait for it.
    soon : QTimer
    """

    def __init__(self, annotator: Annotator) -> None:
        self._annotator = annotator
        self.changed: list[PlaneSession] = []
        self.soon = later(annotator, KEPT_AFTER, self.keep_changed)

    def keep_changed(self) -> None:
        """Keep the prompts of all planes that were changed."""
        self.soon.stop()
        for work in dict.fromkeys(self.changed):
            self.keep(work)

    def keep(self, work: PlaneSession) -> None:
        """Keep the prompts of a plane as they are."""
        self.changed = [one for one in self.changed if one is not work]
        self._write(work.image, _on_plane(self._annotator, work.image, work.plane))

    def move(self, image: Image | None) -> None:
        """Take the prompts of an image into the log of its labels, which it has now."""
        if image is not None and close_draft(image):
            for line in unfinished(self._annotator, image):
                self._write(image, line)

    def close(self) -> None:
        """Leave all prompts to the next dock."""
        annotator = self._annotator
        self.keep_changed()
        works = [*annotator.sessions, *(one.work for one in annotator.commits.waiting)]
        for image in {work.image for work in works if work.image in annotator.viewer.layers}:
            leave(image, unfinished(annotator, image))

    def _write(self, image: Image, line: Event) -> None:
        labels: Labels | None = self._annotator.targets.get(image)
        log = draft_of(image) if labels is None else document_of(labels).log
        if log is not None:
            log.uncommitted({"image": image.name, **line})


def unfinished(annotator: Annotator, image: Image) -> list[Event]:
    """The prompts of an image that are not committed: a line for each plane, as in the log."""
    works = [*annotator.sessions, *(one.work for one in annotator.commits.waiting)]
    planes = {work.plane.key(): work.plane for work in works if work.image is image}
    lines = [_on_plane(annotator, image, plane) for plane in planes.values()]
    return [line for line in lines if line["prompts"] or line.get("waiting")]


def _on_plane(annotator: Annotator, image: Image, plane: Plane) -> Event:
    def is_here(work: PlaneSession) -> bool:
        return work.image is image and work.plane.key() == plane.key()

    work = next(filter(is_here, annotator.sessions), None)
    line: Event = {"plane": plane.to_dict(), "prompts": []}
    if work is not None:
        line |= _asked(work) | {"label_id": work.label_id, "name": work.name}
    waiting = [
        {
            **_asked(one.work), "name": one.name, "concept": one.concept,
            "label_id": one.label_id or one.work.label_id,
        }
        for one in annotator.commits.waiting if is_here(one.work)
    ]  # fmt: skip
    return line | ({"waiting": waiting} if waiting else {})


def _asked(work: PlaneSession) -> Event:
    """The prompts of an object, and which answers to them of which model were chosen."""
    session = work.session
    line: Event = {"prompts": prompts_to_dict(session.prompts)}
    if any(session.choices):
        line |= {"answers": list(session.choices), "model": work.question.model}
    return line


def take_up(annotator: Annotator) -> None:
    """Draw the prompts again that were left on the chosen image."""
    if annotator.image is not None:
        resume(annotator, taken_up(annotator.image))


def resume(annotator: Annotator, lines: Iterable[Event]) -> int:
    """Draw prompts again that were not committed, on the chosen image; gives how many.

    Those of commits that waited are committed again. What lies in another image, or can't be read,
    is left out.
    """
    image = annotator.image
    if image is None or annotator.prompt_layers is None:
        return 0
    count = 0
    for line in lines:
        with suppress(LogTrouble, KeyError, TypeError, ValueError):
            plane = Plane.from_dict(line["plane"], bool(image.rgb))
            if annotator.plane is not None and annotator.plane.key() == plane.key():
                plane = annotator.plane
            for one in line.get("waiting", ()):
                work = _drawn(annotator, image, plane, one)
                annotator.commits.take_up(work, str(one["name"]), str(one["concept"]))
                count += len(work.session.prompts)
            if line["prompts"]:
                work = _drawn(annotator, image, plane, line)
                annotator.prompt_layers.show(plane, work.drawing())
                annotator.prompt_log.keep(work)
                count += len(work.session.prompts)
    if count:
        annotator.turns.compute()
        annotator.changed.emit()
    return count


def _drawn(annotator: Annotator, image: Image, plane: Plane, line: Event) -> PlaneSession:
    """Begin the object of a line again."""
    prompts = [p for one in line["prompts"] for p in prompts_from_dict([one]) or ()]
    work = annotator.sessions.begin(image, plane, annotator.question(image))
    work.label_id, work.name = line.get("label_id"), line.get("name") or ""
    work.remember([drawn_again(prompt, plane) for prompt in prompts])
    same = line.get("model") == work.question.model and len(prompts) == len(line["prompts"])
    work.session.replace(tuple(prompts), tuple(map(int, line["answers"])) if same else ())
    return work
