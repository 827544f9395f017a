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

    def has(self, name: str, content: list[str]) -> bool:
        """Whether a content, as `encoded` noted it, is encoded by a model already."""
        return bool(content) and (name, content[0]) in self.cache

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
            noted = tuple(content)
            if noted:
                embedding = self.cache.get((name, noted[0]))
                if embedding is not None:
                    return model, embedding
            plane = read()
            found = content_key(plane)
            content[:] = [found]
            key = name, found
            return model, self.cache.get_or_encode(key, lambda: model.encode(plane))

        return resolve
