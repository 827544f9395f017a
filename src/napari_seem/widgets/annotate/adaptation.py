"""The model fitted to the objects that lie on the shown plane, when a person asks for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import QObject, Signal

from ...errors import NapariSeemError
from ...sources import WHOLE, is_big
from ...viewer.stacks import read_labels
from .._shared.runner import Job, report_crash

if TYPE_CHECKING:
    from .annotator import Annotator

SMALLEST = 16
"""Objects of fewer pixels teach nothing."""


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
        """Fit the model in the worker thread; a few seconds."""
        annotator = self._annotator
        source, plane, labels = annotator.plane_source(), annotator.plane, annotator.labels
        if source is None or plane is None or labels is None:
            self._refuse("commit some objects first; then the model can learn from them")
            return
        if is_big(plane.shape(labels.data.shape)):
            self._refuse(
                f"the model learns on images of up to {WHOLE} pixels; crop the image around some "
                "objects first"
            )
            return
        values = read_labels(labels, plane)
        sizes = np.bincount(values.ravel())
        ids = [int(i) for i in np.flatnonzero(sizes >= SMALLEST) if i]
        masks = [values == i for i in ids]

        def work() -> Any:
            model, embedding = source()
            if not hasattr(model, "adapted"):
                raise NapariSeemError(
                    f"'{model.name}' can't be fitted to objects; choose the compact model"
                )
            return model.adapted(embedding, masks)

        name = annotator.model_name
        annotator.runner.submit(
            Job(work, lambda model: self._use(name, model, len(masks)), self._failed,
                f"Learning from {len(masks)} objects", self._dropped, lane="adapt")
        )  # fmt: skip

    def forget(self) -> None:
        """Use the model as it is shipped again."""
        name = self._annotator.model_name
        model: Any = self._annotator.model_cache.loaded(name)
        if model is not None and getattr(model, "is_adapted", False):
            self._annotator.model_cache.put(name, model.plain())
            self._annotator.say("the model is as shipped again")
        self.changed.emit(False)

    def _use(self, name: str, model: Any, count: int) -> None:
        fitted = model.is_adapted
        self._annotator.model_cache.put(name, model)
        if fitted:
            self._annotator.say(f"first clicks go by these {count} objects from now on")
        else:
            self._annotator.say(
                f"{count} objects are too few, or fitting to them made first clicks no better; "
                "the model stays as it is"
            )
        self.changed.emit(fitted)

    def _refuse(self, told: str) -> None:
        self._annotator.said.emit(told, True)
        self.changed.emit(False)

    def _dropped(self) -> None:
        self.changed.emit(False)

    def _failed(self, error: Exception) -> None:
        if not isinstance(error, NapariSeemError):
            report_crash(error)
        self._refuse(str(error))
