"""Strokes that teach pixel classes: a Labels layer on an image, where every id is a class."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from psygnal import Signal

from ...commands.names import DeleteObjects, Recolour
from ...edits import ObjectRecord, ObjectTable
from ...errors import InvalidPrompt
from ...labels.changes import Change
from ...labels.document import LabelDocument
from ...labels.plans import quoted, rename_class
from ...palette import Palette
from ...planes import Plane
from ..coordinates import full_data, on_placing, shown_plane, spatial_shape
from ..documents import colouring_of
from ..label_layers.features import set_table
from ..label_layers.palette import keep_palette
from ..label_layers.targets import new_labels
from ..private import unwrap
from ..roles import STROKES, is_strokes
from ..shown import belongs_to, note_map
from ..timeline import document_in

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Image, Labels

    from ...images import ArraySource


@dataclass(frozen=True)
class PixelClass:
    """A class as it is painted.

    Attributes
    ----------
    name : str
    colour : str
        "#rrggbb"
    ids : tuple of int
        The ids of its strokes; new ones have the first.
    """

    name: str
    colour: str
    ids: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class StrokedPlane:
    """The strokes on a plane, copied.

    Attributes
    ----------
    plane : Plane
    places : int (n, 2)
        Row and column of every painted pixel.
    ids : int (n,)
        The id of each.
    """

    plane: Plane
    places: npt.NDArray[np.intp] = field(repr=False)
    ids: npt.NDArray[np.int64] = field(repr=False)

    @classmethod
    def read(cls, data: ArraySource, plane: Plane) -> StrokedPlane:
        """Read the strokes on a plane of a label array of any shape."""
        values = plane.read(data)
        places = np.argwhere(values)
        return cls(plane, places, values[tuple(places.T)].astype(np.int64))


class StrokeLayer:
    """The strokes on one image, and the classes that they are of.

    Parameters
    ----------
    viewer : ViewerModel
    image : Image
    layer : Labels
        That lies on it; its table says which class an id is of.
    empty : bool
        The layer is known to hold nothing, and need not be read.

    Attributes
    ----------
    changed : Signal()
        Strokes or classes are others, whoever changed them. napari tells of some strokes just
        before they are there: look at them a little later.
    """

    changed = Signal()

    def __init__(
        self, viewer: ViewerModel, image: Image, layer: Labels, *, empty: bool = False
    ) -> None:
        self._viewer, self.image, self.layer = viewer, image, layer
        self._known: dict[tuple[object, ...], StrokedPlane] = {}
        self._stale: dict[tuple[object, ...], Plane] = {}
        self._unnamed = False
        self._document = document_in(viewer, layer, empty=empty)
        colouring_of(layer).by_class(True)
        self._document.changed.connect(self._on_change)
        layer.events.data.connect(self._on_data)
        on_placing(layer, self._on_placed)
        if not empty:
            self._look_through()

    def close(self) -> None:
        """Follow the layer no more."""
        self._document.changed.disconnect(self._on_change)
        self.layer.events.data.disconnect(self._on_data)
        on_placing(self.layer, self._on_placed, follow=False)

    @property
    def document(self) -> LabelDocument:
        """The document of the layer."""
        return self._document

    @property
    def classes(self) -> list[PixelClass]:
        """The classes, in the order of their ids."""
        table, palette = self._document.table, self._document.palette
        painted = {int(i) for one in self.planes for i in np.unique(one.ids)}
        found: dict[str, list[int]] = {}
        for label_id in sorted({*table, *painted}):
            found.setdefault(class_name(table, label_id), []).append(label_id)
        return [PixelClass(name, palette.of(name), tuple(ids)) for name, ids in found.items()]

    @property
    def planes(self) -> list[StrokedPlane]:
        """The planes with strokes; those that were changed are read again."""
        data = full_data(self.layer)
        for key, plane in self._stale.items():
            self._known.pop(key, None)
            found = StrokedPlane.read(data, plane)
            if len(found.ids):
                self._known[key] = found
        self._stale.clear()
        return list(self._known.values())

    def id_of(self, name: str, colour: str = "") -> int:
        """The id of a class, which is added where the layer has none of that name."""
        known = next((one.ids[0] for one in self.classes if one.name == name), None)
        if known is not None:
            return known
        label_id = self._document.next_id()
        with self._document.transaction(f"class {quoted(name)}") as transaction:
            transaction.set_rows({label_id: record_of(name)})
            if colour:
                transaction.set_colours({name: colour})
        return label_id

    def rename(self, old: str, new: str) -> None:
        """Call a class something else, which no other class is called."""
        classes = {one.name: list(one.ids) for one in self.classes}
        if old in classes:
            colours, table = self._document.palette.colours, self._document.table
            self._document.apply(rename_class(classes, table, old, new, colours))

    def recolour(self, name: str, colour: str) -> None:
        """Give a class another colour, "#rrggbb"."""
        Recolour(names=[name], colour=colour).apply(self._document)

    def remove(self, name: str) -> None:
        """Take a class away, with its strokes."""
        ids = [i for one in self.classes if one.name == name for i in one.ids]
        if ids:
            DeleteObjects(ids=ids).apply(self._document)

    def name_new(self) -> None:
        """Give a name to what was just painted with a label of none."""
        if not self._unnamed:
            return
        self._unnamed = False
        table = self._document.table
        painted = {int(i) for one in self.planes for i in np.unique(one.ids)}
        fresh = sorted(i for i in painted if not table[i].class_name)
        if fresh:
            rows = {i: record_of(class_name(table, i)) for i in fresh}
            with self._document.transaction("new class") as transaction:
                transaction.set_rows(rows)
        self._unnamed = False

    def _on_change(self, change: Change) -> None:
        if change.planes:
            self._note_changed(change.planes)
            self._unnamed |= change.state == "done"
        self.changed.emit()

    def _note_changed(self, indices: Iterable[tuple[int, ...]]) -> None:
        """Read planes again, by their positions along all axes but the last two.

        What is painted while other axes are shown counts for the shown plane only.
        """
        axes = self._axes
        shown = self._shown()
        usual = shown is None or shown.axes == axes
        changed = [Plane((*index, None, None), axes) for index in indices]
        changed = [plane for plane in changed if usual or plane.key() in self._known]
        changed += [one.plane for one in self._known.values() if one.plane.axes != axes]
        if shown is not None and not usual:
            changed.append(shown)
        self._stale |= {plane.key(): plane for plane in changed}

    @property
    def _axes(self) -> tuple[int, int]:
        """The axes of the layer's rows and columns."""
        return self.layer.ndim - 2, self.layer.ndim - 1

    def _shown(self) -> Plane | None:
        """The shown plane of the strokes' array, or None."""
        try:
            shown = shown_plane(self.image, self._viewer.dims)
        except InvalidPrompt:
            return None
        return Plane(shown.index, shown.axes)

    def _on_placed(self, _: object = None) -> None:
        self.changed.emit()

    def _on_data(self, _: object = None) -> None:
        self._look_through()
        self.changed.emit()

    def _look_through(self) -> None:
        """Look for strokes on all planes of the layer's rows and columns."""
        data, shape = full_data(self.layer), spatial_shape(self.layer)
        self._known.clear()
        planes = (Plane((*index, None, None), self._axes) for index in np.ndindex(shape[:-2]))
        self._stale = {plane.key(): plane for plane in planes if np.any(plane.read(data))}


