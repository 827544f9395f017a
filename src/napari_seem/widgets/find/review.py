"""What a person decides of findings: accepted ones are written, and can be taken back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from qtpy.QtCore import QObject, Signal

from ...commands.label_files import FiledFindings
from ...commands.models import ModelCache
from ...commands.segment import WriteObjects
from ...commands.workspace import Workspace
from ...errors import InvalidLabels, NapariSeemError
from ...labels.changes import Change
from ...labels.document import LabelDocument
from ...query import Finding
from ...sources.source import ImageInput, PlaneSource
from ...viewer.documents import document_of
from ...viewer.label_layers.targets import check_target, new_labels
from ...viewer.model_input import check_pixels, model_input_of, note_model_input
from ...viewer.timeline import document_in
from .._shared.preferences import label_home
from .file_writer import FileRequest, FileResult, FileWriter
from .findings import Findings, State

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Image, Labels, Layer


LONGEST = 32
"""Characters of a name in a message; a longer word would be cut off at the dock's rim."""


@dataclass(frozen=True)
class WordRequest:
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
    files: list[FiledFindings] = field(default_factory=list)


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
    request : WordRequest
    """

    changed = Signal()
    said = Signal(str, bool)

    def __init__(
        self, viewer: ViewerModel, findings: Findings, images: Callable[[object], Image | None],
        model_cache: ModelCache, parent: QObject,
    ) -> None:  # fmt: skip
        super().__init__(parent)
        self._viewer, self._findings, self._images = viewer, findings, images
        self._model_cache = model_cache
        self._watched: list[LabelDocument] = []
        self._written: dict[str, dict[int, int]] = {}
        self._targets: WeakKeyDictionary[Any, Labels] = WeakKeyDictionary()
        self._made: list[Decision] = []
        self._waiting: dict[int, Decision] = {}
        self._list_number = 0
        self.overwrite = False
        self.request = WordRequest()
        self.files = FileWriter(self)
        self.files.finished.connect(self._on_finished)

    def target_of(self, image: Image) -> Labels | None:
        """The layer that takes an image's findings; None where it is still to be made."""
        labels = self._targets.get(image)
        return labels if labels is not None and labels in self._viewer.layers else None

    def choose_target(self, image: Image, labels: Labels | None) -> None:
        """Write an image's findings into a layer; None makes a new one when it is needed."""
        self._targets.pop(image, None)
        if labels is not None:
            self._targets[image] = labels

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
                    document_of(labels).undo()
            self._take_out(decision)
            for number in decision.numbers:
                if self._state(number) == State.REJECTED:
                    self._findings.set_state(number, State.OPEN)
            self.changed.emit()
            return decision.numbers
        self.said.emit("nothing to undo", False)
        return ()

    def forget(self) -> None:
        """Other findings follow; what is written stays."""
        self._list_number += 1
        self._made.clear()
        self._waiting.clear()
        for document in self._watched:
            document.changed.disconnect(self._on_change)
        self._watched.clear()
        self._written.clear()

    def let_go_of(self, layer: Layer) -> None:
        """A layer has gone."""
        for image in [k for k, v in self._targets.items() if v is layer or k is layer]:
            del self._targets[image]

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
        source: Any = findings[0][1].place.source
        check_pixels([image], ImageInput((source,), ()))
        labels, chosen = self._target(image), [one for _, one in findings]
        plane = replace(chosen[0].place.plane, channels=bool(image.rgb))
        given = model_input_of(image, self._viewer.layers, self.request.together)
        document = self._watch(labels)
        check_target(labels, image, len(chosen))
        workspace = Workspace(document, self._model_cache)
        command = self._command(workspace, given.source(plane), chosen)
        made: list[Change] = []
        with document.listening(made.append):
            ids = command.apply(workspace, [one.instance for one in chosen])
        note_model_input(labels, given)
        by_number = {n: i for n, i in zip(numbers, command.ids or (), strict=True) if i in ids}
        if made:
            self._written[made[-1].uid] = by_number
        for number in numbers:
            if number in by_number:
                self._findings.set_state(number, State.ACCEPTED, f"as {by_number[number]}")
            else:
                self._findings.set_state(number, State.OPEN, "all labelled already")
        return labels

    def _command(
        self, workspace: Workspace, source: PlaneSource, findings: Sequence[Finding]
    ) -> WriteObjects:
        """What is accepted."""
        content, request = findings[0].content, self.request
        values = workspace.shown(source) | {"model": workspace.model_ref(request.model)}
        first = workspace.document.next_id(source.plane)
        return WriteObjects(
            **values, content=content, words=[request.word], whole=not content,
            numbers=[one.number for one in findings], overwrite=self.overwrite,
            ids=list(range(first, first + len(findings))),
        )  # fmt: skip

    def _target(self, image: Image) -> Labels:
        """The layer that takes an image's findings, made where there is none."""
        labels = self.target_of(image)
        if labels is None:
            labels = new_labels(self._viewer, image, home=label_home(image))
            document_in(self._viewer, labels, empty=True)
            self._targets[image] = labels
        return labels

    def _watch(self, labels: Labels) -> LabelDocument:
        """A layer's document, whose undo and redo are followed."""
        document = document_in(self._viewer, labels)
        if not any(one is document for one in self._watched):
            self._watched.append(document)
            document.changed.connect(self._on_change)
        return document

    def _accept_in_files(self, numbers: Sequence[int], decision: Decision) -> None:
        by_file: dict[Path, list[int]] = {}
        for number in numbers:
            source = self._findings.entries[number].finding.place.source
            if isinstance(source, Path):
                by_file.setdefault(source, []).append(number)
                self._findings.set_state(number, State.WAITING)
                self._waiting[number] = decision
        self.files.submit([
            FileRequest(tuple(same), source, tuple(self._findings.entries[n].finding for n in same),
                 self.request.model, self.overwrite, None, self._list_number)
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
            back = FileRequest(numbers, written.source, back=written, list_number=self._list_number)
            self.files.submit([back])

    def _on_finished(self, finished: FileResult) -> None:
        """A label file was written."""
        request = finished.request
        if finished.problem:
            self.said.emit(finished.problem, True)
        if request.list_number != self._list_number:
            return  # other findings are in the list by now
        if finished.written is None:
            state = State.ACCEPTED if finished.problem and request.back else State.OPEN
            for number in request.numbers:
                self._findings.set_state(number, state)
        else:
            self._note(request.numbers, finished.written)
            count = sum(label_id is not None for label_id in finished.written.ids)
            name = _short(finished.written.path.name)
            self.said.emit(f"{count} written to '{name}' in the folder labels", False)
        for number in request.numbers:
            self._waiting.pop(number, None)
        self.changed.emit()

    def _note(self, numbers: Sequence[int], written: FiledFindings) -> None:
        decision = self._waiting.get(numbers[0])
        if decision is not None:
            decision.files.append(written)
        for number, label_id in zip(numbers, written.ids, strict=True):
            if label_id is None:
                self._findings.set_state(number, State.OPEN, "all labelled already")
            else:
                self._findings.set_state(number, State.ACCEPTED, f"as {label_id}")

    def _on_change(self, change: Change) -> None:
        """Undo or redo of a Labels layer took findings away, or brought them back."""
        if change.state == "done" or change.uid not in self._written:
            return
        for number, label_id in self._written[change.uid].items():
            if change.state == "undone":
                self._findings.set_state(number, State.OPEN)
            else:
                self._findings.set_state(number, State.ACCEPTED, f"as {label_id}")
        self.changed.emit()

    def _state(self, number: int) -> State:
        return self._findings.entries[number].state


def _short(name: str) -> str:
    """A name without its middle where it is too long for a line."""
    if len(name) <= LONGEST:
        return name
    return f"{name[: LONGEST // 2]}\N{HORIZONTAL ELLIPSIS}{name[-(LONGEST // 2) :]}"
