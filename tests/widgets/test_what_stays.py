"""What is seen is what is written, and what others made stays."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from canvas import press


def preview_of(dock):
    """The pixels that the preview shows."""
    values = dock.annotator.preview.values()
    return 0 if values is None else int((values > 0).sum())


@pytest.fixture
def proposed(docked, discs, settle):
    """The dock with a disc proposed on plane 1 of three."""
    dock = docked(np.stack([discs[0]] * 3))
    dock.viewer.dims.set_point(0, 1)
    dock.annotator.prompt_layers.points.add([1, 32, 20])
    settle(dock)
    return dock


def test_a_preview_is_the_same_after_a_look_in_3d(proposed, discs, settle):
    size = int((discs[1] == 1).sum())
    assert preview_of(proposed) == size

    proposed.viewer.dims.ndisplay = 3
    settle(proposed)
    assert preview_of(proposed) == 0
    assert proposed.commit() is None
    assert proposed.annotator.labels is None
    proposed.viewer.dims.ndisplay = 2
    settle(proposed)

    assert preview_of(proposed) == size
    assert not proposed.annotator.preview.layer.editable
    proposed.commit()
    assert int((proposed.annotator.labels.data[1] > 0).sum()) == size


def test_a_preview_can_never_be_painted(proposed, settle):
    viewer, preview = proposed.viewer, proposed.annotator.preview
    for turn in (viewer.dims.roll, viewer.dims.roll, viewer.dims.roll):
        turn()
        settle(proposed)
        proposed.annotator.prompt_layers.points.add([1, 32, 20])
        settle(proposed)
        assert not preview.layer.editable
    viewer.layers.remove(preview.layer)
    proposed.annotator.prompt_layers.points.add([1, 33, 20])
    settle(proposed)

    assert preview.layer in viewer.layers
    assert not preview.layer.editable
    preview.layer.editable = True
    assert not preview.layer.editable


def commit_both(dock, settle):
    """Commit both discs, called 'left' and 'right'."""
    for name, x in (("left", 20), ("right", 58)):
        dock.annotator.prompt_layers.points.add([32, x])
        settle(dock)
        dock.panel.name.setText(name)
        dock.commit()
    return dock.annotator.labels


@pytest.mark.parametrize(
    "table",
    [
        {"label": [2, 1], "area": [20.0, 10.0]},
        {"index": [1, 2], "area": [10.0, 20.0]},
        {"name": ["left", "right"], "area": [10.0, 20.0]},
        {"index": ["a", "b"], "area": [10.0, 20.0]},
        {"index": [1, 2, np.nan], "area": [10.0, 20.0, 5.0], "score": "high"},
    ],
    ids=["label", "index", "name", "text", "broken"],
)
def test_names_and_scores_stay_when_another_program_replaces_the_table(dock, settle, table):
    labels = commit_both(dock, settle)
    score = labels.features.set_index("index")["score"].to_dict()

    labels.features = pd.DataFrame(table)
    dock.annotator.undo()
    dock.annotator.redo()

    rows = labels.features.set_index("index")
    assert rows["name"].to_dict() == {0: "background", 1: "left", 2: "right"}
    assert rows["score"].dropna().to_dict() == {i: s for i, s in score.items() if s == s}
    assert rows["area"].dropna().to_dict() == {1: 10.0, 2: 20.0}


def test_a_row_that_is_left_out_or_said_anew(dock, settle):
    labels = commit_both(dock, settle)
    labels.features = labels.features.assign(note=["", "a", "b"])

    labels.features = labels.features.iloc[[2]]
    labels.features = pd.DataFrame({"index": [2], "name": ["better"]})

    rows = labels.features.set_index("index")
    assert rows["name"].to_dict() == {0: "background", 1: "left", 2: "better"}
    assert rows["note"].to_dict() == {0: "", 1: "a", 2: "b"}


@pytest.mark.window
def test_a_key_of_a_dock_does_not_search_a_list_as_well(dock, settle, qtbot):
    viewer = dock.viewer
    viewer.window.show()
    dock.activateWindow()
    viewer.add_image(np.zeros((64, 80), np.uint8), name="kidney")
    dock.annotator.choose_image(viewer.layers["discs"])
    points = dock.annotator.prompt_layers.points
    lists = [viewer.window._qt_viewer.layers, dock.panel.image]
    for number, (widget, x) in enumerate(zip(lists, (20, 58), strict=True), start=1):
        points.add([32, x])
        settle(dock)
        viewer.layers.selection.active = points
        widget.setFocus()
        qtbot.waitUntil(widget.hasFocus)
        press(widget, "K")

        assert dock.annotator.image is viewer.layers["discs"]
        assert viewer.layers.selection.active is not viewer.layers["kidney"]
        assert int(dock.annotator.labels.data.max()) == number

    points.add([32, 40])
    settle(dock)
    for field in (dock.panel.word, dock.panel.name):
        field.setFocus()
        press(field, "K")
        assert field.text().lower() == "k"
        field.clear()
    assert int(dock.annotator.labels.data.max()) == 2
