"""Painted strokes as prompts; on big images they are painted in coarser pixels than the image's.

napari draws and undoes a Labels layer of up to about 4,000 pixels at once; a larger one costs
seconds a stroke, and beyond 16,384 pixels it is not drawn as it is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from ..errors import InvalidPrompt
from ..models.base import mask_bbox
from ..planes import Plane
from ..prompts import Scribble
from ..sources import is_big
from .coordinates import affine_matrix, resampled, spatial_shape

if TYPE_CHECKING:
    from napari.layers import Image, Labels

BoolArray = npt.NDArray[np.bool_]
LARGEST = 4096
"""Most pixels along the rows and columns of a layer of strokes."""


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
        if not self.is_coarse:
            return
        ndim = len(self.shape)
        layer.scale, layer.translate = np.ones(ndim), np.zeros(ndim)
        layer.rotate, layer.shear = np.eye(ndim), np.zeros(ndim * (ndim - 1) // 2)
        middle = (np.array(self.sides) - 1) / 2
        layer.affine = resampled(affine_matrix(self._image), self.sides, middle)

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
