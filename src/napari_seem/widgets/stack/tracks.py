"""Tracks of a labels layer, found in a thread and shown."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
from qtpy.QtCore import QObject, Signal

from ...errors import InvalidLabels
from ...labels.lineage import FloatArray, track_points
from ...viewer.coordinates import full_data
from ...viewer.stacks import check_time, show_tracks
from .._shared.background.steps import Steps

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Labels

    from ...images import Sliceable


class TrackMaker(QObject):
    """Finds where the objects of a labels layer are in every frame, and shows their tracks.

    Parameters
    ----------
    viewer : ViewerModel
    parent : QObject

    Attributes
    ----------
    steps : Steps
    ended : Signal(str)
        What came of it, for the person.
    """

    ended = Signal(str)

    def __init__(self, viewer: ViewerModel, parent: QObject) -> None:
        super().__init__(parent)
        self._viewer = viewer
        self._labels: Labels | None = None
        self._frames: list[FloatArray] = []
        self.steps = Steps(self)
        self.steps.stepped.connect(self._frames_done)
        self.steps.ended.connect(self._end)

    def show(self, labels: Labels, axis: int) -> None:
        """Begin; raises `InvalidLabels` where the axis can't be time."""
        check_time(labels, axis)
        if self.steps.running:
            return
        data = full_data(labels)  # a worker reads the array, never the layer
        self._labels, self._frames = labels, []
        self.steps.start(f"Tracks of '{labels.name}'", data.shape[0], lambda: _points(data))

    def _frames_done(self, points: FloatArray) -> None:
        """Keep the points (N, D) of a frame."""
        self._frames.append(points)

    def _end(self, outcome: str) -> None:
        labels = self._labels
        if outcome or labels is None or labels not in self._viewer.layers:
            self.ended.emit("no tracks were made" if outcome == "stopped" else outcome)
            return
        points = np.concatenate(self._frames)
        try:
            layer = show_tracks(self._viewer, labels, points[np.lexsort(points.T[1::-1])])
        except InvalidLabels as error:
            self.ended.emit(str(error))
            return
        count, divided = len(set(points[:, 0])), len({p for (p,) in layer.graph.values()})
        self.ended.emit(f"{count} tracks, {divided} divisions are shown in '{layer.name}'.")


def _points(data: Sliceable) -> Iterator[FloatArray]:
    """Yield the points of every frame of labels (T, ..., H, W)."""
    for time in range(data.shape[0]):
        yield track_points(np.asarray(data[time]), time)
