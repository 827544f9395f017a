"""What was accepted before steers the next object: gathered from labels, shown, switched."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

import numpy as np
from qtpy.QtCore import QObject, Signal

from ....errors import InvalidLabels
from ....labels.areas import ObjectAreas
from ....labels.plans import counted
from ....models.context import Context, ContextModel
from ....prompts import Point, Scribble
from ....viewer.documents import document_of
from ....viewer.label_layers.targets import check_place

if TYPE_CHECKING:
    from napari.layers import Image, Labels

    from ....planes import Plane
    from ..annotator import Annotator
    from .planes import PlaneSession

FORMER = 8
"""Labels layers that were removed whose objects still count."""
LATEST = 64
"""Objects of each other image that count."""


class AcceptedBefore(QObject):
    """Says what was accepted before, for the objects that are begun on a plane.

    These are the objects of the active class, or all of them where none is active, in the labels
    of the image. While they are few, those in the labels of other images count, too, which the
    viewer has or had with pixels of the same size.

    Parameters
    ----------
    annotator : Annotator

    Attributes
    ----------
    changed : Signal()
        It was switched on or off.
    on : bool
    """

    changed = Signal()

    def __init__(self, annotator: Annotator) -> None:
        super().__init__(annotator)
        self._annotator = annotator
        self.on = True
        self._areas: dict[Labels, ObjectAreas] = {}
        self._former: deque[ObjectAreas] = deque(maxlen=FORMER)
        annotator.layers_changed.connect(self._forget_removed)

    def switch(self, on: bool) -> None:
        """Let what was accepted steer, or no longer; the object in the making is answered anew."""
        if on == self.on:
            return
        self.on = on
        work = self._annotator.work
        if work is not None:
            self._annotator.sessions.steer(work)
            self._annotator.turns.compute()
        self.changed.emit()

    def on_plane(self, image: Image, plane: Plane) -> Context | None:
        """What steers an object that is begun now on a plane of an image; None for nothing."""
        if not self.on:
            return None
        name, own = self._annotator.classes.active, self._areas_on(image)
        if own is not None:
            own.look_at(plane)
        others = [
            other.of_class(name)[-LATEST:] for other in (*self._areas.values(), *self._former)
            if other is not own and np.allclose(other.spacing, plane.spacing, rtol=0.01)
        ]  # fmt: skip
        if own is None and not others:
            return None
        here = () if own is None else own.of_class(name)
        context = Context.of_areas(here, np.concatenate(others) if others else ())
        return context if context.steers else None

    def words(self, work: PlaneSession) -> str:
        """How an object in the making is steered, for the status line; "" where it is not."""
        if work.context is None:
            return ""
        annotator = self._annotator
        lone = all(isinstance(one, (Point, Scribble)) for one in work.session.prompts)
        able = isinstance(annotator.model_cache.loaded(annotator.model_name), ContextModel)
        return f"steered by {counted(work.context.count)}" if lone and able else ""

    def close(self) -> None:
        """Follow no labels any more."""
        for one in (*self._areas.values(), *self._former):
            one.close()
        self._areas.clear()
        self._former.clear()

    def _areas_on(self, image: Image) -> ObjectAreas | None:
        """The areas in the labels of an image; None where these can't take its objects."""
        labels = self._annotator.targets.get(image)
        if labels is None or labels not in self._annotator.viewer.layers:
            return None
        try:
            check_place(labels, image)
        except InvalidLabels:  # which a commit says
            return None
        if labels not in self._areas:
            self._areas[labels] = ObjectAreas(document_of(labels))
        return self._areas[labels]

    def _forget_removed(self) -> None:
        """Keep only the areas of objects whose layer was removed."""
        for labels in [one for one in self._areas if one not in self._annotator.viewer.layers]:
            gone = self._areas.pop(labels)
            gone.close()
            self._former.append(gone)
