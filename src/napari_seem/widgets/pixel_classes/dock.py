"""The Pixel classes dock: paint a few strokes, see every pixel classified, write the classes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import napari
from qtpy.QtWidgets import QFileDialog

from ...errors import InvalidImage, InvalidLabels, InvalidPrompt, NapariSeemError
from ...pixel_classes import PixelClassifier
from ...sources import is_big
from ...viewer.coordinates import PLACING, shown_area, shown_plane, spatial_shape
from ...viewer.pixels.strokes import StrokeLayer
from ...viewer.pixels.teaching import PixelTeaching
from ...viewer.shown import channel_layers, show_place
from .._shared.dock import Dock
from .._shared.events import Followed, axes_of, later, layers_of
from .._shared.forms import on_click, with_ending
from .._shared.intensity_box import show_as
from .._shared.keys import claim, let_go
from .._shared.models.cache import ModelCache, model_cache_of
from .._shared.preferences import label_home
from .brush import Brush
from .live import LiveClassification, PixelAnswer, PixelLesson, PixelQuestion
from .panel import PLAIN, PixelClassesPanel
from .views import Views
from .writer import Order, PixelWriter, targets_of

if TYPE_CHECKING:
    from napari.layers import Image, Labels

    from ...intensity import IntensityWindow
    from ...sources.frames import Area

MODELS = ("compact",)
"""Models that give features of pixels."""
KEYS = {"go_to_unsure": "Shift-N"}
"""As of the Stack dock; the dock that was used last has it."""
LESSONS = "Pixel classes (*.safetensors)"
WIDEST = 1024
"""Most pixels along the sides of the part of a big plane that is classified live."""
SETTLE = 30
"""Milliseconds after the last change in which nothing is asked."""
TOO_FEW = "paint a few strokes of two classes, and every pixel is classified"


class PixelClassesWidget(Dock):
    """Classify pixels by strokes: vessels, roads, cracks, membranes.

    Parameters
    ----------
    napari_viewer : napari.Viewer
        Filled in by napari.
    model_cache : ModelCache, optional
        Models and encoded images; by default those of the viewer's docks.

    Attributes
    ----------
    teaching : PixelTeaching
        Strokes and classes, on all images.
    brush : Brush
        The classes as they are named and painted.
    live : LiveClassification
    answer : PixelAnswer or None
        What is shown.
    """

    def __init__(
        self, napari_viewer: napari.viewer.Viewer, model_cache: ModelCache | None = None
    ) -> None:
        super().__init__(napari_viewer)
        models = model_cache or model_cache_of(self.viewer)
        self.panel = PixelClassesPanel(MODELS)
        self.teaching = PixelTeaching(self.viewer)
        self.live = LiveClassification(models, self)
        self.writer = PixelWriter(self.viewer, models, self.live, self)
        self.views = Views(self.viewer, self.panel, self.teaching)
        self.brush = Brush(self, self._show)
        self.lesson: PixelClassifier | None = None
        self.lesson_name = ""
        self.answer: PixelAnswer | None = None
        self._pixels = Followed()
        self._asked: tuple[object, ...] = ()
        self._other_pixels = False
        self.place(self.panel, self.live.runner.progress, self.writer.steps.progress)
        self._soon = later(self, SETTLE, self._look)
        self._connect()
        self.brush.show()
        self._on_image()

    @property
    def strokes(self) -> StrokeLayer | None:
        """The strokes on the chosen image, or None."""
        image = self.panel.image.layer
        return None if image is None else self.teaching.layer_on(image)

    @property
    def _model(self) -> str | None:
        """The model whose features are used; None for plain filters alone."""
        chosen = self.panel.model.currentText()
        return None if chosen == PLAIN else chosen

    def paint(self) -> None:
        """Take napari's brush, with the chosen class, in the layer of strokes."""
        with self.reporting():
            image = self._chosen()
            shown_plane(image, self.viewer.dims)
            layer = self.strokes
            if layer is None:
                layer = self.teaching.make(image, label_home(image))
                self.panel.strokes.select(layer.layer)
                self.brush.follow()
            self.brush.take()
            layer.layer.visible = True
            self.viewer.layers.selection.active = layer.layer
            layer.layer.mode = "paint"
            self._soon.start()

    def classify(self) -> None:
        """Classify the shown plane now."""
        with self.reporting():
            self._ask(again=True)

    def go_to_unsure(self) -> None:
        """Show the place that the classes are told apart worst at; again for the next."""
        with self.reporting():
            if self.answer is None or not self.views.is_current(self.answer):
                raise InvalidPrompt("nothing is classified yet; paint strokes of two classes first")
            place = self.views.next_unsure(self.answer)
            show_place(self.viewer, self.answer.question.image, self.answer.question.plane, place)
            claim(self.viewer, self, {key: method for method, key in KEYS.items()})
            self.paint()

    def write(self) -> None:
        """Write the classes of the chosen planes."""
        with self.reporting():
            image, lesson = self._chosen(), self._lesson()
            targets = targets_of(self.viewer, self.teaching, image, self.panel.planes.currentText())
            self._write(Order(lesson, self.lesson_name, targets, self.panel.labels.layer))

    def write_objects(self) -> None:
        """Write the objects of the chosen class on the shown plane."""
        panel = self.panel
        with self.reporting():
            image, lesson = self._chosen(), self._lesson()
            (target,) = targets_of(self.viewer, self.teaching, image)
            self._write(Order.objects(
                lesson, self.lesson_name, target, panel.labels.layer, panel.classes.current,
                panel.smallest.value(), panel.split.isChecked(),
            ))  # fmt: skip

    def save_lesson(self, path: str | Path | None = None) -> None:
        """Keep what the strokes teach as a file; asked for where not given."""
        with self.reporting(OSError):
            lesson = self._lesson()
            if path is None:
                path, _ = QFileDialog.getSaveFileName(self, "Save lesson", "", LESSONS)
            if path:
                self.live.save(lesson, with_ending(Path(path), ".safetensors"))

    def open_lesson(self, path: str | Path | None = None) -> None:
        """Classify by a saved lesson, to which strokes add; asked for where not given."""
        if path is None:
            path, _ = QFileDialog.getOpenFileName(self, "Open lesson", "", LESSONS)
        if path:
            self.settle()
            self.live.open(self._model, Path(path))

    def forget_lesson(self) -> None:
        """Classify by the strokes alone again."""
        self._use(None, "")

    def choose_window(self, look: IntensityWindow | str) -> None:
        """Show the chosen image by a look from now on, in every dock."""
        image = self.panel.image.layer
        if image is not None:
            with self.reporting():
                show_as(self.viewer, image, look, self.panel.channels.isChecked())
            self.panel.look_box.show_of(image)
            self._soon.start()

    def take_up(self, image: Image | None, labels: Labels | None) -> None:
        """Go on with strokes that were brought back."""
        self._on_layers()

    def _let_go(self) -> None:
        self._soon.stop()
        self._pixels.close()
        self.brush.close()
        self.live.close()
        self.writer.close()
        self.views.close()
        self.teaching.close()
        let_go(self)

    def _connect(self) -> None:
        panel, brush = self.panel, self.brush
        on_click((
            (panel.paint, self.paint), (panel.add, brush.add), (panel.recolour, brush.recolour),
            (panel.rename, panel.classes.type_name), (panel.remove, brush.remove),
            (panel.classify, self.classify), (panel.unsure, self.go_to_unsure),
            (panel.write, self.write), (panel.objects, self.write_objects),
            (panel.save, self.save_lesson), (panel.open, self.open_lesson),
            (panel.forget, self.forget_lesson),
        ))  # fmt: skip
        for box in (panel.image, panel.strokes, panel.labels):
            box.follow(self.viewer, self.events)
        panel.image.chosen.connect(self._on_image)
        panel.strokes.chosen.connect(self._on_strokes)
        panel.look_box.chosen.connect(self.choose_window)
        panel.channels.toggled.connect(self._on_channels)
        panel.model.currentTextChanged.connect(lambda _: self._soon.start())
        for tick in (panel.map, panel.probability, panel.uncertainty):
            tick.toggled.connect(lambda _: self._show())
        panel.live.toggled.connect(lambda on: self._soon.start() if on else None)
        self.live.answered.connect(self._on_answer)
        self.live.failed.connect(self._on_failure)
        self.writer.said.connect(self.tell)
        self.writer.ended.connect(lambda: panel.show_running(False))
        self.live.opened.connect(self._use)
        self.live.saved.connect(lambda path: self.tell(f"the lesson is in {path}", False))
        self.teaching.changed.connect(self._on_place)
        dims = self.viewer.dims.events
        self.events.follow(self._on_place, dims.current_step, dims.point, *axes_of(self.viewer))
        camera = self.viewer.scene.camera.events
        self.events.follow(self._on_camera, camera.center, camera.zoom)
        self.events.follow(self._on_layers, *layers_of(self.viewer))

    def _chosen(self) -> Image:
        image = self.panel.image.layer
        if image is None:
            raise InvalidImage("there is no image; open one, and choose it here")
        return image

    def _lesson(self) -> PixelLesson:
        """What is to be learned now; raises where that is too little."""
        planes, problems = self.teaching.taught()
        if problems:
            raise InvalidLabels(problems[0])
        classes = self.teaching.classes
        lesson = PixelLesson(
            self._model, planes, {one.number: one.name for one in classes},
            {one.number: one.colour for one in classes}, self.lesson,
        )  # fmt: skip
        if len(lesson.taught) < 2:
            raise InvalidLabels(TOO_FEW)
        return lesson

    def _write(self, order: Order) -> None:
        self.writer.write(order)
        self.panel.show_running(True)

    def _ask(self, *, again: bool = False) -> None:
        """Have the shown plane classified, where it is not yet; raises where it can't be."""
        image = self._chosen()
        plane = shown_plane(image, self.viewer.dims)
        source = self.teaching.source(image, plane, image.name)
        area = _middle(shown_area(image, plane)) if source.is_big else None
        given = self.teaching.input_of(image)
        unsure = self.panel.uncertainty.isChecked()
        try:
            lesson = self._lesson()
        except InvalidLabels:  # strokes are likely to follow
            self.live.prepare(self._model, source, area)
            raise
        question = PixelQuestion(lesson, image, plane, given, source, area, unsure)
        if again or question.key != self._asked:
            self._asked = question.key
            self.live.ask(question)

    def _look(self) -> None:
        """Take up what was painted, and classify what is shown now, where that is wanted."""
        self.teaching.update()
        self.brush.show()
        self._show()
        if self.panel.live.isChecked() and self.panel.image.layer is not None:
            again, self._other_pixels = self._other_pixels, False
            try:
                self._ask(again=again)
            except NapariSeemError as error:
                self.live.runner.drop_waiting()
                self.views.clear()
                self.answer, self._asked = None, ()
                self.panel.status.say(str(error))

    def _on_answer(self, answer: PixelAnswer) -> None:
        if not self.views.is_current(answer):
            self._asked = ()
            self._soon.start()
            return
        self.answer = answer
        self._show()
        self.panel.status.say(answer.summary)

    def _on_failure(self, text: str) -> None:
        self._asked = ()
        self.tell(text, True)

    def _show(self) -> None:
        if self.answer is not None and not self.views.is_current(self.answer):
            self.answer = None
        layer = self.strokes
        self.views.show(self.answer, None if layer is None else layer.layer)

    def _use(self, lesson: PixelClassifier | None, name: str) -> None:
        self.lesson, self.lesson_name = lesson, name
        self.panel.show_lesson(name)
        ids = () if lesson is None else lesson.ids
        names = {} if lesson is None else lesson.names
        self.teaching.begin_with(
            {number: names.get(number, f"class {number}") for number in ids},
            {} if lesson is None else lesson.colours,
        )  # fmt: skip
        self._soon.start()

    def _on_place(self, _: object = None) -> None:
        self._soon.start()

    def _on_camera(self, _: object = None) -> None:
        """Another part of a big plane may be shown."""
        image = self.panel.image.layer
        if image is not None and is_big(spatial_shape(image)[-2:]):
            self._soon.start()

    def _on_pixels(self, _: object = None) -> None:
        self._other_pixels = True
        self._soon.start()

    def _on_layers(self, _: object = None) -> None:
        self.teaching.look()
        if self.strokes is not None:
            self.panel.strokes.select(self.strokes.layer)
        self._soon.start()

    def _on_channels(self, on: bool) -> None:
        self.teaching.together = on
        self._soon.start()

    def _on_image(self, _: object = None) -> None:
        """Another image is chosen."""
        image = self.panel.image.layer
        self._pixels.close()
        if image is not None:  # it may lie elsewhere, or have other pixels
            events = (getattr(image.events, name) for name in (*PLACING, "data", "set_data"))
            self._pixels.follow(self._on_pixels, *events)
        self.panel.look_box.show_of(image)
        layers = () if image is None else channel_layers(image, self.viewer.layers)
        self.panel.show_channels(len(layers))
        self._on_strokes()

    def _on_strokes(self, _: object = None) -> None:
        """Other strokes are chosen: they teach from now on."""
        image, labels = self.panel.image.layer, self.panel.strokes.layer
        with self.reporting():
            if image is not None and labels is not None:
                self.teaching.open(image, labels)
            elif image is not None:
                self.teaching.leave(image)
        self.brush.follow()
        self.brush.show()
        self._soon.start()


def _middle(area: Area) -> Area:
    """The middle of what is shown, (y0, x0, y1, x1), of at most `WIDEST` pixels a side."""
    y0, x0, y1, x1 = area
    down, across = max(0, y1 - y0 - WIDEST), max(0, x1 - x0 - WIDEST)
    top, left = y0 + down // 2, x0 + across // 2
    return top, left, min(y1, top + WIDEST), min(x1, left + WIDEST)
