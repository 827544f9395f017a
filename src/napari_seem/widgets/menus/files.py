"""Menu commands: open with geometry, save labels where they lie."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari.viewer import Viewer
from qtpy.QtWidgets import QApplication, QFileDialog, QInputDialog, QMainWindow

from ...errors import NapariSeemError
from ...io.dicom import describe, series_in
from ...io.files import FORMATS, ending, open_image
from ...io.label_store import default_home
from ...io.ome_zarr import is_ome_zarr
from ...io.opened import Opened
from ...viewer.files import as_layers, labels_to_save
from ...viewer.metadata import GRID, SOURCE
from ...viewer.on_disk import open_labels
from ...viewer.private import unwrap
from .._shared.message import notify
from .._shared.preferences import read_preferences
from .._shared.progress import ProgressRow
from .._shared.runner import Job, LatestRunner, report_crash

if TYPE_CHECKING:
    from napari.layers import Labels

IMAGES = "Images (*.nii *.nii.gz *.tif *.tiff);;All files (*)"


def open_file(viewer: Viewer) -> None:
    """Ask for an image file and open it with its geometry."""
    path, _ = QFileDialog.getOpenFileName(None, "Open with geometry", "", IMAGES)
    if path:
        open_path(viewer, Path(path))


def open_folder(viewer: Viewer) -> None:
    """Ask for the folder of a DICOM series or an OME-Zarr image and open it."""
    path = QFileDialog.getExistingDirectory(None, "Open a DICOM series or an OME-Zarr image")
    if path:
        open_path(viewer, Path(path))


def open_path(
    viewer: Viewer, path: Path, choose: Callable[[list[str]], int] | None = None,
    then: Callable[[list[Any]], None] = lambda _: None,
) -> None:  # fmt: skip
    """Open an image in a thread and add its layers.

    Parameters
    ----------
    viewer : Viewer
    path : Path
    choose : callable, optional
        Given descriptions of the series of a folder, gives the number of the wanted one, or -1;
        by default the person is asked.
    then : callable, optional
        Given the layers that were added.
    """
    viewer = unwrap(viewer)
    if not path.is_dir() or is_ome_zarr(path):
        _in_thread(
            lambda: open_image(path), lambda opened: then(_add(viewer, opened, path)), path.name
        )
        return

    def chosen(found: dict[str, list[Any]]) -> None:
        names = [describe(datasets) for datasets in found.values()]
        number = 0 if len(names) == 1 else (choose or _ask_series)(names)
        if number >= 0:
            uid = list(found)[number]
            _in_thread(
                lambda: open_image(path, uid),
                lambda opened: then(_add(viewer, opened, path)),
                path.name,
            )

    _in_thread(lambda: series_in(path), chosen, path.name)


def open_kept_labels(viewer: Viewer) -> None:
    """Ask for labels that were kept on disk, and open them to be worked on."""
    start = str(read_preferences().labels_folder or default_home())
    path = QFileDialog.getExistingDirectory(None, "Open labels (a .zarr folder)", start)
    if path:
        open_labels_at(viewer, Path(path))


def open_labels_at(viewer: Viewer, path: Path) -> None:
    """Open labels that were kept on disk; what is wrong with them is shown."""
    try:
        open_labels(unwrap(viewer), path)
    except NapariSeemError as error:
        notify(str(error), problem=True)


def save_as(viewer: Viewer) -> None:
    """Ask where to, and write the chosen Labels layer in the format that the name asks for."""
    from napari.layers import Labels

    active = unwrap(viewer).layers.selection.active
    if not isinstance(active, Labels):
        notify("Choose a labels layer in the list first, then save it.", problem=True)
        return
    wanted = "Labels (" + " ".join(f"*{e}" for group in FORMATS.values() for e in group) + ")"
    path, _ = QFileDialog.getSaveFileName(None, "Save labels", suggested(active), wanted)
    if path:
        save_to(active, Path(path))


def save_to(layer: Labels, path: Path) -> None:
    """Write a Labels layer in a thread, and say what was written."""

    def written(paths: list[Path]) -> None:
        notify(f"Written: {', '.join(str(one) for one in paths)}")

    _in_thread(labels_to_save(layer, path).run, written, f"Writing {path.name}", can_cancel=False)


def suggested(layer: Labels) -> str:
    """A file name in the format that the layer's image came in."""
    grid = layer.metadata.get(GRID)
    kind = {"nifti": ".nii.gz", "dicom": ".dcm", "ome-zarr": ".zarr"}.get(
        grid.format if grid is not None else "", ".tif"
    )
    if grid is not None and grid.format == "ome-zarr":
        return str(grid.native["path"] / "labels" / f"{layer.name}{kind}")
    return layer.name if ending(Path(layer.name)) else f"{layer.name}{kind}"


def _add(viewer: Any, opened: Opened, path: Path) -> list[Any]:
    added = []
    for data, options, _ in as_layers(opened):
        options["metadata"][SOURCE] = str(path.absolute())
        added.append(viewer.add_image(data, **options))
    warning = opened.about.get("warning")
    if warning:
        notify(f"{opened.name}: {warning}", problem=True)
    return added


def _ask_series(names: list[str]) -> int:
    name, sure = QInputDialog.getItem(
        None, "Several series", "The folder holds several series. Open", names, 0, False
    )
    return names.index(name) if sure else -1


def _in_thread(
    work: Callable[[], Any], done: Callable[[Any], None], title: str, *, can_cancel: bool = True
) -> None:
    """Run something in a thread, with a row in the status bar; errors are shown.

    Where it is cancelled, its outcome is dropped.
    """

    def failed(error: Exception) -> None:
        if isinstance(error, NapariSeemError):
            notify(str(error), problem=True)
        else:
            report_crash(error)

    window = _window()
    runner = LatestRunner(window or QApplication.instance())
    bar = None if window is None else window.statusBar()
    if bar is not None:
        row = ProgressRow(runner.progress, bar, flat=True)
        row.cancel.setVisible(can_cancel)
        bar.addPermanentWidget(row)
        runner.progress.ended.connect(row.deleteLater)
    runner.progress.ended.connect(runner.deleteLater)
    runner.submit(Job(work, done, failed, title))


def _window() -> QMainWindow | None:
    """The window in front, or else the one that was opened last."""
    active = QApplication.activeWindow()
    shown = [one for one in QApplication.topLevelWidgets() if one.isVisible()]
    windows = [one for one in (*shown, active) if isinstance(one, QMainWindow)]
    return windows[-1] if windows else None
