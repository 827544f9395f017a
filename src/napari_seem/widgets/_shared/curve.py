"""A value that is measured again and again while something learns, drawn as it comes."""

from __future__ import annotations

from qtpy.QtCore import QPointF, QRectF, QSize, Qt
from qtpy.QtGui import QColor, QPainter, QPen, QPolygonF
from qtpy.QtWidgets import QSizePolicy, QWidget

LINE, GRID = "#5aa9e6", "#80808060"
MARGIN = 4
LEAST_RANGE = 0.02
"""Least difference between top and bottom, so that noise does not look like progress."""


class Curve(QWidget):
    """The values so far as a line, with the last one written beside it.

    Parameters
    ----------
    tip : str
        What the value is.
    from_zero : bool
        Begin the vertical axis at 0; otherwise it spans the values, and the first one is dashed.
    """

    def __init__(self, tip: str, *, from_zero: bool = True) -> None:
        super().__init__()
        self.values: list[float] = []
        self._places: list[float] = []
        self._from_zero = from_zero
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setToolTip(tip)

    def begin(self) -> None:
        """Start a new curve."""
        self.values, self._places = [], []
        self.setVisible(True)
        self.update()

    def put(self, value: float, place: float) -> None:
        """Add a value; `place` is where it stands along the axis, from 0 to 1."""
        self.values.append(value)
        self._places.append(min(max(place, 0.0), 1.0))
        self.update()

    def sizeHint(self) -> QSize:
        """Wide and low."""
        return QSize(240, 64)

    def paintEvent(self, _: object) -> None:
        """Draw the line from the lowest to the highest value."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        inner = QRectF(self.rect()).adjusted(MARGIN, MARGIN, -MARGIN, -MARGIN)
        painter.setPen(QPen(QColor(GRID), 1))
        painter.drawLine(inner.bottomLeft(), inner.bottomRight())
        if not self.values:
            return
        points = self._points(inner)
        if not self._from_zero:
            painter.setPen(QPen(QColor(GRID), 1, Qt.PenStyle.DashLine))
            painter.drawLine(
                QPointF(inner.left(), points[0].y()), QPointF(inner.right(), points[0].y())
            )
        painter.setPen(QPen(QColor(LINE), 2))
        painter.drawPolyline(QPolygonF(points))
        if len(points) == 1:
            painter.drawEllipse(points[0], 2, 2)
        painter.drawText(inner, Qt.AlignmentFlag.AlignRight, f"{self.values[-1]:.3f}")

    def _points(self, inner: QRectF) -> list[QPointF]:
        bottom, top = (0.0 if self._from_zero else min(self.values)), max(self.values)
        missing = 0.0 if self._from_zero else max(0.0, LEAST_RANGE - (top - bottom))
        bottom, span = bottom - missing / 2, (top - bottom + missing) or 1.0
        return [
            QPointF(
                inner.left() + inner.width() * place,
                inner.bottom() - inner.height() * (value - bottom) / span,
            )
            for value, place in zip(self.values, self._places, strict=True)
        ]
