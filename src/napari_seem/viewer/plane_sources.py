"""Planes of image layers as what can be searched."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..planes import Plane
from ..sources.source import PlaneSource
from .coordinates import shown_plane
from .model_input import model_input_of
from .stacks import plane_text, shown_stack, stack_axes

if TYPE_CHECKING:
    from napari.components import Dims
    from napari.layers import Image, Layer


def plane_sources_of_stack(
    image: Image, dims: Dims, layers: Sequence[Layer], *, axis: int | None = None,
    within: tuple[int, int] | None = None, together: bool = False,
) -> list[PlaneSource]:  # fmt: skip
    """The planes that the shown one belongs to, the nearest to it first.

    Parameters
    ----------
    image : Image
    dims : Dims
    layers : sequence of Layer
        The viewer's.
    axis : int, optional
        Of the image's array; by default the one moved along last.
    within : (first, last), optional
        Half-open range of planes.
    together : bool
        Show the model all layers that show channels of the image.

    Raises
    ------
    InvalidPrompt
        The image is not shown as planes of its pixels.
    """
    given = model_input_of(image, layers, together)
    if not stack_axes(image, dims):
        return [given.source(shown_plane(image, dims), image.name)]
    stack = shown_stack(image, dims, axis, layers)
    first, last = within or (0, stack.shape[0])
    numbers = range(max(0, first), min(last, stack.shape[0]))
    nearest = sorted(numbers, key=lambda k: (abs(k - stack.position), k))
    one = given.source(stack.plane)
    return [one.at(stack.at(k), plane_text(image, dims, stack.at(k), stack.axis)) for k in nearest]


def plane_source_of_image(image: Image, layers: Sequence[Layer]) -> PlaneSource:
    """A layer of two axes, however it is displayed."""
    given = model_input_of(image, layers, together=False)
    return given.source(Plane((None, None), (0, 1), bool(image.rgb)), image.name)
