"""What several jobs have in common: where a person clicks, how they save and look again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from napari.layers import Labels
from qtpy.QtCore import Qt

from napari_seem.viewer.preview import EDGE

from ..person import iou, next_click
from . import screen
from .hand import Hand
from .judge import names_of
from .mouse import RIGHT
from .screen import Stuck

BoolArray = npt.NDArray[np.bool_]
Spot = Callable[[Any], Any]

ANNOTATE, EVERYTHING, STACK, SERIES = "Annotate", "Everything", "Stack", "Series"
ENOUGH, MOST_CLICKS = 0.8, 4
"""A person clicks again below this IoU, and gives up after so many clicks."""


@dataclass(frozen=True)
class Result:
    """What came of a job: whether it is right, and in words."""

    right: bool
    text: str


def open_dock(hand: Hand, name: str) -> None:
    """Open a dock of ours by its menu."""
    hand.menu("Plugins", "SEEM", f"{name} (SEEM)")
    hand.rest(0.3)


def spots(layer: Any, *before: int) -> Spot:
    """Turn (row, column) of a plane of a layer into what is shown; array (2,) or (N, 2)."""

    def spot(at: Any) -> Any:
        pairs = np.atleast_2d(np.asarray(at, float))
        points = np.array([layer.data_to_world((*before, *pair))[-2:] for pair in pairs])
        return points if np.ndim(at) > 1 else points[0]

    return spot


def layer_of(hand: Hand, ending: str, kind: Any = None) -> Any:
    """The newest layer whose name ends so, or of a kind."""
    for layer in reversed(hand.viewer.layers):
        if layer.name.endswith(ending) and (kind is None or isinstance(layer, kind)):
            return layer
    raise Stuck(f"there is no layer whose name ends in '{ending}'")


def preview(hand: Hand, shape: tuple[int, ...]) -> BoolArray:
    """The mask that the preview shows, array (H, W)."""
    layers = [one for one in hand.viewer.layers if one.name.startswith("SEEM preview")]
    for layer in layers:
        shown = np.squeeze(np.asarray(layer.data)) % EDGE > 0  # without the dark line around it
        if layer.visible and shown.shape == tuple(shape):
            return shown
    return np.zeros(shape, bool)


def outline(
    hand: Hand, truth: BoolArray, spot: Spot, enough: float = ENOUGH, most: int = MOST_CLICKS
) -> float:
    """Click on an object until its preview is good enough; gives the IoU of the preview."""
    mask = np.zeros(truth.shape, bool)
    for _ in range(most):
        click = next_click(truth, mask)
        if click is None:
            break
        where = spot((click.y, click.x))
        if click.positive:
            hand.click(where)
        else:
            hand.click(where, RIGHT)
        mask = preview(hand, truth.shape)
        if iou(mask, truth) >= enough:
            break
    return iou(mask, truth)


def commit(hand: Hand) -> None:
    """Press the key that commits."""
    hand.key(Qt.Key.Key_K)


def drop_refused(hand: Hand, shape: tuple[int, ...]) -> None:
    """Clear the prompts of an object that was not written, as its pixels belong to others."""
    if preview(hand, shape).any():
        hand.note(f"an object was not written: {screen.said(hand.viewer, ANNOTATE)}")
        hand.key(Qt.Key.Key_J)


def choose_class(hand: Hand, name: str) -> None:
    """Type the class of what is committed from now on."""
    hand.type(screen.field(hand.viewer, "no class", ANNOTATE), name)


def write_to(hand: Hand, layer: str) -> None:
    """See to it that *Write to* names a layer."""
    box = screen.field(hand.viewer, "Write to", ANNOTATE)
    if box.currentText() != layer:
        hand.note(f"'Write to' was '{box.currentText()}', not '{layer}'")
        hand.choose(box, layer)


def save(hand: Hand, path: Path, layer: str) -> None:
    """Save a labels layer by the button of the Annotate dock."""
    write_to(hand, layer)
    hand.press("Save", ANNOTATE, then=hand.answering(path))
    hand.settle()
    if not path.exists():
        raise Stuck(f"'{path.name}' was not written: {screen.said(hand.viewer, ANNOTATE)}")


def reopen(hand: Hand, path: Path, names: list[str]) -> str:
    """Drop a saved file onto the viewer; says what does not come back, or nothing."""
    before = len(hand.viewer.layers)
    hand.drop(path)
    if len(hand.viewer.layers) == before:
        return "the file does not open"
    layer = hand.viewer.layers[-1]
    if not isinstance(layer, Labels):
        return f"it opens as {type(layer).__name__}"
    back = names_of(layer)
    lost = [name for name in names if name not in back]
    return f"the names {lost} are lost" if lost else ""


def told(good: bool, text: str, wrong: str = "") -> Result:
    """Put a result together; `wrong` says what went wrong besides."""
    return Result(good and not wrong, f"{text}; reopened: {wrong or 'all there'}")
