"""Labels of a layer carried through its stack: what is asked, what is done, what is written."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, MutableMapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import QObject, Signal

from ...errors import FileTrouble, InvalidLabels
from ...io.label_store import Scratch, ScratchPlanes
from ...propagation import Method, PlaneResult, Propagation
from ...propagation.seeds import SeedPlanes
from ...viewer.model_input import note_model_input
from ...viewer.on_disk import store_of
from ...viewer.record import What
from ...viewer.stacks import LayerStack, labelled_planes, read_labels, write_labels
from ...viewer.window import window_of
from ...viewer.writing import check_target
from .._shared.model_cache import ModelCache
from .._shared.steps import Steps
from .provenance import Carrying

if TYPE_CHECKING:
    import numpy.typing as npt
    from napari.layers import Labels

CARRIED = "napari-seem carried"
"""Key of a Labels layer's metadata: by stack, planes that were carried and nobody accepted."""


@dataclass(frozen=True)
class Order:
    """What a person asks for.

    Attributes
    ----------
    stack : LayerStack
    labels : Labels
        Holds the seeds and takes the results.
    model : str or None
        None to interpolate outlines.
    only : int or None
        One object's id; None for all.
    within : (int, int)
        Planes to label, half-open.
    stop_below : float
    find_new : bool
    """

    stack: LayerStack
    labels: Labels
    model: str | None
    only: int | None
    within: tuple[int, int]
    stop_below: float = 0.0
    find_new: bool = False

    @property
    def method(self) -> Method:
        """The engine's word for how."""
        return "shape" if self.model is None else "model"

    def context(self) -> tuple[Any, ...]:
        """What must be the same for an earlier run to be gone on with."""
        others = tuple(at for i, at in enumerate(self.stack.plane.index) if i != self.stack.axis)
        return (
            id(self.stack.layer), id(self.labels), self.stack.axis, self.stack.plane.axes, others,
            self.model, self.only, self.stop_below, self.find_new, self.stack.shown,
        )  # fmt: skip

    def place(self) -> str:
        """Name of the stack and the object in the layer's metadata."""
        others = [at for i, at in enumerate(self.stack.plane.index) if i != self.stack.axis]
        return repr((self.stack.axis, others, self.only))


