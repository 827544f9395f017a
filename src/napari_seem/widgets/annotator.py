"""What the Annotate dock does, without its looks: layers and session kept in step."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QObject, Signal

from ..errors import InvalidPrompt, NapariSeemError
from ..layers.coordinates import full_data, shown_plane, spatial_shape, unwrap
from ..layers.prompt_layers import Drawn, PromptLayers
from ..layers.writing import Preview
from ..planes import Plane
from ..prompts import Prompt
from ..session import Request, Session
from .objects import Objects
from .runner import Job, LatestRunner, report_crash
from .shelf import Shelf

if TYPE_CHECKING:
    from collections.abc import Iterator

    from napari.components import ViewerModel
    from napari.layers import Image, Labels

    from ..models.base import Prediction


@dataclass
class Work:
    """The object in the making on one plane of one image."""

    session: Session
    drawn: dict[int, Drawn] = field(default_factory=dict)
    label_id: int | None = None
    """Id of the object that was picked up again, or None for a new one."""
    name: str = ""

    def drawing(self) -> list[Drawn]:
        """The session's prompts as they stand in the layers."""
        return [self.drawn[id(prompt)] for prompt in self.session.prompts]


class Annotator(QObject):
    """Keeps prompt layers, session, preview and labels in step.

    Parameters
    ----------
    viewer : ViewerModel
    shelf : Shelf
        Gives models and embeddings.
    parent : QObject, optional

    Attributes
    ----------
    answered : Signal(object)
        A turn was computed; carries the `Prediction`.
    objects : Objects
        Writes into the Labels layer.
    changed : Signal()
        Prompts, choices or sessions changed.
    said : Signal(str, bool)
        A message for the person, and whether it is an error.
    """

    answered = Signal(object)
    changed = Signal()
    said = Signal(str, bool)

    def __init__(self, viewer: ViewerModel, shelf: Shelf, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.viewer: ViewerModel = unwrap(viewer)
        self.shelf = shelf
        self.runner = LatestRunner(self)
        self.preview = Preview(self.viewer, "SEEM preview")
        self.objects = Objects(self)
        self.image: Image | None = None
        self.labels: Labels | None = None
        self.model_name = "compact"
        self.overwrite = False
        self.positive = True
        self.last_ms = float("nan")
        self._works: dict[Any, Work] = {}
        self._prompt_layers: dict[int, PromptLayers] = {}
        self._targets: dict[int, Labels] = {}
        self._read: set[Any] = set()  # planes whose first answer has been seen
        self._plane: Plane | None = None
        self.viewer.dims.events.connect(self._on_dims)
        self.viewer.layers.events.removed.connect(self._on_removed)

    @property
    def work(self) -> Work | None:
        """The object in the making on the shown plane."""
        if self.image is None or self._plane is None:
            return None
        return self._works.get(self._work_key(self._plane))

    @property
    def plane(self) -> Plane | None:
        """The plane that prompts go to now."""
        return self._plane

    @property
    def prompt_layers(self) -> PromptLayers | None:
        """The prompt layers of the chosen image."""
        return None if self.image is None else self._prompt_layers.get(id(self.image))

    @property
    def prediction(self) -> Prediction | None:
        """The present answer."""
        return self.work.session.prediction if self.work else None

    def choose_image(self, image: Image | None) -> None:
        """Work on another image; what was begun on the former one stays with it."""
        image = unwrap(image)
        if image is self.image:
            return
        if self.prompt_layers is not None:
            self.prompt_layers.set_visible(False)
        self.preview.clear()
        self.image, self._plane = image, None
        self.labels = self._targets.get(id(image))
        if image is not None:
            known = self._prompt_layers.get(id(image))
            if known is None or not known.complete:
                known = PromptLayers(
                    self.viewer, image, self._on_prompts, partial(self.say, error=True)
                )
                self._prompt_layers[id(image)] = known
            known.set_visible(True)
            known.set_positive(self.positive)
            self._follow_plane()
        self.changed.emit()

    def choose_model(self, name: str) -> None:
        """Answer with another model from now on; the prompts stay."""
        if name == self.model_name:
            return
        self.model_name = name
        for key in [key for key in self._works if key[1] != name]:
            work = self._works.pop(key)
            key = (key[0], name, key[2])
            fresh = self._new_work(key[2], work.label_id, work.name)
            fresh.drawn = work.drawn
            with self.reporting():
                fresh.session.replace(work.session.prompts)
            self._works[key] = fresh
        self._compute()
        self.changed.emit()

    def choose_labels(self, labels: Labels | None) -> None:
        """Write to this Labels layer; None makes a new one at the next commit."""
        self.labels = unwrap(labels)
        if self.labels is None:
            self._targets.pop(id(self.image), None)
        else:
            self._targets[id(self.image)] = self.labels
        self.changed.emit()

    def set_positive(self, positive: bool) -> None:
        """Choose whether what is drawn next belongs to the object."""
        self.positive = positive
        for layers in self._prompt_layers.values():
            layers.set_positive(positive)
        self.changed.emit()

    def add_prompt(self, prompt: Prompt) -> None:
        """Add a prompt that is not drawn: a word, or a mask."""
        layers, work = self.prompt_layers, self.ensure_work()
        if layers is None or work is None or self._plane is None:
            return
        with self.reporting():
            work.session.push(prompt)
            drawn = Drawn(prompt, self._plane)
            work.drawn[id(prompt)] = drawn
            layers.add(drawn)
            self._compute()

    def undo(self) -> None:
        """Take the last prompt back."""
        self._travel(lambda session: session.step_back())

    def redo(self) -> None:
        """Put the prompt back that was taken away last."""
        self._travel(lambda session: session.step_forward())

    def clear(self) -> None:
        """Forget the object in the making on this plane."""
        if self.image is None or self._plane is None:
            return
        self._works.pop(self._work_key(self._plane), None)
        if self.prompt_layers is not None:
            self.prompt_layers.show(self._plane, [])
        self.preview.clear()
        self.changed.emit()

    def plane_source(self) -> Callable[[], tuple[Any, Any]] | None:
        """What gives model and embedding of the shown plane, for other jobs on it."""
        work = self.ensure_work()
        return None if work is None else work.session.resolve

    def recompute(self) -> None:
        """Answer the present prompts where they have no answer yet."""
        self._compute()

    def all_prompt_layers(self) -> list[Any]:
        """The prompt layers of every image worked on."""
        return [layer for layers in self._prompt_layers.values() for layer in layers.layers]

    def close(self) -> None:
        """Let go of the viewer."""
        self.runner.close()
        self.viewer.dims.events.disconnect(self._on_dims)
        self.viewer.layers.events.removed.disconnect(self._on_removed)

    def _work_key(self, plane: Plane) -> tuple[int, str, Plane]:
        return id(self.image), self.model_name, plane

    def _new_work(self, plane: Plane, label_id: int | None = None, name: str = "") -> Work:
        image = self.image
        assert image is not None
        data = full_data(image)
        resolve = self.shelf.encoded(self.model_name, lambda: plane.read(data))
        session = Session.deferred(plane.shape(spatial_shape(image)), resolve)
        return Work(session, label_id=label_id, name=name)

    def ensure_work(self) -> Work | None:
        """The object in the making on the shown plane, begun where there was none."""
        if self.image is None:
            self.say("choose an image layer first", error=True)
            return None
        with self.reporting():
            self._plane = shown_plane(self.image, self.viewer.dims)
            key = self._work_key(self._plane)
            if key not in self._works:
                self._works[key] = self._new_work(self._plane)
            return self._works[key]
        return None

    def _on_prompts(self) -> None:
        """The person changed prompts in the layers: bring the session to the same state."""
        layers, work = self.prompt_layers, self.ensure_work()
        if layers is None or work is None or self._plane is None:
            return
        drawn = layers.on(self._plane)
        prompts = tuple(d.prompt for d in drawn)
        if len(prompts) == len(work.session.prompts) and all(
            a is b for a, b in zip(prompts, work.session.prompts, strict=True)
        ):
            return
        work.drawn.update({id(d.prompt): d for d in drawn})
        try:
            work.session.replace(prompts)
        except NapariSeemError as error:
            layers.show(self._plane, work.drawing())
            self.say(str(error), error=True)
            return
        self._compute()

    def _travel(self, step: Callable[[Session], None]) -> None:
        work, layers = self.work, self.prompt_layers
        if work is None or layers is None or self._plane is None:
            return
        step(work.session)
        layers.show(self._plane, work.drawing())
        self._compute()

    def _compute(self) -> None:
        work, plane, image = self.work, self._plane, self.image
        self.changed.emit()
        if work is None or plane is None or image is None:
            return
        if not work.session.prompts:
            self.runner.drop_waiting()
            self.preview.clear()
            return
        if work.session.prediction is not None:
            self._show(work)
            return
        request, started = work.session.request(), time.perf_counter()
        reading = self._work_key(plane) not in self._read
        self.runner.submit(
            Job(
                request.run,
                partial(self._on_answer, work, request, started),
                self._on_failure,
                "Reading the image" if reading else "",
                partial(self.say, "cancelled; the prompts are kept"),
            )
        )

    def _on_answer(
        self, work: Work, request: Request, started: float, prediction: Prediction
    ) -> None:
        if not work.session.deliver(request, prediction):
            if work is self.work and work.session.prediction is None and work.session.prompts:
                self._compute()
            return
        self.last_ms = (time.perf_counter() - started) * 1e3
        if work is self.work and self._plane is not None:
            self._read.add(self._work_key(self._plane))
            self._show(work)
            self.answered.emit(prediction)

    def _on_failure(self, error: Exception) -> None:
        work = self.work
        if not isinstance(error, NapariSeemError):
            self.say(f"{type(error).__name__}: {error}", error=True)
            report_crash(error)
            return
        if work is not None and work.session.can_undo and work.session.prediction is None:
            self.undo()  # the prompt that the model refused
        self.say(str(error), error=True)

    def _show(self, work: Work) -> None:
        prediction = work.session.prediction
        if prediction is None or self.image is None or self._plane is None:
            return
        if self.image in self.viewer.layers:
            self.preview.show(self.image, self._plane, prediction.mask)
            self.changed.emit()

    def _on_dims(self, event: Any) -> None:
        if getattr(event, "type", "") in ("current_step", "point", "order", "ndisplay"):
            self._follow_plane()

    def _follow_plane(self) -> None:
        """The shown plane may have changed: show what was begun on it."""
        if self.image is None or self.image not in self.viewer.layers:
            return
        try:
            plane = shown_plane(self.image, self.viewer.dims)
        except InvalidPrompt:
            self.preview.clear()
            return
        if self._plane is not None and plane.key() == self._plane.key():
            return
        self._plane = plane
        self.runner.drop_waiting()
        self.preview.clear()
        if self.work is not None:
            self._compute()
        self.changed.emit()

    def _on_removed(self, event: Any) -> None:
        layer = event.value
        self._targets = {k: v for k, v in self._targets.items() if v is not layer}
        if layer is self.labels:
            self.labels = None
        if layer is self.image:
            self._works = {k: w for k, w in self._works.items() if k[0] != id(layer)}
            with suppress(KeyError):
                self._prompt_layers.pop(id(layer)).set_visible(False)
            self.preview.clear()
            self.image, self._plane = None, None
        self.changed.emit()

    def back_to_prompts(self) -> None:
        """Make a prompt layer active again, so that the next click is a prompt."""
        layers = self.prompt_layers
        if layers is not None and self.viewer.layers.selection.active not in layers.layers:
            self.viewer.layers.selection.active = layers.points

    def say(self, message: str, error: bool = False) -> None:
        """Tell the person something."""
        self.said.emit(message, error)

    @contextmanager
    def reporting(self) -> Iterator[None]:
        """Show the project's own errors to the person instead of raising them."""
        try:
            yield
        except NapariSeemError as error:
            self.say(str(error), error=True)
