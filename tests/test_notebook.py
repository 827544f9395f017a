"""Answers in a notebook: outlines on the picture, a small table, in a real kernel."""

from __future__ import annotations

import base64
import re
from io import BytesIO

import numpy as np
import pytest
from skimage.io import imread

from napari_seem.models.base import Instance, Prediction, Segmentation
from napari_seem.notebook import COLOURS, MOST_ROWS, SIDE, outlined, small_picture

CELLS = """
import numpy as np
import napari_seem as ns
from skimage.data import coins
image = coins()[:160, :200]
model = ns.load_model("compact")
embedding = model.encode(image)
session = ns.Session(model, embedding)
prediction = session.add(ns.Point(130, 120))
labels = np.zeros((3, *image.shape), np.uint16)
session.commit(1, labels, offset=(1, 0, 0)).apply(labels)
---
prediction
---
session
---
model.segment(embedding)
---
ns.propagate(model, np.stack([image] * 3), {1: labels[1]})
"""


def pictures(html: str) -> list[bytes]:
    return [base64.b64decode(data) for data in re.findall(r'base64,([^"]+)"', html)]


def test_outlines_are_drawn_where_the_objects_are():
    masks = [(np.ones((10, 20), bool), (5, 40), 1), (np.ones((4, 4), bool), (30, 10), 2)]

    shown = outlined(np.zeros((64, 96, 3), np.uint8), (64, 96), masks)

    assert tuple(shown[5, 40]) == COLOURS[0]
    assert tuple(shown[30, 10]) == tuple(shown[37, 17]) == COLOURS[1]
    assert not shown[20:29].any()
    assert (shown[8, 45] == np.array(COLOURS[0]) // 4).all()


def test_a_big_image_is_shown_small(rng):
    rgb = rng.integers(0, 255, (1000, 3000, 3)).astype(np.uint8)
    mask = np.zeros((1000, 3000), bool)
    mask[400:600, 1000:2000] = True

    picture = small_picture(rgb)
    shown = outlined(picture, (1000, 3000), [(mask, (0, 0), 1)])

    assert max(picture.shape) <= SIDE
    assert shown.shape == picture.shape
    step = 8
    assert tuple(shown[500 // step, 1000 // step]) == COLOURS[0]
    assert np.array_equal(shown[:40], picture[:40])


def test_a_table_shows_the_first_rows_and_how_many_there_are():
    one = Instance(np.ones((2, 2), bool), (0, 0, 2, 2), 0.5, "<b>")
    html = Segmentation((9, 9), (one,) * (MOST_ROWS + 3))._repr_html_()

    assert html.count("<tr>") == 1 + MOST_ROWS
    assert "and 3 more" in html
    assert "&lt;b&gt;" in html


def test_an_answer_without_a_picture_is_shown_on_gray():
    html = Prediction(np.full((8, 8), -1, np.float32), 0.0)._repr_html_()

    assert len(pictures(html)) == 1


def assert_shown(html: str, plain: str, cell: str) -> None:
    """A picture with outlines and a table, and a few words where there is no HTML."""
    (png,) = pictures(html)
    shown = imread(BytesIO(png)).astype(int)
    assert shown.shape[2] == 3
    assert any((shown == colour).all(-1).any() for colour in COLOURS), cell
    assert "<table" in html
    assert len(plain) < 300


def test_answers_are_shown_as_pictures_with_outlines():
    first, *cells = CELLS.split("---")
    known: dict[str, object] = {}
    exec(first, known)
    for cell in cells:
        answer = eval(cell.strip(), known)
        assert_shown(answer._repr_html_(), repr(answer), cell)


@pytest.mark.long  # a kernel takes seconds to start; the test above looks at the same answers
def test_a_real_kernel_shows_pictures_with_outlines(tmp_path):
    nbformat = pytest.importorskip("nbformat")
    from nbclient import NotebookClient

    cells = [nbformat.v4.new_code_cell(cell.strip()) for cell in CELLS.split("---")]
    book = nbformat.v4.new_notebook(cells=cells)
    NotebookClient(book, timeout=120, resources={"metadata": {"path": str(tmp_path)}}).execute()

    for cell in book.cells[1:]:
        (output,) = cell.outputs
        assert_shown(output["data"]["text/html"], output["data"]["text/plain"], cell.source)
