"""The model fitted to the objects that lie on the shown plane, when a person asks for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from qtpy.QtCore import QObject, Signal

from ...commands.base import ModelRef
from ...commands.vocabulary import Adapt, check_adaptable_plane, check_enough
from ...errors import NapariSeemError
from ...models.adaptable import AdaptableModel
from ...viewer.label_layers.targets import check_target
from ...viewer.stacks import read_labels
from .._shared.background.runner import Job, explained

if TYPE_CHECKING:
    from .annotator import Annotator


class Adaptation(QObject):
    """Fits the chosen model to the objects on the shown plane, and takes that back.

    Attributes
    ----------
    changed : Signal(bool)
        Whether a fitted model is in use now.
    """

    changed = Signal(bool)

    def __init__(self, annotator: Annotator) -> None:
        super().__init__(annotator)
        self._annotator = annotator

    def learn(self) -> None:
        """Fit the model in the worker thread; what it will take is shown after its first steps."""
        annotator = self._annotator
        work, labels = annotator.ensure_work(), annotator.labels
        if work is None or labels is None:
            self._refuse("commit some objects first; then the model can learn from them")
            return
        try:
            check_target(labels, work.image, 1)
            check_adaptable_plane(work.known.source)
        except NapariSeemError as error:
            self._refuse(str(error))
            return
        values, models, known = read_labels(labels, work.plane), annotator.model_cache, work.known
        report = annotator.runner.report
        command = Adapt(model=ModelRef(name=annotator.model_name))

        def adapt() -> tuple[object, int]:
            plane = models.open(command.model.name, known)
            check_enough(plane.model, values)
            return command.run(plane, values, report)

        name = annotator.model_name
        annotator.runner.submit(
            Job(adapt, lambda found: self._use(name, *found), self._failed,
                f"Learning from {len(np.unique(values[values > 0]))} objects", self._dropped,
                lane="adapt")
        )  # fmt: skip

    def forget(self) -> None:
        """Use the model as it is shipped again."""
        name = self._annotator.model_name
        model = self._annotator.model_cache.loaded(name)
        if isinstance(model, AdaptableModel) and model.is_adapted:
            self._annotator.model_cache.put(name, model.plain())
            self._annotator.say("the shipped model is used again")
        self.changed.emit(False)

    def _use(self, name: str, model: AdaptableModel, count: int) -> None:
        fitted = model.is_adapted
        self._annotator.model_cache.put(name, model)
        if fitted:
            self._annotator.say(f"first clicks now use the model fitted to these {count} objects")
        else:
            self._annotator.say(
                f"Fitting to these {count} objects made first clicks no better; the model stays "
                "as it is"
            )
        self.changed.emit(fitted)

    def _refuse(self, reason: str) -> None:
        self._annotator.said.emit(reason, True)
        self.changed.emit(False)

    def _dropped(self) -> None:
        self.changed.emit(False)

    def _failed(self, error: Exception) -> None:
        self._refuse(explained(error))
