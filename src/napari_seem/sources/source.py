"""A plane to be segmented: of an array or a file, in colour or channels, big or small."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ..embeddings import EmbeddingCache, content_key
from ..embeddings.memory import Need
from ..intensity import IntensityWindow, read_shown, shown_levels, windowed_in_parts
from ..models.base import Embedding, LazyEncoder, Model, Prediction, Segmentation
from ..planes import Plane
from ..prompts import Prompt
from .frames import Area, cores, is_big
from .identity import image_to_dict
from .pixels import PlanePixels
from .tiled import TiledEmbedding, TiledModel
from .whole import PlaneRun

if TYPE_CHECKING:
    from ..images import ArraySource, Sliceable, WritableArray

PLAIN = IntensityWindow()


@dataclass(frozen=True, eq=False)
class ImageSource:
    """An image that planes are cut from.

    Attributes
    ----------
    levels : sequence of array-like
        Its resolutions, finest first: numpy, dask, zarr, or anything else that slices; of two
        axes or more, a last one of colours not counted.
    colours : bool
        Whether the last axis holds colours or other channels.
    name : str
    path : str
        The file it came from; "" where nobody knows.
    grid : mapping
        Axes, affine and units as plain values; empty where nobody knows.
    """

    levels: Sequence[Any] = field(repr=False)
    colours: bool = False
    name: str = ""
    path: str = ""
    grid: Mapping[str, Any] = field(default_factory=dict, repr=False)

    @property
    def array(self) -> ArraySource:
        """The image at full resolution."""
        return self.levels[0]

    @property
    def shape(self) -> tuple[int, ...]:
        """Its shape without colours."""
        shape = self.array.shape
        return tuple(int(n) for n in shape[: len(shape) - self.colours])

    @cached_property
    def identity(self) -> dict[str, object]:
        """What tells the image from others, as plain values for a log; reads a sample of it."""
        values = image_to_dict(self.array, self.name, self.path, self.colours)
        return {**values, "grid": dict(self.grid)}


@dataclass(frozen=True, eq=False)
class ImageInput:
    """One or more images as a model is given their planes.

    Attributes
    ----------
    images : sequence of ImageSource
        Several are the channels of one picture.
    windows : sequence of IntensityWindow
        One for each image.
    index : bool
        Give the normalised difference of the two images instead.
    """

    images: Sequence[ImageSource]
    windows: Sequence[IntensityWindow]
    index: bool = False

    @cached_property
    def resolved(self) -> tuple[IntensityWindow, ...]:
        """The windows, those of whole volumes worked out once; reads a few planes, sparsely."""
        return tuple(
            window.resolved(image.array, image.colours)
            for window, image in zip(self.windows, self.images, strict=True)
        )

    @cached_property
    def levels(self) -> list[list[Sliceable]]:
        """The resolutions of each channel of the picture, finest first; one list for colour."""
        arrays = [list(image.levels) for image in self.images]
        colours = [image.colours for image in self.images]
        return shown_levels(arrays, self.resolved, colours, self.index)

    @cached_property
    def parts(self) -> list[list[Any]]:
        """As `levels`, of planes that are read in parts: all of them must be as bright."""
        if self.index or len(self.images) > 1:
            return self.levels
        image, window = self.images[0], self.resolved[0]
        return [[windowed_in_parts(level, window, image.colours) for level in image.levels]]


@dataclass(frozen=True, eq=False)
class PlaneSource:
    """One plane of an image, as a model is given it; nothing is read before it is needed.

    Attributes
    ----------
    input : ImageInput
    plane : Plane
        With `channels` where the image has colours.
    title : str
        What a person calls the plane.
    source : hashable
        What the plane belongs to: a file's path, or whatever the caller tells images by.
    """

    input: ImageInput
    plane: Plane
    title: str = ""
    source: Hashable = None

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width in pixels."""
        return self.plane.shape(self.input.images[0].shape)

    @property
    def is_big(self) -> bool:
        """Whether the plane is too big for one pass of a model."""
        return is_big(self.shape)

    @property
    def frames(self) -> int:
        """In how many parts a big plane is worked through."""
        return len(cores(self.shape))

    def at(self, plane: Plane, title: str = "") -> PlaneSource:
        """Another plane of the same image."""
        return replace(self, plane=plane, title=title or self.title)

    def read(self) -> npt.NDArray[np.generic]:
        """The plane as the model gets it, (H, W) or (H, W, C)."""
        return read_shown(self.input.levels, self.plane)

    def pixels(self) -> PlanePixels:
        """The plane to be read in parts."""
        return PlanePixels(self.input.parts, self.plane)


