"""What the Annotate dock does, without its looks: layers and session kept in step."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QObject, QTimer, Signal

from ...commands.models import ModelCache
from ...errors import InvalidPrompt, NapariSeemError
from ...labels.changes import Change
from ...labels.document import LabelDocument
from ...planes import Plane
from ...prompts import Prompt
from ...session import Session
from ...viewer.coordinates import shown_plane
from ...viewer.documents import document_of
from ...viewer.drawing.prompt_layers import PromptLayers
from ...viewer.drawing.shapes import Drawn
from ...viewer.model_input import model_input_of
from ...viewer.preview import Preview
from ...viewer.private import unwrap
from ...viewer.shown import channel_layers
from ...viewer.timeline import document_in, timeline_of
from .._shared.background.runner import LatestRunner
from .chosen_image import ChosenImage
from .commits.classes import Classes
from .commits.objects import ObjectWriter
from .commits.queue import Commits
from .sessions.context import AcceptedBefore
from .sessions.planes import PlaneSession, PlaneSessions, Question
from .sessions.prompt_steps import record_step
from .sessions.turns import Turns
from .sessions.unfinished import PromptLog, take_up

if TYPE_CHECKING:
    from collections.abc import Iterator

    from napari.components import ViewerModel
    from napari.layers import Image, Labels, Layer
    from napari.utils.events import Event

    from ...models.base import Prediction


class Annotator(QObject):
    """Keeps prompt layers, session, preview and labels in step.

    Parameters
    ----------
    viewer : ViewerModel
    model_cache : ModelCache
        Gives models and embeddings.
    parent : QObject, optional

    Attributes
    ----------
    answered : Signal(object)
        A turn was computed; carries the `Prediction`.
    answered_in_part : Signal()
        That came of parts of the plane, whose rest is not encoded.
    chosen : ChosenImage
        Follows the chosen image.
    objects : ObjectWriter
        Writes into the Labels layer.
    changed : Signal()
        Prompts, choices or sessions changed.
    place_changed : Signal()
        Another image, plane or Labels layer is worked on, or other pixels; `changed` goes with it.
    layers_changed : Signal()
        Layers of the viewer came, went or were renamed.
    said : Signal(str, bool)
        A message for the person, and whether it is an error.
    prompt_log : PromptLog
        Keeps prompts so that a crash loses none.
    targets : dict of Image to Labels
        Where objects of each image are written to.
    """

    answered = Signal(object)
    answered_in_part = Signal()
    changed = Signal()
    place_changed = Signal()
    layers_changed = Signal()
    said = Signal(str, bool)

    def __init__(
        self, viewer: ViewerModel, model_cache: ModelCache, parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self.place_changed.connect(self.changed)
        self.viewer: ViewerModel = unwrap(viewer)
        self.model_cache = model_cache
        self.runner = LatestRunner(self, model_cache.gate)
        self.turns = Turns(self)
        self.timeline = timeline_of(self.viewer)
        self.preview = Preview(self.viewer, "SEEM preview")
        self.objects = ObjectWriter(self)
        self.classes = Classes(self)
        self.commits = Commits(self)
        self.prompt_log = PromptLog(self)
        self.image: Image | None = None
        self.labels: Labels | None = None
        self.model_name = "compact"
        self.overwrite = False
        self.positive = True
        self.all_channels = False
        self.accepted = AcceptedBefore(self)
        self.sessions = PlaneSessions(model_cache, self._on_pixels, self.accepted.on_plane)
        self._prompt_layers: dict[Any, PromptLayers] = {}
        self.targets: dict[Any, Labels] = {}
        self._plane: Plane | None = None
        self.viewer.dims.events.connect(self._on_dims)
        self.viewer.layers.events.connect(self._on_layers)
        self.timeline.travelled.connect(self.say)
        self.chosen = ChosenImage(self, self._on_moved, self._on_reshaped, self._on_pixels)

    @property
    def work(self) -> PlaneSession | None:
        """The object in the making on the shown plane."""
        if self.image is None or self._plane is None:
            return None
        return self.sessions.at(self.image, self._plane, self.question(self.image))

    @property
    def plane(self) -> Plane | None:
        """The plane that prompts go to now."""
        return self._plane

    @property
    def prompt_layers(self) -> PromptLayers | None:
        """The prompt layers of the chosen image."""
        return None if self.image is None else self._prompt_layers.get(self.image)

    @property
    def prediction(self) -> Prediction | None:
        """The present answer."""
        return self.work.session.prediction if self.work else None

    @property
    def channel_count(self) -> int:
        """How many layers show channels of the chosen image."""
        return len(channel_layers(self.image, self.viewer.layers)) if self.image else 0

    def choose_image(self, image: Image | None) -> None:
        """Work on another image; what was begun on the former one stays with it."""
        image = unwrap(image)
        if image is self.image:
            return
        if self.prompt_layers is not None:
            self.prompt_layers.detach()
        self.runner.drop_waiting()
        self.preview.clear()
        self.image, self._plane = image, None
        self.labels = self.targets.get(image)
        self.chosen.follow(image)
        if image is not None:
            known = self._prompt_layers.get(image)
            if known is None:
                known = PromptLayers(
                    self.viewer, image, self._on_prompts, partial(self.say, error=True),
                    partial(QTimer.singleShot, 0),
                )  # fmt: skip
                self._prompt_layers[image] = known
            known.set_positive(self.positive)
            known.attach()
            self.preview.prepare(image)
            self._follow_plane()
        self.place_changed.emit()
        take_up(self)

    def choose_model(self, name: str, all_channels: bool | None = None) -> None:
        """Answer with another model from now on; the prompts stay.

        Parameters
        ----------
        name : str
        all_channels : bool, optional
            Whether it is given the other channels of the image too; None leaves that as it is.
        """
        wanted = self.all_channels if all_channels is None else all_channels
        if (name, wanted) != (self.model_name, self.all_channels):
            self.model_name, self.all_channels = name, wanted
            self.turns.compute()

    def choose_labels(self, labels: Labels | None) -> None:
        """Write to this Labels layer; None makes a new one at the next commit."""
        self.labels = unwrap(labels)
        if self.labels is not None:  # its log begins
            document = document_in(self.viewer, self.labels)
            document.changed.disconnect(self._on_document, missing_ok=True)
            document.changed.connect(self._on_document)
            self.classes.follow(document.palette)
            self.targets[self.image] = self.labels
            self.prompt_log.move(self.image)
        else:
            self.targets.pop(self.image, None)
        self.place_changed.emit()

    def set_positive(self, positive: bool) -> None:
        """Choose whether what is drawn next belongs to the object."""
        self.positive = positive
        for layers in self._prompt_layers.values():
            layers.set_positive(positive)
        self.changed.emit()

    def add_prompt(self, prompt: Prompt) -> None:
        """Add a prompt that is not drawn: a word, or a mask."""
        layers, work = self.prompt_layers, self.ensure_work()
        if layers is None or work is None:
            return
        with self.reporting():
            work.session.push(prompt)
            drawn = Drawn(prompt, work.plane)
            work.remember([drawn])
            layers.add(drawn)
            record_step(self, work)
            self.turns.compute()

    def undo(self) -> None:
        """Undo what was done last: a prompt, an object, a stroke, a name."""
        self.timeline.undo(self._document())

    def redo(self) -> None:
        """Redo what was undone last."""
        self.timeline.redo(self._document())

    def clear(self) -> None:
        """Forget the object in the making on this plane."""
        if self.image is None or self._plane is None:
            return
        self.runner.drop_waiting()
        work = self.work
        self.sessions.end(self.image, self._plane)
        if work is not None and work.session.prompts:
            self.prompt_log.keep(work)
        if self.prompt_layers is not None:
            self.prompt_layers.show(self._plane, [])
        self.preview.clear()
        self.changed.emit()

    def close(self) -> None:
        """Let go of the viewer; prompts are left to the next dock."""
        self.prompt_log.close()
        self.commits.close()
        self.accepted.close()
        self.runner.close()
        self.turns.close()
        self.timeline.travelled.disconnect(self.say)
        self.viewer.dims.events.disconnect(self._on_dims)
        self.viewer.layers.events.disconnect(self._on_layers)
        self.preview.close()
        self.chosen.follow(None)
        for layers in self._prompt_layers.values():
            layers.detach()
        self._prompt_layers.clear()
        self.sessions.close()

    def question(self, image: Image) -> Question:
        """Which model is asked about an image, and what it is given of it."""
        given = model_input_of(image, self.viewer.layers, self.all_channels)
        return Question(self.model_name, given)

    def ensure_work(self) -> PlaneSession | None:
        """The object in the making on the shown plane, begun where there was none."""
        if self.image is None:
            self.say("choose an image layer first", error=True)
            return None
        with self.reporting():
            self._plane = shown_plane(self.image, self.viewer.dims)
            return self.sessions.begin(self.image, self._plane, self.question(self.image))
        return None

    def _on_prompts(self) -> None:
        """The person changed prompts in the layers: bring the session to the same state."""
        layers, work = self.prompt_layers, self.ensure_work()
        if layers is None or work is None:
            return
        if layers.positive != self.positive:  # it was the other one for a right click only
            layers.set_positive(self.positive)
        drawn = layers.on(work.plane)
        prompts = tuple(d.prompt for d in drawn)
        if [p.uid for p in prompts] == [p.uid for p in work.session.prompts]:
            return
        work.remember(drawn)
        try:
            work.session.replace(prompts)
        except NapariSeemError as error:
            layers.show(work.plane, work.drawing())
            self.say(str(error), error=True)
            return
        record_step(self, work)
        self.turns.compute()

    def travel(self, work: PlaneSession, step: Callable[[Session], None]) -> None:
        """Go a step back or forward in the prompts of a plane."""
        step(work.session)
        self.redraw(work)

    def redraw(self, work: PlaneSession) -> None:
        """Draw the prompts of a plane's session anew, or none where it has ended; answer them."""
        present = work in self.sessions
        self.prompt_log.keep(work)
        layers = self._prompt_layers.get(work.image)
        if layers is not None:
            layers.show(work.plane, work.drawing() if present else [])
        if work.image is self.image and self._plane and self._plane.key() == work.plane.key():
            self.turns.compute()

    def _document(self) -> LabelDocument | None:
        return None if self.labels is None else document_of(self.labels)

    def _on_document(self, change: Change) -> None:
        """Labels were changed, by whomever."""
        self.commits.on_change(change)
        if self.labels is not None:
            self.classes.follow(document_of(self.labels).host.palette)

    def _on_dims(self, event: Event) -> None:
        if getattr(event, "type", "") in ("current_step", "point", "order", "ndisplay"):
            self._follow_plane()

    def _follow_plane(self) -> None:
        """The shown plane may have changed: show what was begun on it."""
        if self.image is None or self.image not in self.viewer.layers:
            return
        try:
            plane = shown_plane(self.image, self.viewer.dims)
        except InvalidPrompt:
            if self._plane is not None:
                self._plane = None
                self.turns.compute()
                self.place_changed.emit()
            return
        if self._plane is not None and plane.key() == self._plane.key():
            return
        self._plane = plane
        self.runner.drop_waiting()
        self.preview.clear()
        if self.work is not None:
            self.turns.compute()
        elif self.prompt_layers is not None and self.prompt_layers.on(plane):
            self._on_prompts()
        self.place_changed.emit()

    def _on_pixels(self) -> None:
        self.place_changed.emit()
        self.turns.compute()

    def _on_moved(self) -> None:
        """The image lies elsewhere, or has other pixels: another plane of it may be shown."""
        self._plane = None
        self._follow_plane()

    def _on_reshaped(self) -> None:
        """The image has pixels of another shape: prompts on it have no place any more."""
        image = self.image
        if image is None:
            return
        lost = any(one.image is image and one.session.prompts for one in self.sessions)
        self._let_go_of(image)
        self.choose_image(image)
        if lost:
            self.say(f"'{image.name}' has another shape; its prompts were cleared", error=True)

    def _on_layers(self, event: Event) -> None:
        if getattr(event, "type", "") == "removed":
            self._let_go_of(event.value)
        if getattr(event, "type", "") in ("inserted", "removed", "name"):
            self.layers_changed.emit()

    def _let_go_of(self, layer: Layer) -> None:
        self.targets = {k: v for k, v in self.targets.items() if v is not layer and k is not layer}
        if layer is self.labels:
            self.labels = None
        if layer is self.image:
            self.chosen.follow(None)
            self.preview.clear()
            self.runner.drop_waiting()
            self.image, self._plane = None, None
        self.sessions.forget(layer)
        layers = self._prompt_layers.pop(layer, None)
        if layers is not None:
            layers.detach()
        self.place_changed.emit()

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
