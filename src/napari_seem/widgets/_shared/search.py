"""The shown plane of an image, as what is asked about by a model."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ...commands.models import KnownPlane, ModelCache
from ...models.base import Segmentation
from ...viewer.coordinates import shown_area, shown_plane
from ...viewer.model_input import ModelInput, model_input_of

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Image

    from ...planes import Plane


@dataclass(frozen=True, eq=False)
class ShownPlane:
    """A plane that a model is asked about.

    Attributes
    ----------
    image : Image
    plane : Plane
    model : str
    input : ModelInput
        What the model is given of the image.
    known : KnownPlane
    query : dict
        What was looked for, as `Segment` has it.
    """

    image: Image
    plane: Plane
    model: str
    input: ModelInput
    known: KnownPlane
    query: dict[str, Any] = field(default_factory=dict)

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width of the plane in pixels."""
        return self.known.source.shape

    @property
    def is_big(self) -> bool:
        """Whether the plane is too big for one pass."""
        return self.known.source.is_big


@dataclass(frozen=True, eq=False)
class Search:
    """A search to be run in a thread.

    Attributes
    ----------
    place : ShownPlane
    total : int
        How many steps `run` takes.
    run : callable
        Gives an iterator of steps: numbers, and a `Segmentation` as the last.
    behind : bool
        It is long; a person's clicks go first.
    """

    place: ShownPlane
    total: int
    run: Callable[[], Iterator[int | Segmentation]]
    behind: bool = False


def shown_place(
    viewer: ViewerModel, image: Image, model: str, together: bool = False
) -> ShownPlane:
    """The shown plane of an image; with `together` all of its channels.

    Raises
    ------
    InvalidPrompt
        Where the image is not shown as a plane of its pixels.
    """
    plane = shown_plane(image, viewer.dims)
    given = model_input_of(image, viewer.layers, together)
    return ShownPlane(image, plane, model, given, KnownPlane(given.source(plane, image.name)))


def search(
    models: ModelCache, place: ShownPlane, words: Sequence[str] | None, whole: bool,
    may_go_on: Callable[[], bool] = lambda: True,
) -> Search:  # fmt: skip
    """Prepare to look for everything on a plane, or for what words name.

    Parameters
    ----------
    models : ModelCache
    place : ShownPlane
        Its `query` is filled in.
    words : sequence of str or None
    whole : bool
        Of a plane too big for one pass, work through all of it, not what is shown only.
    may_go_on : callable
        Called after every step of a long run; it may wait. False ends.
    """
    names = list(words) if words else None
    behind = whole and place.is_big
    area = None
    if place.is_big and not whole:
        area = shown_area(place.image, place.plane)
    place.query.update(words=names, area=None if area is None else list(area), whole=behind)
    frames = place.known.source.frames if behind else 1

    def run() -> Iterator[int | Segmentation]:
        for step in models.open(place.model, place.known).segment(names, area):
            yield step
            if behind and not may_go_on():
                return

    return Search(place, 2 * frames if behind else 1, run, behind)
