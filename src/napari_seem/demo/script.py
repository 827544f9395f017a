"""What the demonstration asks: samples, planes, and prompts in the order of a person's hand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

Pair = tuple[float, float]


@dataclass(frozen=True)
class Click:
    """A click at (row, column)."""

    at: Pair
    positive: bool = True


@dataclass(frozen=True)
class DragBox:
    """A box dragged from one corner to the other."""

    start: Pair
    stop: Pair


@dataclass(frozen=True)
class Lasso:
    """A rough outline through these corners."""

    corners: Sequence[Pair]


@dataclass(frozen=True)
class Stroke:
    """A brush stroke through these positions."""

    path: Sequence[Pair]


@dataclass(frozen=True)
class Say:
    """A word in the word field, and all its matches taken."""

    word: str


Gesture = Click | DragBox | Lasso | Stroke | Say


@dataclass(frozen=True)
class DemoTask:
    """One object (or one word) on one sample.

    `plane` is the position along the first axis, for stacks.
    """

    sample: str
    title: str
    gestures: Sequence[Gesture] = field(default_factory=tuple)
    plane: int | None = None


TASKS = (
    DemoTask("coins", "a coin by one click", [Click((130, 120))]),
    DemoTask("coins", "a coin by a box", [DragBox((158, 323), (215, 380))]),
    DemoTask("tissue", "a gland by a lasso",
         [Lasso([(302, 285), (325, 362), (400, 380), (485, 372), (506, 330), (470, 280),
                 (380, 250)])]),
    DemoTask("retina", "the cup of the optic disc by a click, kept in by one beside it",
         [Click((655, 245)), Click((655, 330), positive=False)]),
    DemoTask("coffee", "the coffee by one click", [Click((195, 265))]),
    DemoTask("coffee", "saucer and cup around it by a box", [DragBox((5, 70), (380, 485))]),
    DemoTask("cat", "an eye by a stroke", [Stroke([(100, 155), (112, 172), (125, 185)])]),
    DemoTask("brain", "the brain on an axial slice by a box", [DragBox((5, 25), (95, 95))], 12),
    DemoTask("ct", "the vertebral arch by one click", [Click((67, 57))]),
    DemoTask("stack", "a nucleus by one click", [Click((-1, -1))], plane=12),
    DemoTask("stack", "every nucleus of the plane by its word", [Say("nucleus")], plane=12),
    DemoTask("mosaic", "a roof by one click", [Click((-1, -1))]),
    DemoTask("mosaic", "every roof by its word", [Say("building")]),
)  # fmt: skip
"""A click at (-1, -1) goes to the middle of the largest object of the ground truth."""
