"""The next images of a series opened and encoded in a thread, while one is worked on."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from qtpy.QtCore import QObject

from ...embeddings import encode_ahead
from ...errors import NapariSeemError
from ...images import AnyArray
from ...io.files import open_image
from ...io.opened import Opened
from ...series.series import stamp_of
from .._shared.background.steps import Steps

if TYPE_CHECKING:
    from ...commands.models import ModelCache
    from ...sources.source import PlaneSource

KEPT = 256 << 20
"""Images of more bytes are not kept open."""
Work = tuple[int, Path | None, Callable[[Opened | None], "PlaneSource"]]
"""Number of an image, its file, and what gives the plane that is encoded of what was opened."""


class SeriesAhead(QObject):
    """Opens the next images and encodes what will be clicked on first; clicks go first.

    Attributes
    ----------
    steps : Steps
    """

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self.steps = Steps(self)
        self._kept: tuple[int, tuple[int, int], Opened] | None = None
        self._next: tuple[Sequence[Work], str, ModelCache] | None = None
        self.steps.ended.connect(self._on_end)

    def begin(self, work: Sequence[Work], model: str, models: ModelCache) -> None:
        """Prepare these images from now on, the first one first, and no others."""
        self._next = work, model, models
        if self.steps.running:
            self.steps.stop()
        else:
            self._on_end("")

    def take(self, index: int, path: Path | None) -> Opened | None:
        """An image that is open and unchanged, in any thread; None where it is not."""
        kept, self._kept = self._kept, None
        if kept is None or path is None or kept[0] != index or kept[1] != stamp_of(path):
            return None
        return kept[2]

    def close(self) -> None:
        """Stop for good; what is encoded stays."""
        self._next = None
        self.steps.close()

    def _on_end(self, _: str) -> None:
        if self._next is not None:
            (work, model, models), self._next = self._next, None
            run = partial(self._run, work, model, models)
            self.steps.start("Encoding the next images", max(1, len(work)), run)

    def _run(self, work: Sequence[Work], name: str, models: ModelCache) -> Iterator[object]:
        """In the thread: open and encode one image after the other."""
        for number, (index, path, plane) in enumerate(work):
            try:
                opened = None if path is None else self._open(index, path, keep=number == 0)
                yield index
                source = plane(opened)
                model = models.model(name)
            except (NapariSeemError, OSError):  # told when it is opened
                continue
            if not source.is_big:
                yield from encode_ahead(
                    model, partial(_read, source), [0], models.cache,
                    may_go_on=partial(self.steps.may_go_on, models.gate),
                )  # fmt: skip

    def _open(self, index: int, path: Path, *, keep: bool) -> Opened:
        opened = open_image(path)
        if keep and _is_small(opened):
            self._kept = index, stamp_of(path), opened
        return opened


def _read(source: PlaneSource, _: int) -> AnyArray:
    return source.read()


def _is_small(opened: Opened) -> bool:
    return prod(opened.data.shape) * np.dtype(opened.data.dtype).itemsize <= KEPT
