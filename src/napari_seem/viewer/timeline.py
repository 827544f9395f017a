"""One undo for everything that was done in a viewer: prompts and results, whoever made them."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol
from weakref import WeakKeyDictionary, WeakSet, ref

from psygnal import Signal

from ..labels.changes import Change
from ..labels.document import LabelDocument
from .documents import document_of
from .label_layers.window import window_of
from .private import unwrap
from .shown import show_one_of

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Labels, Layer

STEPS = 1000
"""Steps that can be undone, those of all layers together."""
_TIMELINES: WeakKeyDictionary[ViewerModel, Timeline] = WeakKeyDictionary()
"""One for each viewer; it goes with its viewer."""


class Undoable(Protocol):
    """Something with an undo of its own that takes part in the timeline."""

    @property
    def undo_title(self) -> str:
        """What undo would take back; "" for nothing."""

    @property
    def redo_title(self) -> str:
        """What redo would bring back; "" for nothing."""

    def undo(self) -> object:
        """Undo its last step."""

    def redo(self) -> object:
        """Redo the step that was undone last."""


class _DocumentSteps:
    """The steps of a label document, which goes with its layer."""

    def __init__(
        self, document: LabelDocument, is_there: Callable[[], bool],
        show: Callable[[Change], None],
    ) -> None:  # fmt: skip
        self._document, self.is_there, self.show = ref(document), is_there, show

    @property
    def undo_title(self) -> str:
        document = self._document()
        return document.history.undo_title if document and self.is_there() else ""

    @property
    def redo_title(self) -> str:
        document = self._document()
        return document.history.redo_title if document and self.is_there() else ""

    def undo(self) -> str:
        document = self._document()
        return document.undo() if document else ""

    def redo(self) -> str:
        document = self._document()
        return document.redo() if document else ""


class Timeline:
    """The order in which steps were made, across prompts and label documents.

    Attributes
    ----------
    changed : Signal()
        Undo or redo would do something else.
    travelled : Signal(str)
        What was undone or redone by this timeline, in words; or that there was nothing.
    """

    changed = Signal()
    travelled = Signal(str)

    def __init__(self) -> None:
        self._done: deque[Undoable] = deque(maxlen=STEPS)
        self._undone: deque[Undoable] = deque(maxlen=STEPS)
        self._followed: WeakSet[LabelDocument] = WeakSet()
        self._travelling = False
        self._stand_in: Undoable | None = None

    @property
    def undo_title(self) -> str:
        """What undo would take back; "" for nothing."""
        return next((one.undo_title for one in reversed(self._done) if one.undo_title), "")

    @property
    def redo_title(self) -> str:
        """What redo would bring back; "" for nothing."""
        return next((one.redo_title for one in reversed(self._undone) if one.redo_title), "")

    def record(self, actor: Undoable) -> None:
        """A step was made, which `actor` can undo."""
        if self._travelling:
            return
        place = self._stand_in
        if place is not None and place in self._done:
            self._done[self._done.index(place)] = actor
        else:
            self._done.append(actor)
            self._undone.clear()
        self.changed.emit()

    @contextmanager
    def in_place_of(self, actor: Undoable) -> Iterator[None]:
        """Record the step that is made inside where `actor` stands: it was asked for then."""
        self._stand_in = actor
        try:
            yield
        finally:
            self._stand_in = None

    def undo(self, otherwise: LabelDocument | None = None) -> str:
        """Undo the last step; gives its title.

        Parameters
        ----------
        otherwise : LabelDocument, optional
            Whose last step is undone where nothing was done since the timeline began.
        """
        return self._travel(self._done, self._undone, "undo", otherwise)

    def redo(self, otherwise: LabelDocument | None = None) -> str:
        """Redo the step that was undone last; gives its title."""
        return self._travel(self._undone, self._done, "redo", otherwise)

    def follow(
        self, document: LabelDocument, is_there: Callable[[], bool] = lambda: True,
        show: Callable[[Change], None] = lambda _: None,
    ) -> bool:  # fmt: skip
        """Take a document's steps into the timeline from now on; whether it was not followed.

        Parameters
        ----------
        document : LabelDocument
        is_there : callable
            Whether its layer is in the viewer; the steps of one that is not are passed over.
        show : callable
            Brings what was undone or redone before the person's eyes.
        """
        if document in self._followed:
            return False
        steps = _DocumentSteps(document, is_there, show)
        self._followed.add(document)
        document.changed.connect(lambda change: self._on_change(steps, change))
        return True

    def _travel(
        self, source: deque[Undoable], target: deque[Undoable], way: str,
        otherwise: LabelDocument | None,
    ) -> str:  # fmt: skip
        while source:
            actor = source.pop()
            title: str = getattr(actor, f"{way}_title")
            if not title:
                continue  # it has forgotten its steps
            target.append(actor)
            with self._going():
                getattr(actor, way)()
            self.changed.emit()
            self.travelled.emit(f"{way}ne: {title}")
            return title
        title = "" if otherwise is None else str(getattr(otherwise, way)())
        self.travelled.emit(f"{way}ne: {title}" if title else f"nothing to {way}")
        return title

    def _on_change(self, steps: _DocumentSteps, change: Change) -> None:
        if change.state == "done":
            self.record(steps)
        elif self._travelling:
            steps.show(change)
        else:  # undone or redone by another way, such as a script
            ways = [self._done, self._undone]
            source, target = ways if change.state == "undone" else reversed(ways)
            _move_last(steps, source, target)
            self.changed.emit()

    @contextmanager
    def _going(self) -> Iterator[None]:
        former, self._travelling = self._travelling, True
        try:
            yield
        finally:
            self._travelling = former


def timeline_of(viewer: ViewerModel) -> Timeline:
    """The timeline of a viewer.

    Ctrl+Z (Cmd+Z on a Mac) undoes its last step from now on, unless a layer is selected that has
    an undo of its own.
    """
    own = unwrap(viewer)
    if own not in _TIMELINES:
        _TIMELINES[own] = Timeline()
        bind_undo(own, _TIMELINES[own])
    return _TIMELINES[own]


def document_in(viewer: ViewerModel, labels: Labels, *, empty: bool = False) -> LabelDocument:
    """The document of a Labels layer, as part of its viewer's timeline.

    Ctrl+Z (Cmd+Z on a Mac) on the layer undoes the last step of the timeline from now on. A plane
    where something was undone or redone is shown.
    """
    document = document_of(labels, empty=empty)
    timeline = timeline_of(viewer)
    layer, own = unwrap(labels), unwrap(viewer)
    known, shown = ref(layer), ref(own)

    def is_there() -> bool:
        there, home = known(), shown()
        return there is not None and home is not None and there in home.layers

    def show(change: Change) -> None:
        there, home = known(), shown()
        if there is not None and home is not None:
            show_one_of(home, there, change.planes)

    if timeline.follow(document, is_there, show):
        bind_undo(layer, timeline, document)
        window = window_of(layer)
        if window is not None:
            window.on_made(lambda made: bind_undo(made, timeline, document))
    return document


def bind_undo(
    owner: Layer | ViewerModel, timeline: Timeline, document: LabelDocument | None = None
) -> None:
    """Bind undo and redo of the timeline on a layer, or on the viewer."""
    from app_model.types import KeyCode, KeyMod

    held = ref(document) if document is not None else lambda: None
    undo = KeyMod.CtrlCmd | KeyCode.KeyZ
    redo = KeyMod.CtrlCmd | KeyMod.Shift | KeyCode.KeyZ
    owner.bind_key(undo, _quiet(lambda: timeline.undo(held())), overwrite=True)
    owner.bind_key(redo, _quiet(lambda: timeline.redo(held())), overwrite=True)


def _quiet(action: Callable[[], object]) -> Callable[[object], None]:
    """A key binding: napari takes what one returns for a generator."""

    def press(_: object) -> None:
        action()

    return press


def _move_last(actor: Undoable, source: deque[Undoable], target: deque[Undoable]) -> None:
    for position in range(len(source) - 1, -1, -1):
        if source[position] is actor:
            del source[position]
            target.append(actor)
            return
