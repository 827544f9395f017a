"""What docks say: whole sentences, for as long as they are true."""

from __future__ import annotations

import numpy as np
import pytest
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest

from napari_seem.widgets._shared.message import Message, sentence
from napari_seem.widgets.everything.dock import EverythingWidget
from napari_seem.widgets.find.dock import FindWidget


@pytest.mark.parametrize(
    ("text", "whole"),
    [
        ("choose an image first", "Choose an image first."),
        ("Done.", "Done."),
        ("'a.tif' is damaged", "'a.tif' is damaged."),
        ("a.tif: nothing there", "a.tif: nothing there."),
        ("napari-seem needs zarr", "napari-seem needs zarr."),
        ("3 objects written; 1 lies under others", "3 objects written; 1 lies under others."),
        ("searching ...", "Searching ..."),
        ("", ""),
    ],
)
def test_a_message_is_a_whole_sentence(text, whole):
    assert sentence(text) == whole


def test_only_a_problem_is_taken_away(qtbot):
    message = Message()
    qtbot.addWidget(message)
    message.say("3 objects written")
    message.settle()
    assert message.text() == "3 objects written."
    message.say("the disk is full", problem=True)
    message.settle()
    assert message.text() == ""


def test_a_problem_goes_away_when_what_it_asked_for_is_there(open_viewer, put_in):
    viewer = open_viewer()
    dock = EverythingWidget(viewer)
    put_in(viewer, dock, "Everything")
    dock.look()
    assert dock.panel.message.text() == "Choose an image layer first."

    viewer.add_image(np.zeros((9, 9)))
    assert dock.panel.message.text() == ""
    dock.release()


def test_a_problem_goes_away_when_a_person_types_something_else(open_viewer, put_in):
    viewer = open_viewer()
    dock = FindWidget(viewer)
    put_in(viewer, dock, "Find")
    dock.search("disc")
    assert "open one first" in dock.panel.message.text()

    QTest.keyClick(dock.panel.word, Qt.Key.Key_S)
    assert dock.panel.message.text() == ""
    dock.release()
