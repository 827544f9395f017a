"""Objects by their size: classes, and as many objects of each.

A side is the square root of an object's area in pixels. An object that covers over half of the
image's side, the square root of the image's area, also belongs to a class of its own.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from itertools import chain, pairwise, zip_longest

import numpy as np

from .datasets import PER_IMAGE, ObjectSet, usable_ids

EDGES = (8, 12, 18, 24, 48, 96)
LARGE = "over half of the image"
SIZES = (
    f"under {EDGES[0]} px",
    *(f"{low} to {high} px" for low, high in pairwise(EDGES)),
    f"over {EDGES[-1]} px",
    LARGE,
)
"""Names of the classes."""
IMAGES = 40
"""Most images of a set among which objects are drawn."""

Picks = dict[str, dict[str, dict[int, tuple[str, ...]]]]
"""The classes that each object stands for: by set, image and id."""


def side_of(area: float) -> float:
    """Return the side of an object of `area` pixels."""
    return float(np.sqrt(area))


def sizes_of(side: float, shape: Sequence[int]) -> tuple[str, ...]:
    """Return the classes of an object of a `side` in pixels in an image of `shape` (H, W)."""
    by_side = SIZES[int(np.searchsorted(EDGES, side, side="right"))]
    return (by_side, LARGE) if side > 0.5 * np.sqrt(np.prod(shape)) else (by_side,)


def pick(sets: Sequence[ObjectSet], seed: int, count: int) -> Picks:
    """Draw up to `count` objects of each class, one set after the other in turn.

    At most `PER_IMAGE` objects of a class come from one image.
    """
    found: dict[str, list[list[tuple[str, str, int]]]] = {name: [] for name in SIZES}
    for chosen in sets:
        for name, objects in _of_set(chosen, seed).items():
            found[name].append(objects)
    picks: Picks = defaultdict(lambda: defaultdict(dict))
    rng = np.random.default_rng([seed, 3])
    for name, by_set in found.items():
        shuffled = [by_set[i] for i in rng.permutation(len(by_set))]
        in_turn = [one for one in chain(*zip_longest(*shuffled)) if one is not None]
        for set_name, image, number in in_turn[:count]:
            known = picks[set_name][image].get(number, ())
            picks[set_name][image][number] = (*known, name)
    return {name: dict(images) for name, images in picks.items()}


def _of_set(chosen: ObjectSet, seed: int) -> dict[str, list[tuple[str, str, int]]]:
    """Return the objects of each class of a set, one image after the other in turn."""
    rng = np.random.default_rng([seed, 3, *chosen.name.encode()])
    by_image: dict[str, list[list[tuple[str, str, int]]]] = defaultdict(list)
    for picture in chosen.pictures(seed, IMAGES):
        areas = np.bincount(picture.instances.ravel())
        here = defaultdict(list)
        for number in rng.permutation(usable_ids(picture.instances)).tolist():
            for name in sizes_of(side_of(areas[number]), picture.instances.shape):
                here[name].append((chosen.name, picture.stem, number))
        for name, objects in here.items():
            by_image[name].append(objects[:PER_IMAGE])
    return {
        name: [one for one in chain(*zip_longest(*images)) if one is not None]
        for name, images in by_image.items()
    }
