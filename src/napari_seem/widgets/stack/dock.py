"""The Stack dock: carry labels through a stack, look at the least sure planes, carry on."""

from __future__ import annotations

from functools import partial
from typing import Any

import napari
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QListWidgetItem

from ...commands.models import ModelCache
from ...errors import NapariSeemError
from ...models.base import Capability
from ...models.registry import able_models
from ...sources.stack import StackSource
from ...viewer.model_input import model_input_of
from ...viewer.stacks import shown_stack
from .._shared.dock import Dock
from .._shared.events import layers_of
from .._shared.forms import on_click
from .._shared.keys import claim, let_go
from .._shared.model_cache import model_cache_of
from .panel import OUTLINES, StackPanel
from .runner import PropagationRequest, StackRunner

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
        self.panel = StackPanel(able_models(Capability.IN_CONTEXT))
        self.runner = StackRunner(self.viewer, model_cache or model_cache_of(self.viewer), self)
        self.place(self.panel, self.runner.steps.progress)
        self._connect()
        self._refresh_layers()

    def carry(self, direction: str = "both") -> None:
        """Carry labels 'forward' or 'backward' from the shown plane, or 'both' ways."""
        panel = self.panel
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
        count = self.runner.restore()
        said = f"{count} planes are as before" if count else "nothing to undo"
        self.panel.message.say(said)
        self._show_results()

    def go_to(self, plane: int) -> None:
        """Show a plane of the stack."""
        stack, layer = self._stack(), self.panel.image.layer
        if stack is None or layer is None:
            return
        point = [0 if at is None else at for at in stack.plane.index]
        point[stack.axis] = plane
        world = layer.data_to_world(point)
        axis = stack.axis + self.viewer.dims.ndim - layer.ndim
        self.viewer.dims.set_point(axis, float(world[stack.axis]))

    def _let_go(self) -> None:
        self.runner.close()
        let_go(self.viewer, self)

    def _connect(self) -> None:
        panel = self.panel
        on_click((
            (panel.forward, partial(self.carry, "forward")), (panel.both, self.carry),
            (panel.backward, partial(self.carry, "backward")), (panel.resume, self.carry),
            (panel.accept, self.accept_plane), (panel.next, self.next_doubtful),
            (panel.previous, self.previous_doubtful), (panel.take_back, self.take_back),
        ))  # fmt: skip
        panel.plot.clicked.connect(self.go_to)
        panel.queue.currentRowChanged.connect(self._on_row)
        panel.image.chosen.connect(lambda _: self._refresh_plane())
        panel.along.currentIndexChanged.connect(lambda _: self._refresh_range())
        self.runner.written.connect(self._on_written)
        self.runner.ended.connect(self._on_end)
        dims = self.viewer.dims.events
        self.events.follow(self._refresh_layers, *layers_of(self.viewer))
        self.events.follow(self._refresh_plane, dims.point, dims.order)
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
        first, last = panel.first.value(), panel.last.value() + 1
        if direction == "forward":
            first = min(max(first, here), last - 1)
        if direction == "backward":
            last = max(min(last, here + 1), first + 1)
        model = panel.model.currentText()
        only = int(labels.selected_label) if panel.only_selected.value else None
        return PropagationRequest(
            image, given, stack, labels, None if model == OUTLINES else model, only,
            (first, max(last, first + 1)), round(panel.stop_below.value, 2),
            panel.find_new.value,
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

    def _show_results(self, *, queue: bool = True) -> None:
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
            events = ", ".join(f"{event.id} {event.kind}" for event in result.events[:3])
            more = " ..." if len(result.events) > 3 else ""
            item = QListWidgetItem(
                f"plane {plane}   score {result.score:.2f}   {events}{more}".rstrip()
            )
            item.setData(Qt.ItemDataRole.UserRole, plane)
            queue.addItem(item)
        queue.setCurrentRow(-1)
        queue.blockSignals(False)

    def _refresh_layers(self, _: object = None) -> None:
        self._refresh_plane()

    def _refresh_plane(self, _: object = None) -> None:
        if self.panel.along.offer(self.panel.image.layer, self.viewer.dims):
            self._refresh_range()
        stack = self._stack()
        if stack is not None:
            self.panel.plot.show_here(stack.position)

    def _refresh_range(self) -> None:
        stack = self._stack()
        self.panel.planes.offer(stack.shape[0] if stack is not None else 0)


def _events_text(events: Any) -> str:
    """How many objects ended, split, or are new."""
    kinds = ("ended", "split", "new")
    counts = {kind: len({e.id for e in events if e.kind == kind}) for kind in kinds}
    said = [f"{count} {kind}" for kind, count in counts.items() if count]
    return f"Objects: {', '.join(said)}." if said else ""
