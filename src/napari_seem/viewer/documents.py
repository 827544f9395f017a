"""Labels layers as hosts of label documents, and the one place where these are looked up."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary, WeakValueDictionary, ref

import numpy as np

from ..edits import ObjectTable
from ..errors import FileTrouble, InvalidLabels
from ..io.zarr.label_store import LabelStore
from ..labels.document import LabelDocument
from ..labels.journal import BROUGHT_BACK, discard
from ..labels.log import Event
from ..labels.recorder import Recorder
from ..labels.undo import NoUndo, UndoBackend
from ..palette import Palette
from .coordinates import full_data
from .label_layers.features import others_columns, rows_of, set_table, table_of
from .label_layers.foreign_tables import adopted
from .label_layers.palette import Colouring, keep_palette, palette_of
from .label_layers.targets import check_editable, store_of
from .label_layers.window import window_of
from .metadata import ABOUT, grid_values
from .private import unwrap
from .recovery.journals import journal_for, layer_values, note_image
from .undo import NapariUndo, forget_other_steps

if TYPE_CHECKING:
    import pandas as pd
    from napari.layers import Image, Labels, Layer

    from ..images import ArraySource, WritableArray

SESSION = "napari-seem session"
"""Key of a Labels layer's metadata: the name of its log's session, which copies of it share."""
AT_ONCE = 512 << 20
"""Labels of more bytes are compared with their log in a thread when they are saved, and those on
disk are not read when it begins."""
AT_ONCE_REPLACED = 64 << 20
"""Other pixels of at most so many bytes are compared with the log as they are given to a layer."""
_DOCUMENTS: WeakKeyDictionary[Layer, LabelDocument] = WeakKeyDictionary()
_SESSIONS: WeakValueDictionary[str, LabelDocument] = WeakValueDictionary()


class LayerHost:
    """Keeps a document's pixels, table and palette in a Labels layer of napari.

    Parameters
    ----------
    layer : Labels

    Attributes
    ----------
    colouring : Colouring
        Shows objects in the colours of their classes, or each in its own.
    """

    def __init__(self, layer: Labels) -> None:
        self._ref: Callable[[], Any] = ref(layer)
        self.colouring = Colouring(layer)
        self._features, self._writing = layer.features, False

    @property
    def layer(self) -> Labels | None:
        """The Labels layer; None once it is gone."""
        return self._ref()

    @property
    def name(self) -> str:
        """As of `LabelHost`."""
        return str(self._ref().name)

    @property
    def data(self) -> WritableArray:
        """As of `LabelHost`."""
        return full_data(self._ref())

    @property
    def store(self) -> LabelStore | None:
        """As of `LabelHost`."""
        return store_of(self._ref())

    @property
    def undo(self) -> UndoBackend:
        """As of `LabelHost`."""
        layer = self.layer
        if layer is None:
            return NoUndo()
        window = window_of(layer)
        if window is not None:
            return window.undo_backend
        return NapariUndo(layer, store_of(layer)) if self._is_writable() else NoUndo()

    @property
    def palette(self) -> Palette:
        """As of `LabelHost`."""
        return palette_of(self._ref())

    @property
    def grid(self) -> Mapping[str, object]:
        """As of `LabelHost`."""
        return grid_values(self._ref())

    def read_table(self) -> ObjectTable:
        """As of `LabelHost`."""
        return table_of(self._ref())

    def rows(self) -> dict[str, dict[str, object]]:
        """As of `LabelHost`."""
        return rows_of(self._ref())

    def write_table(self, table: ObjectTable, other_columns: object = None) -> None:
        """As of `LabelHost`."""
        self._writing = True
        try:
            set_table(self._ref(), table, other_columns)
        finally:
            self._writing = False
            self._features = self._ref().features

    def take_features(self) -> None:
        """Take in what others made of the features; objects keep what is not said anew."""
        layer = self.layer
        if self._writing or layer is None:
            return
        wanted = adopted(layer.features, self._features)
        self._writing = True
        try:
            if wanted is not None:
                layer.features = wanted
        finally:
            self._writing = False
            self._features = layer.features

    def other_columns(self, ids: Any = None) -> pd.DataFrame:
        """As of `LabelHost`."""
        return others_columns(self._ref(), ids)

    def write_palette(self, palette: Palette) -> None:
        """As of `LabelHost`."""
        keep_palette(self._ref(), palette)

    def read_note(self, key: str) -> object:
        """As of `LabelHost`."""
        return self._ref().metadata.get(f"napari-seem {key}")

    def write_note(self, key: str, value: object) -> None:
        """As of `LabelHost`."""
        layer = self._ref()
        layer.metadata = {**layer.metadata, f"napari-seem {key}": value}

    def check_writable(self) -> None:
        """As of `LabelHost`."""
        check_editable(self._ref())

    def write_block(self, block: tuple[slice, ...], values: Any) -> None:
        """As of `LabelHost`."""
        store = self.store
        assert store is not None, "labels in memory are written with undo"
        store.write(block, values)
        self._ref().refresh(extent=False, thumbnail=False, highlight=False)

    def refresh(self) -> None:
        """Show colours, and keep table and colours beside labels that lie in a folder."""
        self.colouring.draw()
        self.describe()

    def describe(self) -> None:
        """Keep table and colours beside labels that lie in a folder."""
        store, layer = self.store, self._ref()
        if store is not None:
            about = dict(layer.metadata.get(ABOUT, {})) | palette_of(layer).to_dict()
            store.describe(table_of(layer), about)

    def _is_writable(self) -> bool:
        try:
            self.check_writable()
        except InvalidLabels:
            return False
        return True


def document_of(labels: Labels, *, empty: bool = False) -> LabelDocument:
    """The document of a Labels layer, made when it is asked for first.

    Parameters
    ----------
    labels : Labels
    empty : bool
        The layer is known to hold nothing, and need not be read.
    """
    layer = unwrap(labels)
    document = _DOCUMENTS.get(layer)
    if document is None:
        host = LayerHost(layer)
        document = LabelDocument(host, _new_log(layer, empty), empty=empty)
        _DOCUMENTS[layer] = document
        _register(layer, document)
        _connect(layer, ref(document))
        _follow_place(layer, document)
    return document


def colouring_of(labels: Labels) -> Colouring:
    """What shows a layer's objects in colours."""
    host: Any = document_of(labels).host
    return host.colouring


