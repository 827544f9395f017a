"""Menu commands: open with geometry, save labels where they lie."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from napari.viewer import Viewer
from qtpy.QtWidgets import QApplication, QFileDialog, QInputDialog, QMainWindow

from ...errors import NapariSeemError
from ...io.files import open_image, series_of
from ...io.formats import READ, WRITTEN, ending, find_labels
from ...io.opened import Opened, OpenedLabels
from ...io.zarr.label_store import default_home, is_kept
from ...labels.plans import counted
from ...viewer.files import (
    as_layers,
    image_grids,
    labels_layer,
    labels_to_save,
    open_labels_on,
)
from ...viewer.label_layers.targets import open_labels, store_of
from ...viewer.metadata import GRID, SAVED, guessed_axes, note_saved, source_path
from ...viewer.private import unwrap
from .._shared.background.progress import ProgressRow
from .._shared.background.runner import Job, LatestRunner, explained
from .._shared.message import notify
from .._shared.preferences import read_preferences

if TYPE_CHECKING:
    from napari.layers import Image, Labels, Layer

T = TypeVar("T")
KINDS = (
    "Images and labels (*.nii *.nii.gz *.hdr *.img *.tif *.tiff "
    + " ".join(f"*{kind}" for kind in READ if kind not in (".zarr", ".coco.json"))
    + " *.json);;All files (*)"
)


def open_file(viewer: Viewer) -> None:
    """Ask for a file of an image or of labels, and open it with its geometry."""
    path, _ = QFileDialog.getOpenFileName(None, "Open with geometry", "", KINDS)
    if path:
        open_path(viewer, Path(path))


def open_folder(viewer: Viewer) -> None:
    """Ask for the folder of a DICOM series, or of an OME-Zarr image or labels, and open it."""
    path = QFileDialog.getExistingDirectory(None, "Open a DICOM series or an OME-Zarr folder")
    if path:
        open_path(viewer, Path(path))


def open_path(
    viewer: Viewer, path: Path, choose: Callable[[list[str]], int] | None = None,
    then: Callable[[list[Layer]], None] = lambda _: None,
) -> None:  # fmt: skip
    """Open an image or labels in a thread and add the layers.

    Parameters
    ----------
    viewer : Viewer
    path : Path
    choose : callable, optional
        Given descriptions of the series of a folder or the images of a TIFF, gives the number of
        the wanted one, or -1; by default the person is asked.
    then : callable, optional
        Given the layers that were added.
    """
    viewer = unwrap(viewer)
    found = find_labels(path)
    if found is not None:
        images = image_grids(viewer)
        _in_thread(
            lambda: open_labels_on(found, images),
            lambda opened: then([_add_labels(viewer, opened, found)]),
            found.name,
        )
        return

    def opened_as(series: str | None) -> None:
        _in_thread(
            lambda: open_image(path, series),
            lambda opened: then(_add(viewer, opened, path)),
            path.name,
        )

    def chosen(found: dict[str, str]) -> None:
        names = list(found.values())
        number = (choose or _ask_series)(names) if len(names) > 1 else 0
        if number >= 0:
            opened_as(list(found)[number] if found else None)

    _in_thread(lambda: series_of(path), chosen, path.name)


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
    path = _ask_file(active)
    if path is not None:
        save_to(active, path)


def save(layer: Labels, image: Image | None, say: Callable[[str, bool], None]) -> None:
    """Write a Labels layer to the file it came from or was saved to.

    Without one, or where its folder is gone or can't be written, ask for it.

    Parameters
    ----------
    layer : Labels
    image : Image or None
        Beside whose file it is to lie.
    say : callable
        Is told what was saved where, or what went wrong, and whether it is an error.
    """
    saved, store = str(layer.metadata.get(SAVED, "")), store_of(layer)
    if store is not None:
        say(
            f"'{layer.name}' is kept in {store.path} as you work; for a file of another kind "
            "choose File > IO Utilities > Save labels as",
            False,
        )
        return
    source = None if image is None else source_path(image)
    folder = None if source is None else source.parent
    path: Path | None = Path(saved)
    if ending(Path(saved)) not in WRITTEN or not os.access(Path(saved).parent, os.W_OK):
        path = _ask_file(layer, folder)
    if path is not None:
        save_to(layer, path, say)


def save_to(layer: Labels, path: Path, say: Callable[[str, bool], None] | None = None) -> None:
    """Write a Labels layer in a thread, and say what was written; by default as a notification."""
    tell = say or (lambda text, wrong: notify(text, problem=wrong))
    try:
        order = labels_to_save(layer, path)
    except NapariSeemError as error:
        tell(str(error), True)
        return
    count, guess = len(order.table), guessed_axes(layer)

    def written(paths: list[Path]) -> None:
        note_saved(layer, path)
        what = f"{counted(count)} of " if count else ""  # none of labels that were only painted
        said = f"{what}'{layer.name}' saved: {', '.join(map(str, paths))}"
        tell(f"{said}. {guess}" if guess else said, False)

    _in_thread(
        order.run, written, f"Writing {path.name}", lambda text: tell(text, True), reports=True,
    )  # fmt: skip


def _ask_file(layer: Labels, folder: Path | None = None) -> Path | None:
    """The file that a person wants a Labels layer to be written to, or None."""
    wanted = "Labels (" + " ".join(f"*{kind}" for kind in WRITTEN) + ")"
    first = suggested(layer)
    start = first if folder is None else str(folder / first)
    path, _ = QFileDialog.getSaveFileName(None, "Save labels", start, wanted)
    return Path(path) if path else None


def suggested(layer: Labels) -> str:
    """A file name in the format that the layer's image came in."""
    grid = layer.metadata.get(GRID)
    kind = {"nifti": ".nii.gz", "dicom": ".dcm", "ome-zarr": ".zarr"}.get(
        grid.format if grid is not None else "", ".tif"
    )
    if kind == ".dcm" and grid.axes[0] == "t":
        kind = ".tif"  # DICOM-SEG has no time
    if grid is not None and grid.format == "ome-zarr":
        return str(grid.native["path"] / "labels" / f"{layer.name}{kind}")
    return layer.name if ending(Path(layer.name)) else f"{layer.name}{kind}"


