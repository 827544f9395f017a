"""The Models dock: which models there are, where they run, and what is kept for them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import napari
from napari.qt.threading import create_worker
from qtpy.compat import isalive
from qtpy.QtCore import Qt, QTimer
from qtpy.QtWidgets import (
    QComboBox,
    QFileDialog,
    QLabel,
    QPushButton,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from ...models.registry import MODELS, ModelSpec, available_devices, check_file, remember_file
from .._shared.background.runner import Job, LatestRunner, report_crash
from .._shared.dock import Dock
from .._shared.events import later
from .._shared.forms import row
from .._shared.message import notify
from .._shared.models.box import look_for_models
from .._shared.models.cache import ModelCache, model_cache_of
from .._shared.preferences import MEGABYTE, plugin_page
from .card import ModelCard
from .disk_row import DiskRow
from .downloads import Download, Fetch, fetched
from .finetune import FineTune
from .own_models import OwnModels

REFRESH_MS = 1000


class ModelsWidget(Dock):
    """List every model; download weights or point to a file; choose the device; empty the cache.

    Parameters
    ----------
    napari_viewer : napari.Viewer
        Filled in by napari.
    model_cache : ModelCache, optional
        Models and encoded images; by default those of the viewer's docks.
    specs : sequence of ModelSpec, optional
        The models of the package; by default all.
    fetch : callable, optional
        See `Download`.
    """

    def __init__(
        self, napari_viewer: napari.viewer.Viewer, model_cache: ModelCache | None = None,
        specs: Sequence[ModelSpec] | None = None, fetch: Fetch = fetched,
    ) -> None:  # fmt: skip
        super().__init__(napari_viewer)
        self.model_cache = model_cache or model_cache_of(self.viewer)
        every = [spec for spec in MODELS.values() if spec.weights.folder is None]
        self.cards = {spec.name: ModelCard(spec) for spec in (every if specs is None else specs)}
        self.device, self.cache = QComboBox(), QLabel()
        self.clear_cache = QPushButton("Clear")
        self.disk = DiskRow(self.model_cache.cache.store)
        self.transfer = Download(self, fetch)
        self.checking = LatestRunner(self)
        self.own = OwnModels(self.viewer, self.model_cache, self.checking, self)
        self.add_own, self.unfold = QPushButton("Add a model of others…"), QToolButton()
        self.tune = FineTune(self.viewer, self.model_cache)
        self._listing = later(self, 0, self._look_for_labels)
        self._arrange()
        self._connect()
        self._offer_devices(("auto", "cpu"))
        # asking torch for its devices takes a second the first time
        self._asking = create_worker(available_devices, _start_thread=False, _ignore_errors=True)
        self._asking.returned.connect(self._offer_devices)
        self._asking.errored.connect(report_crash)
        self._asking.start()
        self._timer = QTimer(self)
        self._timer.timeout.connect(self.refresh_cache)
        self._timer.timeout.connect(self.disk.refresh)
        self._timer.start(REFRESH_MS)
        self.refresh_cache()

    def start_download(self, name: str) -> None:
        """Download the weights of a model, or go on with it."""
        if self.transfer.running:
            notify(
                f"'{self.transfer.name}' is still being downloaded; cancel that or wait",
                problem=True,
            )
            return
        spec = self.cards[name].spec
        self.cards[name].show_running()
        self.transfer.start(name, f"{spec.title}, licence {spec.licence}")

    def choose_file(self, name: str, path: str | Path | None = None) -> None:
        """Use the person's own weights file for a model from now on; ask for it without `path`."""
        if path is None:
            chosen, _ = QFileDialog.getOpenFileName(
                self, f"Weights of {self.cards[name].spec.title}", "",
                "Weights (*.safetensors *.pt *.pth *.bin)",
            )  # fmt: skip
            if not chosen:
                return
            path = chosen
        file, card = Path(path), self.cards[name]
        card.setEnabled(False)

        def fits(_: None) -> None:
            remember_file(name, file)
            self._file_taken(name, "")
            notify(f"{card.spec.title} is read from {file.name} from now on")

        self.checking.submit(
            Job(partial(check_file, name, file), fits,
                lambda error: self._file_taken(name, str(error)),
                f"Checking {file.name}", lambda: self._file_taken(name, ""), lane=name)
        )  # fmt: skip

    def empty_cache(self) -> None:
        """Forget the encoded images in memory; those on disk are read when next needed."""
        self.model_cache.cache.clear()
        self.refresh_cache()

    def refresh_cache(self) -> None:
        """Show how much is kept now."""
        cache = self.model_cache.cache
        self.cache.setText(
            f"{len(cache)} encoded images in memory: {cache.nbytes / MEGABYTE:,.0f} of "
            f"{cache.max_bytes / MEGABYTE:,.0f} MB"
        )

    def prepare_to_close(self) -> int:
        """Keep a fine-tuned model that nobody decided on; no commits wait here."""
        self.tune.keep_found()
        return 0

    def _let_go(self) -> None:
        """Stop a download; what has arrived stays."""
        self.transfer.cancel()
        self.checking.close()
        self.tune.close_down()
        self._timer.stop()

    def _arrange(self) -> None:
        self.cache.setWordWrap(True)
        self.cache.setMinimumWidth(1)
        self.cache.setMinimumHeight(2 * self.cache.fontMetrics().lineSpacing() + 4)
        self.device.setToolTip("auto takes a GPU where there is one")
        self.clear_cache.setToolTip("Forget encoded images in memory; prompts and labels stay")
        inner = QWidget()
        column = QVBoxLayout(inner)
        column.addLayout(row(QLabel("Device"), self.device))
        column.addLayout(row(self.cache, self.clear_cache, stretch=0))
        column.addWidget(self.disk)
        self.unfold.setText("Fine-tune on labels of your own")
        self.unfold.setToolTip("Train a model further on what is labelled in the viewer")
        self.unfold.setCheckable(True)
        self.unfold.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.add_own.setToolTip("Keep a fine-tuned model that somebody shared as a file")
        column.addLayout(row(self.unfold, self.add_own, stretch=0))
        column.addWidget(self.tune)
        column.addLayout(self.own.column)
        for card in self.cards.values():
            column.addWidget(card)
        column.addStretch(1)
        self._fold(False)
        progress = (self.transfer, self.checking, self.tune.tuning.steps, self.tune.labelled.steps)
        self.place(inner, *(one.progress for one in progress))

    def _fold(self, opened: bool) -> None:
        """Show or hide *Fine-tune*."""
        self.unfold.setArrowType(Qt.ArrowType.DownArrow if opened else Qt.ArrowType.RightArrow)
        self.tune.setVisible(opened)
        self._look_for_labels()

    def _look_for_labels(self) -> None:
        if self.unfold.isChecked():
            self.tune.look()

    def _connect(self) -> None:
        for card in self.cards.values():
            card.wanted.connect(self.start_download)
            card.file_wanted.connect(self.choose_file)
        self.transfer.ended.connect(self._on_end)
        self.clear_cache.clicked.connect(self.empty_cache)
        self.unfold.toggled.connect(self._fold)
        self.add_own.clicked.connect(lambda _: self.own.add())
        self.tune.installed.connect(self.own.take_up)
        layers = self.viewer.layers.events
        self.events.follow(lambda _: self._listing.start(), layers.inserted, layers.removed)
        self.device.textActivated.connect(self._use_device)

    def _on_end(self, name: str, problem: str) -> None:
        card = self.cards[name]
        card.refresh()
        if problem:
            notify(f"{card.spec.title}: {problem}", problem=True)
            return
        self._take_up(name)
        notify(f"{card.spec.title} is ready")

    def _take_up(self, name: str) -> None:
        """Let all docks load a model anew, as its files are others now."""
        self.model_cache.forget(name)
        look_for_models(self.viewer)

    def _file_taken(self, name: str, problem: str) -> None:
        if not isalive(self):
            return
        card = self.cards[name]
        card.setEnabled(True)
        card.refresh()
        self._take_up(name)
        if problem:
            notify(problem, problem=True)

    def _offer_devices(self, devices: Sequence[str]) -> None:
        if not isalive(self):
            return
        self.device.clear()
        self.device.addItems(list(devices))
        if self.model_cache.device not in devices:
            self.device.addItem(self.model_cache.device)
        self.device.setCurrentText(self.model_cache.device)

    def _use_device(self, device: str) -> None:
        self.model_cache.use_device(device)
        page = plugin_page()
        if page is not None and page.device != device:
            page.device = device
        self.refresh_cache()
