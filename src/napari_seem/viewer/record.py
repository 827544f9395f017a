"""The record of a Labels layer: kept in its metadata, told of every change, ours or not."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from weakref import ref

import numpy as np

from ..labels.log import SUFFIX, Event, Journal
from ..labels.recorder import Recorder
from ..planes import Plane
from ..sources.identity import image_to_dict
from .coordinates import full_data, unwrap
from .metadata import GRID, SOURCE

if TYPE_CHECKING:
    from napari.layers import Image, Labels, Layer

    from .model_input import ModelInput

RECORD = "napari-seem record"
"""Key of a Labels layer's metadata: its `LayerRecord`."""
FOLDER_VARIABLE = "NAPARI_SEEM_LOGS"
KEPT_DAYS = 30
"""Logs of sessions in the person's own folder are deleted after so many days."""
AT_ONCE = 512 << 20
"""Labels of more bytes are compared with their record in a thread when they are saved, and those
on disk are not read when it begins."""
Area = tuple[slice, ...]


@dataclass(frozen=True)
class What:
    """What is done to labels, for the record.

    Attributes
    ----------
    kind : str
        The event: `committed`, `found`, `renamed`, ...
    details : mapping
        Plain values.
    shown : ModelInput, optional
        What a model was shown.
    """

    kind: str = "written"
    details: Mapping[str, Any] = field(default_factory=dict)
    shown: ModelInput | None = None


class LayerRecord:
    """Keeps the record of one Labels layer.

    Changes that others make are seen when they are made where napari tells of them (strokes, its
    undo and redo), else when the same pixels are next worked on or saved.

    Parameters
    ----------
    layer : Labels
    empty : bool
        It is known to hold nothing.
    """

    def __init__(self, layer: Labels, *, empty: bool = False) -> None:
        self._layer = ref(layer)
        self._images: dict[int, tuple[Any, int, dict[str, Any]]] = {}
        self._painted: Any = None
        self._steps = _steps(layer)
        self.recorder = _recorder(layer, empty)
        layer.events.paint.connect(self._on_paint)
        layer.events.labels_update.connect(self._on_pixels)
        layer.events.set_data.connect(self._on_refresh)

    def __deepcopy__(self, _: Any) -> LayerRecord:
        return self

    def belongs_to(self, layer: Any) -> bool:
        """Whether this is the layer's own, and not that of one it is a copy of."""
        return self._layer() is layer

    def at_hand(self, layer: Any) -> Recorder | None:
        """The record of `layer`, or one of its own for a copy; None for one of another shape."""
        own, data = self._layer(), full_data(layer)
        if tuple(data.shape) != self.recorder.shape:
            return None
        same = own is not None and full_data(own) is data
        return self.recorder if same else self.recorder.fork()

    def seen(self, shown: ModelInput | None) -> dict[str, Any]:
        """What a model was shown, in words of the record."""
        if shown is None:
            return {}
        images = [self._image(layer) for layer in shown.layers]
        told: dict[str, Any] = {"images": images, "looks": [look.to_dict() for look in shown.looks]}
        return told | ({"index": True} if shown.index else {})

    def keep_up(self, layer: Labels) -> None:
        """Begin anew where the layer was given an array of another shape."""
        if tuple(full_data(layer).shape) != self.recorder.shape:
            self.recorder = _recorder(layer, False)

    def complain(self) -> None:
        """Tell the person, once, where the session's own log can't be written."""
        from napari.utils.notifications import show_warning

        journal = self.recorder.journal
        if journal is not None and journal.trouble:
            self.recorder.journal = None
            show_warning(
                f"{journal.trouble}; what is done is still recorded beside labels when they are "
                "saved"
            )

    def _image(self, layer: Image) -> int:
        own: Any = unwrap(layer)
        data = full_data(own)
        known = self._images.get(id(own))
        if known is None or known[0]() is not own or known[1] != id(data):
            told = image_to_dict(data, own.name, _source(own), bool(own.rgb))
            known = self._images[id(own)] = ref(own), id(data), told
        return self.recorder.image(known[2])

    def _on_paint(self, event: Any) -> None:
        """A stroke; napari tells of single ones before their pixels are there."""
        done = self.recorder.busy or self._sync(event.value, "painted")
        self._painted = None if done else event.value

    def _on_pixels(self, _: Any) -> None:
        painted, self._painted = self._painted, None
        if painted is not None:
            self._sync(painted, "painted")

    def _on_refresh(self, _: Any) -> None:
        """The layer may have gone a step in its history."""
        layer: Any = self._layer()
        if layer is None:
            return
        before, self._steps = self._steps, _steps(layer)
        self._on_pixels(None)
        if self._steps > before:
            self._sync(layer._redo_history[-1], "undone")
        elif self._steps < before and layer._undo_history:
            self._sync(layer._undo_history[-1], "redone")

    def _sync(self, atoms: Any, how: str) -> bool:
        """Note what changed where a step of napari's history lies; gives whether anything did."""
        layer = self._layer()
        data = None if layer is None else full_data(layer)
        if data is None or tuple(data.shape) != self.recorder.shape:
            return False
        return self.recorder.sync(data, _area_of_atoms(atoms, data.shape), how)


