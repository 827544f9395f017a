"""Colours of classes, and whether labels are shown in them."""

from __future__ import annotations

import colorsys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from .edits import NO_CLASS

FIRST = (
    "#e69f00", "#56b4e9", "#009e73", "#f0e442", "#0072b2", "#d55e00", "#cc79a7",
    "#b39ddb", "#8bc34a", "#a1887f", "#00e5ff", "#ff8a80",
)  # fmt: skip
"""Colours of classes, in order: those of Okabe and Ito, which nearly everybody can distinguish,
then more."""
NEUTRAL = "#9e9e9e"
"""Objects without a class."""


@dataclass(frozen=True)
class Palette:
    """The colours of a Labels layer.

    Attributes
    ----------
    by_class : bool
        Objects have the colour of their class; otherwise each has one of its own.
    colours : mapping of str to str
        Class -> "#rrggbb".
    """

    by_class: bool = False
    colours: Mapping[str, str] = field(default_factory=dict)

    def of(self, name: str) -> str:
        """Return the colour of a class."""
        return NEUTRAL if name == NO_CLASS else self.colours.get(name, NEUTRAL)

    def with_classes(self, names: Iterable[str]) -> Palette:
        """Return a palette with a colour for each of these classes; known ones keep theirs."""
        colours = dict(self.colours)
        for name in names:
            if name != NO_CLASS and name not in colours:
                colours[name] = _unused(set(colours.values()))
        return self if len(colours) == len(self.colours) else replace(self, colours=colours)

    def changed(self, colours: Mapping[str, str | None]) -> Palette:
        """Return a palette with other colours for some classes; None removes a class."""
        merged = {**self.colours, **colours}
        return replace(self, colours={k: v for k, v in merged.items() if v is not None})

    def to_dict(self) -> dict[str, object]:
        """Return plain values, for a layer's metadata and for files."""
        return {"by_class": self.by_class, "colours": dict(self.colours)}

    @classmethod
    def from_dict(cls, values: object) -> Palette:
        """Read what `to_dict` wrote; anything else gives the default palette."""
        if not isinstance(values, Mapping):
            return cls()
        colours = values.get("colours")
        known = colours if isinstance(colours, Mapping) else {}
        return cls(bool(values.get("by_class")), {str(k): str(v) for k, v in known.items()})


def rgb(colour: str) -> tuple[int, int, int]:
    """Return red, green and blue of "#rrggbb", 0 to 255."""
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)


def _unused(taken: set[str]) -> str:
    for colour in FIRST:
        if colour not in taken:
            return colour
    turn = len(taken)
    while True:
        parts = colorsys.hsv_to_rgb(turn * 0.618034 % 1.0, 0.45 + 0.4 * (turn % 3) / 2, 0.95)
        colour = "#" + "".join(f"{round(255 * part):02x}" for part in parts)
        if colour not in taken:
            return colour
        turn += 1
