"""Scores over planes: look where it is low, click to go there."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from qtpy.QtCore import QPointF, QRectF, QSize, Qt, Signal
from qtpy.QtGui import QColor, QMouseEvent, QPainter, QPen
from qtpy.QtWidgets import QSizePolicy, QWidget

GOOD, DOUBTFUL, SEED, GRID, HERE = "#6fbf73", "#e0a458", "#5aa9e6", "#80808060", "#ffffff"
MARGIN = 4


class ScorePlot(QWidget):
    """A bar for every plane: its score, blue where a person accepted it.

    Attributes
    ----------
    clicked : Signal(int)
        The plane that was clicked.
    """

    clicked = Signal(int)

    def __init__(self) -> None:
        super().__init__()
        self._count, self._here, self._threshold = 0, 0, 0.0
        self._reverse = False
        self._name: Callable[[int], str] = "plane {}".format
        self._scores: dict[int, float] = {}
        self._accepted: frozenset[int] = frozenset()
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setMouseTracking(True)
        self.setCursor(Qt.CursorShape.PointingHandCursor)

    def show_scores(
        self, count: int, scores: Mapping[int, float], accepted: Sequence[int], threshold: float
    ) -> None:
        """Show scores of a stack of `count` planes; those below a threshold are doubtful."""
        self._count, self._threshold = count, threshold
        self._scores, self._accepted = dict(scores), frozenset(accepted)
        self.update()

    def show_here(self, plane: int) -> None:
        """Mark the plane that the viewer shows."""
        self._here = plane
        self.update()

    def set_names(self, name: Callable[[int], str], reverse: bool) -> None:
        """Name planes by `name`; `reverse` puts the last one to the left, as the slider does."""
        self._name, self._reverse = name, reverse
        self.update()

    def plane_at(self, x: float) -> int:
        """The plane at a horizontal place in pixels."""
        share = (x - MARGIN) / max(1, self.width() - 2 * MARGIN)
        return self._place(min(max(int(share * self._count), 0), max(self._count - 1, 0)))

    def sizeHint(self) -> QSize:
        """Wide and low."""
        return QSize(240, 72)

    def mousePressEvent(self, event: QMouseEvent | None) -> None:
        """Go to the plane under the mouse."""
        if event is not None and self._count:
            self.clicked.emit(self.plane_at(event.position().x()))

    def mouseMoveEvent(self, event: QMouseEvent | None) -> None:
        """Say which plane is under the mouse."""
        if event is None:
            return
        plane = self.plane_at(event.position().x())
        score = f", score {self._scores[plane]:.2f}" if plane in self._scores else ""
        accepted = ", labelled or accepted by you" if plane in self._accepted else ""
        self.setToolTip(f"{self._name(plane)}{score}{accepted}. Click to go there.")

    def _place(self, plane: int) -> int:
        """The number of a plane from the left, or the plane at such a number."""
        return self._count - 1 - plane if self._reverse else plane

    def paintEvent(self, _: object) -> None:
        """Draw bars, the threshold and where the viewer is."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        inner = QRectF(self.rect()).adjusted(MARGIN, MARGIN, -MARGIN, -MARGIN)
        painter.setPen(QPen(QColor(GRID), 1))
        for level in (0.0, 0.5, 1.0):
            y = inner.bottom() - level * inner.height()
            painter.drawLine(QPointF(inner.left(), y), QPointF(inner.right(), y))
        if not self._count:
            painter.drawText(inner, Qt.AlignmentFlag.AlignCenter, "no plane carried yet")
            return
        step = inner.width() / self._count
        painter.setPen(Qt.PenStyle.NoPen)
        for plane, score in self._scores.items():
            good = GOOD if score >= max(self._threshold, 0.5) else DOUBTFUL
            painter.setBrush(QColor(SEED if plane in self._accepted else good))
            height = max(2.0, score * inner.height())
            width = max(1.0, step - (1 if step > 3 else 0))
            left = inner.left() + self._place(plane) * step
            painter.drawRect(QRectF(left, inner.bottom() - height, width, height))
        x = inner.left() + (self._place(self._here) + 0.5) * step
        painter.setPen(QPen(QColor(HERE), 1, Qt.PenStyle.DashLine))
        painter.drawLine(QPointF(x, inner.top()), QPointF(x, inner.bottom()))
