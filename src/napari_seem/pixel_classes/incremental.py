"""A classifier that is fitted again with every stroke, and keeps what the stroke did not change."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from ..embeddings import EmbeddingCache, content_key
from ..models.base import Model
from ..sources.frames import Area
from ..sources.source import PlaneSource
from .answers import PixelClasses
from .classifier import PixelClassifier
from .features import PixelFeatures
from .scribbles import Samples, pixels_of_strokes

MOST_BYTES = 1 << 30
"""Bytes of features of planes that are kept."""
MOST_PLANES = 1000
"""Planes whose strokes' pixels are kept."""


@dataclass(frozen=True, eq=False)
class TaughtPlane:
    """The strokes on a plane of an image.

    Attributes
    ----------
    source : PlaneSource
    places : int (n, 2)
        Row and column of each painted pixel.
    classes : int (n,)
        The number of its class.
    digest : str
        Tells these strokes from others.
    """

    source: PlaneSource
    places: npt.NDArray[np.intp] = field(repr=False)
    classes: npt.NDArray[np.uint16] = field(repr=False)
    digest: str = ""

    @classmethod
    def of(
        cls, source: PlaneSource, places: npt.NDArray[np.intp], ids: npt.NDArray[np.int64],
        numbers: Mapping[int, int],
    ) -> TaughtPlane:  # fmt: skip
        """Return strokes by the ids (n,) of their pixels (n, 2); ids without a number are left out.

        `numbers` maps an id to the number of its class.
        """
        every, where = np.unique(ids, return_inverse=True)
        classes = np.array([numbers.get(int(i), 0) for i in every], np.uint16)[where]
        known = classes > 0
        places, classes = places[known], classes[known]
        digest = hashlib.blake2b(np.ascontiguousarray(places).tobytes(), digest_size=16)
        digest.update(classes.tobytes())
        return cls(source, places, classes, digest.hexdigest())

    def strokes(self) -> npt.NDArray[np.uint16]:
        """Return the strokes as an array of the plane's shape (H, W), 0 where there is none."""
        out = np.zeros(self.source.shape, np.uint16)
        out[tuple(self.places.T)] = self.classes
        return out


class IncrementalClassifier:
    """Fits a classifier to strokes and classifies planes, one call at a time.

    It keeps the features of the planes that were classified last, and the pixels of all strokes.

    Parameters
    ----------
    cache : EmbeddingCache, optional
        Where encoded images are looked for and kept.
    """

    def __init__(self, cache: EmbeddingCache | None = None) -> None:
        self._cache = cache
        self._features: OrderedDict[Hashable, tuple[str, PixelFeatures]] = OrderedDict()
        self._samples: OrderedDict[Hashable, tuple[str, Samples]] = OrderedDict()
        self._fitted: tuple[object, list[Samples], PixelClassifier] | None = None

    def fit(
        self, model: Model | None, planes: Sequence[TaughtPlane], names: Mapping[int, str],
        colours: Mapping[int, str], also: PixelClassifier | None = None,
    ) -> PixelClassifier:  # fmt: skip
        """Fit to strokes; see `PixelClassifier.fit`."""
        found = [one for one in (self._pixels(model, plane) for plane in planes) if one]
        if also is not None:
            found.insert(0, also.samples_for(model))
        key = [PixelFeatures.identity_of(model), dict(names), dict(colours)]
        known = self._fitted
        if known is None or known[0] != key or not _same(known[1], found):
            fitted = PixelClassifier.of_samples(model, Samples.joined(found), names, colours)
            known = self._fitted = key, found, fitted
        return known[2]

    def predict(
        self, classifier: PixelClassifier, source: PlaneSource, area: Area | None = None
    ) -> tuple[Area, PixelClasses]:
        """Classify a plane, or the parts of a big one that touch an area (y0, x0, y1, x1).

        Returns
        -------
        area : (y0, x0, y1, x1)
            What was classified.
        classes : PixelClasses
            Of that area.
        """
        features = self.features(classifier.model, source)
        if area is None or not source.is_big:
            return (0, 0, *source.shape), classifier.predict(features)
        return classifier.predict_area(features, area)

    def prepare(self, model: Model | None, source: PlaneSource, area: Area | None = None) -> None:
        """Compute what the first strokes on a plane need, or on the parts that touch an area."""
        features = self.features(model, source)
        features.statistics  # noqa: B018  (kept)
        if area is not None:
            for _, frame in features.frames_in(area):
                features.maps(frame)

    def features(self, model: Model | None, source: PlaneSource) -> PixelFeatures:
        """Return the features of a plane as its pixels are now."""
        key = PixelFeatures.identity_of(model), *_place(source)
        known = self._features.get(key)
        pixels = None if source.is_big else np.array(source.read())
        content = "" if pixels is None else content_key(pixels)
        if known is None or known[0] != content:
            image = source.pixels() if pixels is None else pixels
            known = content, PixelFeatures(model, image, cache=self._cache)
        self._features[key] = known
        self._features.move_to_end(key)
        while len(self._features) > 1 and self._bytes() > MOST_BYTES:
            self._features.popitem(last=False)
        return known[1]

    def _pixels(self, model: Model | None, plane: TaughtPlane) -> Samples | None:
        """The pixels of a plane's strokes; computed where strokes or image are others."""
        if not len(plane.classes):
            return None
        place = PixelFeatures.identity_of(model), *_place(plane.source)
        seen = self._features.get(place)
        key = *place, plane.digest
        known = self._samples.get(key)
        if known is None or (seen is not None and seen[0] != known[0]):
            features = self.features(model, plane.source)
            content = self._features[place][0]
            known = content, pixels_of_strokes(features, plane.strokes(), 1)
        self._samples[key] = known
        self._samples.move_to_end(key)
        while len(self._samples) > MOST_PLANES:
            self._samples.popitem(last=False)
        return known[1]

    def _bytes(self) -> int:
        return sum(features.nbytes for _, features in self._features.values())


def _place(source: PlaneSource) -> tuple[Hashable, ...]:
    """What tells a plane from others."""
    return source.input, *source.plane.key()


def _same(some: Sequence[Samples], others: Sequence[Samples]) -> bool:
    """Whether two lists hold the same samples."""
    return len(some) == len(others) and all(a is b for a, b in zip(some, others, strict=True))