def close_document(layer: Labels) -> None:
    """Mark the log of a layer that goes as closed; its changes can still be undone."""
    document = _DOCUMENTS.get(unwrap(layer))
    if document is not None and document.log is not None:
        document.log.close()


def is_unsaved(layer: Layer) -> bool:
    """Whether a Labels layer in memory was changed since it was saved last."""
    document = _DOCUMENTS.get(unwrap(layer))
    log = None if document is None else document.log
    return log is not None and store_of(unwrap(layer)) is None and log.is_unsaved


def begin_log(layer: Labels, image: Image | None) -> None:
    """Begin the log of a layer that was painted first, if it has none.

    Parameters
    ----------
    layer : Labels
    image : Image or None
        That it lies on.
    """
    own = unwrap(layer)
    if own in _DOCUMENTS:
        return
    if image is not None:
        note_image(own, image)
    log = document_of(own).log
    if log is not None:
        log.note("paint", {})


def take_over(layer: Layer, journal: Path) -> None:
    """Let the log of labels that were brought back hold them, and close the one they came from.

    Parameters
    ----------
    layer : Labels
    journal : Path
    """
    log = document_of(unwrap(layer)).log
    if log is None or log.journal is None:
        return
    log.note("recovered", {"from": journal.name})
    log.journal.sync()
    with suppress(FileTrouble):  # it would be offered again
        discard(journal, BROUGHT_BACK)


def saving(layer: Layer, name: str, moment: ArraySource | None = None) -> Callable[[], list[Event]]:
    """What gives the lines of the log to write beside a Labels layer's file.

    Ask for it in the main thread, call it in any. It gives none of a layer that was not worked on.
    Labels on disk, and others of more than `AT_ONCE` bytes, are compared with the log in the call.

    Parameters
    ----------
    layer : Labels
        Or a copy of one that has a document.
    name : str
        Of the file.
    moment : integer array-like (..., H, W), optional
        The labels as they are now, where they may change before the call.
    """
    own = unwrap(layer)
    log = _log_for(own)
    if log is None:
        return list
    data, rows = full_data(own) if moment is None else moment, rows_of(own)
    if isinstance(data, np.ndarray) and data.nbytes <= AT_ONCE:
        events = log.saved(data, name, rows)
        return lambda: events
    apart = log.fork()
    return lambda: apart.saved(data, name, rows)


