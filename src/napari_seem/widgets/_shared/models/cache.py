"""The models and encoded images that all docks of a viewer share."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from ....commands.models import ModelCache
from ....embeddings import EmbeddingCache, EmbeddingStore
from ....embeddings.cluster import Certificates, Connection
from ....errors import MissingPackage
from ..message import notify_problem
from ..preferences import Preferences, read_preferences

if TYPE_CHECKING:
    from napari.components import ViewerModel

_CACHES: WeakKeyDictionary[ViewerModel, ModelCache] = WeakKeyDictionary()
"""One for each viewer; it goes with its viewer."""


def model_cache_of(viewer: ViewerModel) -> ModelCache:
    """The models that all docks of a viewer share."""
    if viewer not in _CACHES:
        preferences = read_preferences()
        cache = EmbeddingCache(preferences.cache_bytes, open_store(preferences))
        connection = connection_of(preferences)
        _CACHES[viewer] = ModelCache(
            None, cache, preferences.device, connection, report=notify_problem
        )
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
