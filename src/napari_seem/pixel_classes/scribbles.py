"""Images with strokes of classes, as people give them, and the pixels that are learned from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from ..checks import checked_labels, said, whole_number
from ..errors import InvalidArgument, InvalidLabels
from ..images import AnyArray, ArraySource
from ..models.base import Model
from ..sources import PlanePixels
from ..values import ArrayValue
from .features import PixelFeatures

Picture = ArraySource | PlanePixels | PixelFeatures
"""An image (H, W) or (H, W, C), or the features of its pixels."""
Scribbled = tuple[Picture, AnyArray]
"""An image, and its strokes: integers (H, W), 0 where there is none."""
MOST_PIXELS = 4_000
"""Largest number of pixels of a class on an image that are learned from, drawn from its strokes."""
HIGHEST = int(np.iinfo(np.uint16).max)


@dataclass(frozen=True, eq=False)
class Samples(ArrayValue):
    """The pixels of strokes.

    Attributes
    ----------
    features : float16 array (N, D)
    classes : uint16 array (N,)
        Ids of their classes.
    """

    features: npt.NDArray[np.float16] = field(repr=False)
    classes: npt.NDArray[np.uint16] = field(repr=False)

    @classmethod
    def joined(cls, parts: Sequence[Samples]) -> Samples:
        """Return the pixels of several images as one."""
        painted = [one for one in parts if len(one.classes)]
        if not painted:
            return cls(np.zeros((0, 0), np.float16), np.zeros(0, np.uint16))
        features = np.concatenate([one.features for one in painted])
        return cls(features, np.concatenate([one.classes for one in painted]))


def features_of(picture: Picture, model: Model | None) -> PixelFeatures:
    """Return the features of an image (H, W) or (H, W, C), which may be given themselves.

    Raises
    ------
    InvalidLabels
        The features are another model's.
    """
    if not isinstance(picture, PixelFeatures):
        return PixelFeatures(model, picture)
    identity = PixelFeatures.identity_of(model)
    if picture.identity != identity:
        raise InvalidLabels(
            f"these features are of '{picture.identity}', not of '{identity}'; make them with the "
            "present model"
        )
    return picture


def pixels_of_strokes(features: PixelFeatures, scribbles: AnyArray, number: int) -> Samples:
    """Return the pixels of the strokes (H, W) of one image; `number` names it in errors.

    Raises
    ------
    InvalidLabels
        The strokes are of another shape than the image, or no class ids.
    """
    what = f"the strokes of example {number}"
    strokes = checked_labels(scribbles, features.shape, what)
    if strokes.max(initial=0) > HIGHEST:
        raise InvalidLabels(f"{what} hold the id {strokes.max()}; give classes up to {HIGHEST}")
    rng = np.random.default_rng(0)
    flat = strokes.ravel()
    where = np.flatnonzero(flat)
    ids = flat[where]
    chosen = []
    for one in np.unique(ids):
        own = where[ids == one]
        chosen.append(own if len(own) <= MOST_PIXELS else rng.choice(own, MOST_PIXELS, False))
    place = np.sort(np.concatenate(chosen)) if chosen else where
    rows, columns = np.divmod(place, features.shape[1])
    return Samples(features.at(rows, columns).astype(np.float16), flat[place].astype(np.uint16))


def check_examples(examples: object) -> Sequence[Scribbled]:
    """Return images with strokes as a list of pairs; one pair may stand alone.

    Raises
    ------
    InvalidLabels
        There is none, or something else.
    """
    if isinstance(examples, tuple) and len(examples) == 2 and not isinstance(examples[0], tuple):
        examples = [examples]
    if not isinstance(examples, Iterable) or isinstance(examples, (str, Mapping)):
        raise InvalidLabels(f"the examples are {said(examples)}; give a list of (image, strokes)")
    every = list(examples)
    for number, one in enumerate(every, 1):
        if not isinstance(one, (tuple, list)) or len(one) != 2:
            raise InvalidLabels(f"example {number} is {said(one)}; give the pair (image, strokes)")
    if not every:
        raise InvalidLabels("there is no example; paint strokes on an image and give both")
    return every


def check_names(names: Mapping[int, str] | None) -> dict[int, str]:
    """Return the names of classes by id; `InvalidArgument` for anything else."""
    if names is None:
        return {}
    if not isinstance(names, Mapping) or not all(isinstance(n, str) for n in names.values()):
        raise InvalidArgument(f"the names are {said(names)}; give {{1: 'vessel', 2: 'background'}}")
    return {whole_number(key, "the id of a name", 1): name for key, name in names.items() if name}
