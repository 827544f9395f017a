"""Prompts that were not committed, kept as plain values and taken up again."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from ...errors import LogTrouble
from ...labels.prompt_values import prompts_from_dict, prompts_to_dict
from ...planes import Plane
from ...viewer.drawn import drawn_again

if TYPE_CHECKING:
    from napari.layers import Image

    from .annotator import Annotator


def unfinished(annotator: Annotator, image: Image) -> list[dict[str, Any]]:
    """The prompts of an image that are not committed: a line for each plane, as in the log."""
    return [
        {
            "plane": work.plane.to_dict(), "prompts": prompts_to_dict(work.session.prompts),
            "label_id": work.label_id, "name": work.name,
        }
        for work in annotator.sessions
        if work.image is image and work.session.prompts
    ]  # fmt: skip


def resume(annotator: Annotator, lines: Iterable[Mapping[str, Any]]) -> int:
    """Draw prompts again that were not committed, on the chosen image; gives how many.

    Those that lie in another image, or can't be read, are left out.
    """
    image, layers = annotator.image, annotator.prompt_layers
    if image is None or layers is None:
        return 0
    count = 0
    for line in lines:
        with suppress(LogTrouble, KeyError, TypeError, ValueError):
            plane = Plane.from_dict(line["plane"], bool(image.rgb))
            if annotator.plane is not None and annotator.plane.key() == plane.key():
                plane = annotator.plane
            prompts = [p for one in line["prompts"] for p in prompts_from_dict([one]) or ()]
            drawn = [drawn_again(prompt, plane) for prompt in prompts]
            work = annotator.sessions.begin(image, plane, annotator.question(image))
            work.label_id, work.name = line.get("label_id"), line.get("name") or ""
            work.remember(drawn)
            work.session.replace(tuple(prompts))
            layers.show(plane, drawn)
            count += len(prompts)
    if count:
        annotator.turns.compute()
        annotator.changed.emit()
    return count
