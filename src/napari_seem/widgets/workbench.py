"""All docks as tabs of one."""

from __future__ import annotations

from functools import partial
from typing import Any

import napari
from qtpy.QtWidgets import QLabel, QPushButton, QTabWidget, QVBoxLayout, QWidget

from ._shared.dock import Dock, open_dock
from ._shared.forms import without_arguments
from .annotate.dock import AnnotateWidget
from .everything.dock import EverythingWidget
from .examples.dock import ExamplesWidget
from .find.dock import FindWidget
from .models.dock import ModelsWidget
from .objects.dock import ObjectsWidget
from .pixel_classes.dock import PixelClassesWidget
from .series.dock import SeriesWidget
from .stack.dock import StackWidget

PAGES: dict[str, type[Dock]] = {
    "Annotate": AnnotateWidget, "Series": SeriesWidget, "Everything": EverythingWidget,
    "Pixel classes": PixelClassesWidget, "Find": FindWidget, "Stack": StackWidget,
    "Examples": ExamplesWidget, "Objects": ObjectsWidget, "Models": ModelsWidget,
}  # fmt: skip


class Workbench(Dock):
    """Every dock as a tab, made when it is first shown.

    A dock that is open by itself stays where it is, until it is wanted here.

    Parameters
    ----------
    napari_viewer : napari.Viewer
        Filled in by napari.

    Attributes
    ----------
    tabs : QTabWidget
    """

    def __init__(self, napari_viewer: napari.viewer.Viewer) -> None:
        super().__init__(napari_viewer)
        self.tabs = QTabWidget()
        self.tabs.setTabPosition(QTabWidget.TabPosition.West)
        for title in PAGES:
            room = QWidget()
            column = QVBoxLayout(room)
            column.setContentsMargins(0, 0, 0, 0)
            self.tabs.addTab(room, title)
        self.fill(self.tabs)
        self.tabs.currentChanged.connect(self._show)
        self._show(0)

    def page(self, title: str) -> Dock | None:
        """The page of a title, where it was shown already."""
        room = self.tabs.widget(list(PAGES).index(title))
        return None if room is None else room.findChild(PAGES[title])

    def open_here(self, title: str) -> None:
        """Show a page in its tab; where it is open elsewhere, it lets go there."""
        self._put(title, PAGES[title](self.viewer))

    def _show(self, number: int) -> None:
        title = list(PAGES)[number]
        page = self.page(title)
        if page is not None and not page.is_released:
            return
        if open_dock(self.viewer, PAGES[title]) is None:
            self.open_here(title)
            return
        note, here = QLabel(f"{title} is open as a dock of its own."), QPushButton("Open it here")
        note.setWordWrap(True)
        here.clicked.connect(without_arguments(partial(self.open_here, title)))
        offer = QWidget()
        column = QVBoxLayout(offer)
        column.addWidget(note)
        column.addWidget(here)
        column.addStretch(1)
        self._put(title, offer)

    def _put(self, title: str, widget: QWidget) -> None:
        room = self.tabs.widget(list(PAGES).index(title))
        column: Any = None if room is None else room.layout()
        while column.count():
            former = column.takeAt(0).widget()
            former.setParent(None)
            former.deleteLater()
        column.addWidget(widget)

    def _let_go(self) -> None:
        for title in PAGES:
            page = self.page(title)
            if page is not None:
                page.release()