@contextmanager
def recorded(labels: Labels, what: What | str, area: Area | None = None) -> Iterator[Event]:
    """Record what the code inside does to a Labels layer; every change of ours goes through this.

    Yields the event's details, to which more can be added. Where neither pixels nor the table
    change, nothing is recorded.

    Parameters
    ----------
    labels : Labels
    what : What or str
        Or the event's kind alone.
    area : tuple of slice, optional
        Where pixels may change, one slice for each axis; by default anywhere.
    """
    layer, asked = unwrap(labels), what if isinstance(what, What) else What(what)
    record = record_of(layer)
    if record is None:
        yield {}
        return
    seen = record.seen(asked.shown)
    with record.recorder.writing(
        asked.kind, full_data(layer), area, rows=lambda: rows_of(layer)
    ) as event:
        event.update({**seen, **asked.details})
        yield event
    record.complain()


def noted(labels: Labels, what: What, areas: Sequence[Area] = ()) -> None:
    """Record something that changes no pixel but reads those in some areas."""
    layer = unwrap(labels)
    record = record_of(layer)
    if record is not None:
        for area in areas:
            record.recorder.sync(full_data(layer), area)
        record.recorder.note(what.kind, {**record.seen(what.shown), **what.details})


def record_of(labels: Labels, *, empty: bool = False) -> LayerRecord | None:
    """The record of a Labels layer, begun now where there is none; None where none can be kept.

    Parameters
    ----------
    labels : Labels
    empty : bool
        It is known to hold nothing, and need not be read to begin.
    """
    layer: Any = unwrap(labels)
    if layer.ndim < 2 or np.dtype(full_data(layer).dtype).kind not in "iu":
        return None
    record = layer.metadata.get(RECORD)
    if not isinstance(record, LayerRecord) or not record.belongs_to(layer):
        record = LayerRecord(layer, empty=empty)
        layer.metadata[RECORD] = record
    record.keep_up(layer)
    return record


def saving(layer: Layer, name: str) -> Callable[[], list[Event]]:
    """What gives the events to write beside a Labels layer's file; none if it was not worked on.

    Ask for it in the main thread, call it in any. Labels on disk, and others of more than
    `AT_ONCE` bytes, are compared with the record in the call, others at once.
    """
    own: Any = unwrap(layer)
    record = own.metadata.get(RECORD)
    recorder = record.at_hand(own) if isinstance(record, LayerRecord) else None
    if recorder is None:
        return list
    data, rows = full_data(own), rows_of(own)
    if isinstance(data, np.ndarray) and data.nbytes <= AT_ONCE:
        events = recorder.saved(data, name, rows)
        return lambda: events
    apart = recorder.fork()
    return lambda: apart.saved(data, name, rows)


