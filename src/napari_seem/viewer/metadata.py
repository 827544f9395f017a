"""What a layer carries with it: keys of its metadata, its grid, its file, its table of objects."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..edits import ObjectTable
from ..io.grid import Grid
from .coordinates import affine_matrix, lie_within, spatial_shape
from .private import unwrap

if TYPE_CHECKING:
    from napari.layers import Labels, Layer


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
    own: Any = unwrap(layer)
    grid, shape = own.metadata.get(GRID), spatial_shape(own)
    if isinstance(grid, Grid) and grid.shape == shape and _lies_as(own, grid):
        return grid
    names = [str(label) for label in own.axis_labels]
    plain = Grid.plain(shape).axes
    axes = tuple(
        label if label in ("t", "z", "y", "x") else usual
        for label, usual in zip(names, plain, strict=True)
    )
    return Grid(shape, axes, affine_matrix(own), tuple(short_unit(unit) for unit in own.units))


def _lies_as(layer: Any, grid: Grid) -> bool:
    """Whether a layer still lies where its file says, or nobody placed it."""
    import pint

    if {str(unit) for unit in layer.units} == {"pixel"} and _is_plain(layer):
        return True
    if not lie_within(affine_matrix(layer), grid.shown, grid.shape):
        return False
    known = pint.get_application_registry()
    return tuple(layer.units) == tuple(known.parse_units(unit) for unit in grid.units)


def _is_plain(layer: Any) -> bool:
    return bool((affine_matrix(layer) == np.eye(layer.ndim + 1)).all())


def source_path(layer: Layer) -> Path | None:
    """The file or folder that an image came from; None where nobody knows."""
    own: Any = unwrap(layer)
    grid = own.metadata.get(GRID)
    path = own.metadata.get(SOURCE) or own.source.path or (grid and grid.native.get("path"))
    return Path(path) if path else None


def note_saved(layer: Layer, path: Path) -> None:
    """Remember the file that a layer is saved to."""
    own: Any = unwrap(layer)
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


def table_of(labels: Labels) -> ObjectTable:
    """What a layer's features tell of its objects."""
    return ObjectTable.from_features(unwrap(labels).features)


def set_table(labels: Labels, table: ObjectTable, known: Any = None) -> None:
    """Show an object table as the layer's features; columns of others stay with their ids.

    Parameters
    ----------
    labels : Labels
    table : ObjectTable
    known : DataFrame, optional
        As `others_columns` gave it: of ids that are in the table again.
    """
    import pandas as pd

    layer = unwrap(labels)
    frame = pd.DataFrame(table.to_features())
    others = others_columns(layer)
    if known is not None:
        fresh = known[~known.index.isin(others.index)]
        others = pd.concat([others, fresh]) if others.shape[1] else fresh
    if others.shape[1]:
        frame = frame.join(others, on="index")
    layer.features = frame


def others_columns(layer: Labels, ids: Iterable[int] | None = None) -> Any:
    """Columns that are not ours, as a DataFrame over ids: all, or some."""
    features = layer.features
    ours = ObjectTable().to_features()
    columns = [name for name in features.columns if name not in ours]
    frame = features[columns]
    frame = frame.set_axis(features["index"] if "index" in features else range(len(frame)))
    frame = frame[~frame.index.duplicated()]
    return frame if ids is None else frame[frame.index.isin(list(ids))]


def rows_of(layer: Labels) -> dict[str, dict[str, object]]:
    """The table of objects as plain values for the log: id as text -> row."""
    features = layer.features
    if "index" not in features:
        return {}
    names = [str(name) for name in features.columns if name != "index"]
    columns = [features[name].tolist() for name in names]
    rows = zip(features["index"].tolist(), zip(*columns, strict=True), strict=True)
    return {
        str(int(label_id)): {
            name: None if value != value else value  # unknown numbers are NaN there
            for name, value in zip(names, values, strict=True)
            if (name, value) != ("parent", 0)
        }
        for label_id, values in rows
        if int(label_id) > 0
    }
