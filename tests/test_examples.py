"""Every script of the gallery runs, and shows something; those with a viewer are in `demo/`."""

from __future__ import annotations

import numpy as np
import pytest
import site_gallery
from examples_run import EXAMPLES, WITH_VIEWER, shown_by
from imageio.v3 import imread

LONG = {
    "plot_batch", "plot_ct_organ", "plot_label_like", "plot_roofs", "plot_teach_word", "plot_words",
}  # fmt: skip
"""What the programs of the pages show, too."""
FEWEST = 12


def test_there_are_enough():
    assert len(EXAMPLES) >= FEWEST
    assert sorted(site_gallery.ORDER) == [path.stem.removeprefix("plot_") for path in EXAMPLES]
    assert {path.stem for path in EXAMPLES} > LONG


@pytest.mark.parametrize("path", [
    pytest.param(path, id=path.stem, marks=[pytest.mark.long] * (path.stem in LONG))
    for path in EXAMPLES if path not in WITH_VIEWER
])  # fmt: skip
def test_an_example_runs_and_shows_a_picture(path, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))

    pictures = [p for value in shown_by(path) for p in site_gallery.pictures(value)]

    assert pictures
    for picture in pictures:
        assert np.ptp(imread(picture, extension=".png")) > 0
