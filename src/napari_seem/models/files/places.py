"""Where downloaded weights are kept, and where a person keeps weights of their own."""

from __future__ import annotations

import json
import os
from pathlib import Path

from ...errors import FileTrouble
from ...io.guard import load_json
from ...io.writing.whole import make_folder, replacing

HOME_VARIABLE = "NAPARI_SEEM_HOME"
LISTING = "places.json"
LISTING_BYTES = 1 << 20
"""Largest list of places that is read."""


def cache_folder() -> Path:
    """Return the folder of downloaded weights: `$NAPARI_SEEM_HOME`, or the platform's own."""
    home = os.environ.get(HOME_VARIABLE)
    if home:
        return Path(home).expanduser()
    from platformdirs import user_cache_path

    return user_cache_path("napari-seem", appauthor=False)


def own_folder() -> Path:
    """Return the folder of fine-tuned models: in `$NAPARI_SEEM_HOME`, or with the person's data."""
    home = os.environ.get(HOME_VARIABLE)
    if home:
        return Path(home).expanduser() / "models"
    from platformdirs import user_data_path

    return user_data_path("napari-seem", appauthor=False) / "models"


def remember(filename: str, path: Path) -> None:
    """Take the file at `path` from now on, in place of the one in the cache folder, if any."""
    listing = cache_folder() / LISTING
    make_folder(listing.parent)
    places = _places() | {filename: str(path.expanduser().resolve())}
    with replacing(listing) as (part,):
        part.write_text(json.dumps(places, indent=1), encoding="utf-8")


def remembered(filename: str) -> Path | None:
    """Return where a person keeps a file, whether or not it is still there."""
    path = _places().get(filename)
    return Path(path) if path else None


def _places() -> dict[str, str]:
    try:
        found = load_json(cache_folder() / LISTING, LISTING_BYTES)
    except FileTrouble:
        return {}
    known = found.items() if isinstance(found, dict) else ()
    return {name: path for name, path in known if isinstance(path, str) and len(path) < 4096}
