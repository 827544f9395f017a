"""Measurements of the listed objects: made when a person asks for them, and saved as a table."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QCheckBox, QFileDialog, QPushButton, QVBoxLayout, QWidget

from ...errors import FileTrouble, InvalidArgument, InvalidImage, InvalidLabels
from ...labels.changes import Change
from ...labels.measure import (
    SIZES,
    Column,
    Part,
    blocks_of,
    checked_image,
    columns,
    frame_axes,
    measure_blocks,
    write_csv,
)
from ...labels.plans import counted
from ...viewer.coordinates import PLACING, full_data, lie_alike
from ...viewer.label_layers.targets import check_place
from ...viewer.metadata import grid_of
from .._shared.background.steps import Steps
from .._shared.events import Followed, later
from .._shared.forms import on_click, row, set_tips, with_ending, without_arguments
from .._shared.layer_box import ImageBox
from .work import NO_LAYER, ObjectsWork

if TYPE_CHECKING:
    from ...io.grid import Grid

PAUSE = 300
"""Milliseconds after a change before its blocks are measured again."""
TABLES = "Table (*.csv)"


class Measures(QWidget):
    """Measures the objects of the watched layer block by block, and again where they change.

    Parameters
    ----------
    work : ObjectsWork
    parent : QWidget

    Attributes
    ----------
    steps : Steps
    said : Signal(str, bool)
        What happened, and whether it is a problem.
    measured : Signal()
        There are other values to show, or none any more.
    """

    said = Signal(str, bool)
    measured = Signal()

    def __init__(self, work: ObjectsWork, parent: QWidget) -> None:
        super().__init__(parent)
        self._work = work
        self.wanted, self.save = QCheckBox("Measure"), QPushButton("Save table…")
        self.image = ImageBox("shape only")
        self.steps = Steps(self)
        self._parts: dict[int, Part] = {}
        self._changed: set[int] = set()
        self._stale = False
        self._grid: Grid | None = None
        self._events = Followed()
        self._path: Path | None = None
        self._found: dict[str, Column] = {}
        self._titles: dict[str, str] = {}
        self._rows: dict[tuple[int, ...], int] = {}
        self._pause = later(self, PAUSE, self._go_on)
        self._arrange()
        self.steps.stepped.connect(self._take)
        self.steps.ended.connect(self._on_end)

    @property
    def titles(self) -> dict[str, str]:
        """Column -> its title, of what is shown beside the objects; empty where nothing is."""
        return self._titles if self.wanted.isChecked() else {}

    def of(self, label_id: int, index: tuple[int, ...]) -> dict[str, float]:
        """What was measured of an object, in the frame of the plane where it is largest."""
        frames = 0 if self._grid is None else frame_axes(self._grid)
        at = self._rows.get((*index[:frames], label_id))
        return {} if at is None else {key: float(self._found[key][at]) for key in self._titles}

    def save_table(self, path: str | Path | None = None) -> None:
        """Write all measurements as a table, once they are made; asked for where to."""
        if self._work.layer is None:
            self.said.emit(NO_LAYER, True)
            return
        if path is None:
            name = f"{self._work.layer.name}.csv"
            path, _ = QFileDialog.getSaveFileName(self, "Save measurements", name, TABLES)
        if path:
            try:
                path = Path(path)
                self._path = path if path.suffix else with_ending(path, ".csv")
            except FileTrouble as error:
                self.said.emit(str(error), True)
                return
            self._go_on()

    def watch(self) -> None:
        """Measure another layer: that of the work."""
        layer = self._work.layer
        if layer is not None:
            fits = [one for one in self.image.layers if lie_alike(one, layer)]
            shown = [one for one in fits if one.visible] or fits
            self.image.select(shown[-1] if shown else None)
        self.again()

    def again(self) -> None:
        """Measure everything anew, where anybody wants to know."""
        self._halt()
        self._events.close()
        self._parts, self._found, self._rows, self._titles = {}, {}, {}, {}
        self._grid = None
        layer, image = self._work.layer, self.image.layer
        if layer is not None:
            self._events.follow(self._on_change, self._work.document.changed)
        for one in (layer, image):
            if one is not None:
                placed = (getattr(one.events, name) for name in PLACING)
                self._events.follow(self._on_data, one.events.data, *placed)
        self._go_on()
        self.measured.emit()

    def end(self) -> None:
        """Stop for good."""
        self._pause.stop()
        self._events.close()
        self.steps.close()

    def _arrange(self) -> None:
        set_tips((
            (self.wanted, "Show area or volume, extent, position and intensity of every object"),
            (self.image, "The image whose intensities are measured"),
            (self.save, "Write the measurements of all objects as a .csv file"),
        ))  # fmt: skip
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addLayout(row(self.wanted, self.image, self.save, stretch=1))
        on_click([(self.save, self.save_table)])
        self.wanted.toggled.connect(without_arguments(self._on_wanted))
        self.image.chosen.connect(without_arguments(self.again))

    def _on_wanted(self) -> None:
        if not self.wanted.isChecked():
            self._halt()
        self._go_on()
        self.measured.emit()

    def _halt(self) -> None:
        """Stop measuring what nobody wants to know."""
        self._stale = self.steps.running
        self.steps.stop()

    def _on_data(self, _: object) -> None:
        self.again()

    def _on_change(self, change: Change) -> None:
        """Measure again what changed."""
        if self._grid is None or not change.planes:
            return
        for number, block in enumerate(blocks_of(self._grid)):
            if any(_holds(block, plane) for plane in change.planes):
                self._parts.pop(number, None)
                self._changed.add(number)
        self._pause.start()

    def _go_on(self) -> None:
        """Measure the blocks that are not measured, where anybody wants to know."""
        layer, image = self._work.layer, self.image.layer
        wanted = self.wanted.isChecked() or self._path is not None
        if layer is None or not wanted or self.steps.running:
            return
        try:
            grid = grid_of(layer)
            pixels = None if image is None else checked_image(full_data(image), grid)
            if image is not None:
                check_place(layer, image)
            columns((), grid)  # units that don't fit are told before the work
        except (InvalidImage, InvalidLabels, InvalidArgument) as error:
            self._path = None
            self.said.emit(str(error), True)
            return
        labels, blocks = full_data(layer), dict(enumerate(blocks_of(grid)))
        left = {number: block for number, block in blocks.items() if number not in self._parts}
        self._grid = grid
        self._changed.clear()
        title = f"Measuring '{layer.name}'"
        self.steps.start(
            title, len(left),
            lambda: zip(left, measure_blocks(labels, pixels, grid, left.values()), strict=True),
        )  # fmt: skip

    def _take(self, step: tuple[int, Part]) -> None:
        number, part = step
        if not self._stale and number not in self._changed:
            self._parts[number] = part

    def _on_end(self, outcome: str) -> None:
        stale, self._stale = self._stale, False
        if stale or (not outcome and (self._grid is None or self._changed)):
            self._go_on()
            return
        if outcome or self._grid is None:
            self._path = None
            stopped = outcome == "stopped"
            self.said.emit("The measuring was stopped." if stopped else outcome, not stopped)
            return
        table = self._work.table
        self._found = columns(list(self._parts.values()), self._grid, table)
        self._titles = _titles(self._found, self._grid)
        lead = [self._found[axis] for axis in self._grid.axes[: frame_axes(self._grid)]]
        keys = zip(*(one.tolist() for one in (*lead, self._found["id"])), strict=True)
        self._rows = {key: number for number, key in enumerate(keys)}
        self._write()
        self.measured.emit()

    def _write(self) -> None:
        path, self._path = self._path, None
        if path is None:
            return
        try:
            write_csv(path, self._found)
        except FileTrouble as error:
            self.said.emit(str(error), True)
        else:
            self.said.emit(f"{counted(len(self._found['id']))} written to '{path}'.", False)


def _titles(found: Mapping[str, Column], grid: Grid) -> dict[str, str]:
    """What the columns (N,) that are shown are called, with their units."""
    ndim = grid.ndim - frame_axes(grid)
    unit = str(found["unit"][0]) if len(found["unit"]) else grid.units[-1]
    unit = unit.replace("um", "\N{MICRO SIGN}m")
    power = "\N{SUPERSCRIPT TWO}" if ndim == 2 else "\N{SUPERSCRIPT THREE}"
    titles = {SIZES[ndim]: f"{SIZES[ndim].capitalize()} ({unit}{power})"}
    words = {"extent": f"Extent {{}} ({unit})", "centroid": f"Centre {{}} ({unit})",
             "intensity": "Intensity {}"}  # fmt: skip
    for key in found:
        name, _, rest = key.partition("_")
        if name in words:
            titles[key] = words[name].format(rest)
    return titles


def _holds(block: tuple[slice, ...], plane: tuple[int, ...]) -> bool:
    """Whether a plane, by its index along all axes but the last two, has pixels in a block."""
    return all(part.start <= at < part.stop for part, at in zip(block, plane, strict=False))
