"""Docks as pages: on a small screen, and as tabs of one."""

from __future__ import annotations

import numpy as np
import pytest
from npe2 import PluginManifest
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QPushButton

from napari_seem.widgets._shared.dock import Page
from napari_seem.widgets.annotate.dock import AnnotateWidget
from napari_seem.widgets.stack.dock import StackWidget
from napari_seem.widgets.workbench import PAGES, Workbench

SCREEN = 1366, 768


@pytest.fixture
def viewer(make_napari_viewer, volume):
    viewer = make_napari_viewer(show=True)
    viewer.add_image(volume, name="discs")
    viewer.window.resize(*SCREEN)
    return viewer


@pytest.fixture
def workbench(viewer):
    bench = Workbench(viewer)
    viewer.window.add_dock_widget(bench, name="SEEM")
    yield bench
    bench.release()


def check_fits(viewer, qtbot) -> None:
    """The window is no larger than the screen; slider and layer list lie in it; nothing is cut."""
    window = viewer.window._qt_window
    parts = window._qt_viewer.dims, window._qt_viewer.layers
    qtbot.waitUntil(lambda: all(part.isVisible() and part.height() > 0 for part in parts))
    size = window.size()
    assert (size.width(), size.height()) == SCREEN
    for part in parts:
        assert part.mapTo(window, part.rect().bottomLeft()).y() < SCREEN[1]
    for page in window.findChildren(Page):
        if page.isVisible():
            wide = page.widget().minimumSizeHint().width
            qtbot.waitUntil(lambda page=page, wide=wide: wide() <= page.viewport().width())


def test_docks_share_a_place_as_tabs_on_a_small_screen(viewer, qtbot):
    window, docks = viewer.window._qt_window, []
    for title, kind in PAGES.items():
        dock = kind(viewer)
        viewer.window.add_dock_widget(dock, name=title)
        docks.append(dock)
        qtbot.waitUntil(lambda dock=dock: dock.isVisible() and dock.height() > SCREEN[1] / 2)
        check_fits(viewer, qtbot)

    first = docks[0].parent()
    assert len(window.tabifiedDockWidgets(first)) == len(docks) - 1
    moved = docks[1].parent()
    window.addDockWidget(Qt.DockWidgetArea.RightDockWidgetArea, moved)  # as a person drags it
    moved.hide()
    moved.show()
    qtbot.wait(20)
    assert moved not in window.tabifiedDockWidgets(first)
    for dock in docks:
        dock.release()


def test_every_page_fits_as_a_tab_of_one_dock(workbench, viewer, qtbot):
    for number, title in enumerate(PAGES):
        workbench.tabs.setCurrentIndex(number)
        assert isinstance(workbench.page(title), PAGES[title])
        check_fits(viewer, qtbot)


def test_tabs_come_in_the_order_of_the_menu(workbench):
    manifest = PluginManifest.from_distribution("napari-seem")
    menu = [widget.display_name for widget in manifest.contributions.widgets]
    tabs = [workbench.tabs.tabText(number) for number in range(workbench.tabs.count())]
    assert menu == ["SEEM", *tabs]


def test_a_page_is_made_when_it_is_first_shown(workbench):
    assert workbench.page("Annotate") is not None
    assert workbench.page("Stack") is None

    workbench.tabs.setCurrentIndex(list(PAGES).index("Stack"))
    page = workbench.page("Stack")
    workbench.tabs.setCurrentIndex(0)
    workbench.tabs.setCurrentIndex(list(PAGES).index("Stack"))
    assert workbench.page("Stack") is page


def test_pages_let_go_when_napari_takes_the_dock_away(workbench, viewer):
    annotate = workbench.page("Annotate")
    before = len(viewer.mouse_drag_callbacks)

    viewer.window.remove_dock_widget(workbench)

    assert annotate.is_released
    assert len(viewer.mouse_drag_callbacks) < before


def test_a_dock_that_is_open_by_itself_moves_here_when_it_is_wanted(viewer, qtbot):
    alone = StackWidget(viewer)
    viewer.window.add_dock_widget(alone, name="Stack")
    bench = Workbench(viewer)
    viewer.window.add_dock_widget(bench, name="SEEM")
    bench.tabs.setCurrentIndex(list(PAGES).index("Stack"))
    assert bench.page("Stack") is None
    assert not alone.is_released

    (here,) = bench.tabs.currentWidget().findChildren(QPushButton)
    here.click()

    assert bench.page("Stack").panel.image.layer.name == "discs"
    assert alone.is_released
    assert not alone.isEnabled()
    bench.release()


def test_only_the_newest_of_two_docks_of_a_kind_takes_clicks(viewer, model, discs, settle):
    first = AnnotateWidget(viewer, loader=lambda _: model)
    viewer.window.add_dock_widget(first, name="Annotate")
    second = AnnotateWidget(viewer, loader=lambda _: model)
    viewer.window.add_dock_widget(second, name="Annotate too")

    points = second.annotator.prompt_layers.points
    at = np.argwhere(discs[1] == 1).mean(0).round()
    points.add([second.annotator.ensure_work().plane.index[0], *at])
    settle(second)

    assert first.is_released
    assert first.annotator.prediction is None
    assert np.array_equal(second.annotator.prediction.mask, discs[1] == 1)
    second.release()
