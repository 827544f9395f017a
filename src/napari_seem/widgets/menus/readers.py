"""What is of ours among the files that napari's own reader opens: labels and DICOM folders.

napari asks which reader to take as soon as two plugins claim a pattern, whatever the file holds.
TIFF files and folders are therefore claimed by napari alone, and its reader is asked after ours.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from napari import current_viewer
from napari.layers import Image, Labels, Layer
from npe2 import PluginManager

from ...errors import NapariSeemError
from ...io.dicom import is_dicom, is_series
from ...io.formats import find_labels
from ...io.pictures import orientation_of
from ...viewer.files import image_grids, labels_layer, open_labels_on, read_file
from ...viewer.metadata import SAVED, SOURCE
from ...viewer.private import unwrap
from .._shared.message import notify
from .files import open_path

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from npe2 import PluginContext

Reader = Callable[[object], Sequence[tuple[object, ...]]]
"""What gives the layers of a file as tuples of data, options and kind; (None,) for none."""
THEIRS = "napari.get_reader"
"""Command of napari's own reader."""


def take_part(context: PluginContext) -> None:
    """Open our files as what they are from now on, and those that are open already.

    napari calls this when something of the plugin is used for the first time.
    """
    commands = PluginManager.instance().commands
    try:
        theirs = commands.get(THEIRS)
    except KeyError:  # switched off
        return

    def get_reader(path: str | list[str]) -> Reader | None:
        return reader_of(path) or theirs(path)

    def put(reader: Callable[..., Reader | None]) -> None:
        commands.unregister(THEIRS)
        commands.register(THEIRS, reader)

    put(get_reader)
    context.register_disposable(lambda: put(theirs))
    viewer = current_viewer()
    if viewer is not None:
        take_up(viewer)


def reader_of(path: str | list[str]) -> Reader | None:
    """The reader of a label file, of DICOM or of a turned photograph; None for others."""
    if not isinstance(path, str):
        return None
    place, viewer = Path(path), current_viewer()
    labels = find_labels(place) is not None
    if labels and (viewer is None or not place.is_dir()):
        return read_file(path)
    ours = labels or _is_dicom(place) or (place.is_file() and orientation_of(place) > 1)
    if viewer is None or not ours:
        return None

    def read(_: object) -> list[tuple[None]]:
        open_path(viewer, place)  # in a thread; asks which of several series is wanted
        return [(None,)]

    return read


def take_up(viewer: ViewerModel) -> None:
    """Show label files that napari opened as images as labels, and say what it lost of DICOM."""
    for layer in list(unwrap(viewer).layers):
        source = layer.source
        known = SOURCE in layer.metadata or SAVED in layer.metadata
        if known or source.path is None or source.reader_plugin != "napari":
            continue
        path = Path(source.path)
        if _is_dicom(path) and find_labels(path) is None:
            notify(
                f"napari opened '{layer.name}' without the spacing and the intensities that its "
                "DICOM files state. Open the files again to have them.", problem=True,
            )  # fmt: skip
        elif isinstance(layer, (Image, Labels)) and (found := find_labels(path)) is not None:
            _as_labels(unwrap(viewer), layer, found)
        elif path.is_file() and orientation_of(path) > 1:
            notify(
                f"napari shows '{layer.name}' as it is stored, where other programs turn it as its "
                "camera says. Labels lie on what you see here; open the file again to have it "
                "turned.", problem=True,
            )  # fmt: skip


def _is_dicom(path: Path) -> bool:
    return is_series(path) if path.is_dir() else is_dicom(path)


def _as_labels(viewer: ViewerModel, layer: Layer, path: Path) -> None:
    """Put the labels of a file in the place of the layer that shows its numbers."""
    try:
        opened = open_labels_on(path, image_grids(viewer))
    except NapariSeemError as error:
        notify(str(error), problem=True)
        return
    labels = Layer.create(*labels_layer(opened, path))
    viewer.layers.insert(viewer.layers.index(layer), labels)
    viewer.layers.remove(layer)
    labels.name = opened.name  # which the other had
    notify(f"'{path.name}' holds labels; it is shown as a labels layer with its objects.")
