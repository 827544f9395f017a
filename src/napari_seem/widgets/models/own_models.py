"""A person's own models in the Models dock: their cards, and what is done with them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtCore import QObject
from qtpy.QtWidgets import QFileDialog, QInputDialog, QMessageBox, QVBoxLayout, QWidget

from ...commands.models import ModelCache
from ...errors import NapariSeemError
from ...io.writing.whole import replacing
from ...models.files import own
from ...models.registry import MODELS, install_model
from .._shared.background.runner import Job, LatestRunner, explained
from .._shared.forms import with_ending
from .._shared.message import notify
from .._shared.models.box import look_for_models
from .card import OwnCard

if TYPE_CHECKING:
    from napari.components import ViewerModel

FILES = f"Models (*{own.SUFFIX})"


class OwnModels(QObject):
    """Lists own models; renames, shares, removes them, and takes in those of others.

    Parameters
    ----------
    viewer : ViewerModel
    model_cache : ModelCache
    runner : LatestRunner
        Checks files.
    parent : QWidget
        That dialogs stand before.

    Attributes
    ----------
    cards : dict of str to OwnCard
    column : QVBoxLayout
        Of the cards.
    """

    def __init__(
        self, viewer: ViewerModel, model_cache: ModelCache, runner: LatestRunner, parent: QWidget
    ) -> None:
        super().__init__(parent)
        self._viewer, self._models, self._runner, self._window = (
            viewer, model_cache, runner, parent,
        )  # fmt: skip
        self.cards: dict[str, OwnCard] = {}
        self.column = QVBoxLayout()
        self.look()

    def look(self) -> None:
        """List the models that there are now, and let all docks offer them."""
        names = list(own.files())
        for name in set(self.cards) - set(names):
            card = self.cards.pop(name)
            card.setParent(None)
            card.deleteLater()
        for place, name in enumerate(names):
            if name not in self.cards:
                self.cards[name] = self._card(name)
                self.column.insertWidget(place, self.cards[name])
        look_for_models(self._viewer)

    def take_up(self, name: str) -> None:
        """List a model that is new, or that has other weights than one of its name had."""
        if self._models.loaded(name) is not None:
            self._models.forget(name)
        self.look()

    def rename(self, name: str, new: str | None = None) -> None:
        """Give a model another name; asked for where not given."""
        if new is None:
            former = name.removeprefix(own.PREFIX)
            new, accepted = QInputDialog.getText(
                self._window, "Rename model", "New name", text=former
            )
            if not accepted or new == former:
                return
        self._do(lambda: self.take_up(own.rename(name, new)))

    def share(self, name: str, path: str | Path | None = None) -> None:
        """Save a model's weights as a file; asked for where not given."""
        file = own.path_of(name)
        if path is None:
            path, _ = QFileDialog.getSaveFileName(self._window, "Share model", file.name, FILES)
        if path:
            self._do(lambda: _copy(file, with_ending(Path(path), own.SUFFIX)))

    def remove(self, name: str, *, sure: bool = False) -> None:
        """Delete a model, if a person is sure."""
        question = f"Delete '{name}'? Its weights are gone then, unless you shared them as a file."
        yes = QMessageBox.StandardButton.Yes
        if sure or QMessageBox.question(self._window, "Remove model", question) == yes:
            self._do(partial(own.remove, name))
            self.look()

    def add(self, path: str | Path | None = None) -> None:
        """Keep a model that somebody shared; its file is asked for where not given."""
        if path is None:
            path, _ = QFileDialog.getOpenFileName(self._window, "Model of others", "", FILES)
        if not path:
            return
        file = Path(path)

        def work() -> str:
            return install_model(file, own.free_name(file.stem))

        def done(name: str) -> None:
            self.take_up(name)
            notify(f"'{name}' is in the lists of models of all docks now")

        def failed(error: Exception) -> None:
            notify(explained(error), problem=True)

        self._runner.submit(Job(work, done, failed, f"Checking {file.name}", lane=""))

    def _do(self, work: Callable[[], object]) -> None:
        try:
            work()
        except NapariSeemError as error:
            notify(str(error), problem=True)

    def _card(self, name: str) -> OwnCard:
        card = OwnCard(MODELS[name])
        card.rename_wanted.connect(self.rename)
        card.share_wanted.connect(self.share)
        card.remove_wanted.connect(self.remove)
        return card


def _copy(file: Path, target: Path) -> None:
    with replacing(target) as (part,):
        part.write_bytes(file.read_bytes())
