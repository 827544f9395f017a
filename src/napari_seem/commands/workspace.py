"""What handlers of commands work with: a label document, models, and the images of its log."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from ..embeddings import content_key
from ..errors import LogTrouble
from ..images import AnyArray
from ..intensity import IntensityWindow
from ..labels.document import LabelDocument
from ..models.abilities import DecoderModel
from ..models.adaptable import AdaptableModel
from ..planes import Plane
from ..sources.source import (
    ImageInput,
    ImageSource,
    OpenPlane,
    PlaneSource,
    encode_plane,
    open_plane,
)
from ..values import JsonObject
from .base import ModelRef, OnPlane
from .models import KnownPlane, ModelCache


class Workspace:
    """A document with the models and images that commands on it need.

    Parameters
    ----------
    document : LabelDocument
    models : ModelCache, optional
        None where nothing is to be computed.
    find_image : callable, optional
        Gives the `ImageSource` of a line of the log that tells of an image.

    Attributes
    ----------
    lines : dict
        The log's lines that tell of images, by their numbers.
    """

    def __init__(
        self, document: LabelDocument, models: ModelCache | None = None,
        find_image: Callable[[Mapping[str, object]], ImageSource] | None = None,
    ) -> None:  # fmt: skip
        self.document, self.lines = document, dict[int, Mapping[str, object]]()
        self._models, self._find = models, find_image
        self._images: dict[int, ImageSource] = {}

    @property
    def models(self) -> ModelCache:
        """The models; `LogTrouble` where there are none."""
        if self._models is None:
            raise LogTrouble("models are needed for this, and none are given")
        return self._models

    def shown(self, source: PlaneSource, *, plane: bool = True) -> JsonObject:
        """What a plane's source is in the log: the images, which are logged first, and windows."""
        log = self.document.log
        images = source.input.images
        numbers = [0 if log is None else log.image(image.identity) for image in images]
        self._images.update(zip(numbers, images, strict=True))
        windows = [window.to_dict() for window in source.input.resolved]
        values: JsonObject = {"images": numbers, "windows": windows}
        if source.input.index:
            values["index"] = True
        if plane:
            values["plane"] = source.plane.to_dict()
        return values

    def fields(self, name: str, known: KnownPlane) -> JsonObject:
        """What a command of a model on a plane says of images, plane, content and weights."""
        values = self.shown(known.source) | {"model": self.model_ref(name)}
        if known.content:
            values["content"] = known.content
        model = self.models.model(name)
        if isinstance(model, AdaptableModel) and model.is_adapted:
            values["stored"] = "the model had been fitted to objects of this image"
        return values

    def model_ref(self, name: str) -> JsonObject:
        """A model as commands name it: with the weights that it has."""
        model = self.models.model(name)
        by = {"finds_by": model.finds_by} if isinstance(model, DecoderModel) else {}
        return {"name": name, "identity": model.identity, **by}

    def model(self, ref: ModelRef) -> Any:
        """The model of a command.

        Raises
        ------
        LogTrouble
            It has other weights than those that the command was done with.
        """
        model = self.models.model(ref.name)
        if ref.identity is not None and ref.identity != model.identity:
            raise LogTrouble(
                f"model '{ref.name}' has the weights '{model.identity}', the log was made with "
                f"'{ref.identity}'; install those, or replay with --without-models"
            )
        return model

    def check_finds_by(self, ref: ModelRef) -> None:
        """Raise `LogTrouble` for a model that finds everything by something else than it did."""
        model = self.model(ref)
        by = model.finds_by if isinstance(model, DecoderModel) else None
        if ref.finds_by in (None, by):
            return
        raise LogTrouble(
            f"model '{ref.name}' finds everything by '{by}', the log was made with "
            f"'{ref.finds_by}'; put that decoder beside its weights (napari-seem models --download "
            f"{ref.name}), or take it away for a grid, or replay with --without-models"
        )

    def source(self, command: OnPlane, plane: Plane | None = None) -> PlaneSource:
        """The plane that a command was done on."""
        images = tuple(self._image(number) for number in command.images)
        windows = tuple(IntensityWindow.from_dict(values) for values in command.windows)
        where = replace(plane or command.place, channels=images[0].colours)
        return PlaneSource(ImageInput(images, windows, command.index), where)

    def open(self, command: OnPlane) -> OpenPlane:
        """The plane of a command, ready for its model.

        Raises
        ------
        LogTrouble
            Image or weights are not those that the command was done with.
        """
        assert command.model is not None
        model, source = self.model(command.model), self.source(command)
        if source.is_big:
            return open_plane(model, source, self.models.cache)
        return encode_plane(model, source, self.pixels(command, source), cache=self.models.cache)

    def pixels(self, command: OnPlane, source: PlaneSource) -> AnyArray:
        """A plane's pixels as a model is given them, checked by their content."""
        pixels = source.read()
        if command.content and content_key(pixels) != command.content:
            raise LogTrouble(
                "the image's pixels on this plane are not those that the model was shown; give the "
                "image that was worked on, unchanged"
            )
        return pixels

    def _image(self, number: int) -> ImageSource:
        if number not in self._images:
            if self._find is None:
                raise LogTrouble(
                    "the image is needed to do again what models did; give it with --image, or "
                    "replay with --without-models"
                )
            self._images[number] = self._find(self.lines[number])
        return self._images[number]
