"""Prompts that were not committed and wait for a dock that draws them again."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from ...labels.log import Event
from ...labels.recorder import Recorder
from ..private import unwrap
from .journals import draft_log

if TYPE_CHECKING:
    from napari.layers import Image

_LEFT: WeakKeyDictionary[Image, list[Event]] = WeakKeyDictionary()
_DRAFTS: WeakKeyDictionary[Image, Recorder] = WeakKeyDictionary()
"""The logs of images that have prompts but no labels yet."""


def leave(image: Image, lines: Iterable[Event]) -> None:
    """Keep prompts of an image for the next dock: a line for each plane, as in the log."""
    _LEFT[unwrap(image)] = [dict(line) for line in lines]


def left_on(image: Image) -> list[Event]:
    """The prompts that wait on an image."""
    return list(_LEFT.get(unwrap(image), ()))


def taken_up(image: Image) -> list[Event]:
    """The prompts that wait on an image, which wait no more."""
    return _LEFT.pop(unwrap(image), [])


def draft_of(image: Image) -> Recorder:
    """The log of an image without labels, begun when it is asked for first."""
    if image not in _DRAFTS:
        _DRAFTS[image] = draft_log(image)
    return _DRAFTS[image]


def close_draft(image: Image) -> bool:
    """Close the log of an image that has labels, or goes; whether there was one."""
    draft = _DRAFTS.pop(unwrap(image), None)
    if draft is not None:
        draft.close()
        if draft.journal is not None:
            draft.journal.path.unlink(missing_ok=True)
    return draft is not None
