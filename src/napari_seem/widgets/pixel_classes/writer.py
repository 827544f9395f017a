"""Classes and objects written into Labels layers, and lessons into files; found in a thread."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import numpy as np
import numpy.typing as npt
from qtpy.QtCore import QObject, Signal

from ...commands.in_context import LabelledExample
from ...commands.models import ModelCache
from ...commands.pixel_classes import ClassifyPixels, PixelRun
from ...commands.workspace import Workspace
from ...errors import InvalidLabels, NapariSeemError
from ...pixel_classes import PixelFeatures
from ...pixel_classes.incremental import TaughtPlane
from ...viewer.coordinates import full_data, shown_plane
from ...viewer.documents import colouring_of
from ...viewer.label_layers.targets import check_target, new_labels
from ...viewer.model_input import ModelInput, check_pixels, note_model_input
from ...viewer.shown import image_layers, note_map
from ...viewer.stacks import plane_text, shown_stack
from ...viewer.timeline import document_in
from .._shared.background.steps import Steps
from .._shared.preferences import label_home
from .live import LiveClassification, PixelLesson
from .panel import PLANE, STACK

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Image, Labels

    from ...planes import Plane
    from ...sources.source import PlaneSource
    from ...viewer.pixels.teaching import PixelTeaching


@dataclass(frozen=True, eq=False)
class PixelTarget:
    """A plane whose pixels are to be classified.

    Attributes
    ----------
    image : Image
    plane : Plane
    input : ModelInput
        What is shown to the classifier of the image.
    source : PlaneSource
    """

    image: Image
    plane: Plane
    input: ModelInput
    source: PlaneSource


def targets_of(
    viewer: ViewerModel, teaching: PixelTeaching, image: Image, which: str = PLANE
) -> list[PixelTarget]:
    """The planes that a person means: the shown one, its stack, or those shown of all images.

    Raises
    ------
    InvalidPrompt, InvalidImage
        The image is not shown as a plane, or is no stack.
    """
    dims = viewer.dims
    if which == PLANE:
        planes = [(image, shown_plane(image, dims))]
    elif which == STACK:
        stack = shown_stack(image, dims)
        planes = [(image, stack.at(k)) for k in range(stack.shape[0])]
    else:
        planes = [(one, shown_plane(one, dims)) for one in image_layers(viewer)]
    return [
        PixelTarget(one, plane, teaching.input_of(one),
                    teaching.source(one, plane, plane_text(one, dims, plane) or one.name))
        for one, plane in planes
    ]  # fmt: skip


@dataclass(frozen=True, eq=False)
class Order:
    """What is to be written of planes, and where.

    Attributes
    ----------
    lesson : PixelLesson
    taught : str
        The lesson that was opened; "" for strokes alone.
    targets : sequence of PixelTarget
    labels : Labels or None
        Takes what is found; None for a layer of its own.
    of : str
        The class whose objects are written; "" for all classes as they are.
    options : dict
        Fields of `ClassifyPixels`.
    """

    lesson: PixelLesson
    taught: str
    targets: Sequence[PixelTarget]
    labels: Labels | None = None
    of: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def objects(
        cls, lesson: PixelLesson, taught: str, target: PixelTarget, labels: Labels | None, of: str,
        smallest: int, split: bool,
    ) -> Order:  # fmt: skip
        """The objects of a class, of at least so many pixels."""
        number = next((number for number, name in lesson.names.items() if name == of), 0)
        if number not in lesson.taught:
            raise InvalidLabels(f"there is no stroke of '{of}'; paint one, or choose another class")
        options = {"instances": True, "classes": [number], "smallest": smallest, "split": split}
        return cls(lesson, taught, [target], labels, of, options)


@dataclass(frozen=True, eq=False)
class FoundClasses:
    """The classes of a plane: uint16 (H, W), and the classifier with its strokes."""

    target: PixelTarget
    run: PixelRun
    labels: npt.NDArray[np.uint16] = field(repr=False)


class PixelWriter(QObject):
    """Classifies planes in a thread, and writes what was found in one step for each layer.

    Parameters
    ----------
    viewer : ViewerModel
    models : ModelCache
    live : LiveClassification
    parent : QObject

    Attributes
    ----------
    said : Signal(str, bool)
        What came of it, and whether that is a problem.
    ended : Signal()
    """

    said = Signal(str, bool)
    ended = Signal()

    def __init__(
        self, viewer: ViewerModel, models: ModelCache, live: LiveClassification, parent: QObject
    ) -> None:
        super().__init__(parent)
        self._viewer, self._models, self._live = viewer, models, live
        self.steps = Steps(self)
        self.steps.stepped.connect(self._on_found)
        self.steps.ended.connect(self._on_end)
        self._order: Order | None = None
        self._found: list[FoundClasses] = []
        self._made: WeakKeyDictionary[Labels, tuple[Image, str]] = WeakKeyDictionary()

    def write(self, order: Order) -> None:
        """Classify planes, and write what is ordered of them.

        Raises
        ------
        InvalidLabels
            The chosen labels can't take it.
        """
        if order.labels is not None:
            self._check_free(order, order.labels, order.targets)
        self._order, self._found = order, []
        count = len(order.targets)
        title = f"Classifying {count} planes" if count > 1 else "Classifying"
        self.steps.start(title, count, partial(self._classify, order))

    def close(self) -> None:
        """Stop; what is written stays."""
        self.steps.close()

    def _classify(self, order: Order) -> Iterator[FoundClasses]:
        classifier, lesson = self._live.fit(order.lesson), order.lesson
        strokes = [_example(one) for one in lesson.planes]
        taught = f"taught by the lesson '{order.taught}'" if order.taught else ""
        run = PixelRun(classifier, lesson.model or "", strokes, taught)
        command = ClassifyPixels(run=run.name, images=[], windows=[])
        for target in order.targets:
            source = target.source
            pixels = source.pixels() if source.is_big else source.read()
            features = PixelFeatures(classifier.model, pixels, cache=self._models.cache)
            *_, labels = command.compute(classifier, features)
            assert not isinstance(labels, int)
            yield FoundClasses(target, run, labels)

    def _on_found(self, found: FoundClasses) -> None:
        self._found.append(found)

    def _on_end(self, outcome: str) -> None:
        order, found = self._order, self._found
        self._order, self._found = None, []
        try:
            if order is not None and found:
                self._put(order, found)
        except (NapariSeemError, OSError) as error:
            outcome = str(error)
        self.ended.emit()
        if outcome not in ("", "stopped"):
            self.said.emit(outcome, True)
        elif order is not None:
            self.said.emit(_summary(order, found), False)

    def _put(self, order: Order, found: Sequence[FoundClasses]) -> None:
        """Write what was found, each image's planes in one step."""
        for one in found:
            check_pixels(one.target.input.layers, one.target.source.input)
        for image in dict.fromkeys(one.target.image for one in found):
            own = [one for one in found if one.target.image is image]
            given = order.labels if image is order.targets[0].image else None
            layer = given or self._home(order, image, own)
            self._check_free(order, layer, [one.target for one in own])
            self._write(order, layer, own)

    def _write(self, order: Order, layer: Labels, found: Sequence[FoundClasses]) -> None:
        workspace = Workspace(document_in(self._viewer, layer), self._models)
        commands = [
            one.run.command(
                workspace, one.target.source, replace(one.target.plane, channels=False),
                **order.options,
            )
            for one in found
        ]  # fmt: skip
        with ExitStack() as stack:
            if len(found) > 1:
                entry = {**commands[0].to_dict(), "stored": "its planes were written in one step"}
                title = f"pixel classes of {len(found)} planes"
                stack.enter_context(workspace.document.transaction(title, entry))
            for one, command in zip(found, commands, strict=True):
                one.run.write(workspace, command, one.labels)
        self._made[layer] = found[0].target.image, order.of
        note_model_input(layer, found[0].target.input)
        if not order.of:
            colouring_of(layer).by_class(True)

    def _home(self, order: Order, image: Image, found: Sequence[FoundClasses]) -> Labels:
        """The layer for what is ordered of an image: the one before, or else a new one."""
        for layer, made in self._made.items():
            if made == (image, order.of) and layer in self._viewer.layers:
                with suppress(InvalidLabels):
                    self._check_free(order, layer, [one.target for one in found])
                    return layer
        name = f"{image.name} {order.of or 'classes'}"
        layer = new_labels(self._viewer, image, name, label_home(image))
        if not order.of:
            note_map(layer)
        self._made[layer] = image, order.of
        return layer

    def _check_free(self, order: Order, layer: Labels, targets: Sequence[PixelTarget]) -> None:
        """Raise `InvalidLabels` where a layer can't take planes, or holds something else there."""
        image = targets[0].image
        check_target(layer, image, max(order.lesson.taught))
        if self._made.get(layer) == (image, order.of):
            return
        data = full_data(layer)
        for target in targets:
            if np.any(replace(target.plane, channels=False).read(data)):
                raise InvalidLabels(
                    f"'{layer.name}' holds labels on {target.source.title} that would be replaced; "
                    "choose other labels, or a new layer, to write to"
                )


def _example(plane: TaughtPlane) -> LabelledExample:
    """Strokes as the log has them; those on big planes are not kept there."""
    source = plane.source
    pixels = np.zeros((1, 1)) if source.is_big else source.read()
    known = None if source.is_big else source
    return LabelledExample(source.title, pixels, plane.strokes(), source.plane.key(), known)


def _summary(order: Order, found: Sequence[FoundClasses]) -> str:
    what = f"objects of '{order.of}'" if order.of else "classes"
    done, count = len(found), len(order.targets)
    if done < count:
        return f"stopped; the {what} of {done} of {count} planes were written"
    return f"the {what} of {count} planes were written" if count > 1 else f"the {what} were written"