class PropagationRun(QObject):
    """Runs propagations one at a time and writes their planes.

    Parameters
    ----------
    model_cache : ModelCache
    parent : QObject

    Attributes
    ----------
    written : Signal(int)
        A plane was done.
    ended : Signal(str)
        As of `Steps`.
    """

    written = Signal(int)
    ended = Signal(str)

    def __init__(self, model_cache: ModelCache, parent: QObject) -> None:
        super().__init__(parent)
        self._model_cache = model_cache
        self.steps = Steps(self)
        self.steps.stepped.connect(self._write)
        self.steps.ended.connect(self._end)
        self.order: Order | None = None
        self.work: Propagation | None = None
        self._before: MutableMapping[int, npt.NDArray[np.int32]] = {}
        self._scratch: Scratch | None = None

    def carry(self, order: Order) -> int:
        """Begin, or go on with the same order after corrections; how many planes are to be done.

        Raises
        ------
        InvalidLabels
            Nothing is labelled, or the layer can't take the results.
        """
        check_target(order.labels, order.stack.layer, order.only or 1)
        if window_of(order.labels) is not None:
            raise InvalidLabels(
                "planes of more than 16,384 pixels a side can't be carried as one; carry a part of "
                "the stack, or a coarser copy of it"
            )
        note_model_input(order.labels, order.stack.shown)
        if self.order is None or self.work is None or order.context() != self.order.context():
            seeds = self._seeds(order)
            self.order, self.work = order, None
            self._begin_scratch(order)
            self._telling = Carrying(self._model_cache, order)
            self._telling.begun(order, seeds)
        else:
            self.order = order
            corrected = self._take_corrections(order, self.work)
            self.work.limit(order.within)
            seeds = {}
            self._telling.resumed(order, corrected)
        done = set(self.work.results) if self.work else set(seeds)
        planned = len([k for k in range(*order.within) if k not in done])
        self.steps.start(
            f"Carrying '{order.labels.name}'", planned, lambda: self._run(order, seeds)
        )
        return planned

    def accept(self, plane: int) -> None:
        """Take a plane of the last run as the person sees it now."""
        if self.work is None or self.order is None or plane not in self.work.results:
            return
        present = self._present(self.order, plane)
        same = np.array_equal(present, self.work.results[plane].labels)
        self._telling.accepted(self.order, plane, corrected=not same)
        if same:
            self.work.accept(plane)
        else:
            self.work.correct(plane, present)
        self._note(self.order)

    def take_back(self) -> int:
        """Give the planes of the last runs the labels they had before; how many there were."""
        if self.order is None or self.steps.running:
            return 0
        count = len(self._before)
        with self.order.labels.block_history():
            for plane, values in self._before.items():
                place = self.order.stack.at(plane)
                write_labels(self.order.labels, place, values, what=What("taken_back"))
        self._before.clear()
        self.work = None
        self._note(self.order)
        return count

    def close(self) -> None:
        """Stop; what is written stays."""
        self.steps.close()
        if self._scratch is not None:
            self._scratch.close()

    def _run(self, order: Order, seeds: Mapping[int, npt.NDArray[Any]]) -> Iterator[PlaneResult]:
        if self.work is None:
            model: Any = None if order.model is None else self._model_cache.model(order.model)
            self.work = Propagation(
                model, order.stack, seeds, method=order.method, within=order.within,
                find_new=order.find_new, stop_below=order.stop_below, cache=self._model_cache.cache,
                out=self._room(order, "carried"),
            )  # fmt: skip
        yield from self.work.run()

    def _begin_scratch(self, order: Order) -> None:
        """Planes of labels that lie on disk are remembered there, too, and not in memory."""
        if self._scratch is not None:
            self._scratch.close()
        store = store_of(order.labels)
        self._scratch = None if store is None else Scratch(store.path)
        room = self._room(order, "before")
        self._before = {} if room is None else ScratchPlanes(room)

    def _room(self, order: Order, name: str) -> Any:
        """An array on disk for planes of the stack, where its labels lie there; else None."""
        shape = order.stack.shape[:3]
        return None if self._scratch is None else self._scratch.array(name, shape)

    def _seeds(self, order: Order) -> Mapping[int, npt.NDArray[np.int32]]:
        carried = set(order.labels.metadata.get(CARRIED, {}).get(order.place(), ()))
        labelled = [k for k in labelled_planes(order.labels, order.stack) if k not in carried]
        labelled = [k for k in labelled if order.only is None or self._present(order, k).any()]
        if not labelled:
            what = "anything" if order.only is None else f"object {order.only}"
            raise InvalidLabels(
                f"'{order.labels.name}' has no plane in which {what} is labelled; label at least "
                "one plane, then carry it on"
            )
        return SeedPlanes(labelled, lambda k: self._present(order, k))

    def _take_corrections(self, order: Order, work: Propagation) -> list[int]:
        """Planes that look different from what the last run left are the person's own."""
        known, corrected = work.results, []
        for plane in sorted({*known, *labelled_planes(order.labels, order.stack)}):
            present = self._present(order, plane)
            former = known.get(plane)
            if former is None:
                if present.any() and plane not in self._before:
                    corrected.append(plane)
            elif not np.array_equal(present, self._allowed(former.labels, order, plane)):
                corrected.append(plane)
            if plane in corrected:
                work.correct(plane, present)
        return corrected

    def _allowed(
        self, values: npt.NDArray[np.int32], order: Order, plane: int
    ) -> npt.NDArray[np.int32]:
        """What of a result could be written where other objects keep their pixels."""
        if order.only is None:
            return values
        whole = read_labels(order.labels, order.stack.at(plane))
        return np.where((whole == 0) | (whole == order.only), values, 0).astype(np.int32)

    def _present(self, order: Order, plane: int) -> npt.NDArray[np.int32]:
        values = read_labels(order.labels, order.stack.at(plane))
        return values if order.only is None else np.where(values == order.only, values, 0)

    def _write(self, result: PlaneResult) -> None:
        order = self.order
        if order is None:
            return
        place = order.stack.at(result.index)
        present = read_labels(order.labels, place)
        try:
            what = self._telling.carried(order, result)
            write_labels(order.labels, place, result.labels, order.only, what)
        except (InvalidLabels, FileTrouble) as error:
            self.steps.stop()
            self.ended.emit(str(error))
            return
        self._before.setdefault(result.index, present)
        self.written.emit(result.index)

    def _end(self, outcome: str) -> None:
        if self.order is not None:
            self._note(self.order)
        self.ended.emit(outcome)

    def _note(self, order: Order) -> None:
        """Remember in the layer which planes nobody has accepted yet."""
        metadata = dict(order.labels.metadata)
        results = {} if self.work is None else self.work.results
        carried = [k for k, result in results.items() if not result.accepted]
        metadata[CARRIED] = {**metadata.get(CARRIED, {}), order.place(): carried}
        order.labels.metadata = metadata
