"""Jobs on one plane: coins, a hundred nuclei, vessels, and twenty nuclei by a fast hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
from napari.layers import Labels
from qtpy.QtCore import Qt
from scipy import ndimage
from skimage.measure import label

from napari_seem.viewer.preview import EDGE

from ..person import innermost
from . import data, screen
from .hand import Hand
from .judge import agreement, dice, matches
from .mouse import SHIFT
from .person import (
    ANNOTATE,
    EVERYTHING,
    Result,
    choose_class,
    commit,
    drop_refused,
    layer_of,
    open_dock,
    outline,
    preview,
    reopen,
    save,
    spots,
    told,
    write_to,
)

NUCLEI = "53ad09e4348767be"
FUNDUS = "Image_01L"
STROKES = 25
"""Strokes of the brush along vessels."""
BEAT = 0.25
"""Seconds between two actions of a fast hand: point and commit make an object in half a second."""


def coins(hand: Hand, folder: Path, most: int = 24) -> Result:
    """Label the coins of the sample by clicks, save them as TIFF and open them again."""
    truth = data.coins()
    hand.menu("File", "Open Sample", "SEEM", "Coins")
    open_dock(hand, ANNOTATE)
    spot = spots(layer_of(hand, "Coins"))
    choose_class(hand, "drachma")
    for number in range(1, min(most, truth.max()) + 1):
        outline(hand, truth == number, spot)
        commit(hand)
    hand.photo("coins")
    path = folder / "coins.tif"
    layer = layer_of(hand, "labels", Labels)
    drawn = np.array(layer.data)
    save(hand, path, layer.name)
    wanted = np.where(truth <= most, truth, 0)
    wrong = reopen(hand, path, ["drachma"])
    hand.photo("coins-reopened")
    return told(len(matches(drawn, wanted)) >= 0.9 * wanted.max(), agreement(drawn, wanted), wrong)


def nuclei(hand: Hand, folder: Path) -> Result:
    """Find some 120 nuclei at once, sort out what is wrong, add what is missing, and save."""
    case = data.shared("microscopy/dsb2018", NUCLEI, folder)
    hand.drop(case.path)
    open_dock(hand, EVERYTHING)
    hand.press("Segment everything", EVERYTHING)
    image = layer_of(hand, case.path.stem)
    spot = spots(image)
    found = layer_of(hand, "SEEM everything")
    hand.photo("nuclei-found")
    hand.tap(*screen.layer_row(hand.viewer, found.name))
    wrong_ones, torn = _to_mend(np.asarray(found.data) % EDGE, case.truth)
    for pieces in torn[:5]:
        hand.trace(spot(pieces), modifiers=SHIFT)
    for at in wrong_ones[:10]:
        hand.click(spot(at))
    hand.press("Accept", EVERYTHING)
    named = [one for one in hand.viewer.layers if isinstance(one, Labels)
             and not one.name.startswith("SEEM")]  # fmt: skip
    layer = named[-1]
    open_dock(hand, ANNOTATE)
    write_to(hand, layer.name)
    kept = matches(np.asarray(layer.data), case.truth)
    missing = [n for n in range(1, case.truth.max() + 1) if n not in kept]
    missing.sort(key=lambda n: -int((case.truth == n).sum()))
    for number in missing[:5]:
        outline(hand, case.truth == number, spot)
        commit(hand)
        drop_refused(hand, case.truth.shape)
    hand.photo("nuclei")
    path = folder / "nuclei.tif"
    drawn = np.array(layer.data)
    save(hand, path, layer.name)
    wrong = reopen(hand, path, [])
    good = len(matches(drawn, case.truth)) >= 0.85 * len(np.unique(case.truth[case.truth > 0]))
    return told(good, agreement(drawn, case.truth), wrong)


def vessels(hand: Hand, folder: Path) -> Result:
    """Outline the vessels of a retina by scribbles; where that fails, paint them by the brush."""
    case = data.shared("medical/retina_chase", FUNDUS, folder)
    truth = case.truth > 0
    hand.drop(case.path)
    open_dock(hand, ANNOTATE)
    spot = spots(layer_of(hand, case.path.stem))
    hand.press("Scribble", ANNOTATE)
    by_model = 0.0
    for path in _branches(truth, 3):
        hand.trace(spot(path))
        by_model = dice(preview(hand, truth.shape), truth)
    hand.photo("vessels-scribbles")
    if by_model > 0.5:
        choose_class(hand, "vessel")
        commit(hand)
    else:
        hand.note(f"gave the scribbles up: their Dice was {by_model:.2f}")
        hand.press("Clear", ANNOTATE)
        hand.tap(hand.viewer.window._qt_viewer.layerButtons.newLabelsButton)
    layer = layer_of(hand, "", Labels)
    hand.tap(*screen.layer_row(hand.viewer, layer.name))
    hand.key(Qt.Key.Key_2)
    while layer.brush_size > 5:
        hand.key(Qt.Key.Key_BracketLeft)
    missed = ndimage.binary_opening(truth & ~(np.asarray(layer.data) > 0))
    for path in _branches(missed, STROKES):
        hand.trace(spot(path))
    hand.photo("vessels")
    drawn = np.asarray(layer.data) > 0
    path = folder / "vessels.tif"
    save(hand, path, layer.name)
    wrong = reopen(hand, path, [])
    text = f"Dice {by_model:.2f} by prompts, {dice(drawn, truth):.2f} with the brush"
    return told(dice(drawn, truth) > 0.6, text, wrong)


def by_hand(hand: Hand, folder: Path, most: int = 20) -> Result:
    """Click on twenty nuclei, two a second, each followed by the key that commits it."""
    case = data.shared("microscopy/dsb2018", NUCLEI, folder)
    sizes = np.bincount(case.truth.ravel())
    sizes[0] = 0
    largest = [int(n) for n in np.argsort(-sizes)[:most]]
    hand.drop(case.path)
    open_dock(hand, ANNOTATE)
    spot = spots(layer_of(hand, case.path.stem))
    for number in largest:
        y, x, _ = innermost(case.truth == number)
        hand.click(spot((y, x)), wait=False)
        hand.rest(BEAT)
        hand.key(Qt.Key.Key_K, wait=False)
        hand.rest(BEAT)
    hand.settle()
    hand.photo("by-hand")
    drawn = np.asarray(layer_of(hand, "labels", Labels).data)
    wanted = np.where(np.isin(case.truth, largest), case.truth, 0)
    objects = len(np.unique(drawn[drawn > 0]))
    return Result(
        objects == most and len(matches(drawn, wanted)) >= 0.9 * most,
        f"{objects} objects of {most} clicks; {agreement(drawn, wanted)}",
    )


def _to_mend(
    values: npt.NDArray[np.integer], truth: npt.NDArray[np.integer]
) -> tuple[list[tuple[int, int]], list[npt.NDArray[np.float64]]]:
    """Where to click objects away that are none, and strokes over the pieces of torn ones.

    `values` are the colours that the preview shows, array (H, W), not ids.
    """
    found = label(values, background=0, connectivity=1)
    right = {number for number, _ in matches(found, truth).values()}
    missed = set(range(1, truth.max() + 1)) - set(matches(found, truth))
    owners: dict[int, list[tuple[int, int]]] = {}
    wrong = []
    for number in range(1, found.max() + 1):
        if number in right:
            continue
        inside = found == number
        counts = np.bincount(truth[inside], minlength=1)
        y, x, _ = innermost(inside)
        owner = int(counts.argmax())
        if owner in missed:
            owners.setdefault(owner, []).append((y, x))
        elif inside.sum() > 20:
            wrong.append((y, x))
    return wrong, [np.array(pieces, float) for pieces in owners.values() if len(pieces) > 1]


def _branches(mask: npt.NDArray[np.bool_], most: int) -> list[npt.NDArray[np.float64]]:
    """Paths along the longest unbranched pieces of the middle line of a mask, arrays (N, 2)."""
    from skimage.morphology import skeletonize

    line = skeletonize(mask)
    crossings = line & (ndimage.convolve(line.astype(int), np.ones((3, 3))) > 3)
    pieces, count = ndimage.label(line & ~crossings, np.ones((3, 3)))
    sizes = np.bincount(pieces.ravel(), minlength=count + 1)
    sizes[0] = 0
    chosen = [n for n in np.argsort(-sizes)[:most] if sizes[n] > 8]
    return [_walk(np.argwhere(pieces == number)) for number in chosen]


def _walk(pixels: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """Pixels of a thin line in their order from one end to the other, every third of them."""
    left = {tuple(pixel) for pixel in pixels}
    here = min(left, key=lambda p: sum(max(abs(p[0] - q[0]), abs(p[1] - q[1])) < 2 for q in left))
    path = [here]
    left.discard(here)
    while left:
        here = min(left, key=lambda q: (q[0] - path[-1][0]) ** 2 + (q[1] - path[-1][1]) ** 2)
        if max(abs(here[0] - path[-1][0]), abs(here[1] - path[-1][1])) > 1:
            break
        left.discard(here)
        path.append(here)
    return np.array([*path[::3], path[-1]], float)
