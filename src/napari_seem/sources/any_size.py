"""The models that `load_model` gives: they take pictures of any size.

Pictures that are too big for one pass become a `TiledEmbedding`, which the same calls take.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict, Unpack

import numpy as np

from ..errors import InvalidPrompt
from ..images import ArraySource, as_picture, to_rgb
from ..models import compact
from ..models.answers import PICTURE
from ..models.base import Embedding, Model, Prediction, Segmentation, words_of
from ..models.sam import model as sam
from ..models.seem import config
from ..models.seem import model as seem
from ..notebook import small_picture
from ..progress import Progress
from ..prompts import Prompt
from ..values import read_only
from .frames import WHOLE, is_big
from .tiled import TiledEmbedding, TiledModel

if TYPE_CHECKING:
    _Whole = Model
else:
    _Whole = object


COPIED = 256 << 20
"""Largest array in bytes that is copied, so that it may be changed after it is encoded."""


class FamilyOptions(TypedDict, total=False):
    """What the `segment` of a family takes beside names; others refuse it with a `TypeError`.

    Attributes
    ----------
    prompted : bool
        Of SAM with micro-sam's decoder; see `SamModel.segment`.
    threshold : float
        Of SEEM; see `SeemModel.segment`.
    """

    prompted: bool
    threshold: float


class AnySize(_Whole):
    """Pictures of any size for a model that encodes a picture as one; named before its class."""

    def encode(self, image: ArraySource, channels: int | None = None) -> Embedding:
        """Encode an image once, for every turn on it.

        Parameters
        ----------
        image : (H, W) or (H, W, C) array of any real dtype
            numpy, dask, zarr, or another array that slices. One with a side over 2048 pixels is
            not read now: the parts that prompts need are, later. It must not be changed then,
            unless it is a numpy array of at most 256 MB, which is copied.
        channels : int, optional
            Axis of the channels. By default the last one, if it is at most 32 long.

        Raises
        ------
        InvalidImage
            The array is a stack, has its channels first, holds no pixel or no real numbers.
        """
        picture = as_picture(image, channels)
        if is_big(picture.shape):
            return TiledModel(self).encode(_own(picture))
        rgb = to_rgb(picture, channels=2 if len(picture.shape) == 3 else None)
        embedding = super().encode(rgb)  # type: ignore[safe-super]
        embedding.scratch[PICTURE] = small_picture(rgb)
        return embedding

    def predict(
        self, embedding: Embedding, prompts: Sequence[Prompt], memory: object = None
    ) -> Prediction:
        """Answer one turn: the one object (or region) that the prompts describe; see `Model`."""
        if isinstance(embedding, TiledEmbedding):
            return TiledModel(self, embedding.frames).predict(embedding, prompts, memory)
        answer = super().predict(embedding, prompts, memory)  # type: ignore[safe-super]
        return answer.on(embedding.picture)

    def segment(
        self, embedding: Embedding, names: Sequence[str] | None = None, *,
        progress: bool | Progress | None = None, **options: Unpack[FamilyOptions],
    ) -> Segmentation:  # fmt: skip
        """Find everything in an image, or everything that one or several names name.

        `options` are those of the family, for images that are encoded as one. `progress` is shown
        for those that are worked through in tiles; see `segment_tiled`.

        Raises
        ------
        InvalidPrompt
            Options are given for an image that is worked through in tiles.
        """
        if isinstance(embedding, TiledEmbedding):
            if options:
                raise InvalidPrompt(
                    f"{' and '.join(options)} can't be chosen for an image with a side over "
                    f"{WHOLE} pixels; leave it out, or give a part of the image"
                )
            tiled = TiledModel(self, embedding.frames)
            return tiled.segment(embedding, words_of(names), progress=progress)
        found = super().segment(embedding, words_of(names), **options)  # type: ignore[safe-super,misc]
        return found.on(embedding.picture)


class Compact(AnySize, compact.CompactModel):
    """The compact model, on pictures of any size."""


class AnySizeSeem(AnySize, seem.SeemModel):
    """SEEM, on pictures of any size."""


class AnySizeSam(AnySize, sam.SamModel):
    """SAM and SAM 2.1, on pictures of any size."""


def _own(picture: ArraySource) -> ArraySource:
    """Return a copy of an array (H, W) or (H, W, C) in memory, if it is not too large."""
    if type(picture) is not np.ndarray or picture.nbytes > COPIED:
        return picture
    return read_only(picture)


def build_compact(weights: Path, device: str, _: str = "") -> Model:
    """Load the compact model from its weights."""
    return compact.build(weights, device, Compact)


def build_seem(weights: Path, device: str, name: str) -> Model:
    """Load the SEEM of a name, with Focal-T or Focal-L, from its checkpoint."""
    sizes = config.FOCAL_T if name.endswith("-t") else config.FOCAL_L
    return seem.build(weights, device, sizes, name, AnySizeSeem)


def build_sam(weights: Path, device: str, name: str, decoder: Path | None = None) -> Model:
    """Load a SAM or SAM 2.1 of any size from its authors' checkpoint, and its decoder if any."""
    return sam.build(weights, device, name, AnySizeSam, decoder)
