"""The image of a series that is shown: its layers come, go, and are looked at as those before."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from ..commands.files import SaveLabels
from ..intensity import IntensityWindow
from ..io.opened import Opened, OpenedLabels
from ..planes import Plane
from ..series.listing import SeriesImage
from ..series.opening import LabelFile, OpenedImage
from ..sources.source import PLAIN, PlaneSource, source_of_array
from .coordinates import full_data, placement, spatial_shape
from .documents import close_document, take_over
from .files import as_layers, labels_layer, labels_to_save
from .label_layers.targets import new_labels, open_labels, store_of
from .metadata import SAVED, note_saved, source_path
from .model_input import LOOK
from .private import unwrap
from .recovery.journals import SERIES
from .roles import in_use, slide_under_prompts
from .shown import note_owner
from .timeline import document_in

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Image, Labels, Layer

_CONTRAST = ("contrast_limits", "gamma", "colormap", "opacity", "blending", "visible")


@dataclass(eq=False)
class ShownImage:
    """An image of a series in a viewer.

    Attributes
    ----------
    images : list of Image
        One, or one for each channel.
    labels : Labels
    file : LabelFile
    own : bool
        The layers go when another image is shown; those that a person opened are hidden.
    dirty : bool
        The labels were changed since they were saved.
    others : list of Layer
        Shown along with it, such as another person's labels.
    """

    images: list[Image]
    labels: Labels
    file: LabelFile
    own: bool = True
    dirty: bool = False
    others: list[Layer] = field(default_factory=list)

    @property
    def index(self) -> int:
        """Its number in the series."""
        return self.file.index

    def to_save(self) -> SaveLabels | None:
        """The labels as they are now; None of those that lie in a folder."""
        if store_of(self.labels) is not None:
            return None
        save = labels_to_save(self.labels, self.file.path)
        about = {"image": self.file.series.images[self.index].name.rpartition("/")[2]}
        return replace(save, about={**about, **save.about})

    def put_aside(self, viewer: ViewerModel) -> list[ShownImage]:
        """Hide its layers; gives what is to be called `hide` of when another image is shown.

        napari crashes in OpenGL where no image is left and a message comes up.
        """
        if not self.own:
            self.hide(viewer)
            return []
        if store_of(self.labels) is None:
            close_document(self.labels)
        for layer in (*self.images, self.labels, *self.others):
            layer.visible, layer.name = False, f"{layer.name} (left)"
        return [self]

    def hide(self, viewer: ViewerModel) -> None:
        """Take its layers out of the viewer, or hide those that a person opened."""
        for layer in self.others:
            if layer in viewer.layers:
                viewer.layers.remove(layer)
        if store_of(self.labels) is None:
            close_document(self.labels)
        for layer in (*self.images, self.labels):
            if layer not in viewer.layers:
                continue
            if self.own:
                viewer.layers.remove(layer)
            else:
                layer.visible = False


def images_of(layers: Iterable[Image]) -> list[SeriesImage]:
    """Return open layers as images of a series, each of a file with labels of its own."""
    files = {layer.name: source_path(layer) for layer in layers}
    count = Counter(files.values())
    return [SeriesImage(n, p if count[p] == 1 else None) for n, p in files.items()]


def show_opened(
    viewer: ViewerModel, found: OpenedImage, file: LabelFile, former: ShownImage | None, *,
    keep_view: bool,
) -> ShownImage:  # fmt: skip
    """Show an image of a series that was opened, in place of the former one.

    Parameters
    ----------
    viewer : ViewerModel
    found : OpenedImage
    file : LabelFile
    former : ShownImage or None
        Its layers go.
    keep_view : bool
        Keep zoom, place, plane and contrast; otherwise the image is fitted into the window.
    """
    viewer = unwrap(viewer)
    source = file.series.images[file.index]
    camera, point = viewer.scene.camera, viewer.dims.point
    view = camera.center, camera.zoom, camera.angles
    images = []
    assert found.image is not None
    for number, (data, options, _) in enumerate(as_layers(found.image, source.path)):
        image = viewer.add_image(data, **options)
        viewer.layers.move(viewer.layers.index(image), number)
        images.append(image)
    labels = _labels_of(viewer, images[0], found, file)
    if former is not None:
        _look_alike(images, former.images, contrast=keep_view)
        former.hide(viewer)
    if keep_view and former is not None:
        if len(point) == viewer.dims.ndim:
            viewer.dims.set_point(range(len(point)), point)
        camera.center, camera.zoom, camera.angles = view
    else:
        viewer.reset_view()
    viewer.layers.selection.active = images[0]
    return ShownImage(images, labels, file)


def show_layers(
    viewer: ViewerModel, image: Image, found: OpenedImage, file: LabelFile,
    former: ShownImage | None, labels: Labels | None,
) -> ShownImage:  # fmt: skip
    """Show an image layer that a person opened, and hide the former one."""
    viewer = unwrap(viewer)
    if former is not None:
        former.hide(viewer)
    image.visible = True
    if labels is None or labels not in viewer.layers:
        labels = _labels_of(viewer, image, found, file)
    labels.visible = True
    viewer.layers.selection.active = image
    return ShownImage([image], labels, file, own=False)


def add_labels(
    viewer: ViewerModel, image: Image, opened: OpenedLabels, name: str, path: Path, role: str = ""
) -> Labels:
    """Add labels that were opened from a file exactly on their image.

    With a `role` they are a layer of our own, which no dock offers to write to.
    """
    data, options, _ = labels_layer(opened, path)
    options |= {"name": name, **placement(image)}
    if data.shape != spatial_shape(image):
        data = data.reshape(spatial_shape(image))
    options["metadata"] |= in_use(role) if role else {SAVED: str(path.absolute())}
    layer = viewer.add_labels(data, **options)
    if not role:
        note_owner(layer, image)
    slide_under_prompts(viewer, layer, image)
    return layer


def source_ahead(
    opened: Opened, point: Iterable[float] = (), window: IntensityWindow = PLAIN
) -> PlaneSource:
    """The plane of an image that is shown first, as a model gets it; for any thread.

    Parameters
    ----------
    opened : Opened
    point : iterable of float
        Along the axes of the image: the plane shown of the one before, where it has as many.
    window : IntensityWindow
    """
    data, options, _ = as_layers(opened)[0]
    levels = list(data) if options["multiscale"] else [data]
    colours = bool(options.get("rgb"))
    shape = levels[0].shape[: levels[0].ndim - colours]
    at = [int(p) for p in point]
    if len(at) != len(shape):
        at = [(n - 1) // 2 for n in shape]
    index = tuple(
        None if axis >= len(shape) - 2 else min(max(0, at[axis]), n - 1)
        for axis, n in enumerate(shape)
    )
    plane = Plane(index, (len(shape) - 2, len(shape) - 1), colours)
    return source_of_array(levels, plane, window, colours=colours)


def _labels_of(viewer: ViewerModel, image: Image, found: OpenedImage, file: LabelFile) -> Labels:
    """The labels that were read, or those of a folder, or new ones; their log begins."""
    name = f"{image.name} labels"
    fresh = found.labels is None and not found.path.is_dir()
    if found.labels is not None:
        layer = add_labels(viewer, image, found.labels, name, file.path)
    elif fresh:
        layer = new_labels(viewer, image, name, Path(file.series.folder))
    else:
        layer = open_labels(viewer, found.path)
        note_owner(layer, image)
        slide_under_prompts(viewer, layer, image)
    layer.metadata = {**layer.metadata, SERIES: str(file.series.folder)}
    store = store_of(layer)
    if fresh and store is not None:
        file.path = store.path
    elif fresh:
        note_saved(layer, file.path)
    document_in(viewer, layer, empty=fresh)
    if found.journal is not None:
        take_over(layer, found.journal)
    return layer


def _look_alike(images: list[Image], former: list[Image], *, contrast: bool) -> None:
    """Show images to models, and where it is asked for to people, as those before."""
    for image, before in zip(images, former, strict=False):
        if LOOK in before.metadata:
            image.metadata = {**image.metadata, LOOK: before.metadata[LOOK]}
        if not contrast or image.rgb != before.rgb:
            continue
        if full_data(image).dtype != full_data(before).dtype:
            continue
        for name in _CONTRAST:
            if not (image.rgb and name in ("contrast_limits", "gamma", "colormap")):
                setattr(image, name, getattr(before, name))
