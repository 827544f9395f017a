"""The Annotate dock: tools, words, and one line that says what happened."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING

import napari
from qtpy.QtCore import Qt

from ...commands.models import Loader, ModelCache
from ...embeddings import EmbeddingCache
from ...models.base import Capability
from ...models.registry import capabilities_by_model
from .._shared.actions import ACTIONS
from .._shared.dock import Dock
from .._shared.forms import on_click, without_arguments
from .._shared.intensity_box import WindowChoice
from .._shared.keys import claim, let_go
from .._shared.models.cache import model_cache_of
from .._shared.preferences import Preferences, keep_preference, read_preferences
from .adaptation import Adaptation
from .ahead import EmbedAhead
from .annotator import Annotator
from .commits.controls import Committing
from .hand import Hand
from .hover import Hover
from .label_folder import LabelFolder
from .panel import Panel
from .proposals import Proposals
from .ready import GettingReady
from .sessions.alternatives import Alternatives
from .sessions.prompt_steps import clear_prompts
from .sessions.unfinished import take_up
from .teaching import Teaching

if TYPE_CHECKING:
    from napari.layers import Image, Labels
    from qtpy.QtGui import QShowEvent

    from ...models.base import Prediction

TOOLS: dict[str, tuple[Capability | None, str]] = {
    "point": (Capability.POINT, "Click on the object. Right click or Ctrl+click: not the object"),
    "box": (Capability.BOX, "Drag a box around the object"),
    "lasso": (Capability.POLYGON, "Draw roughly around the object"),
    "scribble": (Capability.SCRIBBLE, "Paint a stroke inside the object"),
    "word": (Capability.TEXT, "Type a word below; then click single proposals to take them"),
    "pick": (Capability.MASK, "Click a labelled object to change it"),
}


class AnnotateWidget(Dock):
    """Segment objects by prompts and write them into an editable Labels layer.

    Parameters
    ----------
    napari_viewer : napari.Viewer
        Filled in by napari.
    loader : callable, optional
        Gives a model by name; by default `napari_seem.load_model`.

    Attributes
    ----------
    annotator : Annotator
        The work itself; usable without looking at the dock.
    proposals : Proposals
        What a word found.
    ahead : EmbedAhead
        Encodes the rest of a stack.
    ready : GettingReady
        Does beforehand what a first click would wait for.
    teaching : Teaching
        Teaches words by marked objects.
    hover : Hover
        Shows the mask under the mouse.
    alternatives : Alternatives
        Shows other answers to the same prompts.
    committing : Committing
        Writes objects, says what they are, and saves them.
    """

    def __init__(self, napari_viewer: napari.viewer.Viewer, loader: Loader | None = None) -> None:
        super().__init__(napari_viewer)
        self.preferences: Preferences = read_preferences()
        model_cache = model_cache_of(self.viewer)
        if loader is not None:
            model_cache = ModelCache(loader, EmbeddingCache(self.preferences.cache_bytes))
        self.annotator = Annotator(self.viewer, model_cache, self)
        self.proposals = Proposals(self.annotator)
        self.adaptation = Adaptation(self.annotator)
        self.panel = Panel(TOOLS, self.preferences.keys)
        self.panel.steer.setChecked(self.preferences.steer)
        self.annotator.accepted.switch(self.preferences.steer)
        self.hand = Hand(self.annotator, self.panel, self.proposals, self._on_said)
        self.hover = Hover(self.annotator, self.hand, self.panel)
        self.alternatives = Alternatives(self.annotator)
        self.committing = Committing(self.annotator, self.panel)
        self.looks = WindowChoice(self.annotator, self.panel.look)
        self.ahead = EmbedAhead(self.annotator, self.panel)
        self.ready = GettingReady(self.annotator, self)
        self.label_folder = LabelFolder(self.annotator, self.panel)
        self.teaching = Teaching(self.annotator, self.panel)
        for row in (self.label_folder, self.ahead):
            self.panel.extra.addWidget(row)
        self.place(self.panel, self.annotator.runner.progress, self.ahead.steps.progress)
        self._connect()
        self._bind_keys()
        self._complain()
        self._apply_capabilities()
        self.use_tool(self.tool)

    @property
    def tool(self) -> str:
        """The tool in use: a key of `TOOLS`."""
        return self.hand.tool

    def act(self, name: str) -> None:
        """Do what a key is for, by its name in `ACTIONS`."""
        self.slots[name]()

    @property
    def slots(self) -> Mapping[str, Callable[[], object]]:
        """What keys can do, by the names of `ACTIONS`."""
        return {
            "toggle_polarity": self.toggle_polarity, "toggle_preview": self.toggle_preview,
            "toggle_hover": self.panel.hover.toggle, "commit": self.commit, "clear": self.clear,
            "recompute": self.annotator.chosen.answer_again,
            "next_answer": self.alternatives.step,
            "next_class": self.annotator.classes.step,
            "go_on": self.committing.go_on, "save": self.committing.save,
            **{f"use_{tool}": partial(self.use_tool, tool) for tool in TOOLS},
        }  # fmt: skip

    def use_tool(self, name: str) -> None:
        """Switch to a tool of `TOOLS`: the matching layer becomes active, in the matching mode."""
        if name == "word":
            self.panel.word.setFocus(Qt.FocusReason.ShortcutFocusReason)  # which selects its text
        self.hand.use(name)

    def work_on(
        self, image: Image, labels: Labels, save_to: Callable[[], object] | None = None
    ) -> None:
        """Choose an image and its labels, and go on with the tool in use.

        Parameters
        ----------
        image : Image
        labels : Labels
        save_to : callable, optional
            Saves the labels and gives the file; *Save* calls it then instead of asking for one.
        """
        self.committing.own_save = None if save_to is None else (labels, save_to)
        self.panel.image.select(image)
        self._on_image(image)
        self.annotator.choose_labels(labels)
        take_up(self.annotator)

    def showEvent(self, event: QShowEvent | None) -> None:
        """Get ready for the first click as soon as the dock is seen."""
        super().showEvent(event)
        if self.preferences.get_ready and not self.is_released:
            self.ready.begin()

    def prepare_to_close(self) -> int:
        """Say how many commits are not written, which go with the window."""
        return len(self.annotator.commits.waiting)

    def take_up(self, image: Image | None, labels: Labels | None) -> None:
        """Work on an image and labels that were brought back, with the prompts left on it."""
        if image is not None and labels is not None:
            self.work_on(image, labels)
        elif image is not None:
            self._on_image(image)
            take_up(self.annotator)

    def toggle_polarity(self) -> None:
        """Switch between 'belongs to the object' and 'does not'."""
        self.annotator.set_positive(not self.annotator.positive)

    def toggle_preview(self) -> None:
        """Hide or show the preview."""
        layer = self.annotator.preview.layer
        if layer is not None:
            layer.visible = not layer.visible

    def clear(self) -> None:
        """Forget the object in the making."""
        self.proposals.clear()
        clear_prompts(self.annotator)
        self.panel.name.clear()

    def commit(self) -> int | None:
        """Write the object; gives its id, or None where it is not written, or not yet."""
        return self.committing.commit()

    def find_word(self, word: str | None = None) -> None:
        """Propose everything that a word names; without one, that of the word field."""
        if word is not None:
            self.panel.word.setText(word)
        self.panel.show_suggestions(())
        self.panel.word.clearFocus()  # keys and clicks go to the picture again
        self.proposals.find(self.panel.word.text())

    def learn(self, wanted: bool = True) -> None:
        """Fit the model to the objects on the shown plane, or take that back."""
        if wanted:
            self.adaptation.learn()
        else:
            self.adaptation.forget()

    def take_all(self) -> list[int]:
        """Write all proposals above the threshold; gives their ids."""
        return self.proposals.take_all()

    def _let_go(self) -> None:
        """Unbind keys, disconnect from the viewer, hide prompts and preview; the labels stay."""
        let_go(self)
        self.hover.close()
        self.alternatives.close()
        self.hand.close()
        self.annotator.layers_changed.disconnect(self._refresh_layers)
        self.annotator.timeline.changed.disconnect(self._on_timeline)
        self.proposals.close()
        self.looks.close()
        self.ahead.close_run()
        self.ready.close()
        self.annotator.close()

    def _connect(self) -> None:
        panel, annotator = self.panel, self.annotator
        panel.image.chosen.connect(self._on_image)
        panel.labels.chosen.connect(annotator.choose_labels)
        panel.model.currentTextChanged.connect(self._on_model)
        panel.tool_chosen.connect(self.use_tool)
        panel.positive.toggled.connect(annotator.set_positive)
        panel.hover.toggled.connect(self.hover.switch)
        panel.steer.toggled.connect(self._on_steer)
        panel.overwrite.toggled.connect(partial(setattr, annotator, "overwrite"))
        panel.channels.toggled.connect(
            lambda wanted: annotator.choose_model(annotator.model_name, wanted)
        )
        on_click((
            (panel.clear, self.clear), (panel.undo, annotator.undo),
            (panel.redo, annotator.redo), (panel.find_word, self.find_word),
            (panel.take_all, self.take_all), (panel.answers, self.alternatives.step),
        ))  # fmt: skip
        panel.word.returnPressed.connect(without_arguments(self.find_word))
        panel.suggested.connect(self.find_word)
        panel.threshold.valueChanged.connect(self.proposals.set_threshold)
        annotator.said.connect(self._on_said)
        self.ready.said.connect(self._on_preparation)
        annotator.answered.connect(self._on_answer)
        annotator.changed.connect(self._on_changed)
        annotator.timeline.changed.connect(self._on_timeline)
        panel.learn.clicked.connect(self.learn)
        self.adaptation.changed.connect(panel.learn.setChecked)
        self.proposals.updated.connect(self._on_proposals)
        self.proposals.unknown.connect(self._on_unknown_word)
        annotator.layers_changed.connect(self._refresh_layers)
        for box in (panel.image, panel.labels):
            box.follow(self.viewer, self.events)
        panel.image.activated.connect(lambda _: self.use_tool(self.tool))
        self.hand.follow(self.events)
        self.follow_preferences()

    def _bind_keys(self) -> None:
        """Bind keys on the viewer, and those that napari uses itself on the prompt layers."""
        keys = self.preferences.keys
        claim(self.viewer, self, {keys[one.method]: one.method for one in ACTIONS})
        layers = self.annotator.prompt_layers
        taken = {keys[a.method]: a.method for a in ACTIONS if keys[a.method] != a.key}
        for layer in () if layers is None else layers.layers:
            claim(layer, self, taken)

    def _on_preferences(self) -> None:
        """Take other keys up at once; device and memory count for docks opened from now on."""
        self.preferences = read_preferences()
        let_go(self)
        self._bind_keys()
        self._complain()
        self.panel.set_keys(self.preferences.keys)
        self.panel.steer.setChecked(self.preferences.steer)
        self.label_folder.look()
        self._apply_capabilities()

    def _on_steer(self, on: bool) -> None:
        self.annotator.accepted.switch(on)
        keep_preference("steer", on)

    def _complain(self) -> None:
        for complaint in self.preferences.complaints:
            self._on_said(complaint, True)

    def _on_image(self, image: Image) -> None:
        if image is not self.annotator.image:
            self.panel.message.say("")  # it was about the other image
        self.annotator.choose_image(image)
        self.panel.show_channels(self.annotator.channel_count)
        self._bind_keys()
        self.hand.look()

    def _on_model(self, name: str) -> None:
        self.alternatives.expect_model()
        self.annotator.choose_model(name)
        self._apply_capabilities()

    def _apply_capabilities(self) -> None:
        """Enable the tools that the model can take; say which models take the others."""
        every = capabilities_by_model()
        able = every.get(self.annotator.model_name, frozenset())
        for tool, (needed, _) in TOOLS.items():
            others = [name for name, caps in every.items() if needed in caps]
            self.panel.allow_tool(tool, needed is None or needed in able, others)

    def _refresh_layers(self) -> None:
        self.panel.show_channels(self.annotator.channel_count)

    def _on_said(self, message: str, error: bool) -> None:
        """The one place where messages are shown."""
        self.tell(message, error)

    def _on_preparation(self, text: str) -> None:
        self.panel.preparation = text
        work = self.annotator.work
        if work is None or not work.session.prompts:
            self.panel.clear_status()

    def _on_answer(self, _: Prediction) -> None:
        self.panel.message.say(self.hand.covered or self.alternatives.remark())

    def _on_changed(self) -> None:
        work = self.annotator.work
        session = work.session if work else None
        self.panel.show_state(
            positive=self.annotator.positive,
            can_commit=bool(session and session.prompts),
            undo=self.annotator.timeline.undo_title,
            redo=self.annotator.timeline.redo_title,
            object_id=work.label_id if work else None,
            continued=self.annotator.commits.title,
        )
        self.panel.image.select(self.annotator.image)
        self.panel.labels.select(self.annotator.labels)
        self.panel.answers.show_of(session)
        answer = session.prediction if session else None
        if work and session and answer:
            number = f"answer {session.chosen + 1}" if session.chosen else ""
            self.panel.show_status(
                len(session.prompts), self.annotator.turns.last_ms, answer.score, answer.label,
                [number, self.annotator.accepted.words(work)],
            )  # fmt: skip
        elif not (session and session.prompts):
            self.panel.clear_status()
        if work and work.name and not self.panel.name.text():
            self.panel.name.setText(work.name)

    def _on_timeline(self) -> None:
        timeline = self.annotator.timeline
        self.panel.show_undo(timeline.undo_title, timeline.redo_title)

    def _on_proposals(self) -> None:
        self.panel.show_proposals(len(self.proposals.offered()), self.proposals.total)

    def _on_unknown_word(self, message: str, nearest: tuple[str, ...]) -> None:
        self._on_said(message, True)
        self.panel.show_suggestions(nearest)
