"""Models that are loaded and images that are encoded: loaded when first needed, in any thread."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ..embeddings import EmbeddingCache, content_key

if TYPE_CHECKING:
    import numpy.typing as npt

    from ..models.base import Embedding, Model

Loader = Callable[[str], "Model"]


class Shelf:
    """Loads each model once and encodes each plane once.

    Parameters
    ----------
    loader : callable
        Gives a model by name.
    cache : EmbeddingCache
    """

    def __init__(self, loader: Loader, cache: EmbeddingCache) -> None:
        self.cache = cache
        self._loader = loader
        self._models: dict[str, Model] = {}
        self._lock = threading.Lock()

    def loaded(self, name: str) -> Model | None:
        """The model, where it has been loaded."""
        return self._models.get(name)

    def model(self, name: str) -> Model:
        """The model, loaded now where it was not."""
        with self._lock:
            if name not in self._models:
                self._models[name] = self._loader(name)
            return self._models[name]

    def encoded(
        self, name: str, read: Callable[[], npt.NDArray[Any]]
    ) -> Callable[[], tuple[Model, Embedding]]:
        """What a deferred session needs: model and embedding of the plane that `read` gives."""
        known: list[str] = []

        def resolve() -> tuple[Model, Embedding]:
            model = self.model(name)
            if known:
                embedding = self.cache.get((name, known[0]))
                if embedding is not None:
                    return model, embedding
            plane = read()
            known[:] = [content_key(plane)]
            key = name, known[0]
            return model, self.cache.get_or_encode(key, lambda: model.encode(plane))

        return resolve
