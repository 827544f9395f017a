"""How an image layer is shown to models: chosen once, the same for every dock."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from ..errors import InvalidImage
from ..intensity import IntensityWindow
from ..sources.source import ImageInput, ImageSource, PlaneSource
from .coordinates import full_data, layers_on, resolutions
from .metadata import ABOUT, grid_values, source_path
from .private import unwrap
from .shown import channel_layers

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari.layers import Image, Labels, Layer

    from ..planes import Plane

LOOK = "napari-seem look"
"""Key of an image layer's metadata: a `IntensityWindow`, `CONTRAST` or `VEGETATION`."""
CONTRAST = "contrast"
"""The layer's contrast limits, whatever they are at the time."""
VEGETATION = "vegetation"
"""The normalised difference of the layers that show near infrared and red."""
_SOURCES: WeakKeyDictionary[Image, ImageSource] = WeakKeyDictionary()
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
        Where the two bands of a vegetation index are not among them.
    """
    if look == VEGETATION:
        vegetation_pair(layers)
    own = unwrap(layer)
    own.metadata = {**own.metadata, LOOK: look}


def window_of_layer(layer: Image) -> IntensityWindow:
    """How a layer is shown to models now; plain where nobody chose."""
    own = unwrap(layer)
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
    windows : tuple of IntensityWindow
        One for each layer.
    index : bool
        Show the normalised difference of the two layers instead.
    """

    layers: tuple[Image, ...]
    windows: tuple[IntensityWindow, ...]
    index: bool = False

    def to_dict(self) -> dict[str, object]:
        """What was used, as plain values for the results; nothing where nobody chose."""
        if self.index:
            return {"normalised difference": [layer.name for layer in self.layers]}
        if len(self.layers) == 1:
            return self.windows[0].to_dict()
        looks = {
            layer.name: look.to_dict()
            for layer, look in zip(self.layers, self.windows, strict=True)
        }
        return {"channels": looks}

    def arrays(self) -> ImageInput:
        """The layers' arrays, to be read in any thread."""
        return ImageInput(tuple(image_source(one) for one in self.layers), self.windows, self.index)

    def source(self, plane: Plane, title: str = "") -> PlaneSource:
        """A plane as the model gets it, to be read in any thread."""
        return PlaneSource(self.arrays(), plane, title, image_source(self.layers[0]))


def image_source(layer: Image) -> ImageSource:
    """A layer's arrays, name and place; the same object until the layer has others."""
    own = unwrap(layer)
    data, levels = full_data(own), resolutions(own)
    known = _SOURCES.get(own)
    said = own.name, grid_values(own)
    if known is None or known.array is not data or (known.name, known.grid) != said:
        path = source_path(own)
        where = "" if path is None else str(path.absolute())
        known = ImageSource(levels, bool(own.rgb), own.name, where, said[1])
        _SOURCES[own] = known
    return known


def check_pixels(layers: Sequence[Layer], read: ImageInput) -> None:
    """Raise `InvalidImage` where image layers have other arrays than those that were read."""
    for layer, image in zip(layers, read.images, strict=True):
        if full_data(layer) is not image.array:
            raise InvalidImage(
                f"the pixels of '{layer.name}' were replaced meanwhile, and the result is of those "
                "before; begin again on the new ones"
            )


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
            bands = layers_on(layer, layers)
            return ModelInput(
                vegetation_pair(bands), (IntensityWindow(), IntensityWindow()), index=True
            )
        except InvalidImage:  # one was hidden or renamed since
            return ModelInput((layer,), (IntensityWindow(),))
    sources = channel_layers(layer, layers) if together else (layer,)
    return ModelInput(sources, tuple(window_of_layer(one) for one in sources))


def note_model_input(labels: Labels, shown: ModelInput) -> None:
    """Keep with a Labels layer what its objects were found on, for the files it is written to."""
    own = unwrap(labels)
    about = dict(own.metadata.get(ABOUT, {}))
    values: Any = shown.to_dict()
    known = about.get("shown", values)
    if known != values:
        several = known if isinstance(known, list) else [known]
        values = several if values in several else [*several, values]
    about |= {"image": shown.layers[0].name, "shown": values}
    if about != own.metadata.get(ABOUT):
        own.metadata = {**own.metadata, ABOUT: about}


def vegetation_pair(layers: Sequence[Image]) -> tuple[Image, Image]:
    """Of the layers that show bands of an image, near infrared and red, told by their names.

    Raises
    ------
    InvalidImage
        One of them is not among the layers.
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
