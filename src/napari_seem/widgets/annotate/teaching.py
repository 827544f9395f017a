"""Teaching words from the Annotate dock: from marked objects to a word the model knows."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from qtpy.QtCore import QObject, QStringListModel, Qt, Signal
from qtpy.QtWidgets import QCompleter

from ...commands.base import ModelRef
from ...commands.vocabulary import ForgetWord, Teach, marked_examples, marks
from ...concepts.concept import checked_name
from ...edits import ObjectTable
from ...errors import ConceptTrouble, InvalidLabels
from ...models.teachable import plain
from ...viewer.coordinates import full_data, shown_area
from ...viewer.label_layers.targets import check_place
from .._shared.background.runner import Job, explained
from .._shared.search import ShownPlane, shown_place
from .teach_box import TeachBox, TeachRequest, ask_same_name

if TYPE_CHECKING:
    from ...concepts.library import SameNameChoice
    from .annotator import Annotator
    from .panel import Panel

Area = tuple[int, int, int, int]
Marks = tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_] | None]


class Teaching(QObject):
    """Takes what a person marked and named, and lets the models know the word.

    Attributes
    ----------
    taught : Signal(str)
        A word is known from now on.
    box : TeachBox
    ask : callable
        Given the box and a name that is taken, gives what is to become of it, or None.
    """

    taught = Signal(str)

    def __init__(self, annotator: Annotator, panel: Panel) -> None:
        super().__init__(annotator)
        self._annotator, self._panel = annotator, panel
        self.box = TeachBox()
        self._reported: set[str] = set()
        self.ask: Callable[[TeachBox, str], SameNameChoice | None] = ask_same_name
        self._offered = QStringListModel(self)
        completer = QCompleter(self._offered, self)
        completer.setCaseSensitivity(Qt.CaseSensitivity.CaseInsensitive)
        completer.setFilterMode(Qt.MatchFlag.MatchContains)
        panel.word.setCompleter(completer)
        panel.place_teach_box(self.box)
        panel.teach.clicked.connect(self.open)
        self.box.wanted.connect(self.teach)
        self.box.refused.connect(partial(annotator.say, error=True))
        annotator.changed.connect(self.offer_words)

    def open(self) -> None:
        """Ask what is to be taught, and offer what is at hand."""
        if not self.box.isHidden():
            self.box.hide()
            return
        with self._annotator.reporting():
            prediction = self._annotator.prediction
            there = self._ids_here()
            word = self._panel.word.text().strip()
            same = [i for i, name in there.items() if word and plain(name) == plain(word)]
            seen = prediction is not None and prediction.bbox is not None
            self.box.offer(word, seen, same or list(there))

    def teach(self, lesson: TeachRequest) -> None:
        """Teach a word in the worker thread; a few seconds."""
        annotator = self._annotator
        with annotator.reporting():
            name = checked_name(lesson.name)
            if annotator.image is None:
                raise ConceptTrouble("choose an image first")
            place = shown_place(
                annotator.viewer, annotator.image, annotator.model_name, annotator.all_channels
            )
            area = shown_area(place.image, place.plane) if place.is_big else (0, 0, *place.shape)
            labels, others = self._marks(lesson, place, area)
            same: SameNameChoice = "ask"
            if any(one in annotator.model_cache.words.library for one in (name, *lesson.synonyms)):
                chosen = self.ask(self.box, name)
                if chosen is None:
                    return
                same = chosen
            models = annotator.model_cache
            command = Teach(
                name=lesson.name, synonyms=list(lesson.synonyms), same_name=same,
                model=ModelRef(name=place.model),
            )  # fmt: skip
            source, window = place.known.source, place.input.to_dict()

            def work() -> str:
                examples = marked_examples(source, labels, others, area, window)
                return command.run(models, examples).name

            annotator.runner.submit(
                Job(work, self._on_taught, self._failed, f"Learning '{name}'", lane="teach")
            )

    def forget(self, name: str) -> None:
        """Take a word back."""
        with self._annotator.reporting():
            ForgetWord(name=name).run(self._annotator.model_cache)
            self.offer_words()

    def offer_words(self) -> None:
        """Offer in the word field what the loaded model knows; tell once why it lacks a word."""
        model = self._annotator.model_cache.loaded(self._annotator.model_name)
        words = list(model.vocabulary()) if model is not None else []
        if words != self._offered.stringList():
            self._offered.setStringList(words)
        for complaint in self._annotator.model_cache.words.complaints:
            if complaint not in self._reported:
                self._reported.add(complaint)
                self._annotator.say(complaint, error=True)

    def _on_taught(self, name: str) -> None:
        concept = self._annotator.model_cache.words.library[name]
        self.box.hide()
        self._panel.word.setText(name)
        self.offer_words()
        count = f"{concept.objects} object{'s' * (concept.objects > 1)}"
        self._annotator.say(f"'{name}' was learned from {count}; press Propose to see where it is")
        self.taught.emit(name)

    def _failed(self, error: Exception) -> None:
        self._annotator.say(explained(error), error=True)

    def _ids_here(self) -> dict[int, str]:
        """Ids and names of the labelled objects on the shown plane, or on what is shown of it."""
        annotator = self._annotator
        if annotator.labels is None or annotator.image is None:
            return {}
        place = shown_place(annotator.viewer, annotator.image, annotator.model_name)
        area = shown_area(place.image, place.plane) if place.is_big else (0, 0, *place.shape)
        values = self._values(place, area)
        table = ObjectTable.from_features(annotator.labels.features)
        return {int(i): table[int(i)].name for i in np.unique(values) if i}

    def _values(self, place: ShownPlane, area: Area) -> npt.NDArray[np.int64]:
        """Label values (h, w) of a part of the plane."""
        labels = self._annotator.labels
        if labels is None:
            return np.zeros((area[2] - area[0], area[3] - area[1]), np.int64)
        check_place(labels, place.image)
        data = full_data(labels)
        flat = type(place.plane)(place.plane.index, place.plane.axes)
        return flat.read(data, area).astype(np.int64)

    def _marks(self, lesson: TeachRequest, place: ShownPlane, area: Area) -> Marks:
        """Labels (h, w) of marked objects, and a mask (h, w) of what is something else, or None."""
        values = self._values(place, area)
        ids = (list(lesson.ids) or None) if lesson.objects else []
        marked, others = marks(values, ids, None if lesson.others else ())
        prediction = self._annotator.prediction
        if lesson.preview and prediction is not None and prediction.bbox is not None:
            mask, (y, x) = prediction.cut_out()
            whole = np.zeros(place.shape, bool)
            whole[y : y + mask.shape[0], x : x + mask.shape[1]] = mask
            marked = np.where(whole[area[0] : area[2], area[1] : area[3]], marked.max() + 1, marked)
        if not marked.any():
            raise InvalidLabels(
                "no object is marked; click one so that its preview shows, or label some"
            )
        if others is not None:
            others &= marked == 0
        return marked, others