def source_of_array(
    array: ArraySource | Sequence[ArraySource], plane: Plane | None = None,
    window: IntensityWindow = PLAIN, *, colours: bool = False, name: str = "", path: str = "",
) -> PlaneSource:  # fmt: skip
    """A plane of an array, by default the only one.

    Parameters
    ----------
    array : array-like, or a list of its resolutions, finest first
        (H, W), (H, W, C), or of more axes where `plane` says which.
    plane : Plane, optional
    window : IntensityWindow
    colours : bool
        Whether the last axis holds colours or other channels.
    name, path : str
        Of the image.
    """
    levels = list(array) if isinstance(array, (list, tuple)) else [array]
    image = ImageSource(levels, colours, name, path)
    where = plane or Plane.of(image.shape)
    return PlaneSource(ImageInput((image,), (window,)), replace(where, channels=colours), name)


class OpenPlane:
    """A plane that a model is ready to answer about; big planes are answered in parts.

    Attributes
    ----------
    model : Model
        The one that answers: the given one, or a `TiledModel` around it.
    embedding : Embedding
    content : str
        The name of what the model was given; "" for planes too big for one pass.
    """

    def __init__(self, model: Model, embedding: Embedding, source: PlaneSource, content: str = ""):
        self.model, self.embedding, self.source, self.content = model, embedding, source, content

    def predict(self, prompts: Sequence[Prompt], memory: object = None) -> Prediction:
        """Answer prompts in pixels of the plane; see `Model.predict`."""
        return self.model.predict(self.embedding, prompts, memory)

    def segment(
        self, words: Sequence[str] | None = None, area: Area | None = None, *,
        out: WritableArray | None = None, semantic: bool = False,
    ) -> Iterator[int | Segmentation]:  # fmt: skip
        """Find everything, or everything that words name.

        Parameters
        ----------
        words : sequence of str, optional
        area : half-open (y0, x0, y1, x1), optional
            Of a big plane: look at this part only, as one picture.
        out : integer array-like (H, W), optional
            Of a big plane that is worked through: gets the labels as they are found.
        semantic : bool
            Of a big plane that is worked through: make a map of names, too.

        Yields
        ------
        int, then a Segmentation
            How many of `steps` are done, and at last what was found.
        """
        if not self.source.is_big:
            yield self.model.segment(self.embedding, words)
            return
        if area is not None:
            assert isinstance(self.model, TiledModel)
            yield self.model.segment(self.embedding, words, area)
            return
        work = self.in_frames(words, out=out, semantic=semantic)
        for done in work.run():
            if done < work.total:
                yield done
        yield work.found

    def in_frames(
        self,
        words: Sequence[str] | None = None,
        *,
        out: WritableArray | None = None,
        semantic: bool = False,
    ) -> PlaneRun:
        """Start a run over a big plane (H, W), frame by frame; see `segment`."""
        assert isinstance(self.model, TiledModel)
        assert isinstance(self.embedding, TiledEmbedding)
        names = np.zeros(self.source.shape, np.int32) if semantic else None
        return PlaneRun(self.model.model, self.embedding.pixels, words, out=out, semantic=names)


def open_plane(
    model: Model, source: PlaneSource, cache: EmbeddingCache | None = None, *,
    pixels: PlanePixels | None = None, on_part: Callable[[], object] | None = None,
) -> OpenPlane:  # fmt: skip
    """Make a plane ready to be asked about, in any thread; a big one is not read yet.

    Parameters
    ----------
    model : Model
    source : PlaneSource
    cache : EmbeddingCache, optional
        Where encoded planes are looked for and kept.
    pixels : PlanePixels, optional
        Of a big plane: what is known of its pixels.
    on_part : callable, optional
        If given, turns on a plane that is not in the cache encode only what they look at, by a
        model that can do that, and this is called without arguments.
    """
    if source.is_big:
        tiled = TiledModel(model, cache, model.identity, on_part)
        return OpenPlane(tiled, tiled.encode(pixels or source.pixels()), source)
    return encode_plane(model, source, source.read(), cache=cache, on_part=on_part)


def encode_plane(
    model: Model, source: PlaneSource, pixels: npt.NDArray[np.generic], content: str = "",
    cache: EmbeddingCache | None = None, need: Need = "now",
    on_part: Callable[[], object] | None = None,
) -> OpenPlane:  # fmt: skip
    """As `open_plane`, of pixels (H, W) or (H, W, C) that were read.

    `content` is their `content_key`, where it is known; `need` is as for the cache.
    """
    content = content or content_key(pixels)
    if cache is None:
        return OpenPlane(model, model.encode(pixels), source, content)
    key = model.identity, content
    if on_part is not None and isinstance(model, LazyEncoder):
        embedding = cache.get_or_begin(key, partial(model.encode_lazily, pixels), on_part)
    else:
        embedding = cache.get_or_encode(key, lambda: model.encode(pixels), need=need)
    return OpenPlane(model, embedding, source, content)
