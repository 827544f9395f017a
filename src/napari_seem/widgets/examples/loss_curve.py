"""A loss while it falls."""

from __future__ import annotations

from qtpy.QtCore import QPointF, QRectF, QSize, Qt
from qtpy.QtGui import QColor, QPainter, QPen, QPolygonF
from qtpy.QtWidgets import QSizePolicy, QWidget

LINE, GRID = "#5aa9e6", "#80808060"
MARGIN = 4


class LossCurve(QWidget):
    """The losses so far, one point a step."""

    def __init__(self) -> None:
        super().__init__()
        self.losses: list[float] = []
        self._steps = 1
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setToolTip("Loss: how much the model's labels of the examples differ from yours")

    def begin(self) -> None:
        """Start a new curve."""
        self.losses = []
        self.setVisible(True)
        self.update()

    def put(self, loss: float, steps: int) -> None:
        """Add a step of how many."""
        self.losses.append(loss)
        self._steps = max(steps, len(self.losses))
        self.update()

    def sizeHint(self) -> QSize:
        """Wide and low."""
        return QSize(240, 64)

    def paintEvent(self, _: object) -> None:
        """Draw the curve from its highest value down to zero."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        inner = QRectF(self.rect()).adjusted(MARGIN, MARGIN, -MARGIN, -MARGIN)
        painter.setPen(QPen(QColor(GRID), 1))
        painter.drawLine(inner.bottomLeft(), inner.bottomRight())
        if not self.losses:
            return
        top = max(self.losses) or 1.0
        points = [
            QPointF(
                inner.left() + inner.width() * (step + 0.5) / self._steps,
                inner.bottom() - inner.height() * loss / top,
            )
            for step, loss in enumerate(self.losses)
        ]
        painter.setPen(QPen(QColor(LINE), 2))
        painter.drawPolyline(QPolygonF(points))
        painter.drawText(inner, Qt.AlignmentFlag.AlignRight, f"{self.losses[-1]:.3f}")
