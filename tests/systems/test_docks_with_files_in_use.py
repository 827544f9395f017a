"""The docks save while files are open: over labels that are shown, and in a series."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile
from discs import DiscModel
from napari.components import ViewerModel
from series_docks import IMAGE, click, settle
from windows_files import scanned

from napari_seem.io.files import read_labels
from napari_seem.io.writing.whole import PREFIX
from napari_seem.viewer.files import read_file, save_labels
from napari_seem.widgets.annotate.dock import AnnotateWidget
from napari_seem.widgets.series.dock import SeriesWidget

pytestmark = pytest.mark.usefixtures("windows")


@pytest.fixture
def docks(tmp_path, qtbot):
    """The docks Annotate and Series on a folder of three images of discs."""
    for number in range(3):
        tifffile.imwrite(tmp_path / f"d{number}.tif", IMAGE + np.uint8(number))
    viewer, model = ViewerModel(), DiscModel()
    annotate = AnnotateWidget(viewer, loader=lambda _: model)
    series = SeriesWidget(viewer)
    series.open_files([tmp_path])
    settle(qtbot, series)
    yield annotate, series
    series.release()
    annotate.release()


def unfinished(folder: Path) -> list[Path]:
    return list(folder.rglob(f"{PREFIX}*"))


def test_a_series_is_gone_through_and_back_and_saved_by_itself(docks, tmp_path, qtbot):
    annotate, series = docks
    for step in (series.series_next, series.series_previous, series.series_done):
        click(qtbot, annotate, 32, 20)
        annotate.commit()
        step()
        settle(qtbot, series)
    for number in (0, 1):
        series.player.saver.wait(number)
    found = {path.stem for path in (tmp_path / "labels").glob("*_labels.tif")}

    assert found == {"d0_labels", "d1_labels"}
    assert unfinished(tmp_path) == []


def test_a_series_waits_for_a_scanner(docks, tmp_path, qtbot):
    annotate, series = docks
    click(qtbot, annotate, 32, 20)
    annotate.commit()
    series.player.save()
    series.player.saver.wait(0)
    path = tmp_path / "labels" / "d0_labels.tif"
    click(qtbot, annotate, 32, 58)
    annotate.commit()
    with scanned(path, 0.4):
        series.player.save()
        series.player.saver.wait(0)

    assert len(np.unique(read_labels(path)[0])) == 3
    assert unfinished(tmp_path) == []


@pytest.mark.parametrize("kind", [".tif", ".nii", ".zarr", ".geojson"])
def test_labels_are_saved_over_the_file_that_is_shown(tmp_path, monkeypatch, kind):
    for module in ("tiff", "nifti"):
        monkeypatch.setattr(f"napari_seem.io.{module}.LARGE", 100)
    viewer, path = ViewerModel(), tmp_path / f"cells{kind}"
    labels = np.zeros((40, 60), np.uint16)
    labels[5:9, 5:9] = 1
    first = viewer.add_labels(labels, name="cells")
    save_labels(first, path)
    ((data, options, _),) = read_file(str(path))(None)
    shown = viewer.add_labels(data, **options)
    shown.data_setitem((np.array([20, 21]), np.array([30, 31])), 2)
    save_labels(shown, path)

    assert set(np.unique(np.asarray(read_labels(path)[0]))) == {0, 1, 2}
    assert unfinished(tmp_path) == []
