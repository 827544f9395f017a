"""Opened images as napari layers, and layers as what files are written from."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..commands.files import SaveLabels
from ..images import WINDOWS
from ..io.files import open_image
from ..io.opened import Opened
from .coordinates import full_data
from .documents import saving
from .metadata import ABOUT, GRID, grid_of
from .palette import palette_of
from .private import unwrap
from .rows import table_of

if TYPE_CHECKING:
    from napari.layers import Layer

LayerData = tuple[Any, dict[str, Any], str]


def as_layers(opened: Opened) -> list[LayerData]:
    """What napari adds for an opened image: a layer, or one per channel."""
    many = len(opened.levels) > 1
    options = {
        "name": opened.name, "multiscale": many,
        "metadata": {GRID: opened.grid, ABOUT: dict(opened.about)},
        **opened.grid.layer_options(),
    }  # fmt: skip
    if opened.channel_axis is None or opened.rgb:
        data = list(opened.levels) if many else opened.data
        limits = contrast_limits(opened.data, opened.about)
        more = {"rgb": opened.rgb} | ({"contrast_limits": limits} if limits else {})
        return [(data, options | more, "image")]
    layers = []
    for index in range(opened.data.shape[opened.channel_axis]):
        cut = (slice(None),) * opened.channel_axis + (index,)
        levels = [_channel(level, cut) for level in opened.levels]
        name = opened.channels[index] if index < len(opened.channels) else f"channel {index}"
        own = {"name": f"{opened.name} {name}".strip(), "rgb": False, "blending": "additive"}
        limits = contrast_limits(levels[0], opened.about)
        layers.append(
            (levels if many else levels[0],
             options | own | ({"contrast_limits": limits} if limits else {}), "image")
        )  # fmt: skip
    return layers


def contrast_limits(data: Any, about: Mapping[str, object]) -> tuple[float, float] | None:
    """How an image is shown at first: CT as soft tissue, others by a sparse sample of theirs.

    None leaves it to napari: 8-bit images, and small ones of which every pixel can be looked at.
    """
    if about.get("unit") == "HU":
        return WINDOWS["soft tissue"]
    if np.dtype(data.dtype).itemsize == 1:
        return None
    middle = tuple(n // 2 for n in data.shape[:-2])
    step = max(1, max(data.shape[-2:]) // 256)
    plane = np.asarray(data[(*middle, slice(None, None, step), slice(None, None, step))])
    nodata = about.get("nodata")
    values = plane[plane != nodata] if nodata is not None else plane.ravel()
    finite = values[np.isfinite(values)]
    if not finite.size:
        return None
    low, high = np.percentile(finite, (0.5, 99.5))
    return (float(low), float(high)) if high > low else None


def read_nifti(path: str | list[str]) -> Any:
    """npe2 reader of NIfTI files; napari itself loses their spacing."""
    paths = [path] if isinstance(path, str) else list(path)

    def read(_: object) -> list[LayerData]:
        return [layer for one in paths for layer in as_layers(open_image(Path(one)))]

    return read


def write_layer(path: str, data: Any, meta: dict[str, object]) -> list[str]:
    """npe2 writer of one Labels layer, in the format that the file's name asks for."""
    from napari.layers import Labels

    known = {key: value for key, value in meta.items() if key not in ("multiscale",)}
    return [str(one) for one in save_labels(Labels(data, **known), Path(path))]


def labels_to_save(layer: Layer, path: Path) -> SaveLabels:
    """A Labels layer as it is now, to be written in any thread; ask for it in the main one.

    Parameters
    ----------
    layer : Labels
    path : Path
    """
    layer = unwrap(layer)
    return SaveLabels(
        path, full_data(layer), table_of(layer), palette_of(layer), grid_of(layer),
        dict(layer.metadata.get(ABOUT, {})), saving(layer, path.name),
    )  # fmt: skip


def save_labels(layer: Layer, path: Path) -> list[Path]:
    """Write a Labels layer, its objects and its log; gives the files written.

    Raises
    ------
    InvalidLabels, FileTrouble
        As `napari_seem.io.files.write_labels`.
    """
    return labels_to_save(layer, path).run()


def _channel(level: Any, cut: tuple[Any, ...]) -> Any:
    """One channel of a level; zarr arrays stay unread."""
    if isinstance(level, np.ndarray) or type(level).__module__.startswith("dask"):
        return level[cut]
    import dask.array

    return dask.array.from_array(level, chunks=level.chunks)[cut]
