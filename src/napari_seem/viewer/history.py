"""One undo for pixels, the table of objects and the colours of classes.

The undo of a Labels layer's pixels is napari's own, or that of its window. Every step of ours
leaves a mark in it, a change of no pixel; when the mark goes back or forward, its rows and colours
go along. So Ctrl+Z takes back what was done last, whether painted by the person or done by a dock.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import product
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary, ref

from ..edits import Edit, ObjectRecord
from ..errors import FileTrouble
from ..io.table import COLOURS
from ..labels.plans import Plan
from .coordinates import full_data, unwrap
from .metadata import ABOUT
from .on_disk import store_of
from .painting import check_paintable, mapped
from .palette import Colouring, keep_palette, palette_of
from .record import What, recorded
from .rows import others_columns, set_table, table_of
from .undo_backends import Track, planes_of, track_of

if TYPE_CHECKING:
    from napari.layers import Labels

Rows = Mapping[int, tuple[ObjectRecord | None, ObjectRecord | None]]
Colours = Mapping[str, tuple[str | None, str | None]]
STEPS = 100
"""napari keeps so many; older ones of ours can't be taken back either."""
_HISTORIES: WeakKeyDictionary[Any, History] = WeakKeyDictionary()
"""One for each layer; it goes with its layer."""


@dataclass(eq=False)
class Change:
    """What one step did to a Labels layer.

    Attributes
    ----------
    title : str
    edits : list of Edit
        Changed pixels, in the order they were written.
    rows : mapping of int to (ObjectRecord or None, ObjectRecord or None)
        Rows of the table that changed, before and after; None: there was, or is, none.
    colours : mapping of str to (str or None, str or None)
        Colours of classes that changed, before and after.
    """

    title: str
    edits: list[Edit] = field(default_factory=list, repr=False)
    rows: Rows = field(default_factory=dict)
    colours: Colours = field(default_factory=dict)

    @property
    def pixels(self) -> int:
        """How many pixels changed."""
        return sum(edit.count for edit in self.edits)


@dataclass(frozen=True, eq=False)
class Step:
    """A change as undo needs it.

    Attributes
    ----------
    change : Change
        Without its edits: napari keeps the pixels.
    mark : object or None
        What tells the step from others in the undo of the pixels; None where there is no such.
    lost : DataFrame
        Others' columns of rows that went or came.
    """

    change: Change
    mark: Any
    lost: Any


def history_of(labels: Labels) -> History:
    """The history that all docks share for a layer."""
    layer = unwrap(labels)
    if layer not in _HISTORIES:
        _HISTORIES[layer] = History(layer)
    return _HISTORIES[layer]


class Making:
    """A step that is being made.

    Attributes
    ----------
    change : Change
        What it did so far.
    """

    def __init__(self, title: str, track: Track) -> None:
        self.change = Change(title)
        self._track = track

    def write(self, edit: Edit) -> None:
        """Change pixels."""
        if edit.count:
            self.change.edits.append(edit)
            self._track.write(edit)


