"""The measures of the code's structure, as `python tools/measures.py` prints them, hold.

A bound is the goal. Where that is not reached yet, the exception stands here with today's number:
it may shrink, but not grow, and nothing new may join it.
"""

from __future__ import annotations

import click_path
import code_measures as code
import measures
import pytest

PATH_MODULES, PATH_CALLS = 10, 15
"""Goals: modules on the path of a click, and calls between them."""
ENTERED, ENTERED_GOAL = 37, 10
"""Modules that run anything between a click and its preview: today; the goal if these count."""
ENTERED_CALLS, ENTERED_CALLS_GOAL = 133, 15
"""Calls between those: today; the goal if these count."""


@pytest.fixture(scope="module")
def _traces():
    return []


@pytest.fixture
def clicks(_traces, request):
    """The traces of two clicks, made once."""
    if not _traces:
        viewer = request.getfixturevalue("make_napari_viewer")()
        _traces.extend(click_path.trace_two_clicks(viewer))
    return _traces


def test_modules_import_each_other_in_no_circle():
    assert code.circles(code.imports(local=False)) == []


def test_imports_within_functions_close_no_circle():
    assert code.circles(code.imports(local=True)) == []


def test_a_click_takes_a_short_path(clicks):
    for trace in clicks:
        assert len(trace.passed) <= PATH_MODULES, trace.describe()
        assert len(trace.path_calls) <= PATH_CALLS, trace.describe()
        assert len(trace.entered) <= ENTERED, trace.entered
        assert len(trace.calls) <= ENTERED_CALLS, [f"{a} => {b}" for a, b in trace.calls]


def test_the_path_leads_from_the_prompt_layer_by_the_session_to_the_preview(clicks):
    first, second = clicks

    assert first.passed[0].startswith("viewer/")
    assert "models/turns.py" in first.passed  # the request of the session
    assert first.passed[-1] == "viewer/preview.py"
    assert "embeddings/memory.py" in first.passed
    assert "embeddings/memory.py" not in second.passed  # the image is encoded
    assert set(first.passed) <= set(first.entered)
    assert "calls between modules" in measures.path_text("first", first)


def test_functions_are_short():
    assert not code.long_functions()


def test_files_are_short():
    assert not code.long_files()


def test_classes_have_few_public_methods():
    counts = [found for found, _ in code.public_methods()]

    assert not [str(found) for found in counts if found.count > code.MOST_METHODS]


def test_nothing_is_known_by_python_s_id():
    assert not code.id_lines()


@pytest.mark.long
def test_the_table_has_a_row_for_each_measure():
    rows = [*measures.size_rows(), *measures.structure_rows(), *measures.text_rows()]
    text = measures.table(rows).splitlines()

    assert len(text) == len(rows) + 2
    assert {line.count(" | ") for line in text[2:]} == {2}


def test_circles_are_found():
    graph = {"a": {"b"}, "b": {"c"}, "c": {"b"}, "d": {"d", "a"}, "e": set()}

    assert code.circles(graph) == [["b", "c"], ["d"]]


def test_imports_are_found():
    direct, all_of_them = code.imports(local=False), code.imports(local=True)

    assert {"errors", "planes"} <= direct["viewer.drawing.prompt_layers"]
    assert "sources.pixels" in direct["sources.tiled"]
    assert any(all_of_them[name] > direct[name] for name in direct)


@pytest.mark.parametrize("docstring", [
    "Labels (H, W) of a plane.", "`(N, C, h, w)` features.", "Masks, (..., height, width).",
    "An array of the image's shape, of the plane's shape.", "Sums, one-dimensional.",
])  # fmt: skip
def test_a_docstring_gives_a_shape(docstring):
    assert code.names_shape(docstring)


@pytest.mark.parametrize("docstring", [
    "Labels of a plane (integers, background first).", "Where it lies, (y, x).", "The mask.",
    "Both of them (see the model, and its lesson).",
])  # fmt: skip
def test_a_docstring_gives_no_shape(docstring):
    assert not code.names_shape(docstring)
