"""What a person drew, as a prompt: the one place that knows what napari's shapes mean.

Strokes are painted in a Labels layer. On big images its pixels are coarser than the image's:
napari draws and undoes a layer of up to about 4,000 pixels at once; a larger one costs seconds a
stroke, and beyond 16,384 pixels it is not drawn as it is.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from ...errors import InvalidPrompt
from ...models.base import mask_bbox
from ...planes import Plane
from ...prompts import Box, Point, Polygon, Prompt, Scribble
from ...sources import is_big
from ..coordinates import affine_matrix, lay_by, resampled, spatial_shape

if TYPE_CHECKING:
    from napari.layers import Image, Labels


BoolArray = npt.NDArray[np.bool_]
FloatArray = npt.NDArray[np.float64]
SMALLEST_SHAPE = 1.5
"""Shapes smaller than this along both axes, in pixels, are slips of the mouse."""
LARGEST = 4096
"""Most pixels along the rows and columns of a layer of strokes."""


@dataclass(frozen=True, eq=False)
class Drawn:
    """A prompt as it stands in a layer.

    Attributes
    ----------
    prompt : Prompt
    plane : Plane
    vertices : float array (N, ndim), optional
        Array coordinates, of points and shapes.
    shape_type : str
        napari's word for it; '' for what is no shape.
    """

    prompt: Prompt
    plane: Plane
    vertices: FloatArray | None = None
    shape_type: str = ""

    def same_place(self, vertices: FloatArray) -> bool:
        """Whether it has these vertices, float (N, D), in the coordinates of the D-d array."""
        return (
            self.vertices is not None
            and self.vertices.shape == vertices.shape
            and bool(np.allclose(self.vertices, vertices))
        )


def drawn_point(vertex: FloatArray, plane: Plane, positive: bool) -> Drawn:
    """Return the prompt of a point, float (D,), in the coordinates of the D-d array."""
    y, x = plane.to_plane(vertex)
    return Drawn(Point(y, x, positive), plane, np.array(vertex, float)[None])


def drawn_shape(
    vertices: FloatArray, shape_type: str, plane: Plane, shape: tuple[int, int], positive: bool
) -> Drawn:
    """The prompt of a shape: a rectangle is a box, a closed outline a region, a path a stroke.

    Parameters
    ----------
    vertices : (N, ndim) array
        Array coordinates.
    shape_type : str
        napari's word for it.
    plane : Plane
    shape : (H, W)
        Of the plane.
    positive : bool

    Raises
    ------
    InvalidPrompt
        For what is too small to be meant.
    """
    flat = vertices[:, list(plane.axes)]
    if np.ptp(flat, axis=0).max() < SMALLEST_SHAPE:
        raise InvalidPrompt("the drawn shape is too small to be a prompt; drag a larger one")
    prompt = _shape_prompt(flat, shape_type, shape, positive)
    return Drawn(prompt, plane, np.array(vertices, float), shape_type)


def drawn_again(prompt: Prompt, plane: Plane) -> Drawn:
    """A prompt of a plane as it is drawn: points, boxes and regions in layers of their own."""
    if isinstance(prompt, Point):
        corners, kind = [(prompt.y, prompt.x)], ""
    elif isinstance(prompt, Box):
        y0, x0, y1, x1 = (edge - 0.5 for edge in (prompt.y0, prompt.x0, prompt.y1, prompt.x1))
        corners, kind = [(y0, x0), (y0, x1), (y1, x1), (y1, x0)], "rectangle"
    elif isinstance(prompt, Polygon):
        corners, kind = [(float(y), float(x)) for y, x in prompt.vertices], "polygon"
    else:
        return Drawn(prompt, plane)
    return Drawn(prompt, plane, np.array([plane.to_array(y, x) for y, x in corners], float), kind)


def _shape_prompt(flat: FloatArray, kind: str, shape: tuple[int, int], positive: bool) -> Prompt:
    """Return the prompt of a shape by its vertices in pixels (N, 2), rows before columns."""
    if kind == "rectangle":
        low, high = flat.min(0) + 0.5, flat.max(0) + 0.5
        return Box(float(low[0]), float(low[1]), float(high[0]), float(high[1]), positive)
    if kind == "ellipse":
        return Polygon(_ellipse(flat), positive)
    if kind == "polygon":
        return Polygon(flat, positive)
    if is_big(shape):
        low, high = (np.clip(np.round(edge).astype(int), 0, np.array(shape) - 1)
                     for edge in (flat.min(0), flat.max(0)))  # fmt: skip
        height, width = high - low + 1
        part = _line_mask(flat - low, (int(height), int(width)))
        return Scribble(part, positive, (int(low[0]), int(low[1])))
    return Scribble(_line_mask(flat, shape), positive)


def _ellipse(corners: FloatArray) -> FloatArray:
    """Return 48 vertices, float (48, 2), of the ellipse that touches a rectangle.

    The rectangle, perhaps turned, is given by its corners, float (4, 2), rows before columns.
    """
    middle = corners.mean(0)
    down, right = (corners[3] - corners[0]) / 2, (corners[1] - corners[0]) / 2
    angle = np.linspace(0, 2 * np.pi, 48, endpoint=False)[:, None]
    return np.asarray(middle + np.sin(angle) * down + np.cos(angle) * right)


def _line_mask(flat: FloatArray, shape: tuple[int, int]) -> BoolArray:
    """Draw a path of vertices (N, 2), rows before columns, into a mask, bool, of `shape`."""
    from skimage.draw import line

    out = np.zeros(shape, bool)
    corners = np.clip(np.round(flat).astype(int), 0, np.array(shape) - 1)
    for (y0, x0), (y1, x1) in pairwise(corners):
        rows, cols = line(y0, x0, y1, x1)
        out[rows, cols] = True
    return out


class Grain:
    """How coarse the strokes on an image are.

    Parameters
    ----------
    image : Image

    Attributes
    ----------
    sides : tuple of int
        Image pixels that one pixel of the layer is, along every axis; 1 but for the last two
        axes of a big image.
    shape : tuple of int
        Of the layer.
    """

    def __init__(self, image: Image) -> None:
        self._image = image
        size = spatial_shape(image)
        ends = tuple(-(-n // LARGEST) for n in size[-2:])
        self.sides = (*(1 for _ in size[:-2]), *ends)
        self.shape = tuple(-(-n // side) for n, side in zip(size, self.sides, strict=True))

    @property
    def is_coarse(self) -> bool:
        """Whether the layer's pixels are not the image's."""
        return max(self.sides) > 1

    def put(self, layer: Labels) -> None:
        """Lay a layer of this shape onto the image."""
        if self.is_coarse:
            middle = (np.array(self.sides) - 1) / 2
            matrix = resampled(affine_matrix(self._image), self.sides, middle)
            lay_by(layer, matrix, self._image.units)

    def check(self, plane: Plane) -> None:
        """Raise `InvalidPrompt` for planes on which strokes can't be told apart."""
        last = (plane.ndim - 2, plane.ndim - 1)
        if self.is_coarse and tuple(sorted(plane.axes)) != last:
            raise InvalidPrompt(
                "on an image this large, strokes can only be painted on planes of its rows and "
                "columns; use points or boxes here"
            )

    def prompt(self, mask: BoolArray, plane: Plane, positive: bool) -> Scribble:
        """A stroke (h, w) of the layer as a prompt on the plane."""
        shape = plane.shape(spatial_shape(self._image))
        bbox = mask_bbox(mask)
        if bbox is None or not is_big(shape):
            return Scribble(mask, positive)
        down, right = self._along(plane)
        y0, x0, y1, x1 = bbox
        part = mask[y0:y1, x0:x1].repeat(down, 0).repeat(right, 1)
        part = part[: shape[0] - y0 * down, : shape[1] - x0 * right]
        return Scribble(part, positive, (y0 * down, x0 * right))

    def stroke(self, prompt: Scribble, plane: Plane) -> BoolArray:
        """A prompt that `prompt` gave, as it stands in the layer: (h, w)."""
        if prompt.corner is None:
            return prompt.mask
        down, right = self._along(plane)
        out = np.zeros(plane.shape(self.shape), bool)
        part = prompt.mask[::down, ::right]
        y, x = prompt.corner[0] // down, prompt.corner[1] // right
        out[y : y + part.shape[0], x : x + part.shape[1]] = part
        return out

    def _along(self, plane: Plane) -> tuple[int, int]:
        return self.sides[plane.axes[0]], self.sides[plane.axes[1]]
