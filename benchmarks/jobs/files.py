"""Jobs about files: roofs of a map, a folder of ten images, an image of three channels."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from napari.layers import Image, Labels
from qtpy.QtCore import Qt

from . import data, screen
from .hand import Hand
from .judge import agreement, matches
from .person import (
    ANNOTATE,
    SERIES,
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
from .screen import Stuck

FOLDER = (
    "1bd0f2b3000b7c77", "3441821ebea04fac", "b0defa611b75645c", "c9f305be17312bdb",
    "cdab367b30db4706", "d8607b21411c9c8a", "f0c9f135c62572f3", "40946065f7e4b603",
    "13f2bec0a24c7034", "a6515d7307786680",
)  # fmt: skip
ROOFS, EACH, CELLS = 8, 3, 8
"""How many roofs are outlined, how many nuclei of each image of the folder, how many cells."""


def geotiff(hand: Hand, folder: Path) -> Result:
    """Outline roofs of a GeoTIFF, and save them as GeoJSON in the map's coordinates."""
    case, transform = data.roofs(folder)
    title = "Open image or labels with their geometry... (SEEM)"
    hand.menu("File", "IO Utilities", title, then=hand.answering(case.path))
    hand.settle()
    open_dock(hand, ANNOTATE)
    image = layer_of(hand, "town")
    wanted = _largest(case.truth, ROOFS)
    choose_class(hand, "roof")
    for number in np.unique(wanted)[1:]:
        outline(hand, wanted == number, spots(image))
        commit(hand)
    hand.photo("geotiff")
    layer = layer_of(hand, "labels", Labels)
    path = folder / "roofs.geojson"
    save(hand, path, layer.name)
    text, good = _judge_geojson(path, transform, wanted)
    return told(good, text, reopen(hand, path, ["roof"]))


def ten(hand: Hand, folder: Path) -> Result:
    """Label some nuclei on each of ten images of a folder, and go back to the first one."""
    from napari_seem.io.files import read_labels

    images = folder / "images"
    images.mkdir()
    cases = [data.shared("microscopy/dsb2018", item, images) for item in FOLDER]
    open_dock(hand, SERIES)
    hand.press("Folder", SERIES, then=hand.answering(images))
    open_dock(hand, ANNOTATE)
    by_stem = {case.path.stem: case for case in cases}
    for _ in cases:  # in the series' own order
        image = layer_of(hand, "", Image)
        wanted = _largest(by_stem[image.name].truth, EACH)
        for one in np.unique(wanted)[1:]:
            outline(hand, wanted == one, spots(image))
            commit(hand)
        hand.key(Qt.Key.Key_D, Qt.KeyboardModifier.AltModifier)
    hand.photo("ten")
    good = 0
    for case in cases:
        saved = images / "labels" / f"{case.path.stem}_labels.tif"
        if saved.exists():
            drawn, _ = read_labels(saved)
            good += len(matches(np.asarray(drawn), _largest(case.truth, EACH)))
    hand.tap(*screen.entry(hand.viewer, cases[0].path.name, SERIES))
    back = np.asarray(layer_of(hand, "labels", Labels).data)
    again = matches(back, _largest(cases[0].truth, EACH))
    hand.photo("ten-again")
    objects = EACH * len(cases)
    wrong = "" if len(again) == EACH else f"{len(again)} of {EACH} objects are back"
    return told(good >= 0.9 * objects, f"{good} of {objects} objects, {len(cases)} files", wrong)


def channels(hand: Hand, folder: Path) -> Result:
    """Outline cells that no channel shows alone, with three channel layers as one image."""
    paths, truth = data.channels(folder)
    hand.drop(*paths)
    for path in paths:  # as a person does in napari's own controls to see them together
        layer_of(hand, path.stem).blending = "additive"
    open_dock(hand, ANNOTATE)
    hand.press("all 3 channels", ANNOTATE)
    hand.photo("channels-open")
    image = layer_of(hand, paths[-1].stem)
    wanted = _largest(truth, CELLS)
    for number in np.unique(wanted)[1:]:
        outline(hand, wanted == number, spots(image))
        commit(hand)
    hand.photo("channels")
    layer = layer_of(hand, "labels", Labels)
    drawn = np.array(layer.data)
    path = folder / "cells-labels.tif"
    save(hand, path, layer.name)
    wrong = reopen(hand, path, [])
    return told(len(matches(drawn, wanted)) >= 0.9 * CELLS, agreement(drawn, wanted), wrong)


def _largest(truth: npt.NDArray[np.int64], most: int) -> npt.NDArray[np.int64]:
    """The largest objects of labels, numbered as they were; array (H, W)."""
    sizes = np.bincount(truth.ravel())
    sizes[0] = 0
    return np.where(np.isin(truth, np.argsort(-sizes)[:most]), truth, 0)


def _judge_geojson(path: Path, transform: Any, truth: npt.NDArray[np.int64]) -> tuple[str, bool]:
    """Draw the polygons by their map coordinates, and compare."""
    import json

    from rasterio.features import rasterize

    features = json.loads(path.read_text(encoding="utf-8"))["features"]
    if not features:
        raise Stuck("the GeoJSON holds no polygon")
    shapes = [(feature["geometry"], n) for n, feature in enumerate(features, 1)]
    drawn = rasterize(shapes, truth.shape, transform=transform, dtype="int32")
    named = sum("roof" in json.dumps(feature["properties"]) for feature in features)
    text = f"by map coordinates {agreement(drawn, truth)}; {named} named"
    return text, len(matches(drawn, truth)) >= 0.75 * ROOFS and named == len(features)
