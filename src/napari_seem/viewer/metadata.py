"""What a layer carries with it: keys of its metadata, its grid and its file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..io.grid import Grid
from .coordinates import affine_matrix, lie_within, spatial_shape
from .private import unwrap

if TYPE_CHECKING:
    from napari.layers import Layer


GRID = "napari-seem grid"
"""The grid of the file that a layer came from."""
ABOUT = "napari-seem about"
"""What the file says besides; of labels, how they came about."""
SOURCE = "napari-seem source"
"""The file or folder that an image came from."""
SAVED = "napari-seem saved"
"""The file or folder that labels came from, or were saved to last.

Another key than that of images, as napari keeps the metadata when it converts an image to labels,
which must not be saved over the image.
"""


def grid_of(layer: Layer) -> Grid:
    """The grid of the file that a layer's image came from, or one by the layer's own transform.

    The latter where the layer was laid elsewhere since the file was opened, or has other units.
    """
    own = unwrap(layer)
    grid = own.metadata.get(GRID)
    if isinstance(grid, Grid) and grid.shape == spatial_shape(own) and _lies_as(own, grid):
        return grid
    return placed_grid(own)


def placed_grid(layer: Layer) -> Grid:
    """The grid by a layer's own transform."""
    own, shape = layer, spatial_shape(layer)
    names = [str(label) for label in own.axis_labels]
    plain = Grid.plain(shape).axes
    axes = tuple(
        label if label in ("t", "z", "y", "x") else usual
        for label, usual in zip(names, plain, strict=True)
    )
    return Grid(shape, axes, affine_matrix(own), tuple(short_unit(unit) for unit in own.units))


def placed_values(layer: Layer) -> dict[str, object]:
    """The grid by a layer's own transform as plain values, from which it can be made again."""
    return placed_grid(layer).to_dict()


def guessed_axes(layer: Layer) -> str:
    """What to say of axes before the last two that nobody named, and `grid_of` did; "" for none."""
    own = unwrap(layer)
    grid = own.metadata.get(GRID)
    if own.ndim < 3 or (isinstance(grid, Grid) and grid.shape == spatial_shape(own)):
        return ""
    found = grid_of(layer).axes[:-2]
    unnamed = [name for name, label in zip(found, own.axis_labels, strict=False) if name != label]
    if not unnamed:
        return ""
    listed = " and ".join(unnamed)
    return (
        f"Nobody says what the axis before y and x is, and it is written as {listed}: where that "
        "is wrong, name the axes of the layer first, such as labels.axis_labels = ('t', 'y', 'x')"
    )


def _lies_as(layer: Layer, grid: Grid) -> bool:
    """Whether a layer still lies where its file says, or nobody placed it."""
    import pint

    if {str(unit) for unit in layer.units} == {"pixel"} and _is_plain(layer):
        return True
    if not lie_within(affine_matrix(layer), grid.shown, grid.shape):
        return False
    known = pint.get_application_registry()
    return tuple(layer.units) == tuple(known.parse_units(unit) for unit in grid.units)


def _is_plain(layer: Layer) -> bool:
    return bool((affine_matrix(layer) == np.eye(layer.ndim + 1)).all())


def source_path(layer: Layer) -> Path | None:
    """The file or folder that an image came from; None where nobody knows."""
    own = unwrap(layer)
    grid = own.metadata.get(GRID)
    path = own.metadata.get(SOURCE) or own.source.path or (grid and grid.native.get("path"))
    return Path(path) if path else None


def note_saved(layer: Layer, path: Path) -> None:
    """Remember the file that a layer is saved to."""
    own = unwrap(layer)
    own.metadata = {**own.metadata, SAVED: str(path.absolute())}


def grid_values(layer: Layer) -> dict[str, object]:
    """Axes, affine (from the array to the world) and units of a layer as plain values."""
    return {
        "axes": [str(label) for label in layer.axis_labels],
        "affine": affine_matrix(layer).tolist(),
        "units": [str(unit) for unit in layer.units],
    }


def short_unit(unit: object) -> str:
    """A pint unit as `Grid` writes it."""
    return f"{unit:~}".replace("µ", "u")
