"""How an image layer is shown to models: chosen once, the same for every dock."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..errors import InvalidImage
from ..intensity import IntensityWindow, read_shown, shown_levels
from .coordinates import channel_layers, full_data, resolutions, unwrap
from .files import ABOUT

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt
    from napari.layers import Image, Labels, Layer

    from ..planes import Plane

LOOK = "napari-seem look"
"""Key of an image layer's metadata: a `IntensityWindow`, `CONTRAST` or `VEGETATION`."""
CONTRAST = "contrast"
"""The layer's contrast limits, whatever they are at the time."""
VEGETATION = "vegetation"
"""The normalised difference of the layers that show near infrared and red."""
_INFRARED = ("nir", "near infrared", "near-infrared", "infrared", "b8", "b08")
_RED = ("red", "b4", "b04")


def choose_window(layer: Image, look: IntensityWindow | str, layers: Sequence[Image] = ()) -> None:
    """Show a layer to models by a look, `CONTRAST` or `VEGETATION` from now on.

    Parameters
    ----------
    layer : Image
    look : IntensityWindow or str
    layers : sequence of Image
        Those that show bands of the same image.

    Raises
    ------
    InvalidImage
        Where bands of a vegetation index can't be told among them.
    """
    if look == VEGETATION:
        vegetation_pair(layers)
    own: Any = unwrap(layer)
    own.metadata = {**own.metadata, LOOK: look}


def window_of_layer(layer: Image) -> IntensityWindow:
    """How a layer is shown to models now; plain where nobody chose."""
    own: Any = unwrap(layer)
    chosen = own.metadata.get(LOOK)
    if chosen == CONTRAST:
        if own.rgb:
            return IntensityWindow()
        low, high = own.contrast_limits
        return IntensityWindow(window=(float(low), float(high)), name=CONTRAST)
    return chosen if isinstance(chosen, IntensityWindow) else IntensityWindow()


@dataclass(frozen=True)
class ModelInput:
    """What a model is shown for an image layer; equal where it is the same.

    Attributes
    ----------
    layers : tuple of Image
        As channels of one picture where they are several.
    looks : tuple of IntensityWindow
        One for each layer.
    index : bool
        Show the normalised difference of the two layers instead.
    """

    layers: tuple[Image, ...]
    looks: tuple[IntensityWindow, ...]
    index: bool = False

    @property
    def resolved(self) -> ModelInput:
        """The same with the windows of whole volumes worked out; reads a few planes, sparsely."""
        looks = tuple(
            look.resolved(full_data(layer), bool(layer.rgb))
            for layer, look in zip(self.layers, self.looks, strict=True)
        )
        return ModelInput(self.layers, looks, self.index)

    def to_dict(self) -> dict[str, Any]:
        """What was used, as plain values for the results; nothing where nobody chose."""
        if self.index:
            return {"normalised difference": [layer.name for layer in self.layers]}
        if len(self.layers) == 1:
            return self.looks[0].to_dict()
        looks = {
            layer.name: look.to_dict() for layer, look in zip(self.layers, self.looks, strict=True)
        }
        return {"channels": looks}

    def images(self) -> list[list[Any]]:
        """One list of resolutions, finest first, for each channel of the picture; one for colour.

        Read by the plane only; must be settled.
        """
        levels = [resolutions(layer) for layer in self.layers]
        colours = [bool(layer.rgb) for layer in self.layers]
        return shown_levels(levels, self.looks, colours, self.index)

    def read(self, plane: Plane) -> npt.NDArray[Any]:
        """A plane as the model gets it, (H, W) or (H, W, C); must be settled."""
        return read_shown(self.images(), plane)


def model_input_of(layer: Image, layers: Sequence[Layer], together: bool) -> ModelInput:
    """What a model is shown for a layer now.

    Parameters
    ----------
    layer : Image
        The chosen one.
    layers : sequence of Layer
        The viewer's.
    together : bool
        Show all that show channels of the same image, not only the chosen one.
    """
    if unwrap(layer).metadata.get(LOOK) == VEGETATION:
        try:
            bands = channel_layers(layer, layers)
            return ModelInput(
                vegetation_pair(bands), (IntensityWindow(), IntensityWindow()), index=True
            )
        except InvalidImage:  # one was hidden or renamed since
            return ModelInput((layer,), (IntensityWindow(),))
    sources = channel_layers(layer, layers) if together else (layer,)
    return ModelInput(sources, tuple(window_of_layer(one) for one in sources))


def note_model_input(labels: Labels, shown: ModelInput) -> None:
    """Keep with a Labels layer what its objects were found on, for the files it is written to."""
    own: Any = unwrap(labels)
    about = dict(own.metadata.get(ABOUT, {}))
    told: Any = shown.to_dict()
    known = about.get("shown", told)
    if known != told:
        several = known if isinstance(known, list) else [known]
        told = several if told in several else [*several, told]
    about |= {"image": shown.layers[0].name, "shown": told}
    if about != own.metadata.get(ABOUT):
        own.metadata = {**own.metadata, ABOUT: about}


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
