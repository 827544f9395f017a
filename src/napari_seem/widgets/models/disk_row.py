"""The row of the Models dock that tells what encoded images take on disk."""

from __future__ import annotations

from typing import Any

from napari.qt.threading import create_worker
from qtpy.compat import isalive
from qtpy.QtWidgets import QLabel, QPushButton, QWidget

from ...embeddings import EmbeddingStore, Usage
from .._shared.background.runner import report_crash
from .._shared.forms import on_click, row
from .._shared.preferences import MEGABYTE, read_preferences


class DiskRow(QWidget):
    """How much encoded images take on disk, and a button that deletes them.

    The folder may lie in a slow place, so that it is looked at in a thread.

    Parameters
    ----------
    store : EmbeddingStore or None
    """

    def __init__(self, store: EmbeddingStore | None) -> None:
        super().__init__()
        self._store = store
        self._worker: Any = None
        self.text, self.clear = QLabel(), QPushButton("Clear")
        self.text.setWordWrap(True)
        self.text.setMinimumWidth(1)
        self.text.setMinimumHeight(2 * self.text.fontMetrics().lineSpacing() + 4)
        layout = row(self.text, self.clear, stretch=0)
        layout.setContentsMargins(0, 0, 0, 0)
        self.setLayout(layout)
        on_click([(self.clear, self.empty)])
        if store is None:
            self.clear.setEnabled(False)
            self.text.setText(f"On disk: not kept, {_why_not()}")
        else:
            self.clear.setToolTip(f"Delete the encoded images in {store.folder}")
            self.text.setToolTip(str(store.folder))
            self.refresh()

    def refresh(self) -> None:
        """Look how much there is now."""
        if self._store is not None:
            self._start(self._store.usage)

    def empty(self) -> None:
        """Delete all encoded images on disk, also those of other programs that share the folder."""
        if self._store is not None:
            store = self._store
            self._worker = None  # deleting does not wait for a look
            self._start(lambda: (store.clear(), store.usage())[1])

    def _start(self, work: object) -> None:
        if self._worker is not None:
            return
        worker = create_worker(work, _start_thread=False, _ignore_errors=True)
        worker.returned.connect(self._show)
        worker.errored.connect(self._failed)
        self._worker = worker
        worker.start()

    def _show(self, usage: Usage) -> None:
        if not isalive(self) or self._store is None:
            return
        self._worker = None
        self.text.setText(
            f"{usage.images} encoded images on disk: {usage.nbytes / MEGABYTE:,.0f} of "
            f"{self._store.max_bytes / MEGABYTE:,.0f} MB"
        )

    def _failed(self, error: Exception) -> None:
        if isalive(self):
            self._worker = None
        report_crash(error)


def _why_not() -> str:
    if not read_preferences().keep_on_disk:
        return "switched off in the preferences"
    return 'the package zarr is missing (pip install "napari-seem[zarr]")'
