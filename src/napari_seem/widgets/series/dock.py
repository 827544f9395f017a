"""The Series dock: a folder of images, one after another."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import napari
from qtpy.QtWidgets import QFileDialog

from ...io.formats import SUFFIXES
from ...io.zarr.label_store import default_home
from ...series.marks import SKIPPED
from ...series.series import LABELS, Series
from ...viewer.metadata import source_path
from .._shared.actions import SERIES_ACTIONS
from .._shared.dock import Dock
from .._shared.forms import on_click
from .._shared.keys import claim, let_go
from .._shared.preferences import read_preferences
from .comparison import Comparison
from .panel import FILTERS, KEEP, SeriesPanel
from .player import SeriesPlayer

IMAGES = "Images (" + " ".join(f"*{suffix}" for suffix in SUFFIXES) + ");;All files (*)"


class SeriesWidget(Dock):
    """Label images one after another; labels and marks are saved by themselves.

    Parameters
    ----------
    napari_viewer : napari.Viewer
        Filled in by napari.

    Attributes
    ----------
    player : SeriesPlayer
        The work itself; usable without looking at the dock.
    comparison : Comparison
    """

    def __init__(self, napari_viewer: napari.viewer.Viewer) -> None:
        super().__init__(napari_viewer)
        self.player = SeriesPlayer(self.viewer, self)
        self.comparison = Comparison(self.player)
        self.panel = SeriesPanel(read_preferences().keys)
        self.place(self.panel, self.player.loader.progress, self.comparison.steps.progress)
        self._connect()
        self._bind_keys()
        self._show()

    def series_next(self) -> None:
        """Show the next image."""
        self.player.step(1)

    def series_previous(self) -> None:
        """Show the image before."""
        self.player.step(-1)

    def series_done(self) -> None:
        """Mark the image as done, and show the next one."""
        self.player.finish()

    def series_skip(self) -> None:
        """Leave the image out, and show the next one."""
        self.player.finish(SKIPPED)

    def open_files(self, paths: list[Path], folder: Path | None = None, name: str = "") -> None:
        """Begin with image files or folders, or take the work on them up.

        Parameters
        ----------
        paths : list of Path
        folder : Path, optional
            For labels and marks; by default `labels` beside the images.
        name : str
            The annotator's; by default the user's.
        """
        with self.reporting(OSError):
            self.player.open_files(paths, folder, name or self.panel.annotator.text().strip())

    def open_layers(self, folder: Path | None = None) -> None:
        """Begin with the image layers that are open."""
        with self.reporting(OSError):
            home = folder or self._home()
            self.player.open_layers(home, self.panel.annotator.text().strip())

    def use_labels(self, folder: Path) -> None:
        """Keep labels and marks in another folder from now on."""
        series = self.player.series
        if series is None:
            return
        if all(image.path is not None for image in series.images):
            self.open_files([image.path for image in series.images if image.path], folder)
        else:
            self.open_layers(folder)

    def prepare_to_close(self) -> int:
        """Save before the window closes."""
        self.player.save_now()
        self.player.ahead.steps.stop()
        return 0

    def _let_go(self) -> None:
        let_go(self)
        self.comparison.close()
        self.player.close()

    def _connect(self) -> None:
        panel, player = self.panel, self.player
        on_click((
            (panel.next, self.series_next), (panel.previous, self.series_previous),
            (panel.done, self.series_done), (panel.skip, self.series_skip),
            (panel.folder, self._ask_folder), (panel.files, self._ask_files),
            (panel.layers, self.open_layers), (panel.labels_folder, self._ask_labels),
            (panel.compare, self._ask_comparison),
            (panel.next_pair, partial(self.comparison.step, 1)),
            (panel.former_pair, partial(self.comparison.step, -1)),
        ))  # fmt: skip
        panel.chosen.connect(player.go)
        panel.note.editingFinished.connect(self._on_note)
        panel.annotator.editingFinished.connect(self._on_annotator)
        panel.filter.currentTextChanged.connect(self._on_filter)
        panel.view.currentTextChanged.connect(
            lambda text: setattr(player, "keep_view", text == KEEP)
        )
        panel.ahead.toggled.connect(lambda wanted: setattr(player, "encode_next", wanted))
        player.changed.connect(self._show)
        player.said.connect(self.tell)
        self.comparison.moved.connect(self._show_pair)
        self.follow_preferences()

    def _bind_keys(self) -> None:
        keys = read_preferences().keys
        claim(self.viewer, self, {keys[one.method]: one.method for one in SERIES_ACTIONS})

    def _on_preferences(self) -> None:
        let_go(self)
        self._bind_keys()
        self.panel.set_keys(read_preferences().keys)

    def _on_note(self) -> None:
        series, position = self.player.series, self.player.position
        text = self.panel.note.text().strip()
        if series is not None and position >= 0 and series.mark_of(position).note != text:
            self.player.mark(note=text)

    def _on_annotator(self) -> None:
        series, name = self.player.series, self.panel.annotator.text().strip()
        if series is not None and name:
            series.annotator = name

    def _on_filter(self, text: str) -> None:
        self.player.states = FILTERS[text]
        self._show()

    def _show(self) -> None:
        self.panel.show_series(self.player.series, self.player.position, self.player.states)

    def _show_pair(self) -> None:
        queue, number = self.comparison.queue, self.comparison.number
        pair = queue[number] if 0 <= number < len(queue) else None
        self.panel.show_pair(pair, number + 1, len(queue))

    def _home(self) -> Path:
        """Where the labels of open layers go: beside the file of the first that has one."""
        found = next(filter(None, map(source_path, self.viewer.layers)), None)
        return default_home() / "series" if found is None else found.parent / LABELS

    def _ask_folder(self) -> None:
        path = QFileDialog.getExistingDirectory(self, "Label the images of a folder")
        if path:
            self.open_files([Path(path)])

    def _ask_files(self) -> None:
        paths, _ = QFileDialog.getOpenFileNames(self, "Label these images", "", IMAGES)
        if paths:
            self.open_files([Path(path) for path in paths])

    def _ask_labels(self) -> None:
        self._with_folder("Keep labels and marks in", self.use_labels)

    def _ask_comparison(self) -> None:
        self._with_folder("Compare with the labels in", self.comparison.begin)

    def _with_folder(self, title: str, then: Callable[[Path], object]) -> None:
        series: Series | None = self.player.series
        if series is None:
            self.tell("Choose a folder of images first.", True)
            return
        path = QFileDialog.getExistingDirectory(self, title, str(series.folder))
        if path:
            then(Path(path))
