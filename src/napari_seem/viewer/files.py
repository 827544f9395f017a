"""Opened images as napari layers, and layers as what files are written from."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..commands.files import SaveLabels
from ..errors import FileTrouble, InvalidLabels
from ..images import WINDOWS
from ..intensity import IntensityWindow
from ..io.files import open_image, open_labels
from ..io.formats import OUTLINES, ROIS, find_labels, format_of
from ..io.grid import Grid
from ..io.nifti import SUFFIXES
from ..io.opened import Opened, OpenedLabels, lazy
from ..io.writing.whole import writing
from ..io.zarr.label_store import moment_of
from ..palette import Palette
from .coordinates import full_data, lie_within
from .documents import saving, written_by
from .label_layers.features import table_of
from .label_layers.palette import class_colours, palette_of
from .label_layers.targets import belongs_on_disk
from .metadata import ABOUT, GRID, SAVED, SOURCE, grid_of, guessed_axes, source_path
from .model_input import CONTRAST, LOOK
from .private import unwrap

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Layer

    from ..images import ArraySource

MOST_STEPS = 2**31 - 1
"""Steps of pixels that a slider of napari's can count."""
LayerData = tuple[Any, dict[str, Any], str]


def as_layers(opened: Opened, path: Path | None = None) -> list[LayerData]:
    """What napari adds for an image that was opened from a path: a layer, or one per channel."""
    many = len(opened.levels) > 1
    window = ct_window(opened.about)
    look = {} if window is None else {LOOK: ct_look(window)}
    source = {} if path is None else {SOURCE: str(path.absolute())}
    grid = near_others(opened.grid, opened.name)
    options = {
        "name": opened.name, "multiscale": many,
        "metadata": {GRID: grid, ABOUT: dict(opened.about), **look, **source},
        **grid.layer_options(),
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


def near_others(grid: Grid, name: str) -> Grid:
    """Return the grid, shown beside the layers of the viewer where it lies too far from them.

    Such as a map in degrees beside one in metres: napari's sliders can't count so many steps.
    """
    from napari import current_viewer
    from napari.utils.notifications import show_warning

    viewer = current_viewer()
    if viewer is None or not len(viewer.layers):
        return grid
    extent = viewer.layers.extent
    axes = slice(-min(grid.ndim, len(extent.step)), None)
    ends = np.array([(*corner, 1) for corner in product(*((0, n - 1) for n in grid.shape))])
    places = (ends @ grid.matrix.T)[:, :-1][:, axes]
    low, high = np.asarray(extent.world)[:, axes]
    span = np.fmax(high, places.max(0)) - np.fmin(low, places.min(0))
    if (span / np.fmin(extent.step[axes], grid.spacing[axes]) < MOST_STEPS).all():
        return grid
    moved = grid.matrix.copy()
    moved[:-1, -1][axes] += low - places.min(0)
    show_warning(
        f"'{name}' lies too far from the open layers for napari's sliders: it is shown beside "
        "them, and its labels are saved where its file says."
    )
    return replace(grid, moved=moved)


def contrast_limits(data: ArraySource, about: Mapping[str, object]) -> tuple[float, float] | None:
    """How an image (..., H, W) is shown at first: as its file says, or by a sparse sample of it.

    CT whose file says nothing is shown as soft tissue. None leaves it to napari: 8-bit images, and
    small ones of which every pixel can be looked at.
    """
    window = ct_window(about) or about.get("window")
    if isinstance(window, tuple):
        return window
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


def ct_window(about: Mapping[str, object]) -> tuple[float, float] | None:
    """The ends of the intensity window that a CT is shown with at first; None for other images."""
    if about.get("unit") != "HU":
        return None
    window = about.get("window")
    low, high = window if isinstance(window, tuple) else WINDOWS["soft tissue"]
    return float(low), float(high)


def ct_look(window: tuple[float, float]) -> IntensityWindow | str:
    """How a CT that is shown with an intensity window is shown to models: as the person sees it."""
    named = (name for name, ends in WINDOWS.items() if ends == window)
    return next((IntensityWindow.named(name) for name in named), CONTRAST)


def image_grids(viewer: ViewerModel) -> list[tuple[str, Grid]]:
    """Names and grids of the images that are open, the likeliest to be labelled first.

    That is the chosen one, then visible ones from the top to the bottom, then the others. Call it
    in the main thread.
    """
    from napari.layers import Image

    images = [layer for layer in reversed(unwrap(viewer).layers) if isinstance(layer, Image)]
    chosen = unwrap(viewer).layers.selection.active
    ranked = sorted(images, key=lambda layer: (layer is not chosen, not layer.visible))
    return [(layer.name, grid_of(layer)) for layer in ranked]


def open_labels_on(path: Path, images: Sequence[tuple[str, Grid]]) -> OpenedLabels:
    """Open a label file, in any thread, on the image among the open ones that it belongs to.

    A file that says itself where its labels lie needs none; they get the grid of an image that lies
    there as well, so that they are saved in its format.

    Parameters
    ----------
    path : Path
    images : sequence of (str, Grid)
        As `image_grids` gives them.

    Raises
    ------
    FileTrouble, InvalidLabels
        As of `napari_seem.io.files.read_labels`.
    """
    if format_of(path) == ".dcm":
        for _, grid in images:
            if grid.format == "dicom":
                with suppress(FileTrouble):  # of another series
                    return open_labels(path, grid)
    try:
        opened = open_labels(path)
    except InvalidLabels:
        if not images or format_of(path) not in OUTLINES:
            raise
        grid = images[0][1]
        flat = grid.ndim > 2 and format_of(path) not in ROIS
        return open_labels(path, grid.plane if flat else grid)
    named = opened.about.get("image")
    for _, grid in sorted(images, key=lambda one: one[0] != named):
        if grid.shape == opened.grid.shape and _lies_on(opened.grid, grid):
            return replace(opened, grid=grid)
    return opened


def _lies_on(labels: Grid, image: Grid) -> bool:
    """Whether labels lie on an image's pixels, or nobody knows where they lie."""
    plain = np.array_equal(labels.matrix, np.eye(labels.ndim + 1)) and set(labels.units) == {
        "pixel"
    }
    return plain or lie_within(labels.matrix, image.matrix, image.shape)


def labels_layer(opened: OpenedLabels, path: Path) -> LayerData:
    """What napari adds for labels that were opened: pixels, places, objects and colours."""
    import pandas as pd

    many = len(opened.levels) > 1 and belongs_on_disk(opened.data.shape)
    classes = {record.class_name for _, record in opened.table.items()}
    palette = Palette.from_dict(opened.about).with_classes(sorted(classes))
    options: dict[str, Any] = {
        "name": opened.name, "multiscale": many,
        "metadata": {GRID: opened.grid, ABOUT: dict(opened.about), SAVED: str(path.absolute())},
        "features": pd.DataFrame(opened.table.to_features()),
        **opened.grid.layer_options(),
    }  # fmt: skip
    if palette.by_class:
        options["colormap"] = class_colours(opened.table, palette)
    data = list(opened.levels) if many else np.array(opened.data)  # a file's own can't be painted
    return data, options, "labels"


def read_file(path: str | list[str]) -> Callable[[object], list[LayerData]] | None:
    """npe2 reader of label files and of NIfTI; gives None for files of other kinds."""
    from napari import current_viewer
    from napari.utils.notifications import show_warning

    paths = [Path(one) for one in ([path] if isinstance(path, str) else path)]
    labels = [find_labels(one) for one in paths]
    nifti = [one.name.lower().endswith(SUFFIXES) for one in paths]
    if not all(found or image for found, image in zip(labels, nifti, strict=True)):
        return None
    viewer = current_viewer()

    def read(_: object) -> list[LayerData]:
        images = [] if viewer is None else image_grids(viewer)
        layers = []
        for one, found in zip(paths, labels, strict=True):
            if found is None:
                image = open_image(one)
                layers += as_layers(image)
                text = image.about.get("warning")
            else:
                labelled = open_labels_on(found, images)
                layers.append(labels_layer(labelled, found))
                text = labelled.note
            if text:
                show_warning(f"'{one.name}': {text}.")
        return layers

    return read


def write_layer(path: str, data: ArraySource, meta: dict[str, object]) -> list[str]:
    """npe2 writer of a Labels layer (..., H, W), in the format that the file's name asks for."""
    from napari.layers import Labels
    from napari.utils.notifications import show_info

    known = {key: value for key, value in meta.items() if key not in ("multiscale",)}
    layer = Labels(data, **known)
    try:
        written = [str(one) for one in save_labels(layer, Path(path))]
        if guess := guessed_axes(layer):
            show_info(f"{guess}.")
        return written
    except ValueError as error:  # which napari reports as "a plugin could not be found"
        raise FileTrouble(str(error)) from error


def labels_to_save(layer: Layer, path: Path) -> SaveLabels:
    """A Labels layer as it is now, to be written in any thread; ask for it in the main one.

    Pixels, table and log are of this moment, whatever is changed while they are written.

    Parameters
    ----------
    layer : Labels
    path : Path

    Raises
    ------
    FileTrouble
        An image that is open lies there, or the disk of labels in a folder is full.
    """
    layer = unwrap(layer)
    _spare_images(path)
    with writing(path):
        moment = moment_of(full_data(layer))
    return SaveLabels(
        path, moment, table_of(layer), palette_of(layer), grid_of(layer),
        dict(layer.metadata.get(ABOUT, {})), saving(layer, path.name, moment), written_by(layer),
    )  # fmt: skip


def _spare_images(path: Path) -> None:
    """Raise `FileTrouble` where an open image would be written over."""
    from napari import current_viewer
    from napari.layers import Image

    viewer = current_viewer()
    for one in () if viewer is None else unwrap(viewer).layers:
        source = source_path(one) if isinstance(one, Image) else None
        if source is not None and source.is_file() and source.resolve() == path.resolve():
            raise FileTrouble(
                f"'{path}' is the file of the image '{one.name}', which labels must not replace; "
                "choose another name"
            )


def save_labels(layer: Layer, path: Path) -> list[Path]:
    """Write a Labels layer, its objects and its log; gives the files written.

    Raises
    ------
    InvalidLabels, FileTrouble
        As `napari_seem.io.files.write_labels`.
    """
    return labels_to_save(layer, path).run()


def _channel(level: ArraySource, cut: tuple[slice | int, ...]) -> ArraySource:
    """One channel (..., H, W) of a level; what is on disk stays unread."""
    return (level if isinstance(level, np.ndarray) else lazy(level))[cut]
