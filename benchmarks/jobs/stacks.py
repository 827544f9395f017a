"""Jobs through many planes: an organ in a CT, and a video of dividing cells."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from napari.layers import Labels

from . import data, screen
from .hand import Hand
from .judge import dice, divisions, links
from .person import (
    ANNOTATE,
    EVERYTHING,
    STACK,
    Result,
    choose_class,
    commit,
    layer_of,
    open_dock,
    outline,
    reopen,
    save,
    spots,
    told,
)

KIDNEY, PLANES = 2, 4
"""The right kidney's id in the CT, and on how many planes it is outlined."""


def organ(hand: Hand, folder: Path) -> Result:
    """Outline a kidney on some planes of a CT, carry it through the rest, save, reopen."""
    case = data.shared("volumes/totalseg_ct", "example_ct_sm", folder)
    truth = case.truth == KIDNEY
    hand.drop(case.path)
    open_dock(hand, ANNOTATE)
    image = layer_of(hand, "example_ct_sm")
    hand.choose(screen.field(hand.viewer, "Intensity", ANNOTATE), "CT soft tissue")
    inside = np.flatnonzero(truth.any((1, 2)))
    planes = inside[np.linspace(1, len(inside) - 2, PLANES).astype(int)]
    choose_class(hand, "kidney right")
    hand.press("Go on with this object", ANNOTATE)
    for plane in planes:
        hand.go_to(screen.number_of(hand.viewer, image, int(plane)))
        outline(hand, truth[plane], spots(image, int(plane)))
        commit(hand)
    hand.photo("organ-planes")
    layer = layer_of(hand, "labels", Labels)
    objects = len(np.unique(layer.data)) - 1
    open_dock(hand, STACK)
    ends = sorted(screen.number_of(hand.viewer, image, int(end)) for end in (inside[0], inside[-1]))
    for box, end in enumerate(ends):
        _set_range(hand, box, end)
    hand.press("Both ways", STACK)
    hand.photo("organ")
    drawn = np.asarray(layer.data) > 0
    path = folder / "kidney.nii.gz"
    save(hand, path, layer.name)
    wrong = reopen(hand, path, ["kidney right"])
    hand.photo("organ-reopened")
    text = f"Dice {dice(drawn, truth):.2f} from {PLANES} planes, {objects} object(s)"
    return told(dice(drawn, truth) > 0.8 and objects == 1, text, wrong)


def video(hand: Hand, folder: Path) -> Result:
    """Find cells on the first frame of a video, carry them through time with new ones, save."""
    case = data.video(folder)
    hand.drop(case.path)
    hand.go_to(0)
    open_dock(hand, EVERYTHING)
    hand.press("Segment everything", EVERYTHING)
    hand.press("Accept", EVERYTHING)
    open_dock(hand, STACK)
    hand.press("look for new objects too", STACK)
    hand.press("splits make daughters", STACK)
    hand.press("Forward", STACK)
    hand.photo("video")
    for _ in range(3):
        hand.press("Next", STACK)
        hand.press("Accept", STACK)
    layer = [one for one in hand.viewer.layers
             if isinstance(one, Labels) and not one.name.startswith("SEEM")][-1]  # fmt: skip
    drawn = np.array(layer.data)
    path = folder / "tracks.tif"
    open_dock(hand, ANNOTATE)
    save(hand, path, layer.name)
    kept, total = links(drawn, case.truth)
    born = sum(len(daughters) for *_, daughters in divisions(case.truth))
    known = _parents(path)
    wrong = reopen(hand, path, [])
    text = (f"{kept} of {total} links kept; {known} daughters with a parent "
            f"({born} in truth)")  # fmt: skip
    return told(kept > 0.8 * total and known >= born / 2, text, wrong)


def _set_range(hand: Hand, box: int, plane: int) -> None:
    from qtpy.QtWidgets import QSpinBox

    boxes = screen.field(hand.viewer, "Planes", STACK).findChildren(QSpinBox)
    hand.type(boxes[box], str(plane))


def _parents(path: Path) -> int:
    """Count the objects of a saved table that name a parent."""
    table = path.with_suffix(".json")
    if not table.exists():
        return 0
    objects = json.loads(table.read_text(encoding="utf-8")).get("objects", [])
    return sum(bool(row.get("parent")) for row in objects)
