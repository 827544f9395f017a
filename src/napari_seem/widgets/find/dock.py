"""The Find dock: everything that a word names, in all planes, images or files."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import napari
from napari.layers import Labels

from ...errors import UnknownWord
from ...models.base import Model
from ...query import PlaneFindings
from ...viewer.preview import Preview
from ...viewer.private import unwrap
from ...viewer.shown import show_place
from .._shared.background.runner import Job, LatestRunner
from .._shared.dock import Dock
from .._shared.forms import on_click, without_arguments
from .._shared.keys import claim, let_go
from .._shared.models.cache import ModelCache, model_cache_of
from ..menus.files import open_path
from .finder import Finder
from .findings import Findings, State
from .panel import FindPanel
from .review import FindingReview, WordRequest
from .scope import Scope

if TYPE_CHECKING:
    from napari.layers import Image, Layer
    from napari.utils.events import Event

KEYS = {"next": "Shift-N", "previous": "Shift-B", "accept": "Shift-K", "reject": "Shift-J"}
"""As of the Stack dock; the dock that was used last has them."""
MOST = 20_000
"""Findings that a list may hold."""


class FindWidget(Dock):
    """Find what a word names, look at it, and accept or reject it.

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
        self.model_cache = model_cache or model_cache_of(self.viewer)
        self.findings = Findings(self)
        self.panel = FindPanel(self.findings)
        self.scope = Scope(self.viewer, self.panel, self)
        self.finder = Finder(self.model_cache, self)
        self.review = FindingReview(
            self.viewer, self.findings, self.scope.image_of, self.model_cache, self
        )
        self.preview = Preview(self.viewer, "SEEM finding")
        self._runner = LatestRunner(self)
        self._files: dict[Path, list[Layer]] = {}
        self._problems: list[str] = []
        self._offered: Model | None = None
        self.place(self.panel, self.finder.steps.progress, self.review.files.steps.progress)
        self._connect()
        self.findings.arrange(self.panel.least.value(), self.panel.sort.currentText())
        self._show_target()

    def search(self, word: str | None = None) -> None:
        """Look for a word; without one, for that of the word field."""
        panel = self.panel
        if word is not None:
            panel.word.setText(word)
        panel.show_suggestions(())
        if self.finder.steps.running:
            return
        word, model = " ".join(panel.word.text().split()), panel.model.currentText()
        with self.reporting():
            sources, total, homes = self.scope.sources()
            query = (model, word.lower(), self.scope.identity(homes))
            if self.finder.is_new(query):
                self._clear()
            self.scope.remember(homes)
            self._problems = []
            self.review.request = WordRequest(word, model, self.scope.several)
            claim(self.viewer, self, {key: method for method, key in KEYS.items()})
            panel.show_running(True)
            panel.message.say(f"searching for '{word}' ...")
            self.finder.start(model, word, sources, total, query)

    def search_again(self) -> None:
        """Forget what was found and look at everything again."""
        self.finder.forget()
        self.search()

    def next(self) -> None:
        """Go to the next finding of the list."""
        self._step(1)

    def previous(self) -> None:
        """Go to the finding before."""
        self._step(-1)

    def accept(self) -> None:
        """Write the chosen finding as an object, and go on to the next."""
        self._decide(self.review.accept)

    def reject(self) -> None:
        """The chosen finding is something else; go on to the next."""
        self._decide(self.review.reject)

    def accept_all(self) -> None:
        """Write all findings that are shown and undecided."""
        self.review.accept(self.findings.open())
        self.preview.clear()

    def take_back(self) -> None:
        """Take the last decision back, and choose its finding again."""
        numbers = self.review.take_back()
        if numbers:
            self.panel.view.choose(numbers[0])

    def go_to(self, number: int) -> None:
        """Show a finding in the viewer; a file is opened first."""
        self.settle()
        self.panel.view.choose(number)
        place = self.findings.entries[number].finding.place
        if isinstance(place.source, Path):
            self._open(place.source, number)
            return
        image = self.scope.image_of(place.source)
        if image is None:
            self.panel.message.say(
                "the image of this finding was closed; open it and find again", problem=True
            )
            return
        self._show(image, number)

    def _let_go(self) -> None:
        self.finder.close()
        self._runner.close()
        self.review.close()
        self.preview.close()
        self.scope.close()
        let_go(self)

    def _connect(self) -> None:
        panel = self.panel
        on_click((
            (panel.begin, self.search), (panel.again, self.search_again),
            (panel.previous, self.previous), (panel.next, self.next),
            (panel.accept, self.accept), (panel.reject, self.reject),
            (panel.accept_all, self.accept_all), (panel.take_back, self.take_back),
        ))  # fmt: skip
        panel.word.returnPressed.connect(without_arguments(self.search))
        panel.word.textEdited.connect(lambda _: self._offer_words())
        panel.suggested.connect(self.search)
        self.scope.changed.connect(self._show_target)
        self.scope.outdated.connect(self.finder.forget)
        panel.labels.chosen.connect(self._on_target)
        panel.overwrite.toggled.connect(partial(setattr, self.review, "overwrite"))
        panel.least.valueChanged.connect(lambda _: self._arrange())
        panel.sort.currentTextChanged.connect(lambda _: self._arrange())
        panel.view.wanted.connect(self.go_to)
        panel.view.requested.connect(lambda what: getattr(self, what)())
        self.finder.seen.connect(self._on_seen)
        self.finder.refused.connect(self._on_refused)
        self.finder.ended.connect(self._on_end)
        self.review.changed.connect(self._on_decided)
        self.review.said.connect(lambda text, bad: panel.message.say(text, problem=bad))
        self.events.follow(self._on_removed, self.viewer.layers.events.removed)

    def _clear(self) -> None:
        self.review.forget()
        self.findings.clear()
        self.preview.clear()
        self.scope.forget()

    def _on_seen(self, seen: PlaneFindings) -> None:
        if seen.problem:
            known = seen.place.title in seen.problem
            self._problems.append(seen.problem if known else f"{seen.place.title}: {seen.problem}")
        order = self.scope.order_of(seen.place)
        self.findings.add((finding, order) for finding in seen.findings)
        if len(self.findings.entries) > MOST:
            self.finder.steps.stop()
        self.panel.message.say(f"{self.finder.done} planes done ...")
        self._show_counts()

    def _on_refused(self, error: Exception) -> None:
        self._problems.append(str(error))
        if isinstance(error, UnknownWord):
            self.panel.show_suggestions(error.nearest)

    def _on_end(self, outcome: str) -> None:
        panel, many = self.panel, len(self.findings.entries)
        panel.show_running(False)
        word = " ".join(panel.word.text().split())
        said = f"{many} found on {self.finder.done} planes" if many else f"no '{word}' was found"
        if outcome and outcome != "stopped":
            panel.message.say(outcome, problem=True)
        elif self._problems:
            more = f" ({len(self._problems)} such)" if len(self._problems) > 1 else ""
            first = self._problems[0] + more
            panel.message.say(first if not self.finder.done else f"{said}; {first}", problem=True)
        elif many > MOST:
            panel.message.say(f"{said}, more than the list holds; stopped", problem=True)
        else:
            panel.message.say(f"stopped, {said}; press Find to continue" if outcome else said)
        self._offer_words()
        self._show_counts()

    def _decide(self, decide: Callable[[list[int]], None]) -> None:
        """Decide on the chosen finding, and choose the next undecided one."""
        number = self.panel.view.number
        if number is None:
            self.panel.message.say("choose a finding in the list first", problem=True)
            return
        row = self.findings.row_of(number) or 0
        decide([number])
        self.preview.clear()
        left = [n for n in self.findings.open() if n != number]
        later = [n for n in left if (self.findings.row_of(n) or 0) > row]
        if later or left:
            self._visit((later or left)[0])

    def _step(self, by: int) -> None:
        shown, number = self.findings.shown(), self.panel.view.number
        if not shown:
            return
        row = -1 if number is None else self.findings.row_of(number)
        row = min(max((-1 if row is None else row) + by, 0), len(shown) - 1)
        self.go_to(shown[row])

    def _visit(self, number: int) -> None:
        """Choose a finding, and go there where no file has to be opened for it."""
        source = self.findings.entries[number].finding.place.source
        if isinstance(source, Path) and not self._opened(source):
            self.panel.view.choose(number)
        else:
            self.go_to(number)

    def _open(self, path: Path, number: int) -> None:
        layers = self._opened(path)
        for other, theirs in self._files.items():
            for layer in theirs:
                if other != path and layer in self.viewer.layers:
                    layer.visible = False
        if layers:
            for layer in layers:
                layer.visible = True
            self._show(layers[0], number)
            return

        def opened(added: list[Layer]) -> None:
            self._files[path] = [unwrap(layer) for layer in added]
            if not self.is_released and self.panel.view.number == number:
                self._show(self._files[path][0], number)

        open_path(self.viewer, path, then=opened)

    def _opened(self, path: Path) -> list[Layer]:
        return [layer for layer in self._files.get(path, []) if layer in self.viewer.layers]

    def _show(self, image: Image, number: int) -> None:
        entry = self.findings.entries[number]
        finding, plane = entry.finding, entry.finding.place.plane
        if image.ndim != plane.ndim:
            return  # the file's channels are shown as planes
        show_place(self.viewer, image, plane, finding.bbox)
        in_a_layer = not isinstance(finding.place.source, Path)
        if entry.state in (State.OPEN, State.REJECTED) or not in_a_layer:
            self.preview.show(image, plane, finding.mask, finding.corner)
        else:
            self.preview.clear()

    def _arrange(self) -> None:
        chosen = self.panel.view.number
        self.findings.arrange(round(self.panel.least.value(), 2), self.panel.sort.currentText())
        self.panel.view.choose(chosen)
        self._show_counts()

    def _show_counts(self) -> None:
        found = self.findings
        self.panel.show_counts(found.rowCount(), len(found.entries), len(found.open()))

    def _on_decided(self) -> None:
        self._show_target()
        self._show_counts()

    def _show_target(self) -> None:
        image = self.panel.image.layer
        if image is not None:
            self.panel.labels.select(self.review.target_of(image))

    def _on_target(self, labels: Labels | None) -> None:
        if self.panel.image.layer is not None:
            self.review.choose_target(self.panel.image.layer, unwrap(labels))

    def _offer_words(self) -> None:
        """Offer the words that the model knows, once it is loaded; which is done in a thread."""
        name = self.panel.model.currentText()
        if self._runner.busy or (self._offered and self.model_cache.loaded(name) is self._offered):
            return

        def done(model: Model) -> None:
            self._offered = model
            self.panel.words.setStringList(list(model.vocabulary()))

        def failed(error: Exception) -> None:
            self.panel.message.say(str(error), problem=True)

        self._runner.submit(Job(lambda: self.model_cache.model(name), done, failed))

    def _on_removed(self, event: Event) -> None:
        self.review.let_go_of(event.value)
        if self.scope.knows(event.value):
            self.finder.steps.stop()