def area_of(plane: Plane, shape: Sequence[int], box: Sequence[int] | None = None) -> Area:
    """A plane of an array, or a part (y0, x0, y1, x1) of it, as slices."""
    height, width = plane.shape(shape)
    y0, x0, y1, x1 = box or (0, 0, height, width)
    area = [slice(0, 0) if at is None else slice(at, at + 1) for at in plane.index]
    area[plane.axes[0]], area[plane.axes[1]] = slice(y0, y1), slice(x0, x1)
    return tuple(area)


def rows_of(layer: Any) -> dict[str, dict[str, Any]]:
    """The table of objects as plain rows by id."""
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
        }
        for label_id, values in rows
        if int(label_id) > 0
    }


def logs_folder() -> Path:
    """Where logs of sessions are kept as they go on: `$NAPARI_SEEM_LOGS`, or the state folder."""
    chosen = os.environ.get(FOLDER_VARIABLE)
    if chosen:
        return Path(chosen).expanduser()
    from platformdirs import user_state_path

    return user_state_path("napari-seem", appauthor=False) / "logs"


def _journal() -> Journal | None:
    """A file for the log of a session, unless the person wants none."""
    from napari.settings import get_plugin_settings

    try:
        wanted = bool(get_plugin_settings("napari-seem").annotate.keep_log)
    except (KeyError, ValueError, AttributeError):  # not installed as a plugin, or an older napari
        wanted = True
    if not wanted:
        return None
    folder = logs_folder()
    _forget_old(folder)
    return Journal(folder / f"{time.strftime('%Y-%m-%d-%H%M%S')}-{os.getpid()}{SUFFIX}")


def _forget_old(folder: Path) -> None:
    oldest = time.time() - KEPT_DAYS * 86400
    for path in folder.glob(f"*{SUFFIX}"):
        if path.stat().st_mtime < oldest:
            path.unlink(missing_ok=True)


def _recorder(layer: Any, empty: bool) -> Recorder:
    """A new record; much that lies on disk is read where it is worked on, and when it is saved."""
    data = full_data(layer)
    size = int(np.prod(data.shape)) * np.dtype(data.dtype).itemsize
    unread = empty or (not isinstance(data, np.ndarray) and size > AT_ONCE)
    return Recorder(data, layer.name, rows_of(layer), _journal(), empty=unread)


def _source(image: Any) -> str:
    """The file that an image layer came from, if that is known."""
    grid = image.metadata.get(GRID)
    path = (
        image.metadata.get(SOURCE)
        or getattr(image.source, "path", None)
        or (grid.native.get("path") if grid else None)
    )
    return "" if path is None else str(Path(path).absolute())


def _steps(layer: Any) -> int:
    """How many steps can be made again; napari tells of undo by nothing else."""
    return len(getattr(layer, "_redo_history", ()))


def _area_of_atoms(atoms: Any, shape: Sequence[int]) -> Area:
    """Slices around everything that a step of napari's history touched."""
    low, high = np.full(len(shape), np.iinfo(np.int64).max), np.zeros(len(shape), np.int64)
    for atom in atoms:
        key = getattr(atom, "slice_key", atom[0])
        if any(isinstance(part, slice) and part.start == part.stop for part in key):
            continue  # the mark of a step that changes no pixel
        for axis, part in enumerate(key):
            ends = _ends(part, shape[axis])
            low[axis], high[axis] = min(low[axis], ends[0]), max(high[axis], ends[1])
    return tuple(slice(int(a), int(b)) for a, b in zip(low, high, strict=True))


def _ends(part: Any, size: int) -> tuple[int, int]:
    """First and one past the last index of one axis of a key."""
    if isinstance(part, slice):
        start, stop, _ = part.indices(size)
        return start, stop
    values = np.asarray(part)
    if not values.size:
        return size, 0
    values = np.where(values < 0, values + size, values)
    return int(values.min()), int(values.max()) + 1
