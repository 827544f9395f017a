"""A person's hand: prompts placed through the layers and fields of the Annotate dock."""

from __future__ import annotations

import time
from collections.abc import Callable
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from qtpy.QtWidgets import QApplication

from ..viewer.coordinates import spatial_shape
from ..widgets.annotate.sessions.planes import uses_parts
from .script import Click, DragBox, Gesture, Lasso, Say, Stroke

if TYPE_CHECKING:
    from ..widgets.annotate.dock import AnnotateWidget

PATIENCE = 120.0
"""Seconds after which a step counts as failed."""


def wait_until(done: Callable[[], bool], patience: float = PATIENCE) -> None:
    """Let the viewer live until `done()`; raises `TimeoutError` after `patience` seconds."""
    start = time.perf_counter()
    while not done():
        QApplication.processEvents()
        time.sleep(0.002)
        if time.perf_counter() - start > patience:
            raise TimeoutError(f"nothing happened for {patience:.0f} s")


def perform(dock: AnnotateWidget, gesture: Gesture) -> float:
    """Place one prompt and wait for the answer; gives the seconds it took."""
    start = time.perf_counter()
    if isinstance(gesture, Say):
        dock.use_tool("word")
        dock.find_word(gesture.word)
        wait_until(lambda: not dock.annotator.runner.busy)
        return time.perf_counter() - start
    annotator, layers = dock.annotator, dock.annotator.prompt_layers
    if layers is None:
        raise RuntimeError("no image is chosen")
    before = annotator.prediction
    if isinstance(gesture, Click):
        annotator.set_positive(gesture.positive)
        dock.use_tool("point")
        layers.points.add(_lift(dock, [gesture.at])[0])
        annotator.set_positive(True)
    elif isinstance(gesture, DragBox):
        dock.use_tool("box")
        (y0, x0), (y1, x1) = gesture.start, gesture.stop
        layers.shapes.add_rectangles([_lift(dock, [(y0, x0), (y0, x1), (y1, x1), (y1, x0)])])
    elif isinstance(gesture, Lasso):
        dock.use_tool("lasso")
        layers.shapes.add_polygons([_lift(dock, gesture.corners)])
    elif isinstance(gesture, Stroke):
        dock.use_tool("scribble")
        _paint(dock, gesture)
    wait_until(lambda: not annotator.runner.busy and annotator.prediction not in (None, before))
    return time.perf_counter() - start


def is_settled(dock: AnnotateWidget) -> bool:
    """Whether the answer is that of the whole plane: a commit of it need not wait."""
    work = dock.annotator.work
    return work is None or not (work.session.prediction is None or uses_parts(work.session.resolve))


def _paint(dock: AnnotateWidget, stroke: Stroke) -> None:
    """Paint through the path as one stroke of napari's brush."""
    layers = dock.annotator.prompt_layers
    assert layers is not None
    corners = np.asarray(_lift(dock, stroke.path))
    with layers.scribbles.block_history():
        for a, b in pairwise(corners):
            for share in np.linspace(0, 1, 12):
                layers.scribbles.paint(tuple(a * (1 - share) + b * share), 1)


def _lift(dock: AnnotateWidget, path: object) -> list[np.ndarray]:
    """Plane positions as array coordinates of the image."""
    plane, image = dock.annotator.plane, dock.annotator.image
    assert plane is not None
    assert image is not None
    limit = np.array(plane.shape(spatial_shape(image))) - 1
    return [plane.to_array(*np.clip(pair, 0, limit)) for pair in np.asarray(path, float)]