def new_strokes(
    viewer: ViewerModel, image: Image, classes: Mapping[str, str], home: Path | None = None
) -> Labels:
    """Add an empty layer for strokes that lies exactly on an image.

    Parameters
    ----------
    viewer : ViewerModel
    image : Image
    classes : mapping of str to str
        Names of classes with their colours, "#rrggbb".
    home : Path, optional
        Where labels that lie on disk are made.
    """
    layer = new_labels(viewer, image, strokes_name(image), home)
    layer.metadata = {**layer.metadata, STROKES: True}
    note_map(layer)
    set_table(layer, ObjectTable({i: record_of(name) for i, name in enumerate(classes, start=1)}))
    keep_palette(layer, Palette(by_class=True, colours=classes))
    layer.brush_size = float(np.clip(max(spatial_shape(image)[-2:]) / 150, 2, 30))
    return layer


def strokes_name(image: Image) -> str:
    """The name of a new layer for strokes."""
    return f"Strokes of {image.name}"


def strokes_on(viewer: ViewerModel, image: Image) -> Labels | None:
    """The topmost layer of strokes on an image, known as such or by its name, or None."""
    from napari.layers import Labels

    layers = [unwrap(layer) for layer in reversed(viewer.layers)]
    fit = [x for x in layers if isinstance(x, Labels) and belongs_to(x, image, strokes=True)]
    known = (x for x in fit if is_strokes(x) or x.name == strokes_name(image))
    return next(known, None)


def class_name(table: ObjectTable, label_id: int) -> str:
    """The class of strokes of an id; those that nobody named are called by it."""
    return table[label_id].class_name or f"class {label_id}"


def record_of(name: str) -> ObjectRecord:
    """The row of the table for strokes of a class."""
    return ObjectRecord(name=name, concept=name)
