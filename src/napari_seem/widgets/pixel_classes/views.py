"""What the dock shows of an answer: classes, a probability, and where they are told apart worst."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from qtpy.QtWidgets import QCheckBox

from ...errors import NapariSeemError
from ...pixel_classes.places import least_sure
from ...viewer.coordinates import shown_plane
from ...viewer.model_input import check_pixels
from ...viewer.pixels.maps import ClassMap, NumberMap, PlaneMap
from ...viewer.pixels.teaching import PixelTeaching
from ...viewer.roles import PROBABILITY, UNCERTAINTY
from .live import PixelAnswer
from .panel import PixelClassesPanel

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Labels

Box = tuple[int, int, int, int]


class Views:
    """Shows the last answer as the boxes of the dock are ticked.

    Parameters
    ----------
    viewer : ViewerModel
    panel : PixelClassesPanel
    teaching : PixelTeaching
    """

    def __init__(
        self, viewer: ViewerModel, panel: PixelClassesPanel, teaching: PixelTeaching
    ) -> None:
        self._viewer, self._panel, self._teaching = viewer, panel, teaching
        self.classes = ClassMap(viewer)
        self.probability = NumberMap(viewer, PROBABILITY)
        self.uncertainty = NumberMap(viewer, UNCERTAINTY)
        for one, box in self._boxes():
            one.hidden.connect(partial(_untick, box))
        self._places: tuple[PixelAnswer, list[Box]] | None = None

    def show(self, answer: PixelAnswer | None, strokes: Labels | None) -> None:
        """Show an answer below the strokes; None shows nothing."""
        panel, name = self._panel, self._panel.classes.current
        for one in (self.classes, self.probability, self.uncertainty):
            one.below = strokes
        number = next((one.number for one in self._teaching.classes if one.name == name), 0)
        known = answer is not None and number in answer.classes.ids
        self._put(self.classes, answer if panel.map.isChecked() else None, "labels")
        chosen = answer if known and panel.probability.isChecked() else None
        self.probability.name(f"SEEM probability of {name}" if name else "SEEM probability")
        self._put(self.probability, chosen, number)
        self._put(
            self.uncertainty, answer if panel.uncertainty.isChecked() else None, "uncertainty"
        )

    def clear(self) -> None:
        """Show nothing."""
        self.show(None, None)

    def colour(self) -> None:
        """Show the classes in their present colours."""
        self.classes.colour({one.number: one.colour for one in self._teaching.classes})

    def is_current(self, answer: PixelAnswer) -> bool:
        """Whether an answer is of what is shown now, and of the pixels that are there now."""
        question, image = answer.question, self._panel.image.layer
        if question.image is not image or image not in self._viewer.layers:
            return False
        try:
            plane = shown_plane(image, self._viewer.dims)
            check_pixels(question.input.layers, question.source.input)
        except NapariSeemError:
            return False
        same = plane.key() == question.plane.key()
        return same and self._teaching.input_of(image) == question.input

    def next_unsure(self, answer: PixelAnswer) -> Box:
        """The next place of a plane, from the least sure: (y0, x0, y1, x1)."""
        if self._places is None or self._places[0] is not answer:
            corner = np.array(answer.area[:2])
            question = answer.question
            own = [
                one.places for one in question.lesson.planes
                if one.source.input is question.source.input
                and one.source.plane.key() == question.plane.key()
            ]  # fmt: skip
            strokes = np.concatenate([*own, np.zeros((0, 2), int)])
            found = least_sure(answer.classes.uncertainty, strokes - corner)
            self._places = answer, found
        places = self._places[1]
        y0, x0, y1, x1 = places[0]
        places.append(places.pop(0))
        y, x = answer.area[:2]
        return y0 + y, x0 + x, y1 + y, x1 + x

    def close(self) -> None:
        """Leave the layers, hidden, to another dock."""
        for one in (self.classes, self.probability, self.uncertainty):
            one.close()

    def _boxes(self) -> list[tuple[PlaneMap, QCheckBox]]:
        """What is shown, and the box that it is ticked with."""
        panel = self._panel
        return [
            (self.classes, panel.map), (self.probability, panel.probability),
            (self.uncertainty, panel.uncertainty),
        ]  # fmt: skip

    def _put(self, view: PlaneMap, answer: PixelAnswer | None, what: str | int) -> None:
        if answer is None:
            view.hide()
            return
        classes = answer.classes
        values = getattr(classes, what) if isinstance(what, str) else classes.probability(what)
        corner = answer.area[0], answer.area[1]
        view.show(answer.question.image, answer.question.plane, values, corner)


def _untick(box: QCheckBox) -> None:
    box.setChecked(False)
