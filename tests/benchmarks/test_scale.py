"""The scale bench: its figures, its table, and what it leaves out."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks import pages, scale
from napari_seem.cli import main
from napari_seem.errors import NapariSeemError
from napari_seem.io.files import read_labels

pytest.importorskip("zarr")


def test_a_stack_is_carried_into_labels_on_disk(tmp_path, monkeypatch):
    monkeypatch.setattr(scale, "PLANE_SIDE", 256)

    told = scale.run(scale.Case("stack-shape", 60), tmp_path)

    labels, _ = read_labels(tmp_path / "labels.zarr")
    assert labels.shape == (60, 256, 256)
    there, wanted = labels[52] == 1, scale.disc(52)
    assert (there & wanted).sum() / (there | wanted).sum() > 0.8
    assert 0 < told["before"] <= told["peak"]
    assert told["first"] <= told["seconds"]
    assert told["disk"] > 0.1


@pytest.mark.long
def test_clicks_on_a_plane_are_written_and_the_last_is_taken_back(tmp_path):
    scale.run(scale.Case("clicks", 2300), tmp_path)

    path = next(path for path in tmp_path.glob("*.zarr") if path.name != "image.zarr")
    labels, _ = read_labels(path)
    assert set(np.unique(labels[:])) == {0, 1, 2}


def test_each_case_runs_in_a_process_of_its_own_and_fills_the_table(tmp_path, capsys):
    page = tmp_path / "page.md"
    page.write_text("# Title\n<!-- scale: begin -->\nold\n<!-- scale: end -->\nkept\n")
    asked = ["bench", "scale", "--planes", "3", "--model-planes", "--sides", "--everything"]

    assert main([*asked, "--folder", str(tmp_path / "run"), "--table", str(page)]) == 0

    assert "| planes carried by outlines | 3 x 512 x 512 |" in capsys.readouterr().out
    text = page.read_text()
    assert "3 x 512 x 512" in text
    assert "old" not in text
    assert text.endswith("<!-- scale: end -->\nkept\n")
    assert not list((tmp_path / "run").iterdir())


def test_what_does_not_fit_the_disk_is_left_out_and_told(tmp_path):
    told = scale._measured(scale.Case("clicks", 10**7), tmp_path)
    assert "left out" in told
    assert "MB free" in scale._row(scale.Case("clicks", 10**7), told)


def test_a_page_without_marks_is_not_overwritten(tmp_path):
    (tmp_path / "page.md").write_text("# Mine\n")
    with pytest.raises(NapariSeemError, match="no marks"):
        pages.put_table(tmp_path / "page.md", "| a |", "scale", "Sizes")
    assert (tmp_path / "page.md").read_text() == "# Mine\n"
