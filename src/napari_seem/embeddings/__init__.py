"""Encoded images in memory and on disk, identified by their content and by the model."""

from __future__ import annotations

from .ahead import Ready, encode_ahead
from .files import encode_files
from .keys import Key, content_key, key_of
from .memory import DEFAULT_BYTES, EmbeddingCache, encoded
from .store import DEFAULT_DISK_BYTES, EmbeddingStore, Usage, default_folder

__all__ = [
    "DEFAULT_BYTES",
    "DEFAULT_DISK_BYTES",
    "EmbeddingCache",
    "EmbeddingStore",
    "Key",
    "Ready",
    "Usage",
    "content_key",
    "default_folder",
    "encode_ahead",
    "encode_files",
    "encoded",
    "key_of",
]