def written_by(layer: Layer) -> Callable[[Path], None]:
    """What is to be told the file that a layer, as it is now, was written to; in any thread."""
    own = unwrap(layer)
    log = _log_for(own)
    if log is None:
        return lambda _: None
    count = len(log.events)
    return lambda path: log.written(count, str(path.absolute()))


def _log_for(layer: Labels) -> Recorder | None:
    """A layer's own log, or a fork for a copy of it; None where there is none."""
    document = _DOCUMENTS.get(layer) or _SESSIONS.get(str(layer.metadata.get(SESSION, "")))
    if document is None or document.log is None:
        return None
    data = full_data(layer)
    if tuple(data.shape) != document.log.shape:
        return None
    host: Any = document.host
    source = host.layer
    same = source is not None and full_data(source) is data
    return document.log if same else document.log.fork()


def _register(layer: Labels, document: LabelDocument) -> None:
    if document.log is not None:
        layer.metadata = {**layer.metadata, SESSION: document.log.session}
        _SESSIONS[document.log.session] = document


def _connect(layer: Labels, document: Callable[[], LabelDocument | None]) -> None:
    """Let a document know of what happens to its layer."""

    def notice(_: object = None) -> None:
        known = document()
        if known is not None:
            known.notice()

    def replaced(_: object) -> None:
        known = document()
        if known is not None:
            _replaced(known, layer_of())

    def described(_: object) -> None:
        known = document()
        if known is not None:
            host: Any = known.host
            host.take_features()
            if not known.busy:
                host.describe()

    layer_of = ref(layer)
    layer.events.paint.connect(notice)
    layer.events.labels_update.connect(notice)
    layer.events.set_data.connect(notice)
    layer.events.reload.connect(notice)  # with asynchronous slicing, before set_data
    layer.events.visible.connect(notice)
    layer.events.data.connect(replaced)
    layer.events.features.connect(described)
    window = window_of(layer)
    if window is not None:
        window.noticed = notice


def _follow_place(layer: Labels, document: LabelDocument) -> None:
    """Keep in the journal how a layer is named, where it lies, and the colours of its classes."""
    layer_of, log_of = ref(layer), ref(document)

    def placed(_: object) -> None:
        known, own = log_of(), layer_of()
        if known is not None and known.log is not None and own is not None:
            known.log.describe(layer_values(own))

    placed(None)
    document.changed.connect(placed)
    events = layer.events
    for event in (events.name, events.scale, events.translate, events.rotate, events.shear,
                  events.affine, events.units, events.axis_labels):  # fmt: skip
        event.connect(placed)


def _replaced(document: LabelDocument, layer: Labels) -> None:
    """A layer was given other pixels."""
    forget_other_steps(layer)
    data, log = full_data(layer), document.log
    if log is not None and tuple(data.shape) != log.shape:
        fresh = document.log = document.history.log = _new_log(layer, False)
        _register(layer, document)
        if fresh is not None:
            fresh.describe(layer_values(layer))
            if log.is_unsaved:
                fresh.note("recovered", {"from": log.session})
        log.close()
    elif log is not None and getattr(data, "nbytes", 0) <= AT_ONCE_REPLACED:
        log.sync(data)
    document.replaced()


def _new_log(layer: Labels, empty: bool) -> Recorder | None:
    """A new log; much that lies on disk is read where it is worked on, and when it is saved."""
    data = full_data(layer)
    if layer.ndim < 2 or np.dtype(data.dtype).kind not in "iu":
        return None
    size = prod(data.shape) * np.dtype(data.dtype).itemsize
    unread = empty or (not isinstance(data, np.ndarray) and size > AT_ONCE)
    return Recorder(
        data, layer.name, rows_of(layer), journal_for, empty=unread, grid=grid_values(layer)
    )
