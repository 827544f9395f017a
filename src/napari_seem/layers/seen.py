"""How an image layer is shown to models: chosen once, the same for every dock."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..errors import InvalidImage
from ..look import Look
from .coordinates import unwrap

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari.layers import Image

LOOK = "napari-seem look"
"""Key of an image layer's metadata: a `Look`, or `CONTRAST`."""
CONTRAST = "contrast"
"""The layer's contrast limits, whatever they are at the time."""
_INFRARED = ("nir", "near infrared", "near-infrared", "infrared", "b8", "b08")
_RED = ("red", "b4", "b04")


def choose_look(layer: Image, look: Look | str) -> None:
    """Show a layer to models by a look, or by `CONTRAST`, from now on."""
    own: Any = unwrap(layer)
    own.metadata = {**own.metadata, LOOK: look}


def look_of(layer: Image) -> Look:
    """How a layer is shown to models now; plain where nobody chose."""
    own: Any = unwrap(layer)
    chosen = own.metadata.get(LOOK)
    if chosen == CONTRAST:
        if own.rgb:
            return Look()
        low, high = own.contrast_limits
        return Look(window=(float(low), float(high)), name=CONTRAST)
    return chosen if isinstance(chosen, Look) else Look()


def vegetation_pair(layers: Sequence[Image]) -> tuple[Image, Image]:
    """Of the layers that show bands of an image, near infrared and red, told by their names.

    Raises
    ------
    InvalidImage
        Where one of them can't be told.
    """
    found = []
    for what, endings in (("near infrared", _INFRARED), ("red", _RED)):
        named = [one for one in layers if _ends(one.name, endings)]
        if not named:
            raise InvalidImage(
                f"no layer's name ends in the band {what} ({', '.join(endings)}); rename the layer "
                "that shows it"
            )
        found.append(named[0])
    return found[0], found[1]


def _ends(name: str, endings: Sequence[str]) -> bool:
    words = name.lower().replace("_", " ").replace("[", " ").replace("]", " ").split()
    return any(words[-len(ending.split()) :] == ending.split() for ending in endings)
