"""Models that are loaded and planes that are encoded: when they are first needed, in any thread."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..embeddings import EmbeddingCache
from ..embeddings.cluster import Connection
from ..embeddings.remote import RemoteEncoder
from ..models import threads
from ..models.registry import load_model
from ..sources import PlanePixels, TiledEmbedding, TiledModel
from ..sources.source import OpenPlane, PlaneSource, open_plane
from .idle_gate import IdleGate
from .taught_words import TaughtWords

if TYPE_CHECKING:
    from ..concepts import ConceptLibrary
    from ..models.base import Model
    from ..session import Request

Loader = Callable[[str], "Model"]


class KnownPlane:
    """A plane, and what is found out of its pixels when they are first read.

    It is made in the main thread and dropped when the pixels change, so that a thread that still
    works on the former ones can't bring anything of them back.

    Parameters
    ----------
    source : PlaneSource
    """

    def __init__(self, source: PlaneSource) -> None:
        self.source = source
        self.content = ""
        self._pixels: PlanePixels | None = None
        self._lock = threading.Lock()

    @property
    def pixels(self) -> PlanePixels:
        """A big plane's pixels, which know what was read of them."""
        with self._lock:
            if self._pixels is None:
                self._pixels = self.source.pixels()
            return self._pixels


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
    words : TaughtWords, optional
        By default those of the docks' own library.

    Attributes
    ----------
    gate : IdleGate
        Shut while a person waits for an answer; what runs in the background stands before it.
    words : TaughtWords
        What the models were taught; see `change_words`.
    """

    def __init__(
        self, loader: Loader | None, cache: EmbeddingCache, device: str = "auto",
        connection: Connection | None = None, words: TaughtWords | None = None,
    ) -> None:  # fmt: skip
        self.cache = cache
        self.device = device
        self.gate = IdleGate()
        self._connection = connection
        self._loader = loader or self._load
        self.words = words or TaughtWords()
        self._models: dict[str, Model] = {}
        self._lock = threading.Lock()

    def loaded(self, name: str) -> Model | None:
        """The model, where it has been loaded."""
        return self._models.get(name)

    def model(self, name: str) -> Model:
        """The model, loaded now where it was not."""
        with self._lock:
            if name not in self._models:
                self._models[name] = self.words.with_words(self._loader(name))
            return self._models[name]

    def put(self, name: str, model: Model) -> None:
        """Use another model under a name from now on; its embeddings must be the same."""
        with self._lock:
            self._models[name] = self.words.with_words(model)

    def open(
        self, name: str, plane: KnownPlane, on_part: Callable[[], object] | None = None
    ) -> OpenPlane:
        """A plane ready to be asked about; encoded now where it was not, in any thread.

        With `on_part` only what turns look at is encoded, where the model can do that, and it is
        called without arguments then.
        """
        model, source = self.model(name), plane.source
        pixels = plane.pixels if source.is_big else None
        opened = open_plane(
            model, source, self.cache, content=plane.content, pixels=pixels, on_part=on_part
        )
        plane.content = opened.content
        return opened

    def encode_behind(self, name: str, plane: KnownPlane) -> None:
        """Encode a plane as a whole; of a big one the frames of which turns use parts."""
        opened = self.open(name, plane)
        if isinstance(opened.model, TiledModel) and isinstance(opened.embedding, TiledEmbedding):
            opened.model.encode_begun(opened.embedding)

    def is_encoded(self, name: str, plane: KnownPlane, request: Request) -> bool:
        """Whether a request on a plane needs no encoding."""
        model = self.loaded(name)
        if model is None:
            return False
        if not plane.source.is_big:
            return bool(plane.content) and (model.identity, plane.content) in self.cache
        tiled = TiledModel(model, self.cache, model.identity)
        return tiled.is_ready(tiled.encode(plane.pixels), request.prompts, request.memory)

    def change_words(self, change: Callable[[ConceptLibrary], ConceptLibrary]) -> None:
        """Change the taught words, write them, and let the loaded models know them."""
        self.words.change(change)
        self._renew_models()

    def open_words(self, path: Path) -> None:
        """Use the taught words of another file from now on."""
        self.words.open(path)
        self._renew_models()

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

    def _load(self, name: str) -> Model:
        model: Any = load_model(name, device=self.device)
        threads.for_turns()  # measured before a person waits for a turn
        return RemoteEncoder(model, self._connection) if self._connection else model

    def _renew_models(self) -> None:
        with self._lock:
            self._models = {name: self.words.with_words(m) for name, m in self._models.items()}