def _add(viewer: Viewer, opened: Opened, path: Path) -> list[Layer]:
    added = [viewer.add_image(data, **options) for data, options, _ in as_layers(opened, path)]
    if warning := opened.about.get("warning"):
        notify(f"{opened.name}: {warning}", problem=True)
    return added


def _add_labels(viewer: Viewer, opened: OpenedLabels, path: Path) -> Labels:
    """Add labels that were opened; those that were kept in a folder are worked on there."""
    if is_kept(opened.about):
        return open_labels(viewer, path)
    data, options, _ = labels_layer(opened, path)
    if opened.note:
        notify(f"'{path.name}': {opened.note}")
    return viewer.add_labels(data, **options)


def _ask_series(names: list[str]) -> int:
    name, sure = QInputDialog.getItem(
        None, "Several images", "There are several images. Open", names, 0, False
    )
    return names.index(name) if sure else -1


def _warn(text: str) -> None:
    notify(text, problem=True)


def _in_thread(
    work: Callable[..., T], done: Callable[[T], None], title: str,
    wrong: Callable[[str], None] = _warn, *, reports: bool = False,
) -> None:  # fmt: skip
    """Run something in a thread, with a row in the status bar; errors are shown.

    Where it is cancelled, its outcome is dropped; work that `reports` its steps ends there.
    """
    window = front_window()
    runner = LatestRunner(window or QApplication.instance())
    bar = None if window is None else window.statusBar()
    if bar is not None:
        row = ProgressRow(runner.progress, bar, flat=True)
        bar.addPermanentWidget(row)
        runner.progress.ended.connect(row.deleteLater)
    runner.progress.ended.connect(runner.deleteLater)
    runner.submit(
        Job(
            partial(work, runner.report) if reports else work,
            done,
            lambda error: wrong(explained(error)),
            title,
        )
    )


def front_window() -> QMainWindow | None:
    """The window in front, or else the one that was opened last."""
    active = QApplication.activeWindow()
    shown = [one for one in QApplication.topLevelWidgets() if one.isVisible()]
    windows = [one for one in (*shown, active) if isinstance(one, QMainWindow)]
    return windows[-1] if windows else None
