"""Finds on a napari window what a person sees there: buttons, fields, layers, entries."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QPoint, Qt
from qtpy.QtWidgets import (
    QAbstractButton,
    QCheckBox,
    QDockWidget,
    QFormLayout,
    QListWidget,
    QRadioButton,
    QTabBar,
    QWidget,
)

if TYPE_CHECKING:
    from napari import Viewer

Spot = tuple[QWidget, QPoint]
"""A widget, and a position in its own pixels."""


class Stuck(RuntimeError):
    """A person could not go on: what they looked for is not on the screen."""


def dock(viewer: Viewer, name: str) -> Any:
    """Return the widget of ours in a dock of the window."""
    for title, widget in viewer.window.dock_widgets.items():
        if title.startswith(name):
            return widget
    raise Stuck(f"there is no dock '{name}'")


def button(viewer: Viewer, text: str, name: str = "") -> Any:
    """Return the button whose text begins so, in a dock or anywhere."""
    root: Any = dock(viewer, name) if name else viewer.window._qt_window
    for found in root.findChildren(QAbstractButton):
        if found.isVisible() and plain(found.text()).startswith(text):
            return found
    raise Stuck(f"no button '{text}' is shown" + (f" in {name}" if name else ""))


def field(viewer: Viewer, label: str, name: str) -> Any:
    """Return the field beside a label, or the one that shows it as long as it is empty."""
    root = dock(viewer, name)
    for form in root.findChildren(QFormLayout):
        for row in range(form.rowCount()):
            title = form.itemAt(row, QFormLayout.ItemRole.LabelRole)
            if title is not None and title.widget() and title.widget().text() == label:
                return form.itemAt(row, QFormLayout.ItemRole.FieldRole).widget()
    for found in root.findChildren(QWidget):
        if found.isVisible() and getattr(found, "placeholderText", str)() == label:
            return found
    raise Stuck(f"there is no field '{label}' in {name}")


def said(viewer: Viewer, name: str) -> str:
    """Return what the messages of a dock say, in one line."""
    from napari_seem.widgets._shared.message import Message

    texts = [m.text() for m in dock(viewer, name).findChildren(Message) if m.isVisible()]
    return " / ".join(text for text in texts if text)


def entry(viewer: Viewer, text: str, name: str) -> Spot:
    """Return where the entry of a list in a dock is that holds a text."""
    for view in dock(viewer, name).findChildren(QListWidget):
        for item in (view.item(row) for row in range(view.count())):
            if view.isVisible() and text in item.text():
                view.scrollToItem(item)
                return view.viewport(), view.visualItemRect(item).center()
    raise Stuck(f"'{text}' is in no list of {name}")


def layer_row(viewer: Viewer, name: str) -> Spot:
    """Return where a layer is in the list of layers."""
    view: Any = viewer.window._qt_viewer.layers
    model = view.model()
    for row in range(model.rowCount()):
        index = model.index(row, 0)
        if model.data(index, Qt.ItemDataRole.DisplayRole) == name:
            view.scrollTo(index)
            return view.viewport(), view.visualRect(index).center()
    raise Stuck(f"there is no layer '{name}'")


def tab_of(widget: QWidget) -> Spot | None:
    """Return where the tab of the dock that holds a widget is, if the dock lies behind another."""
    frame: Any = widget
    while frame is not None and not isinstance(frame, QDockWidget):
        frame = frame.parentWidget()
    if frame is None or not frame.visibleRegion().isEmpty():
        return None
    for bar in frame.window().findChildren(QTabBar):
        for number in range(bar.count()):
            if bar.isVisible() and bar.tabText(number) == frame.windowTitle():
                return bar, bar.tabRect(number).center()
    raise Stuck(f"the dock '{frame.windowTitle()}' is hidden, and has no tab")


def number_of(viewer: Viewer, layer: Any, plane: int) -> int:
    """Return the number that the slider has for a plane of a layer's first axis."""
    axis = viewer.dims.range[0]
    world = layer.data_to_world((plane, *[0] * (layer.ndim - 1)))[0]
    return round((world - axis.start) / axis.step)


def target(button: QAbstractButton) -> QPoint:
    """Return where to press a button: a box that is ticked takes clicks at its left end only."""
    middle = button.rect().center()
    ticked = isinstance(button, QCheckBox | QRadioButton)
    return QPoint(10, middle.y()) if ticked else middle


def plain(text: str) -> str:
    """Return a text without the marks of its shortcut."""
    return text.replace("&", "")
