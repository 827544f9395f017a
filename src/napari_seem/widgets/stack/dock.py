"""The Stack dock: carry labels through a stack, look at the least sure planes, carry on."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import napari
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QListWidgetItem, QMenu

from ...commands.carried import EndObjects
from ...commands.models import ModelCache
from ...errors import NapariSeemError
from ...propagation import Event
from ...sources.stack import StackSource
from ...viewer.label_layers.targets import check_target
from ...viewer.model_input import model_input_of
from ...viewer.shown import show_plane
from ...viewer.stacks import is_time, plane_name, shown_stack, slider_numbers
from .._shared.dock import Dock
from .._shared.events import layers_of
from .._shared.forms import on_click, without_arguments
from .._shared.keys import claim, let_go
from .._shared.models.cache import model_cache_of
from .panel import OUTLINES, StackPanel
from .runner import PropagationRequest, StackRunner
from .tracks import TrackMaker

KEYS = {"next_doubtful": "Shift-N", "previous_doubtful": "Shift-B", "accept_plane": "Shift-K"}


class StackWidget(Dock):
    """Carry the labels of a layer through its stack or video.

    Parameters
    ----------
    napari_viewer : napari.Viewer
        Filled in by napari.
    model_cache : ModelCache, optional
        Models and encoded images; by default those of the viewer's docks.
    """

    def __init__(
        self, napari_viewer: napari.viewer.Viewer, model_cache: ModelCache | None = None
    ) -> None:
        super().__init__(napari_viewer)
        self.panel = StackPanel()
        self.runner = StackRunner(self.viewer, model_cache or model_cache_of(self.viewer), self)
        self.tracks = TrackMaker(self.viewer, self)
        self.place(self.panel, self.runner.steps.progress, self.tracks.steps.progress)
        self._connect()
        self._refresh_layers()

    def carry(self, direction: str = "both") -> None:
        """Carry labels 'forward' or 'backward' from the shown plane, or 'both' ways."""
        panel = self.panel
        if self.runner.steps.running:
            return
        self._claim_keys()
        panel.message.say("")
        with self.reporting():
            planned = self.runner.propagate(self._order(direction))
            panel.show_running(True)
            panel.message.say(
                f"carrying, {planned} planes ..." if planned else "every plane is done"
            )

    def accept_plane(self) -> None:
        """The shown plane is right: it becomes one to start from."""
        stack = self._stack()
        if stack is not None and not self.runner.steps.running:
            self.runner.accept(stack.position)
            self._show_results()

    def next_doubtful(self) -> None:
        """Go to the next plane of the queue."""
        self._step(1)

    def previous_doubtful(self) -> None:
        """Go to the plane before in the queue."""
        self._step(-1)

    def take_back(self) -> None:
        """Give all planes the labels they had before the run."""
        if self.runner.steps.running:
            return
        count = self.runner.restore()
        said = f"{count} planes are as before" if count else "nothing to undo"
        self.panel.message.say(said)
        self._show_results()

    def end_here(self, *, every: bool = False, after: bool = True) -> None:
        """The selected object, or every one, is not on the planes beyond the shown one.

        Parameters
        ----------
        every : bool
            All objects, not only the one that is selected in the labels layer.
        after : bool
            Beyond is towards the slider's last plane, or its first.
        """
        panel, labels, stack = self.panel, self.panel.labels.layer, self._stack()
        if labels is None or stack is None or self.runner.steps.running:
            return
        ids = None if every else [int(labels.selected_label)]
        who = "all objects" if ids is None else f"object {ids[0]}"
        here = self._name(stack.position)
        with self.reporting():
            check_target(labels, panel.image.layer, 1)
            command = EndObjects(
                axis=stack.axis, plane=stack.plane.to_dict(), ids=ids,
                after=after != self._reversed, title=f"end of {who} on {here}",
            )  # fmt: skip
            ends, planes = self.runner.end(labels, command)
            panel.message.say(_end_text(who, here, len(planes), bool(ends)))
            self._show_results()

    def show_tracks(self) -> None:
        """Show the objects' ways through time in a Tracks layer."""
        labels = self.panel.labels.layer
        if labels is not None:
            with self.reporting():
                self.tracks.show(labels, self.panel.along.axis or 0)

    def go_to(self, plane: int) -> None:
        """Show a plane of the stack."""
        stack, layer = self._stack(), self.panel.image.layer
        if stack is not None and layer is not None:
            show_plane(self.viewer, layer, stack.at(plane))

    def _let_go(self) -> None:
        self.runner.close()
        self.tracks.steps.close()
        let_go(self)

    def _connect(self) -> None:
        panel = self.panel
        on_click((
            (panel.forward, partial(self.carry, "forward")), (panel.both, self.carry),
            (panel.backward, partial(self.carry, "backward")), (panel.resume, self.carry),
            (panel.accept, self.accept_plane), (panel.next, self.next_doubtful),
            (panel.previous, self.previous_doubtful), (panel.take_back, self.take_back),
            (panel.tracks, self.show_tracks),
        ))  # fmt: skip
        self._fill_menu(panel.ended.menu())
        panel.plot.clicked.connect(self.go_to)
        panel.queue.currentRowChanged.connect(self._on_row)
        panel.image.chosen.connect(lambda _: self._refresh_plane())
        panel.along.currentIndexChanged.connect(lambda _: self._on_axis())
        self.tracks.ended.connect(lambda said: panel.message.say(said))
        self.runner.written.connect(self._on_written)
        self.runner.ended.connect(self._on_end)
        self.runner.told.connect(self._on_told)
        dims = self.viewer.dims.events
        self.events.follow(self._refresh_layers, *layers_of(self.viewer))
        self.events.follow(self._refresh_plane, dims.point, dims.order)
        self.events.follow(self._on_range, dims.range)
        for box in (panel.image, panel.labels):
            box.follow(self.viewer, self.events)
        self._claim_keys()

    def _claim_keys(self) -> None:
        claim(self.viewer, self, {key: method for method, key in KEYS.items()})

    def _order(self, direction: str) -> PropagationRequest:
        stack, labels, image = (
            self._stack(loudly=True),
            self.panel.labels.layer,
            self.panel.image.layer,
        )
        if stack is None or labels is None or image is None:
            raise NapariSeemError("choose a stack and a labels layer in which a plane is labelled")
        given = model_input_of(image, self.viewer.layers, together=False)
        panel, here = self.panel, stack.position
        first, last = panel.planes.within
        if direction == ("backward" if self._reversed else "forward"):
            first = min(max(first, here), last - 1)
        elif direction != "both":
            last = max(min(last, here + 1), first + 1)
        model = panel.model.currentText()
        only = int(labels.selected_label) if panel.only_selected.value else None
        return PropagationRequest(
            image, given, stack, labels, None if model == OUTLINES else model, only,
            (first, max(last, first + 1)), round(panel.stop_below.value, 2),
            panel.find_new.value, panel.divide.value,
            partial(plane_name, image, self.viewer.dims, stack),
        )  # fmt: skip

    def _stack(self, *, loudly: bool = False) -> StackSource | None:
        image = self.panel.image.layer
        if image is None:
            return None
        try:
            axis = self.panel.along.axis
            return shown_stack(image, self.viewer.dims, axis, self.viewer.layers)
        except NapariSeemError:
            if loudly:
                raise
            return None

    def _step(self, by: int) -> None:
        queue = self.panel.queue
        if queue.count():
            queue.setCurrentRow(min(max(queue.currentRow() + by, 0), queue.count() - 1))

    def _on_row(self, row: int) -> None:
        item = self.panel.queue.item(row)
        if item is not None:
            self.go_to(int(item.data(Qt.ItemDataRole.UserRole)))

    def _on_written(self, _: int) -> None:
        self._show_results(queue=False)

    def _on_told(self, text: str) -> None:
        if self.runner.steps.running:
            self.panel.message.say(text)

    def _on_end(self, outcome: str) -> None:
        panel, work = self.panel, self.runner.engine
        panel.show_running(False)
        if outcome and outcome != "stopped":
            panel.message.say(outcome, problem=True)
        elif work is not None:
            done = [k for k, result in work.results.items() if not result.accepted]
            left = len(work.pending)
            said = f"{len(done)} planes carried"
            said += f", stopped with {left} left" if outcome and left else ""
            panel.message.say(f"{said}. {_events_text(work.events)}")
        self._show_results()

    @property
    def _reversed(self) -> bool:
        """Whether the slider counts planes against the order of the array."""
        numbers = self._numbers()
        return numbers[0] > numbers[-1]

    def _numbers(self) -> list[int]:
        """The slider's number of every plane."""
        image, stack = self.panel.image.layer, self._stack()
        if image is None or stack is None:
            return [0]
        return slider_numbers(image, self.viewer.dims, stack.axis)

    def _name(self, plane: int) -> str:
        """A plane's number and position."""
        image, stack = self.panel.image.layer, self._stack()
        if image is None or stack is None:
            return f"plane {plane}"
        return plane_name(image, self.viewer.dims, stack, plane)

    def _show_results(self, *, queue: bool = True) -> None:
        self.panel.plot.set_names(self._name, self._reversed)
        work, panel, stack = self.runner.engine, self.panel, self._stack()
        if work is None:
            panel.plot.show_scores(0, {}, (), 0.0)
            panel.queue.clear()
            return
        results = work.results
        accepted = [k for k, result in results.items() if result.accepted]
        count = stack.shape[0] if stack is not None else max(results, default=0) + 1
        panel.plot.show_scores(count, work.scores, accepted, panel.stop_below.value)
        if queue:
            self._fill_queue()

    def _fill_queue(self) -> None:
        work, queue = self.runner.engine, self.panel.queue
        if work is None:
            return
        queue.blockSignals(True)
        queue.clear()
        for plane in work.to_review():
            result = work.results[plane]
            happened = _happened(result.events)
            events, more = ", ".join(happened[:3]), " ..." if len(happened) > 3 else ""
            item = QListWidgetItem(
                f"{self._name(plane)}   score {result.score:.2f}   {events}{more}".rstrip()
            )
            item.setData(Qt.ItemDataRole.UserRole, plane)
            queue.addItem(item)
        queue.setCurrentRow(-1)
        queue.blockSignals(False)

    def _refresh_layers(self, _: object = None) -> None:
        self._refresh_plane()

    def _refresh_plane(self, _: object = None) -> None:
        if self.panel.along.offer(self.panel.image.layer, self.viewer.dims):
            self._on_axis()
        stack = self._stack()
        if stack is not None:
            self.panel.plot.show_here(stack.position)

    def _on_axis(self) -> None:
        image, axis = self.panel.image.layer, self.panel.along.axis
        self.panel.divide.value = image is not None and axis is not None and is_time(image, axis)
        self._refresh_range()

    def _on_range(self, _: object) -> None:
        """Number planes anew: the slider counts the steps of other layers, too."""
        self._refresh_range()
        self._show_results()

    def _refresh_range(self) -> None:
        self.panel.planes.offer(self._numbers())

    def _fill_menu(self, menu: QMenu) -> None:
        """Offer for whom, and towards which side, the shown plane is the last."""
        for every in (False, True):
            for after in (True, False):
                who = "All objects" if every else "Selected object"
                side = "after" if after else "before"
                slot = partial(self.end_here, every=every, after=after)
                text = f"{who}: not on the planes {side} this one"
                menu.addAction(text, without_arguments(slot))


