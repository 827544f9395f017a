"""*Fine-tune* in the Models dock: a model trained further on what is labelled in the viewer."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QFileDialog, QVBoxLayout, QWidget

from ...commands.models import ModelCache
from ...errors import InvalidLabels, InvalidName, NapariSeemError
from ...finetuning import MOST_PIXELS, FineTuning
from ...models.files import own
from ...viewer.labelled import LabelledPart, parts_of, within
from ...viewer.private import unwrap
from .._shared.forms import on_click
from .._shared.message import Message
from .finetune_panel import FineTunePanel
from .labelled_list import LABELS, LabelledList
from .labelled_tree import LabelledRow
from .tuning import ModelTuning, TuningRequest

if TYPE_CHECKING:
    from napari.components import ViewerModel

USUAL_NAME = "my-model"


class FineTune(QWidget):
    """Chooses what to learn from, runs a fine-tuning, and offers what came of it.

    Parameters
    ----------
    viewer : ViewerModel
    model_cache : ModelCache

    Attributes
    ----------
    installed : Signal(str)
        A model was kept; what `load_model` takes.
    """

    installed = Signal(str)

    def __init__(self, viewer: ViewerModel, model_cache: ModelCache) -> None:
        super().__init__()
        self._viewer, self._models = viewer, model_cache
        self.panel = FineTunePanel()
        self.labelled = LabelledList(viewer, self.panel.tree, self)
        self.tuning = ModelTuning(model_cache.gate, self)
        self.found: FineTuning | None = None
        self._note = ""
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.panel)
        self._connect()

    @property
    def message(self) -> Message:
        """Where a person is told what happened."""
        return self.panel.message

    def look(self) -> None:
        """List what is labelled now."""
        if not self.tuning.running:
            self.labelled.look()
            self.panel.base.look()
            if not self.panel.name.text():
                self.panel.name.setText(own.free_name(USUAL_NAME))

    def add_folder(self, folder: str | Path | None = None) -> None:
        """Learn from the labelled images of a folder, too; asked for where not given."""
        if folder is None:
            folder = QFileDialog.getExistingDirectory(self, "Folder of labelled images")
        if folder:
            self._guarded(lambda: self.labelled.add_folder(Path(folder)))

    def start(self) -> None:
        """Begin to train; what is ticked is read now."""
        self._guarded(self._start)

    def stop(self) -> None:
        """End training; the best so far is compared and offered."""
        self.panel.stop.setEnabled(False)
        self.panel.state.setText("comparing the best weights so far")
        self.tuning.stop()

    def use(self) -> None:
        """Keep the new model under its name."""
        self._guarded(self._use)

    def discard(self) -> None:
        """Throw the new model away."""
        self.found = None
        self.tuning.drop_draft()
        self.panel.show_result(None)
        self.panel.message.say("")

    def keep_found(self) -> None:
        """Keep a better model that nobody decided on."""
        if self.found is not None:
            try:
                self.found.install()
            except InvalidName:
                self.found.install(own.free_name(self.found.name))
            self.discard()

    def close_down(self) -> None:
        """End training; what is better so far is kept, whether it was asked for or not."""
        self.labelled.close()
        self.tuning.close()
        self.keep_found()

    def _start(self) -> None:
        panel, rows = self.panel, self.panel.tree.chosen()
        name = own.checked_name(panel.name.text())
        own.check_free(name)
        parts = self._parts(rows)
        files = [(row.files, row.folder / LABELS) for row in rows if row.folder]
        if not parts and not files:
            raise InvalidLabels(
                "nothing labelled is ticked; label objects on some planes, press Look again, and "
                "tick them, or add a folder of labelled images"
            )
        request = TuningRequest(
            panel.base.currentText(), name, parts, files, panel.kind.value,
            panel.minutes.value(), self._models.device,
        )  # fmt: skip
        self.discard()
        panel.show_running(True)
        panel.message.say(self._note)
        self.tuning.start(request)

    def _parts(self, rows: list[LabelledRow]) -> list[tuple[object, LabelledPart]]:
        """Copy the labels of the ticked planes, of as many as there is room for."""
        self._note = ""
        found: list[tuple[object, LabelledPart]] = []
        layers = [(one.layer, one.planes) for one in rows if one.layer and one.planes]
        for layer, every in layers:
            if not {layer.image, layer.labels} <= set(map(unwrap, self._viewer.layers)):
                raise InvalidLabels(
                    f"'{layer.title}' is not in the viewer any more; press Look again"
                )
            planes = within(every, MOST_PIXELS // len(layers))
            found += [(layer.title, part) for part in parts_of(self._viewer, layer, planes)]
            if len(planes) < len(every):
                self._note = (
                    f"learns from {len(planes)} of {len(every)} planes of '{layer.title}', evenly "
                    f"spaced: there is room for {MOST_PIXELS >> 20} million pixels"
                )
        return found

    def _use(self) -> None:
        if self.found is None:
            raise NapariSeemError("there is no new model to keep; start a fine-tuning first")
        name = self.found.install()
        self.discard()
        self.panel.name.setText(own.free_name(USUAL_NAME))
        self.panel.message.say(f"'{name}' is in the lists of models of all docks now")
        self.installed.emit(name)

    def _guarded(self, work: Callable[[], None]) -> None:
        self.panel.message.say("")
        try:
            work()
        except (NapariSeemError, OSError) as error:
            self.panel.message.say(str(error), problem=True)

    def _connect(self) -> None:
        panel = self.panel
        on_click((
            (panel.look, self.look), (panel.add_folder, self.add_folder),
            (panel.start, self.start), (panel.stop, self.stop),
            (panel.use, self.use), (panel.discard, self.discard),
        ))  # fmt: skip
        self.tuning.reported.connect(panel.show_report)
        self.tuning.finished.connect(self._on_found)
        self.tuning.ended.connect(self._on_end)

    def _on_found(self, found: FineTuning) -> None:
        self.found = found if found.gained else None
        if self.found is None:
            self.tuning.drop_draft()
        self.panel.show_running(False)
        self.panel.show_result(found)

    def _on_end(self, outcome: str) -> None:
        panel = self.panel
        panel.show_running(False)
        if outcome == "stopped":
            self.tuning.drop_draft()
            panel.message.say("cancelled; nothing is kept")
        elif outcome:
            left = self.tuning.leave_draft()
            kept = f". The best so far is kept as '{left}'" if left else ""
            panel.message.say(f"{outcome.rstrip('.')}{kept}", problem=True)
            if left:
                self.installed.emit(left)
        elif panel.comparison.isHidden():
            panel.message.say("stopped before the model was judged as it is; nothing is kept")
        self.look()
