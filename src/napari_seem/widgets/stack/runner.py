"""Labels of a layer propagated through its stack, in a thread, and corrected on the way."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from qtpy.QtCore import QObject, Signal

from ...commands.base import ModelRef
from ...commands.carried import EndObjects, stack_key
from ...commands.models import ModelCache
from ...commands.propagation import Propagate, PropagationRun
from ...commands.workspace import Workspace
from ...errors import Abandoned, FileTrouble, InvalidImage, InvalidLabels
from ...models.running import threads
from ...models.running.pace import LONG
from ...models.running.patience import patiently
from ...propagation import Propagation
from ...propagation.ends import End
from ...sources.stack import StackSource
from ...viewer.label_layers.targets import check_target
from ...viewer.label_layers.window import window_of
from ...viewer.model_input import ModelInput, check_pixels, note_model_input
from ...viewer.timeline import document_in
from .._shared.background.progress import time_left
from .._shared.background.steps import Steps

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Image, Labels

    from ...propagation import PlaneResult


@dataclass(frozen=True)
class PropagationRequest:
    """What a person asks for.

    Attributes
    ----------
    image : Image
    input : ModelInput
        What the model is given of the image.
    stack : StackSource
    labels : Labels
        Holds the seeds and takes the results.
    model : str or None
        None to interpolate outlines.
    only : int or None
        One object's id; None for all.
    within : (int, int)
        Planes to label, half-open.
    stop_below : float
    find_new, divide : bool
    name_plane : callable
        Names a plane by its number.
    """

    image: Image
    input: ModelInput
    stack: StackSource
    labels: Labels
    model: str | None
    only: int | None
    within: tuple[int, int]
    stop_below: float = 0.0
    find_new: bool = False
    divide: bool = False
    name_plane: Callable[[int], str] = "plane {}".format

    def context(self) -> tuple[object, ...]:
        """What must be the same for an earlier run to be gone on with."""
        plane, axis = self.stack.plane, self.stack.axis
        others = tuple(at for i, at in enumerate(plane.index) if i != axis)
        return (
            self.image, self.labels, axis, plane.axes, others, self.model, self.only,
            self.stop_below, self.find_new, self.divide, self.input,
        )  # fmt: skip

    def command(self) -> Propagate:
        """The command, without images and seeds."""
        return Propagate(
            images=[], windows=[], run=PropagationRun.new_name(), axis=self.stack.axis,
            model=None if self.model is None else ModelRef(name=self.model),
            method="shape" if self.model is None else "model", only=self.only,
            within=self.within, find_new=self.find_new, stop_below=self.stop_below,
            divide=self.divide,
        )  # fmt: skip


class StackRunner(QObject):
    """Runs propagations one at a time and writes their planes.

    Parameters
    ----------
    viewer : ViewerModel
    model_cache : ModelCache
    parent : QObject

    Attributes
    ----------
    written : Signal(int)
        A plane was done.
    ended : Signal(str)
        As of `Steps`.
    told : Signal(str)
        How far a plane is that takes long.
    """

    written = Signal(int)
    ended = Signal(str)
    told = Signal(str)

    def __init__(self, viewer: ViewerModel, model_cache: ModelCache, parent: QObject) -> None:
        super().__init__(parent)
        self._viewer, self._models = viewer, model_cache
        self.steps = Steps(self)
        self.steps.stepped.connect(self._write)
        self.steps.ended.connect(self._end)
        self.request: PropagationRequest | None = None
        self.run: PropagationRun | None = None

    @property
    def engine(self) -> Propagation | None:
        """The planes that are done, and what is left; None before the first run."""
        return None if self.run is None else self.run.engine

    def propagate(self, request: PropagationRequest) -> int:
        """Begin, or go on after corrections; how many planes are to be done.

        Raises
        ------
        InvalidLabels
            Nothing is labelled, or the layer can't take the results.
        """
        check_target(request.labels, request.image, request.only or 1)
        if window_of(request.labels) is not None:
            raise InvalidLabels(
                "planes of more than 16,384 pixels a side can't be propagated as one; take a part "
                "of the stack, or a coarser copy of it"
            )
        note_model_input(request.labels, request.input)
        run = self.run
        same = self.request is not None and request.context() == self.request.context()
        if run is not None and run.engine is not None and same and self._has_pixels(request):
            run.resume(request.within)
        else:
            fresh = self._new(request)
            fresh.begin()
            if run is not None:
                run.close()
            run = self.run = fresh
        self.request = request
        planned = run.planned
        self.steps.start(f"Carrying '{request.labels.name}'", planned, partial(self._do, run))
        return planned

    def accept(self, plane: int) -> None:
        """Take a plane of the last run as the person sees it now."""
        if self.run is not None:
            self.run.accept(plane)

    def end(self, labels: Labels, command: EndObjects) -> tuple[set[End], list[int]]:
        """Let objects of a layer end on a plane; as `EndObjects.apply`."""
        ends, planes = command.apply(document_in(self._viewer, labels))
        run, request = self.run, self.request
        same = run is not None and request is not None and request.labels is labels
        if run is not None and same and stack_key(run.stack.plane, run.stack.axis) == command.key:
            run.end(ends)
        return ends, planes

    def restore(self) -> int:
        """Give the planes of the last runs the labels they had before; how many there were."""
        return 0 if self.run is None or self.steps.running else self.run.restore()

    def close(self) -> None:
        """Stop; what is written stays."""
        self.steps.close()
        if self.run is not None:
            self.run.close()

    def _new(self, request: PropagationRequest) -> PropagationRun:
        workspace = Workspace(document_in(self._viewer, request.labels), self._models)
        return PropagationRun(
            workspace, request.stack, request.command(), name_plane=request.name_plane
        )  # fmt: skip

    def _do(self, run: PropagationRun) -> Iterator[PlaneResult]:
        """In the thread: do the planes; a plane of many objects is left once it was stopped."""
        with suppress(Abandoned), patiently(self._pause, self._tell):
            yield from run.run()

    def _pause(self) -> None:
        """In the thread: let a person's turn go first; raise `Abandoned` once it was stopped."""
        if self._models.cache.is_awaited:  # the turn waits for this
            return
        if self.steps.stopping:
            raise Abandoned("the propagation was stopped")
        threads.give_way()

    def _tell(self, what: str, share: float, seconds: float) -> None:
        """In the thread: say how far reading a plane, or its objects, are where it takes long."""
        if seconds >= LONG:
            left = time_left((1 - share) * seconds)
            self.told.emit(f"{what}: {share:.0%} of this plane, {left}")

    def _write(self, result: PlaneResult) -> None:
        if self.run is None:
            return
        try:
            self._check()
            self.run.apply(result)
        except (InvalidImage, InvalidLabels, FileTrouble) as error:
            self.steps.stop()
            self.ended.emit(str(error))
            return
        self.written.emit(result.index)

    def _has_pixels(self, request: PropagationRequest) -> bool:
        """Whether a request is for the pixels of the last run."""
        if self.request is None:
            return False
        pair = (self.request.stack.source.input.images, request.stack.source.input.images)
        return all(one.array is other.array for one, other in zip(*pair, strict=True))

    def _check(self) -> None:
        """Raise where labels or image were moved or replaced since the run began."""
        request = self.request
        if request is not None:
            check_target(request.labels, request.image, request.only or 1)
            check_pixels(request.input.layers, request.stack.source.input)

    def _end(self, outcome: str) -> None:
        if self.run is not None:
            self.run.keep_note()
        self.ended.emit(outcome)
