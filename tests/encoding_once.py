"""A model that encodes a picture once, however many tests of a module ask for it."""

from __future__ import annotations

from copy import copy

import numpy as np

from napari_seem.models.base import Embedding, Model


def encoding_once(model: Model) -> Model:
    """Return the same model, that keeps the embedding of every picture it was given.

    Its answers stay what they were; do not count encodes, nor write to an embedding.
    """
    kept = copy(model)
    kept.encode = _Once(model)  # type: ignore[method-assign]
    return kept


class _Once:
    def __init__(self, model: Model) -> None:
        self._model = model
        self._kept: dict[tuple[object, ...], Embedding] = {}

    def __call__(self, image: np.ndarray, channels: int | None = None) -> Embedding:
        image = np.asarray(image)
        key = image.shape, image.dtype.str, image.tobytes(), channels
        if key not in self._kept:
            self._kept[key] = self._model.encode(image, channels)
        return self._kept[key]
