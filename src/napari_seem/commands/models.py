"""Models that are loaded and planes that are encoded: when they are first needed, in any thread."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np
import numpy.typing as npt
from psygnal import Signal

from ..embeddings import EmbeddingCache, content_key
from ..embeddings.cluster import Connection
from ..embeddings.memory import Need
from ..embeddings.remote import RemoteEncoder
from ..models.registry import build_model, model_spec
from ..models.running import threads
from ..models.running.fallback import Report, warn
from ..sources import PlanePixels, TiledModel
from ..sources.frames import Frame
from ..sources.source import OpenPlane, PlaneSource, encode_plane, open_plane
from ..sources.tiled import TiledEmbedding
from .taught_words import TaughtWords

if TYPE_CHECKING:
    from ..concepts import ConceptLibrary
    from ..models.base import Model
    from ..models.turns import Request

Loader = Callable[[str], "Model"]
READING = "being read"
"""Content of a plane whose pixels are being read; no other content is the same."""


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
        """Of the pixels that were read last; see `read`."""
        self._pixels: PlanePixels | None = None
        self._lock = threading.Lock()

    @property
    def pixels(self) -> PlanePixels:
        """A big plane's pixels, which know what was read of them."""
        with self._lock:
            if self._pixels is None:
                self._pixels = self.source.pixels()
            return self._pixels

    def read(self) -> tuple[npt.NDArray[np.generic], str]:
        """Read the pixels, (H, W) or (H, W, C), as they are now; return them and their `content`.

        They are copied, and others that come while they are read are noticed, as the array may be
        changed in place at any time.
        """
        self.content = READING
        pixels = np.array(self.source.read())
        content = self.content = content_key(pixels)
        return pixels, content


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
    report : callable
        Given a sentence, in whatever thread, when a model leaves its device; by default it warns.

    Attributes
    ----------
    gate : IdleGate
        Shut while a person waits for an answer; what runs in the background stands before it.
    words : TaughtWords
        What the models were taught; see `change_words`.
    forgotten : Signal()
        Models are to be loaded anew, such as on another device.
    """

    forgotten = Signal()

    def __init__(
        self, loader: Loader | None, cache: EmbeddingCache, device: str = "auto",
        connection: Connection | None = None, words: TaughtWords | None = None,
        report: Report = warn,
    ) -> None:  # fmt: skip
        self.cache = cache
        self.device = device
        self.gate = threads.IdleGate()
        self._connection, self._report = connection, report
        self._loader = loader or self._load
        self.words = words or TaughtWords()
        self._models: dict[str, Model] = {}
        self._loading: dict[str, threading.Lock] = {}
        self._lock = threading.Lock()

    def loaded(self, name: str) -> Model | None:
        """The model, where it has been loaded."""
        return self._models.get(name)

    def model(self, name: str) -> Model:
        """The model, loaded now where it was not; who needs it meanwhile waits."""
        while True:
            with self._lock:
                loading = self._loading.setdefault(name, threading.Lock())
            with loading:
                known = self._models.get(name)
                if known is not None:
                    return known
                model = self._loader(name)
                with self._lock:
                    if self._loading.get(name) is loading:  # else it was forgotten meanwhile
                        known = self._models[name] = self.words.with_words(model)
                        return known

    def put(self, name: str, model: Model) -> None:
        """Use another model under a name from now on; its embeddings must be the same."""
        with self._lock:
            self._models[name] = self.words.with_words(model)

    def open(
        self, name: str, plane: KnownPlane, need: Need = "now", *,
        on_part: Callable[[], object] | None = None,
    ) -> OpenPlane:  # fmt: skip
        """A plane ready to be asked about; encoded now where it was not, in any thread.

        With `on_part` a model that can do that encodes only what turns look at, where the plane
        is not in the cache, and it is called without arguments.
        """
        cache = self.cache  # before the model: nothing of a forgotten one comes into a later cache
        model, source = self.model(name), plane.source
        if source.is_big:
            return open_plane(model, source, cache, pixels=plane.pixels, on_part=on_part)
        known = cache.get((model.identity, plane.content), need) if plane.content else None
        if known is not None:
            return OpenPlane(model, known, source, plane.content)
        return encode_plane(model, source, *plane.read(), cache, need, on_part)

    def prepare(self, name: str, plane: KnownPlane, frame: Frame | None = None) -> OpenPlane:
        """Do what the first click on a plane would wait for, in any thread.

        Parameters
        ----------
        name : str
            Of the model.
        plane : KnownPlane
        frame : Frame, optional
            Of a big plane: the part that is likely to be clicked on; by default only those are
            encoded that turns were answered from in parts.
        """
        opened = self.open(name, plane, "soon")
        if isinstance(opened.model, TiledModel) and isinstance(opened.embedding, TiledEmbedding):
            opened.embedding.pixels.appearance  # noqa: B018  (read from all over the plane, and kept)
            opened.model.encode_begun(opened.embedding)
            if frame is not None:
                opened.model.tile(opened.embedding, frame, "soon")
        return opened

    def is_encoded(self, name: str, plane: KnownPlane, request: Request | Frame | None) -> bool:
        """Whether a request on a plane, or on a frame of a big one, needs no encoding."""
        model = self.loaded(name)
        if model is None:
            return False
        if not plane.source.is_big:
            return bool(plane.content) and (model.identity, plane.content) in self.cache
        if request is None:
            return False
        if isinstance(request, Frame):
            known = plane.pixels.known_name(request)
            return known is not None and (model.identity, known) in self.cache
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
        """Load a model, or every model, anew when next needed.

        Images are encoded again for every model. Those of one model are known by its weights, so
        that other weights never meet them.
        """
        with self._lock:
            for known in {*self._models, *self._loading} if name is None else {name}:
                self._models.pop(known, None)
                self._loading.pop(known, None)
            if name is None:
                self.cache = self.cache.emptied()
        self.forgotten.emit()

    def _load(self, name: str) -> Model:
        model = build_model(model_spec(name), self.device, report=self._report)
        threads.for_turns()  # measured before a person waits for a turn
        if not self._connection:
            return model
        return cast("Model", RemoteEncoder(model, self._connection))

    def _renew_models(self) -> None:
        with self._lock:
            self._models = {name: self.words.with_words(m) for name, m in self._models.items()}