def _end_text(who: str, here: str, planes: int, holds: bool) -> str:
    """What came of saying that objects end."""
    ends = "end" if who.startswith("all") else "ends"
    if planes:
        return f"{who.capitalize()} {ends} on {here}: removed from {planes} planes beyond."
    if holds:
        return f"{who.capitalize()} {ends} on {here}; nothing was carried beyond."
    return f"{who.capitalize()} may be carried beyond {here} again."


def _happened(events: Sequence[Event]) -> list[str]:
    """What happened to the objects of a plane: "3 divided into 11 and 12", "4 ended"."""
    daughters: dict[int, list[str]] = {}
    for event in events:
        if event.parent:
            daughters.setdefault(event.parent, []).append(str(event.id))
    divided = [f"{one} divided into {' and '.join(ids)}" for one, ids in daughters.items()]
    others = [e for e in events if not e.parent and not (e.kind == "split" and e.id in daughters)]
    return divided + [f"{event.id} {event.kind}" for event in others]


def _events_text(events: Sequence[Event]) -> str:
    """How many objects ended, split, divided, or are new."""
    parents = {event.parent for event in events if event.parent}
    counts = {"divided": len(parents)}
    for kind in ("ended", "split", "new"):
        ids = {event.id for event in events if event.kind == kind and not event.parent}
        counts[kind] = len(ids - parents)
    said = [f"{count} {kind}" for kind, count in counts.items() if count]
    return f"Objects: {', '.join(said)}." if said else ""
