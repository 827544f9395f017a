"""Another person's labels beside one's own: the objects that differ, one after another."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtCore import QObject, Signal

from ...planes import Plane
from ...series.compare import ObjectPair, agreement, compare_folders, disagreements
from ...series.listing import labels_for, open_labels_of
from ...viewer.series_layers import ShownImage, add_labels
from ...viewer.shown import show_place
from .._shared.background.runner import Job
from .._shared.background.steps import Steps
from .player import SeriesPlayer

if TYPE_CHECKING:
    from ...io.opened import OpenedLabels
    from ...series.series import Series

COMPARED = "compared"
"""Role of layers with another person's labels."""
OUTLINE = 2
"""Width of the outlines by which another person's labels are shown."""


class Comparison(QObject):
    """Compares the labels of a series with those in another folder.

    Parameters
    ----------
    player : SeriesPlayer

    Attributes
    ----------
    queue : list of ObjectPair
        The disagreements.
    number : int
        Which of them is shown; -1 for none.
    steps : Steps
    moved : Signal()
        Another disagreement is shown.
    """

    moved = Signal()

    def __init__(self, player: SeriesPlayer) -> None:
        super().__init__(player)
        self._player = player
        self.queue: list[ObjectPair] = []
        self.number = -1
        self.folder: Path | None = None
        self.steps = Steps(self)
        self._pairs: list[ObjectPair] = []
        self.steps.stepped.connect(self._on_image)
        self.steps.ended.connect(self._on_end)

    def begin(self, folder: Path) -> None:
        """Compare with the labels of another folder, in a thread."""
        player, series = self._player, self._player.series
        if series is None or self.steps.running:
            return
        player.save()
        self.folder, self._pairs, self.queue, self.number = folder, [], [], -1
        self.moved.emit()
        title = f"Comparing with '{folder.name}'"
        self.steps.start(title, len(series.images), partial(self._run, series, folder))

    def step(self, step: int) -> None:
        """Go to the next disagreement, or with -1 to the one before."""
        number = self.number + step
        if 0 <= number < len(self.queue):
            self.number = number
            self._go()
            self.moved.emit()

    def close(self) -> None:
        """Stop comparing."""
        self.steps.close()

    def _run(self, series: Series, folder: Path) -> Iterator[list[ObjectPair]]:
        for index in range(len(series.images)):
            self._player.saver.wait(index)
        for _, pairs in compare_folders(series.images, series.folder, folder):
            yield pairs

    def _on_image(self, pairs: list[ObjectPair]) -> None:
        self._pairs += pairs

    def _on_end(self, outcome: str) -> None:
        self.queue = disagreements(self._pairs)
        if outcome and outcome != "stopped":
            self._player.said.emit(outcome, True)
            return
        found = agreement(self._pairs)
        said = f"{found.matched} objects in both (F1 {found.f1:.2f}), {len(self.queue)} differences"
        self._player.said.emit(f"{'Stopped: ' if outcome else ''}{said}.", False)
        if self.queue:
            self.step(1)
        self.moved.emit()

    def _go(self) -> None:
        series = self._player.series
        pair = self.queue[self.number]
        names = [] if series is None else [image.name for image in series.images]
        if pair.image in names:
            self._player.go(names.index(pair.image), partial(self._aim, pair))

    def _aim(self, pair: ObjectPair) -> None:
        player, shown = self._player, self._player.shown
        if shown is None:
            return
        ndim = shown.labels.ndim
        plane = Plane((*pair.index, None, None), (ndim - 2, ndim - 1))
        show_place(player.viewer, shown.images[0], plane, pair.box)
        if not shown.others and player.series is not None and self.folder is not None:
            source = player.series.images[shown.index]
            path = labels_for(source, self.folder)
            read = partial(open_labels_of, source, path)
            show = partial(self._show_theirs, shown, path)
            player.loader.submit(Job(read, show, self._on_trouble, lane="theirs"))

    def _show_theirs(self, shown: ShownImage, path: Path, opened: OpenedLabels) -> None:
        viewer = self._player.viewer
        if self._player.shown is not shown or shown.others:
            return
        name = f"{shown.images[0].name} {path.parent.name}"
        layer = add_labels(viewer, shown.images[0], opened, name, path, COMPARED)
        layer.contour, layer.editable = OUTLINE, False
        shown.others.append(layer)
        viewer.layers.selection.active = shown.labels

    def _on_trouble(self, error: Exception) -> None:
        self._player.said.emit(str(error), True)
