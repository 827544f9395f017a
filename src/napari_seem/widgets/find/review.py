"""What a person decides of findings: accepted ones are written, and can be taken back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QObject, Signal

from ...errors import InvalidLabels, NapariSeemError
from ...query import Finding, LabelFile
from ...viewer.model_input import ModelInput, model_input_of, note_model_input
from ...viewer.record import What
from ...viewer.takings import Takings
from ...viewer.window import window_of
from ...viewer.writing import new_labels
from .._shared.model_cache import ModelCache
from .._shared.preferences import label_home
from .._shared.provenance import found as told_found
from .file_takings import FileTakings, Granted, Wish
from .findings import Findings, State

if TYPE_CHECKING:
    from napari.layers import Image, Labels


LONGEST = 32
"""Characters of a name in a message; a longer word would be cut off at the dock's rim."""


@dataclass(frozen=True)
class Asked:
    """What was looked for: a word, by which model, and whether on all channels of an image."""

    word: str = ""
    model: str = ""
    together: bool = False


@dataclass(eq=False)
class Decision:
    """One thing decided, of one or more findings, and what it takes to take it back."""

    numbers: tuple[int, ...]
    layers: list[Any] = field(default_factory=list)
    """Labels layers, one entry for each step of undo."""
    files: list[LabelFile] = field(default_factory=list)


