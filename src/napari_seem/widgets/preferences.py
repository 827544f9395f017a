"""The plugin's page in napari's Preferences."""

from __future__ import annotations

from dataclasses import dataclass, field

from .actions import ACTIONS, PRESETS, keys_of

PLUGIN = "napari-seem"
MEGABYTE = 1 << 20


@dataclass(frozen=True)
class Preferences:
    """What the person chose: keys by method, device, and bytes for embeddings."""

    keys: dict[str, str] = field(default_factory=lambda: keys_of(PRESETS[0]))
    device: str = "auto"
    cache_bytes: int = 1024 * MEGABYTE


def read_preferences() -> Preferences:
    """Read the page; defaults where napari has none (older versions, plugin not installed)."""
    try:
        from napari.settings import get_plugin_settings
    except ImportError:
        return Preferences()
    try:
        page = get_plugin_settings(PLUGIN)
    except (KeyError, ValueError, AttributeError):
        return Preferences()
    annotate = getattr(page, "annotate", None)
    if annotate is None:
        return Preferences()
    keys = keys_of(annotate.key_preset)
    for action in ACTIONS:
        own = str(getattr(annotate, f"key_{action.method}", "")).strip()
        if own:
            keys[action.method] = own
    return Preferences(keys, annotate.device, int(annotate.cache_megabytes) * MEGABYTE)
