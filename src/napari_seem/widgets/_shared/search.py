"""Looking for everything on a plane: as one picture, as it is shown, or frame by frame."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from ...models.base import Segmentation
from ...sources import PlanePixels, PlaneRun, TiledModel, WholePlane, instances_of, is_big
from ...sources.frames import cores
from ...viewer.coordinates import shown_area, shown_plane, spatial_shape
from ...viewer.model_input import ModelInput, model_input_of

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Image

    from ...planes import Plane
    from .model_cache import ModelCache

LOOK = 0.3
"""Seconds between two looks at whether a run was stopped while a person's clicks go first."""


@dataclass(frozen=True, eq=False)
class Place:
    """Where objects are looked for, as what it is shown, and by which model.

    `content` is the name of the plane's content, once it is known; `asked` what is looked for.
    """

    image: Image
    plane: Plane
    model: str
    shown: ModelInput
    content: list[str] = field(default_factory=list)
    asked: dict[str, Any] = field(default_factory=dict)

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width of the plane in pixels."""
        return self.plane.shape(spatial_shape(self.image))

    @property
    def big(self) -> bool:
        """Whether the plane is too big for one pass."""
        return is_big(self.shape)


@dataclass(frozen=True, eq=False)
class Search:
    """A search to be run in a thread.

    Attributes
    ----------
    place : Place
    total : int
        How many steps `run` takes.
    run : callable
        Gives an iterator of steps: numbers, and a `Segmentation` as the last.
    behind : bool
        It is long; a person's clicks go first.
    """

    place: Place
    total: int
    run: Callable[[], Iterator[int | Segmentation]]
    behind: bool = False


def shown_place(viewer: ViewerModel, image: Image, model: str, together: bool = False) -> Place:
    """The shown plane of an image; with `together` all of its channels.

    Raises
    ------
    InvalidPrompt
        Where the image is not shown as a plane of its pixels.
    """
    plane = shown_plane(image, viewer.dims)
    return Place(image, plane, model, model_input_of(image, viewer.layers, together))


def search(
    model_cache: ModelCache,
    place: Place,
    words: Sequence[str],
    whole: bool,
    stopping: Callable[[], bool],
) -> Search:
    """Prepare to look for everything, or for what `words` name.

    Parameters
    ----------
    model_cache : ModelCache
    place : Place
    words : sequence of str
    whole : bool
        Of a plane too big for one pass, work through all of it, not what is shown only.
    stopping : callable
        Whether a long run is to end.
    """
    names = list(words) or None
    place.asked.update(words=names, area=None, whole=False)
    if not place.big:
        return Search(place, 1, partial(_at_once, model_cache, place, names))
    if whole:
        place.asked["whole"] = True
        run = partial(_frame_by_frame, model_cache, place, names, stopping)
        return Search(place, 2 * len(cores(place.shape)), run, behind=True)
    area = place.asked["area"] = shown_area(place.image, place.plane)
    return Search(place, 1, partial(_as_shown, model_cache, place, names, area))


def _at_once(
    model_cache: ModelCache, place: Place, names: list[str] | None
) -> Iterator[Segmentation]:
    model, embedding = model_cache.encoded(
        place.model, lambda: place.shown.resolved.read(place.plane), place.content
    )()
    yield model.segment(embedding, names)


def _as_shown(
    model_cache: ModelCache, place: Place, names: list[str] | None, area: tuple[int, int, int, int]
) -> Iterator[Segmentation]:
    model, embedding = model_cache.tiled(place.model, lambda: _pixels(place))()
    assert isinstance(model, TiledModel)
    yield model.segment(embedding, names, area)


def _frame_by_frame(
    model_cache: ModelCache, place: Place, names: list[str] | None, stopping: Callable[[], bool]
) -> Iterator[int | Segmentation]:
    work = PlaneRun(model_cache.model(place.model), _pixels(place), names)
    for done in work.run():
        if done < work.total:
            yield done
        while not model_cache.gate.wait(LOOK):
            if stopping():
                return
    found = WholePlane(work.labels, work.objects, work.vocabulary, stuff=work.stuff)
    yield Segmentation(place.shape, instances_of(found), None, work.vocabulary, work.stuff)


def _pixels(place: Place) -> PlanePixels:
    return PlanePixels(place.shown.resolved.images(), place.plane)
