"""A classifier of pixels that learns from a few strokes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from os import PathLike
from types import MappingProxyType
from typing import Self

import numpy as np
import numpy.typing as npt
from scipy.special import softmax

from ..checks import as_path
from ..errors import InvalidLabels
from ..models.base import Model
from ..models.pixel_features import FeatureMap
from ..progress import Progress, reporting
from ..sources.frames import Area, Frame
from ..values import ArrayValue, listed, locked
from . import files
from .answers import PixelClasses
from .features import PixelFeatures
from .head import LinearHead
from .resampling import FloatArray, resampled, strips
from .scribbles import (
    Picture,
    Samples,
    Scribbled,
    check_examples,
    check_names,
    features_of,
    pixels_of_strokes,
)

AT_ONCE = 1 << 18
"""Pixels whose scores are computed together."""


@dataclass(frozen=True, eq=False, repr=False)
class PixelClassifier(ArrayValue):
    """A classifier of pixels, fitted to strokes.

    Attributes
    ----------
    model : Model or None
        Whose features it works with; None for plain filters alone.
    ids : tuple of int
        The classes: the values of the strokes, sorted.
    names : mapping of int to str
        Names of the classes that have one.
    colours : mapping of int to str
        Colours of the classes that have one, as '#rrggbb'.
    samples : Samples
        The strokes' pixels, from which it can be fitted again together with others.
    head : LinearHead

    Examples
    --------
    >>> import numpy as np
    >>> import napari_seem as ns
    >>> image = np.tile(np.uint8([20, 20, 20, 200, 200, 200]), (48, 8))
    >>> strokes = np.zeros(image.shape, int)
    >>> strokes[20, 6:9], strokes[20, 9:12] = 1, 2
    >>> classifier = ns.PixelClassifier.fit(None, [(image, strokes)], names={1: "dark", 2: "light"})
    >>> classifier.predict(image)
    PixelClasses(48 x 48, classes=[dark, light])
    """

    model: Model | None = field(compare=False)
    ids: tuple[int, ...]
    names: Mapping[int, str]
    colours: Mapping[int, str]
    samples: Samples
    head: LinearHead

    @classmethod
    def fit(
        cls, model: Model | None, examples: Scribbled | Iterable[Scribbled], *,
        names: Mapping[int, str] | None = None, colours: Mapping[int, str] | None = None,
        also: PixelClassifier | None = None,
    ) -> Self:  # fmt: skip
        """Fit a classifier to strokes.

        Parameters
        ----------
        model : Model or None
            A model that gives features of pixels, such as "compact". Of other models, and with
            None, plain filters alone are used.
        examples : (image, strokes), or an iterable of them
            Images (H, W) or (H, W, C), or their `PixelFeatures`; strokes are integers (H, W), 0
            where there is none.
        names, colours : mapping of int to str, optional
            Of the classes.
        also : PixelClassifier, optional
            A classifier of the same model, whose strokes are learned from, too.

        Raises
        ------
        InvalidLabels
            There are strokes of fewer than two classes, or of another shape than their image; or
            `also` is of another model.
        """
        called = {**(also.names if also else {}), **check_names(names)}
        painted = {**(also.colours if also else {}), **check_names(colours)}
        found = [] if also is None else [also.samples_for(model)]
        for number, (picture, strokes) in enumerate(check_examples(examples), 1):
            found.append(pixels_of_strokes(features_of(picture, model), strokes, number))
        return cls.of_samples(model, Samples.joined(found), called, painted)

    @classmethod
    def of_samples(
        cls, model: Model | None, samples: Samples, names: Mapping[int, str],
        colours: Mapping[int, str],
    ) -> Self:  # fmt: skip
        """Fit a classifier to the pixels of strokes; see `fit`."""
        ids, index = np.unique(samples.classes, return_inverse=True)
        if len(ids) < 2:
            there = f"of the class {ids[0]} only" if len(ids) else "missing"
            raise InvalidLabels(
                f"the strokes are {there}; paint a few strokes of two classes at least, such as 1 "
                "on what you look for and 2 on the rest"
            )
        head = LinearHead.fit(samples.features.astype(np.float32), index, len(ids))
        known = tuple(int(one) for one in ids)
        called, painted = (
            MappingProxyType({one: given[one] for one in known if one in given})
            for given in (names, colours)
        )
        return cls(model, known, called, painted, samples, head)

    @property
    def identity(self) -> str:
        """Name and weights of the model whose features it works with."""
        return PixelFeatures.identity_of(self.model)

    def samples_for(self, model: Model | None) -> Samples:
        """Return its strokes' pixels, to be learned from with others by the same model.

        Raises
        ------
        InvalidLabels
            It was fitted with another model.
        """
        _check_fitted_with(self.identity, model, "the classifier")
        return self.samples

    def features(self, image: Picture) -> PixelFeatures:
        """Return the features of an image, (H, W) or (H, W, C), to be kept between classifiers."""
        return features_of(image, self.model)

    def predict(self, image: Picture, *, progress: bool | Progress | None = None) -> PixelClasses:
        """Classify every pixel of an image.

        Parameters
        ----------
        image : array (H, W) or (H, W, C), or PixelFeatures
        progress : bool or callable, optional
            Shown for the frames of a big plane; see `napari_seem.progress`.

        Raises
        ------
        InvalidLabels
            The features are another model's.
        """
        features = self.features(image)
        out = np.empty((len(self.ids), *features.shape), np.float16)
        frames = len(features.frames)
        with reporting(progress, frames, "classify pixels") as report:
            for done, ((y0, x0, y1, x1), found) in enumerate(self.predict_parts(features), 1):
                out[:, y0:y1, x0:x1] = found.probabilities
                report(done)
        return PixelClasses(self.ids, locked(out), self.names)

    def predict_area(self, image: Picture, area: Area) -> tuple[Area, PixelClasses]:
        """Classify the parts of a plane that an area touches.

        Parameters
        ----------
        image : array (H, W) or (H, W, C), or PixelFeatures
        area : (y0, x0, y1, x1)

        Returns
        -------
        area : (y0, x0, y1, x1)
            The parts together.
        classes : PixelClasses
            Of that area.
        """
        features = self.features(image)
        parts = features.frames_in(area)
        ends = np.array([part for part, _ in parts])
        (top, left), (bottom, right) = ends[:, :2].min(0), ends[:, 2:].max(0)
        out = np.empty((len(self.ids), bottom - top, right - left), np.float16)
        head = self.head.on_plane(features.statistics)
        for part, frame in parts:
            inside = tuple(slice(part[k] - c, part[k + 2] - c) for k, c in enumerate((top, left)))
            out[:, *inside] = _in_frame(head, features, part, frame)
        whole = int(top), int(left), int(bottom), int(right)
        return whole, PixelClasses(self.ids, locked(out), self.names)

    def predict_parts(self, image: Picture) -> Iterator[tuple[Area, PixelClasses]]:
        """Classify a plane part by part, in the memory that one part takes.

        Parameters
        ----------
        image : array (H, W) or (H, W, C), or PixelFeatures

        Yields
        ------
        (y0, x0, y1, x1), PixelClasses
            A part of the plane, half-open, and its classes. The parts cover the plane; one of up to
            2048 pixels along its sides is one part.
        """
        features = self.features(image)
        head = self.head.on_plane(features.statistics)
        for area, frame in features.frames:
            found = _in_frame(head, features, area, frame)
            yield area, PixelClasses(self.ids, found, self.names)

    def save(self, path: str | PathLike[str]) -> None:
        """Write the classifier into a small file, from which it can be shared and taught more.

        It holds the features and classes of the strokes' pixels, not the images.

        Raises
        ------
        FileTrouble
            The file can't be written; a file that was there is unchanged.
        """
        facts = {"model": self.identity, "names": dict(self.names), "colours": dict(self.colours)}
        files.write(as_path(path), self.samples, facts)

    @classmethod
    def load(cls, path: str | PathLike[str], model: Model | None) -> Self:
        """Read a classifier that was saved.

        Parameters
        ----------
        path : str or Path
        model : Model or None
            The model that it was fitted with, with the same weights; None for one of plain filters.

        Raises
        ------
        InvalidLabels
            The file is damaged, is something else, or was fitted with another model or weights.
        """
        samples, facts = files.read(as_path(path))
        _check_fitted_with(facts["model"], model, f"'{path}'")
        return cls.of_samples(model, samples, facts["names"], facts["colours"])

    def __repr__(self) -> str:
        named = listed([self.names.get(one) or one for one in self.ids])
        pixels = len(self.samples.classes)
        return f"PixelClassifier(classes={named}, pixels={pixels}, model='{self.identity}')"


def _check_fitted_with(fitted_with: str, model: Model | None, what: str) -> None:
    identity = PixelFeatures.identity_of(model)
    if fitted_with != identity:
        raise InvalidLabels(
            f"{what} was fitted with '{fitted_with}', not with '{identity}'; choose that model, or "
            "paint the strokes again"
        )


def _in_frame(
    head: LinearHead, features: PixelFeatures, area: Area, frame: Frame
) -> npt.NDArray[np.float16]:
    """Return the probabilities (K, h, w) of the classes in an area of the plane in a frame."""
    corner = (frame.y0, frame.x0) * 2
    inner: Area = tuple(a - b for a, b in zip(area, corner, strict=True))  # type: ignore[assignment]
    return _probabilities(head, features.maps(frame), inner)


def _probabilities(head: LinearHead, maps: list[FeatureMap], area: Area) -> npt.NDArray[np.float16]:
    """Return the probabilities (K, h, w) of the classes in an area of a frame.

    Scores are linear in the features: they are computed on the maps' own grids, those of one grid
    together, and then resampled.
    """
    scores: dict[tuple[object, ...], FeatureMap] = {}
    first = 0
    for one in maps:
        last = first + len(one.values)
        flat = one.values.reshape(len(one.values), -1)
        part = (head.weights[first:last].T @ flat).reshape(-1, *one.values.shape[1:])
        grid = (one.scale, one.values.shape[1:])
        known = scores.get(grid)
        scores[grid] = FeatureMap(part if known is None else known.values + part, one.scale)
        first = last
    y0, x0, y1, x1 = area
    out = np.empty((len(head.bias), y1 - y0, x1 - x0), np.float16)
    for strip in strips(area, AT_ONCE):
        total: FloatArray = sum(resampled(one, strip) for one in scores.values())  # type: ignore[assignment]
        shares = softmax(total + head.bias[:, None, None], axis=0)
        out[:, strip[0] - y0 : strip[2] - y0] = shares
    return locked(out)
