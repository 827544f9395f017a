"""Models that are loaded and images that are encoded: loaded when first needed, in any thread."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from ...commands.idle_gate import IdleGate
from ...commands.taught_words import TaughtWords
from ...embeddings import EmbeddingCache, EmbeddingStore, content_key, identity_of
from ...embeddings.cluster import Certificates, Connection
from ...embeddings.remote import RemoteEncoder
from ...errors import MissingPackage
from ...models.registry import load_model
from ...sources import PlanePixels, TiledModel
from .preferences import Preferences, read_preferences

if TYPE_CHECKING:
    import numpy.typing as npt

    from ...concepts import ConceptLibrary
    from ...models.base import Embedding, Model
    from ...session import Request

Loader = Callable[[str], "Model"]
_CACHES: WeakKeyDictionary[Any, ModelCache] = WeakKeyDictionary()
"""One for each viewer; it goes with its viewer."""


def model_cache_of(viewer: Any) -> ModelCache:
    """The model_cache that all docks of a viewer share."""
    if viewer not in _CACHES:
        preferences = read_preferences()
        cache = EmbeddingCache(preferences.cache_bytes, open_store(preferences))
        _CACHES[viewer] = ModelCache(None, cache, preferences.device, connection_of(preferences))
    return _CACHES[viewer]


def open_store(preferences: Preferences) -> EmbeddingStore | None:
    """Where encoded images are kept on disk; None where they are not, or zarr is not installed."""
    if not preferences.keep_on_disk:
        return None
    try:
        return EmbeddingStore(preferences.disk_folder or None, preferences.disk_bytes)
    except MissingPackage:
        return None


def connection_of(preferences: Preferences) -> Connection | None:
    """A line to the cluster that encodes; None where images are encoded here."""
    if not preferences.scheduler:
        return None
    files = [Path(one) for one in preferences.certificates]
    return Connection(preferences.scheduler, Certificates(*files) if files else None)


class ModelCache:
    """Loads each model once and encodes each plane once.

    Parameters
    ----------
    loader : callable or None
        Gives a model by name; None for `napari_seem.load_model` on `device`.
    cache : EmbeddingCache
    device : str
        As `napari_seem.load_model` takes it.
    connection : Connection, optional
        To a cluster that encodes; the rest runs here. Only without a loader.

    Attributes
    ----------
    gate : IdleGate
        Shut while a person waits for an answer; what runs in the background stands before it.
    words : TaughtWords
        What the models were taught; see `change_words`.
    """

    def __init__(
        self, loader: Loader | None, cache: EmbeddingCache, device: str = "auto",
        connection: Connection | None = None,
    ) -> None:  # fmt: skip
        self.cache = cache
        self.device = device
        self.gate = IdleGate()
        self._connection = connection
        self._loader = loader or self._load
        self.words = TaughtWords()
        self._models: dict[str, Model] = {}
        self._lock = threading.Lock()

    def _load(self, name: str) -> Model:
        model: Any = load_model(name, device=self.device)
        return RemoteEncoder(model, self._connection) if self._connection else model

    def loaded(self, name: str) -> Model | None:
        """The model, where it has been loaded."""
        return self._models.get(name)

    def model(self, name: str) -> Model:
        """The model, loaded now where it was not."""
        with self._lock:
            if name not in self._models:
                self._models[name] = self.words.told_to(self._loader(name))
            return self._models[name]

    def put(self, name: str, model: Model) -> None:
        """Use another model under a name from now on; its embeddings must be the same."""
        with self._lock:
            self._models[name] = self.words.told_to(model)

    def change_words(self, change: Callable[[ConceptLibrary], ConceptLibrary]) -> None:
        """Change the taught words, write them, and let the loaded models know them."""
        self.words.change(change)
        self._tell_models()

    def open_words(self, path: Path) -> None:
        """Use the taught words of another file from now on."""
        self.words.open(path)
        self._tell_models()

    def _tell_models(self) -> None:
        with self._lock:
            self._models = {name: self.words.told_to(one) for name, one in self._models.items()}

    def use_device(self, device: str) -> None:
        """Run models on another device from now on; encoded images are encoded again there."""
        if device != self.device:
            self.device = device
            self.forget()

    def forget(self, name: str | None = None) -> None:
        """Load a model, or every model, anew when next needed, and encode again for it."""
        with self._lock:
            for known in list(self._models) if name is None else [name]:
                self._models.pop(known, None)
            self.cache.clear()

    def has(self, name: str, content: list[str]) -> bool:
        """Whether a content, as `encoded` noted it, is in memory as a model encoded it."""
        model = self.loaded(name)
        if model is None or not content:
            return False
        return (identity_of(model), content[0]) in self.cache

    def has_frame(self, name: str, pixels: PlanePixels, request: Request) -> bool:
        """Whether a model has encoded what the request's prompts touch on a big plane."""
        model = self.loaded(name)
        if model is None:
            return False
        tiled = TiledModel(model, self.cache, identity_of(model))
        return tiled.is_ready(tiled.encode(pixels), request.prompts, request.memory)

    def tiled(
        self, name: str, pixels: Callable[[], PlanePixels]
    ) -> Callable[[], tuple[Model, Embedding]]:
        """As `encoded`, of a plane too big for one pass: its frames are encoded as needed."""

        def resolve() -> tuple[Model, Embedding]:
            plain = self.model(name)
            model = TiledModel(plain, self.cache, identity_of(plain))
            return model, model.encode(pixels())

        return resolve

    def encoded(
        self, name: str, read: Callable[[], npt.NDArray[Any]], content: list[str]
    ) -> Callable[[], tuple[Model, Embedding]]:
        """What a deferred session needs: model and embedding of the plane that `read` gives.

        Parameters
        ----------
        name : str
            The model's.
        read : callable
        content : list of str
            Empty, or the name of the plane's content, which is noted here when it is first read;
            sessions on the same plane share it, so that the plane is read once.
        """

        def resolve() -> tuple[Model, Embedding]:
            model = self.model(name)
            identity, noted = identity_of(model), tuple(content)
            if noted:
                embedding = self.cache.get((identity, noted[0]))
                if embedding is not None:
                    return model, embedding
            plane = read()
            found = content_key(plane)
            content[:] = [found]
            key = identity, found
            return model, self.cache.get_or_encode(key, lambda: model.encode(plane))

        return resolve