class History:
    """Makes every change to a layer's objects, and takes it back with napari's own undo.

    Attributes
    ----------
    colours : Colouring
    events : EmitterGroup
        `changed` (value: Change) after every step made here; `touched` (value: set of planes, by
        their position along all axes but the last two) when pixels changed, by whomever, also by
        undo and redo.
    """

    def __init__(self, layer: Any) -> None:
        from napari.utils.events import EmitterGroup

        self._ref = ref(layer)
        self.events = EmitterGroup(source=self, changed=None, touched=None)
        self._done: deque[Step] = deque(maxlen=STEPS)
        self._undone: deque[Step] = deque(maxlen=STEPS)
        self._busy = False
        self._known: list[Any] = []
        self.colours = Colouring(layer)
        layer.events.paint.connect(self._on_paint)
        layer.events.set_data.connect(self._sync)
        layer.events.visible.connect(self._sync)
        layer.events.features.connect(self._on_features)

    @property
    def layer(self) -> Any:
        """The Labels layer."""
        return self._ref()

    @property
    def busy(self) -> bool:
        """Whether a step is being made here now."""
        return self._busy

    @property
    def undo_title(self) -> str:
        """What undo would take back; '' for nothing."""
        return self._title(self._done, track_of(self.layer).done)

    @property
    def redo_title(self) -> str:
        """What redo would bring back; '' for nothing."""
        return self._title(self._undone, track_of(self.layer).undone)

    def apply(self, plan: Plan, blocks: Iterable[tuple[slice, ...]] = ()) -> Change:
        """Make a planned change, as one step of undo.

        Parameters
        ----------
        plan : Plan
        blocks : iterable of tuple of slice
            Parts of the array that hold every pixel of `plan.pixels`.

        Raises
        ------
        InvalidLabels
            Pixels are to change in a layer that can't be painted on; nothing is changed then.
        FileTrouble
            The layer's pixels lie on a disk that refuses them; they are as they were.
        """
        layer = self.layer
        if plan.pixels:
            check_paintable(layer)
        places = list(blocks) if plan.pixels else []
        what = What(plan.kind, {"title": plan.title})
        try:
            area = _around(places, layer.ndim)
            with recorded(layer, what, area), self.step(plan.title) as making:
                self._make(plan, places, making)
        except OSError as error:
            if isinstance(error, FileTrouble):
                raise
            raise FileTrouble(
                f"the pixels of '{layer.name}' can't be written ({error}); nothing was changed"
            ) from error
        return making.change

    @contextmanager
    def step(self, title: str) -> Iterator[Making]:
        """What changes pixels, table and colours inside is one step of undo."""
        layer, track = self.layer, track_of(self.layer)
        making, mark = Making(title, track), None
        change = making.change
        before, colours, others = table_of(layer), palette_of(layer).colours, others_columns(layer)
        self._busy = True
        try:
            with track.step():
                try:
                    yield making
                except BaseException as error:  # half a change is none
                    track.abandon(change.edits, error)
                    raise
                change.rows = _differences(dict(before.items()), dict(table_of(layer).items()))
                change.colours = _differences(colours, palette_of(layer).colours)
                if not (change.rows or change.colours or change.edits):
                    return
                mark = track.mark()
        finally:
            self._busy = False
        self._tell()
        moved = [i for i, (old, new) in change.rows.items() if old is None or new is None]
        kept = Change(title, rows=change.rows, colours=change.colours)
        lost = others[others.index.isin(moved)]
        self._done.append(Step(kept, mark, lost))
        self._undone.clear()
        self.colours.draw()
        self._describe()
        self.events.changed(value=change)

    def undo(self) -> str:
        """Take back what was done last, painted or not; gives its title, '' for nothing."""
        title = self.undo_title
        if self._done and self._done[-1].mark is None:
            step = self._done.pop()
            self._undone.append(step)
            self._restore(step, 0)
        elif title:
            track_of(self.layer).undo()
            self._sync()
        return title

    def redo(self) -> str:
        """Do again what was taken back last; gives its title, '' for nothing."""
        title = self.redo_title
        if self._undone and self._undone[-1].mark is None:
            step = self._undone.pop()
            self._done.append(step)
            self._restore(step, 1)
        elif title:
            track_of(self.layer).redo()
            self._sync()
        return title

    def tell_written(self, block: tuple[slice, ...]) -> None:
        """Others wrote a block of the layer's array, of which no undo is kept."""
        lead = [range(part.start, part.stop) for part in block[:-2]]
        self.events.touched(value=set(product(*lead)))

    def _make(self, plan: Plan, blocks: Iterable[tuple[slice, ...]], making: Making) -> None:
        layer = self.layer
        for block in blocks:
            making.write(mapped(full_data(layer), block, plan.pixels))
        if plan.colours:
            keep_palette(layer, palette_of(layer).changed(plan.colours))
        if plan.rows:
            self._set_rows(plan.rows)

    def _set_rows(self, rows: Mapping[int, ObjectRecord | None], lost: Any = None) -> None:
        table = table_of(self.layer)
        for label_id, record in rows.items():
            if record is None:
                table.remove(label_id)
            else:
                table[label_id] = record
        set_table(self.layer, table, lost)

    def _restore(self, step: Step, side: int) -> None:
        """Bring back rows and colours as before (0) or after (1) a step."""
        change = step.change
        if change.colours:
            colours = {name: pair[side] for name, pair in change.colours.items()}
            keep_palette(self.layer, palette_of(self.layer).changed(colours))
        if change.rows:
            self._set_rows({i: pair[side] for i, pair in change.rows.items()}, step.lost)
        self.colours.draw()
        if change.colours:
            self._describe()

    def _sync(self, _: Any = None) -> None:
        """The layer may have gone a step back or forward: so do rows and colours."""
        if self._busy or self.layer is None:
            return
        self._tell()
        if not (self._done or self._undone):
            return
        track = track_of(self.layer)
        back, forward = _marks(track.undone), _marks(track.done)
        while _is_out(self._done, forward):
            step = self._done.pop()
            if id(step.mark) in back:
                self._undone.append(step)
                self._restore(step, 0)
        while _is_out(self._undone, back):
            step = self._undone.pop()
            if id(step.mark) in forward:
                self._done.append(step)
                self._restore(step, 1)

    def _tell(self) -> None:
        """Tell which planes steps change that came or went since the last time."""
        former, self._known = self._known, list(track_of(self.layer).done)
        known, now = {id(item) for item in former}, {id(item) for item in self._known}
        moved = [item for item in former if id(item) not in now]
        moved += [item for item in self._known if id(item) not in known]
        planes = planes_of(moved, self.layer.ndim)
        if planes:
            self.events.touched(value=planes)

    def _on_paint(self, _: Any) -> None:
        self._tell()
        if not self._busy:
            self._sync()

    def _on_features(self, _: Any) -> None:
        if not self._busy and self.layer is not None:
            self._describe()

    def _describe(self) -> None:
        """What is known of labels in a folder is kept there, too."""
        store = store_of(self.layer)
        if store is not None:
            layer = self.layer
            about = dict(layer.metadata.get(ABOUT, {})) | {COLOURS: palette_of(layer).colours}
            store.describe(table_of(layer), about)

    def _title(self, steps: deque[Step], items: Any) -> str:
        last = steps[-1] if steps else None
        if last is not None and (
            last.mark is None or (items and id(last.mark) in _ends(items[-1]))
        ):
            return last.change.title
        return "painting" if items else ""


def _around(blocks: Sequence[tuple[slice, ...]], ndim: int) -> tuple[slice, ...]:
    """The part of an array that holds all of its blocks; nothing where there are none."""
    if not blocks:
        return (slice(0, 0),) * ndim
    axes = zip(*blocks, strict=True)
    return tuple(slice(min(p.start for p in a), max(p.stop for p in a)) for a in axes)


def _marks(items: Any) -> set[int]:
    return {end for item in items for end in _ends(item)}


def _ends(item: Any) -> set[int]:
    """Ours is the last atom of an item, and the first once it is turned round for redo."""
    return {id(item[0]), id(item[-1])} if item else set()


def _is_out(steps: deque[Step], marks: set[int]) -> bool:
    return bool(steps) and steps[-1].mark is not None and id(steps[-1].mark) not in marks


def _differences(before: Mapping[Any, Any], after: Mapping[Any, Any]) -> dict[Any, Any]:
    keys = [*before, *(key for key in after if key not in before)]
    return {
        key: (before.get(key), after.get(key))
        for key in keys
        if not _equal(before.get(key), after.get(key))
    }


def _equal(one: Any, other: Any) -> bool:
    """Equal records; a score that is unknown equals one that is."""
    return bool(one == other) or repr(one) == repr(other)
