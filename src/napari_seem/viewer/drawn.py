"""What a person drew, as a prompt: the one place that knows what napari's shapes mean."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import InvalidPrompt
from ..planes import Plane
from ..prompts import Box, Point, Polygon, Prompt, Scribble
from ..sources import is_big

BoolArray = npt.NDArray[np.bool_]
FloatArray = npt.NDArray[np.float64]
SMALLEST_SHAPE = 1.5
"""Shapes smaller than this along both axes, in pixels, are slips of the mouse."""


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


def _shape_prompt(
    flat: npt.NDArray[Any], kind: str, shape: tuple[int, int], positive: bool
) -> Prompt:
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