class FindingReview(QObject):
    """Writes accepted findings into layers and files; follows undo.

    Parameters
    ----------
    viewer : ViewerModel
    findings : Findings
    images : callable
        Gives the layer that a place's `source` stands for, or None where it has gone.
    model_cache : ModelCache
    parent : QObject

    Attributes
    ----------
    changed : Signal()
        Something was decided, written, or taken back.
    said : Signal(str, bool)
        A message, and whether it is a problem.
    overwrite : bool
        Take pixels from other objects.
    asked : Asked
    """

    changed = Signal()
    said = Signal(str, bool)

    def __init__(
        self, viewer: Any, findings: Findings, images: Callable[[Any], Image | None],
        model_cache: ModelCache, parent: QObject,
    ) -> None:  # fmt: skip
        super().__init__(parent)
        self._viewer, self._findings, self._images = viewer, findings, images
        self._model_cache = model_cache
        self._takings: dict[int, Takings] = {}
        self._targets: dict[int, Labels] = {}
        self._made: list[Decision] = []
        self._waiting: dict[int, Decision] = {}
        self._list_number = 0
        self.overwrite = False
        self.asked = Asked()
        self.files = FileTakings(self)
        self.files.granted.connect(self._on_granted)

    def target_of(self, image: Image) -> Labels | None:
        """The layer that takes an image's findings; None where it is still to be made."""
        labels = self._targets.get(id(image))
        return labels if labels is not None and labels in self._viewer.layers else None

    def choose_target(self, image: Image, labels: Labels | None) -> None:
        """Write an image's findings into a layer; None makes a new one when it is needed."""
        self._targets.pop(id(image), None)
        if labels is not None:
            self._targets[id(image)] = labels

    def reject(self, numbers: Sequence[int]) -> None:
        """These are something else."""
        wrong = [n for n in numbers if self._state(n) == State.OPEN]
        for number in wrong:
            self._findings.set_state(number, State.REJECTED)
        if wrong:
            self._made.append(Decision(tuple(wrong)))
        self.changed.emit()

    def accept(self, numbers: Sequence[int]) -> None:
        """Write these; those of a plane are one step of its layer's undo."""
        able = [n for n in numbers if self._state(n) in (State.OPEN, State.REJECTED)]
        decision = Decision(tuple(able))
        problems = self._accept_in_layers(able, decision)
        self._accept_in_files(able, decision)
        if decision.layers or self._waiting:
            self._made.append(decision)
        written = sum(self._state(n) == State.ACCEPTED for n in able)
        if problems:
            self.said.emit(f"{written} written. {problems[0]}", True)
        elif written:
            names = {layer.name for layer in decision.layers}
            self.said.emit(f"{written} written to '{_short(', '.join(sorted(names)))}'", False)
        self.changed.emit()

    def take_back(self) -> tuple[int, ...]:
        """Undo the last decision that still stands; its findings."""
        while self._made:
            decision = self._made.pop()
            if not any(self._state(n) not in (State.OPEN, State.WAITING) for n in decision.numbers):
                continue  # Ctrl+Z on the layer was first
            for labels in decision.layers:
                if labels in self._viewer.layers:
                    (window_of(labels) or labels).undo()
            self._take_out(decision)
            for number in decision.numbers:
                if self._state(number) == State.REJECTED:
                    self._findings.set_state(number, State.OPEN)
            self.changed.emit()
            return decision.numbers
        self.said.emit("nothing to take back", False)
        return ()

    def forget(self) -> None:
        """Other findings follow; what is written stays."""
        self._list_number += 1
        self._made.clear()
        self._waiting.clear()
        for takings in self._takings.values():
            takings.close()
        self._takings.clear()

    def let_go_of(self, layer: Any) -> None:
        """A layer has gone."""
        takings = self._takings.pop(id(layer), None)
        if takings is not None:
            takings.close()
        self._targets = {
            k: v for k, v in self._targets.items() if v is not layer and k != id(layer)
        }

    def close(self) -> None:
        """Let go of the layers, and finish what is being written."""
        self.forget()
        self.files.close()

    def _accept_in_layers(self, numbers: Sequence[int], decision: Decision) -> list[str]:
        by_plane: dict[Any, list[int]] = {}
        for number in numbers:
            place = self._findings.entries[number].finding.place
            if not isinstance(place.source, Path):
                by_plane.setdefault((place.source, place.plane.key()), []).append(number)
        problems = []
        for same in by_plane.values():
            try:
                decision.layers.append(self._write(same))
            except NapariSeemError as error:
                problems.append(str(error))
        return problems

    def _write(self, numbers: list[int]) -> Labels:
        """Write findings of one plane; the layer they went to."""
        findings = [(number, self._findings.entries[number].finding) for number in numbers]
        image = self._images(findings[0][1].place.source)
        if image is None:
            raise InvalidLabels("the image they were found on was closed; open it and find again")
        takings = self._takings_of(image)
        asked = self.asked
        shown = model_input_of(image, self._viewer.layers, asked.together)
        ids = takings.write(
            image, findings, asked.model, overwrite=self.overwrite,
            what=self._what([one for _, one in findings], shown),
        )  # fmt: skip
        note_model_input(takings.labels, shown)
        for number in numbers:
            if number in ids:
                self._findings.set_state(number, State.ACCEPTED, f"as {ids[number]}")
            else:
                self._findings.set_state(number, State.OPEN, "all labelled already")
        return takings.labels

    def _what(self, findings: Sequence[Finding], shown: ModelInput) -> What:
        """What is done, for the record of the layer."""
        content = findings[0].content
        return told_found(
            self._model_cache, self.asked.model, shown, [content] if content else [],
            [one.number for one in findings], words=[self.asked.word], area=None,
            whole=not content,
        )  # fmt: skip

    def _takings_of(self, image: Image) -> Takings:
        labels, made = self.target_of(image), False
        if labels is None:
            labels, made = new_labels(self._viewer, image, home=label_home(image)), True
            self._targets[id(image)] = labels
        if id(labels) not in self._takings:
            self._takings[id(labels)] = Takings(labels, self._on_layer, empty=made)
        return self._takings[id(labels)]

    def _accept_in_files(self, numbers: Sequence[int], decision: Decision) -> None:
        by_file: dict[Path, list[int]] = {}
        for number in numbers:
            source = self._findings.entries[number].finding.place.source
            if isinstance(source, Path):
                by_file.setdefault(source, []).append(number)
                self._findings.set_state(number, State.WAITING)
                self._waiting[number] = decision
        self.files.wish([
            Wish(tuple(same), source, tuple(self._findings.entries[n].finding for n in same),
                 self.asked.model, self.overwrite, None, self._list_number)
            for source, same in by_file.items()
        ])  # fmt: skip

    def _take_out(self, decision: Decision) -> None:
        for written in decision.files:
            numbers = tuple(
                n for n in decision.numbers
                if self._findings.entries[n].finding.place.source == written.source
            )  # fmt: skip
            for number in numbers:
                self._findings.set_state(number, State.WAITING)
            back = Wish(numbers, written.source, back=written, list_number=self._list_number)
            self.files.wish([back])

    def _on_granted(self, granted: Granted) -> None:
        """A label file was written."""
        wish = granted.wish
        if granted.problem:
            self.said.emit(granted.problem, True)
        if wish.list_number != self._list_number:
            return  # other findings are in the list by now
        if granted.written is None:
            state = State.ACCEPTED if granted.problem and wish.back else State.OPEN
            for number in wish.numbers:
                self._findings.set_state(number, state)
        else:
            self._note(wish.numbers, granted.written)
            count = sum(label_id is not None for label_id in granted.written.ids)
            name = _short(granted.written.path.name)
            self.said.emit(f"{count} written to '{name}' in the folder labels", False)
        for number in wish.numbers:
            self._waiting.pop(number, None)
        self.changed.emit()

    def _note(self, numbers: Sequence[int], written: LabelFile) -> None:
        decision = self._waiting.get(numbers[0])
        if decision is not None:
            decision.files.append(written)
        for number, label_id in zip(numbers, written.ids, strict=True):
            if label_id is None:
                self._findings.set_state(number, State.OPEN, "all labelled already")
            else:
                self._findings.set_state(number, State.ACCEPTED, f"as {label_id}")

    def _on_layer(self, key: Any, label_id: int | None) -> None:
        """Undo or redo of a Labels layer took a finding away, or brought it back."""
        if label_id is None:
            self._findings.set_state(key, State.OPEN)
        else:
            self._findings.set_state(key, State.ACCEPTED, f"as {label_id}")
        self.changed.emit()

    def _state(self, number: int) -> State:
        return self._findings.entries[number].state


def _short(name: str) -> str:
    """A name without its middle where it is too long for a line."""
    if len(name) <= LONGEST:
        return name
    return f"{name[: LONGEST // 2]}\N{HORIZONTAL ELLIPSIS}{name[-(LONGEST // 2) :]}"
