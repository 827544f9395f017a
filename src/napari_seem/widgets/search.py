"""Looking for everything on a plane: as one picture, as it is shown, or frame by frame."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from ..layers.coordinates import shown_area, shown_plane, spatial_shape
from ..layers.seen import Showing, showing_of
from ..models.base import Segmentation
from ..tiling import PlanePixels, PlaneRun, TiledModel, WholePlane, instances_of, is_big
from ..tiling.frames import cores

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Image

    from ..planes import Plane
    from .shelf import Shelf

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
    shown: Showing
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
    return Place(image, plane, model, showing_of(image, viewer.layers, together))


def search(
    shelf: Shelf, place: Place, words: Sequence[str], whole: bool, stopping: Callable[[], bool]
) -> Search:
    """Prepare to look for everything, or for what `words` name.

    Parameters
    ----------
    shelf : Shelf
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
        return Search(place, 1, partial(_at_once, shelf, place, names))
    if whole:
        place.asked["whole"] = True
        run = partial(_frame_by_frame, shelf, place, names, stopping)
        return Search(place, 2 * len(cores(place.shape)), run, behind=True)
    area = place.asked["area"] = shown_area(place.image, place.plane)
    return Search(place, 1, partial(_as_shown, shelf, place, names, area))


def _at_once(shelf: Shelf, place: Place, names: list[str] | None) -> Iterator[Segmentation]:
    model, embedding = shelf.encoded(
        place.model, lambda: place.shown.settled.read(place.plane), place.content
    )()
    yield model.segment(embedding, names)


def _as_shown(
    shelf: Shelf, place: Place, names: list[str] | None, area: tuple[int, int, int, int]
) -> Iterator[Segmentation]:
    model, embedding = shelf.tiled(place.model, lambda: _pixels(place))()
    assert isinstance(model, TiledModel)
    yield model.segment(embedding, names, area)


def _frame_by_frame(
    shelf: Shelf, place: Place, names: list[str] | None, stopping: Callable[[], bool]
) -> Iterator[int | Segmentation]:
    work = PlaneRun(shelf.model(place.model), _pixels(place), names)
    for done in work.run():
        if done < work.total:
            yield done
        while not shelf.gate.wait(LOOK):
            if stopping():
                return
    found = WholePlane(work.labels, work.objects, work.vocabulary, stuff=work.stuff)
    yield Segmentation(place.shape, instances_of(found), None, work.vocabulary, work.stuff)


def _pixels(place: Place) -> PlanePixels:
    return PlanePixels(place.shown.settled.images(), place.plane)
