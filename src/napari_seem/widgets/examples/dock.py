"""The Examples dock: show a few labelled planes, have the rest labelled."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from weakref import WeakKeyDictionary

import napari
import numpy as np
from napari.layers import Image, Labels
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QFileDialog, QListWidgetItem

from ...commands.in_context import LabelledExample, LearnedRun
from ...commands.models import ModelCache
from ...commands.workspace import Workspace
from ...errors import InvalidImage, InvalidLabels
from ...io.files import open_labels
from ...io.images import images_in, read_image
from ...models.in_context import Labelled, Tuned
from ...planes import Plane
from ...viewer.coordinates import shown_plane, spatial_shape
from ...viewer.label_layers.targets import check_target, new_labels
from ...viewer.model_input import ModelInput, check_pixels, model_input_of, note_model_input
from ...viewer.shown import image_layers
from ...viewer.stacks import plane_text, read_labels, shown_stack
from ...viewer.timeline import document_in
from .._shared.dock import Dock
from .._shared.forms import on_click, with_ending
from .._shared.models.cache import model_cache_of
from .._shared.preferences import label_home
from .labeller import Answer, Labeller, Target, file_target
from .panel import FOLDER, IMAGES, STACK, ExamplesPanel

LESSONS = "Lesson (*.safetensors)"
FILES = "Images (*.tif *.tiff *.png *.jpg *.jpeg *.bmp)"


class ExamplesWidget(Dock):
    """Label images, planes or files as a few examples are labelled.

    Parameters
    ----------
    napari_viewer : napari.Viewer
        Filled in by napari.
    model_cache : ModelCache, optional
        Models and encoded images; by default those of the viewer's docks.
    """

    def __init__(
        self, napari_viewer: napari.viewer.Viewer, model_cache: ModelCache | None = None
    ) -> None:
        super().__init__(napari_viewer)
        self.panel = ExamplesPanel()
        self.labeller = Labeller(model_cache or model_cache_of(self.viewer), self)
        self._places: dict[tuple[object, ...], tuple[Image, Plane]] = {}
        self._made: WeakKeyDictionary[Image, Labels] = WeakKeyDictionary()
        labeller = self.labeller
        self.place(self.panel, labeller.steps.progress, labeller.teaching.progress)
        self._connect()
        self._show_method()

    def add_plane(self) -> None:
        """The shown plane of the chosen image, with its labels, becomes an example."""
        image, labels = self.panel.image.layer, self.panel.labels.layer
        with self.reporting():
            if image is None or labels is None:
                raise InvalidLabels("choose an image and a labels layer in which it is labelled")
            check_target(labels, image, 1)
            plane = shown_plane(image, self.viewer.dims)
            values = read_labels(labels, plane)
            if not values.any():
                raise InvalidLabels(
                    f"nothing is labelled on the shown plane of '{labels.name}'; paint at least "
                    "one object there"
                )
            title = f"{image.name} {plane_text(image, self.viewer.dims, plane)}".strip()
            source = self._shown(image).source(plane, title)
            pixels = source.read().copy()
            example = LabelledExample(title, pixels, values, _key(image, plane), source)
            self.panel.strip.put(example)
            self.panel.message.say("")

    def add_files(self, image: str | Path | None = None, labels: str | Path | None = None) -> None:
        """An image file and its label file become an example; asked for where not given."""
        if image is None:
            image, _ = QFileDialog.getOpenFileName(self, "Image of the example", "", FILES)
        if image and labels is None:
            labels, _ = QFileDialog.getOpenFileName(self, "Its labels", str(image), FILES)
        if not image or not labels:
            return
        with self.reporting():
            pixels = read_image(Path(image))
            values = np.asarray(open_labels(Path(labels), shape=pixels.shape[:2]).data)
            title, key = Path(image).name, ("file", str(image))
            self.panel.strip.put(LabelledExample(title, pixels, values.astype(np.int32), key))
            self.panel.message.say("")

    def run(self, folder: str | Path | None = None) -> None:
        """Label the targets that are not done yet; `folder` answers the question for one."""
        panel = self.panel
        panel.message.say("")
        model, labeller = panel.model.currentText(), self.labeller
        taught = labeller.taught if labeller.taught and labeller.taught.model == model else None
        self._learning = LearnedRun(
            model, panel.kind.value, panel.strip.examples, taught.title if taught else ""
        )  # fmt: skip
        with self.reporting():
            targets = self._targets(folder)
            count = labeller.start(model, panel.kind.value, panel.strip.examples, targets)
            panel.show_running(True)
            panel.message.say(f"labelling {count} ..." if count else "everything is labelled")

    def teach(self) -> None:
        """Fit what the model is given to the examples; the curve falls meanwhile."""
        panel = self.panel
        panel.message.say("")
        with self.reporting():
            self.labeller.teach(panel.model.currentText(), panel.kind.value, panel.strip.examples)
            panel.show_teaching(True)

    def save_taught(self, path: str | Path | None = None) -> None:
        """Keep what was taught as a file; asked for where not given."""
        if path is None:
            path, _ = QFileDialog.getSaveFileName(self, "Save lesson", "", LESSONS)
        if path:
            self._guarded(lambda: self.labeller.save(with_ending(Path(path), ".safetensors")))

    def open_taught(self, path: str | Path | None = None) -> None:
        """Label by a saved file from now on; asked for where not given."""
        if path is None:
            path, _ = QFileDialog.getOpenFileName(self, "Open lesson", "", LESSONS)
        if path:
            model = self.panel.model.currentText()
            self._guarded(lambda: self.labeller.open(Path(path), model))

    def _let_go(self) -> None:
        self.labeller.close()

    def _connect(self) -> None:
        panel = self.panel
        on_click((
            (panel.add_plane, self.add_plane), (panel.add_files, self.add_files),
            (panel.run, self.run), (panel.again, self._again), (panel.teach, self.teach),
            (panel.save, self.save_taught), (panel.open, self.open_taught),
        ))  # fmt: skip
        panel.strip.changed.connect(self._on_examples)
        panel.model.currentTextChanged.connect(lambda _: self._show_method())
        self.labeller.teaching.stepped.connect(self._on_tuned)
        self.labeller.teaching.ended.connect(self._on_taught)
        panel.results.currentItemChanged.connect(self._on_item)
        self.labeller.answered.connect(self._on_answer)
        self.labeller.ended.connect(self._on_end)
        for box in (panel.image, panel.labels):
            box.follow(self.viewer, self.events)

    def _guarded(self, work: Callable[[], None]) -> None:
        self.panel.message.say("")
        with self.reporting(OSError):
            work()
        self._show_method()

    def _on_tuned(self, step: tuple[str, int, Tuned]) -> None:
        tuned = step[2]
        self.panel.curve.put(tuned.loss, tuned.step / tuned.steps)

    def _on_taught(self, outcome: str) -> None:
        self.panel.show_teaching(False)
        if outcome and outcome != "stopped":
            self.panel.message.say(outcome, problem=True)
        self._show_method()

    def _on_examples(self) -> None:
        """Other examples: what was taught from the former ones is not what is meant any more."""
        if self.labeller.taught is not None and self.labeller.taught.examples:
            self.labeller.taught = None
        self._show_method()

    def _show_method(self) -> None:
        taught, count = self.labeller.taught, self.panel.strip.count()
        plain = f"{count} examples" if count else "no example yet"
        by_taught = taught is not None and taught.model == self.panel.model.currentText()
        self.panel.method.setText(f"Labels by: {taught.title if by_taught and taught else plain}")

    def _targets(self, folder: str | Path | None) -> list[Target]:
        chosen = self.panel.targets.value
        if chosen == STACK:
            return self._planes()
        if chosen == IMAGES:
            return self._images()
        assert chosen == FOLDER
        if folder is None:
            folder = QFileDialog.getExistingDirectory(self, "Folder of images to label")
        if not folder:
            raise InvalidImage("no folder was chosen")
        paths = images_in(Path(folder))
        return [file_target(path, Path(folder) / "labels") for path in paths]

    def _planes(self) -> list[Target]:
        image, labels = self.panel.image.layer, self.panel.labels.layer
        if image is None or labels is None:
            raise InvalidImage("choose the stack to label, and the layer that takes the labels")
        check_target(labels, image, 1)
        stack = shown_stack(image, self.viewer.dims, None, self.viewer.layers)
        known = {example.key for example in self.panel.strip.examples}
        targets = []
        for k in range(stack.shape[0]):
            plane = stack.at(k)
            key = _key(image, plane)
            mine = key in self._places  # labelled by an earlier run, not by the person
            if key in known or (not mine and read_labels(labels, plane).any()):
                continue
            title = plane_text(image, self.viewer.dims, plane, stack.axis)
            targets.append(self._plane_target(title, image, labels, plane))
        return targets

    def _images(self) -> list[Target]:
        known = {example.key for example in self.panel.strip.examples}
        targets = []
        for image in (one for one in image_layers(self.viewer) if one.ndim == 2):
            plane = Plane.of(spatial_shape(image))
            plane = Plane(plane.index, plane.axes, bool(image.rgb))
            if _key(image, plane) not in known:
                targets.append(self._plane_target(image.name, image, None, plane))
        if not targets:
            raise InvalidImage("there is no other 2-D image in the viewer; open those to label")
        return targets

    def _plane_target(
        self, title: str, image: Image, labels: Labels | None, plane: Plane
    ) -> Target:
        key, given, learning = _key(image, plane), self._shown(image), self._learning
        source, models = given.source(plane, title), self.labeller.model_cache

        def write(found: Labelled) -> None:
            check_pixels(given.layers, source.input)
            layer = labels or self._labels_of(image)
            check_target(layer, image, 1)
            learning.label(Workspace(document_in(self.viewer, layer), models), source, plane, found)
            note_model_input(layer, given)
            self._places[key] = image, plane

        return Target(title, key, source.read, write)

    def _shown(self, image: Image) -> ModelInput:
        """What a model is shown of an image, its window worked out."""
        return model_input_of(image, self.viewer.layers, together=False)

    def _labels_of(self, image: Image) -> Labels:
        """The layer made for an image that had none."""
        layer = self._made.get(image)
        if layer is None or layer not in self.viewer.layers:
            name, home = f"{image.name} by example", label_home(image)
            layer = new_labels(self.viewer, image, name, home)
            self._made[image] = layer
        return layer

    def _again(self) -> None:
        self.labeller.forget()
        self.run()

    def _on_answer(self, answer: Answer) -> None:
        results = self.panel.results
        score, text = -1.0, answer.problem
        if answer.found is not None:
            score = answer.found.score
            text = f"sure {score:.2f}, {len(answer.found.scores)} ids"
        row = 0
        while row < results.count() and _score(results.item(row)) <= score:
            row += 1
        item = QListWidgetItem(f"{answer.target.title}   {text}")
        item.setData(Qt.ItemDataRole.UserRole, (score, answer.target.key))
        results.insertItem(row, item)

    def _on_item(self, item: QListWidgetItem | None, _: object = None) -> None:
        if item is None:
            return
        _, key = item.data(Qt.ItemDataRole.UserRole)
        place = self._places.get(tuple(key))
        if place is None:
            return
        image, plane = place
        offset = self.viewer.dims.ndim - image.ndim
        world = image.data_to_world([0 if at is None else at for at in plane.index])
        for axis, at in enumerate(plane.index):
            if at is not None:
                self.viewer.dims.set_point(axis + offset, float(world[axis]))

    def _on_end(self, outcome: str) -> None:
        panel = self.panel
        panel.show_running(False)
        problems = [
            row for row in range(panel.results.count()) if _score(panel.results.item(row)) < 0
        ]
        if outcome and outcome != "stopped":
            panel.message.say(outcome, problem=True)
        elif problems:
            panel.message.say(f"{len(problems)} could not be labelled; see the list", problem=True)
        else:
            panel.message.say(
                "stopped; press Label to continue" if outcome else "everything is labelled"
            )


def _key(image: Image, plane: Plane) -> tuple[object, ...]:
    return image, *plane.key()


def _score(item: QListWidgetItem | None) -> float:
    return 2.0 if item is None else float(item.data(Qt.ItemDataRole.UserRole)[0])
