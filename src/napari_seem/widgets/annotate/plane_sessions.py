"""Objects in the making: one for each plane that a person began to work on."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from ...planes import Plane
from ...session import Session
from ...sources import PlanePixels, is_big
from ...viewer.coordinates import spatial_shape
from ...viewer.drawn import Drawn
from ...viewer.model_input import ModelInput
from .._shared.model_cache import ModelCache

if TYPE_CHECKING:
    import numpy.typing as npt
    from napari.layers import Image


@dataclass(frozen=True)
class Reading:
    """Who looks, and at what: a model's name, and what it is shown of the image."""

    model: str
    shown: ModelInput


@dataclass
class Work:
    """The object in the making on one plane of one image.

    Attributes
    ----------
    image : Image
    plane : Plane
    reading : Reading
    session : Session
    content : list of str
        Name of the plane's content in the embedding cache, once it is known.
    drawn : dict
        How each prompt stands in the layers, by the prompt's `id`.
    label_id : int or None
        Id of the object that was picked up again; None for a new one.
    name : str
    """

    image: Image
    plane: Plane
    reading: Reading
    session: Session
    content: list[str]
    drawn: dict[int, Drawn] = field(default_factory=dict)
    label_id: int | None = None
    name: str = ""

    def drawing(self) -> list[Drawn]:
        """The session's prompts as they stand in the layers."""
        return [self.drawn[id(prompt)] for prompt in self.session.prompts]


class Works:
    """Keeps what was begun, by image and plane, until it is committed, cleared or its image goes.

    Parameters
    ----------
    model_cache : ModelCache
        Gives models and embeddings.
    """

    def __init__(self, model_cache: ModelCache) -> None:
        self._model_cache = model_cache
        self._works: dict[tuple[Any, ...], Work] = {}
        self._contents: dict[tuple[Any, ...], list[str]] = {}
        self._pixels: dict[tuple[Any, ...], PlanePixels] = {}
        self._settled: dict[ModelInput, ModelInput] = {}
        self._watched: dict[int, Image] = {}

    def at(self, image: Image, plane: Plane, reading: Reading) -> Work | None:
        """What was begun on a plane, to be answered by `reading` from now on; or None."""
        work = self._works.get(_key(image, plane))
        if work is not None and work.reading != reading:
            fresh = self._new(image, plane, reading)
            fresh.drawn, fresh.label_id, fresh.name = work.drawn, work.label_id, work.name
            if work.session.prompts:
                fresh.session.replace(work.session.prompts)
            work = self._works[_key(image, plane)] = fresh
        return work

    def begin(self, image: Image, plane: Plane, reading: Reading) -> Work:
        """What was begun on a plane; begun now where nothing was."""
        work = self.at(image, plane, reading)
        if work is None:
            work = self._works[_key(image, plane)] = self._new(image, plane, reading)
        return work

    def end(self, image: Image, plane: Plane) -> None:
        """Forget what was begun on a plane."""
        self._works.pop(_key(image, plane), None)

    def forget(self, image: Image) -> None:
        """Forget everything begun on an image."""
        self._works = {key: w for key, w in self._works.items() if key[0] != id(image)}
        self._forget_contents(image)
        if self._watched.pop(id(image), None) is not None:
            image.events.data.disconnect(self._on_data)

    def close(self) -> None:
        """Forget everything."""
        for image in list(self._watched.values()):
            self.forget(image)
        self._works.clear()

    def is_encoded(self, work: Work) -> bool:
        """Whether the next turn needs no encoding."""
        if is_big(work.session.shape):
            if work.reading.shown not in self._settled:
                return False
            pixels = self._pixels_of(work.plane, work.reading.shown)
            return self._model_cache.has_frame(work.reading.model, pixels, work.session.request())
        return self._model_cache.has(work.reading.model, work.content)

    def _new(self, image: Image, plane: Plane, reading: Reading) -> Work:
        for source in reading.shown.layers:
            if id(source) not in self._watched:
                self._watched[id(source)] = source
                source.events.data.connect(self._on_data)
        shape, shown = plane.shape(spatial_shape(image)), reading.shown
        content = self._contents.setdefault(_read_key(plane, shown), [])
        if is_big(shape):
            resolve = self._model_cache.tiled(reading.model, partial(self._pixels_of, plane, shown))
        else:
            read = partial(self.read, plane, shown)
            resolve = self._model_cache.encoded(reading.model, read, content)
        return Work(image, plane, reading, Session.deferred(shape, resolve), content)

    def read(self, plane: Plane, shown: ModelInput) -> npt.NDArray[Any]:
        """A plane as a model is shown it; in any thread."""
        return self._settle(shown).read(plane)

    def _settle(self, shown: ModelInput) -> ModelInput:
        """What is shown, with the windows of whole volumes, worked out once until data change."""
        found = self._settled.get(shown)
        if found is None:
            found = self._settled[shown] = shown.resolved
        return found

    def _pixels_of(self, plane: Plane, shown: ModelInput) -> PlanePixels:
        """A big plane's pixels, which know what was read of them until the image changes."""
        key = _read_key(plane, shown)
        if key not in self._pixels:
            self._pixels[key] = PlanePixels(self._settle(shown).images(), plane)
        return self._pixels[key]

    def _on_data(self, event: Any) -> None:
        self._forget_contents(event.source)

    def _forget_contents(self, image: Image) -> None:
        """Read the image's planes anew from now on."""
        for key, content in list(self._contents.items()):
            if image in key[0].layers:
                content.clear()
                del self._contents[key]
                self._pixels.pop(key, None)
        for shown in [one for one in self._settled if image in one.layers]:
            del self._settled[shown]


def _key(image: Image, plane: Plane) -> tuple[Any, ...]:
    return id(image), plane.key()


def _read_key(plane: Plane, shown: ModelInput) -> tuple[Any, ...]:
    return shown, plane.key()
