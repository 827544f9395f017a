"""Where downloaded weights are kept, and where a person keeps weights of their own."""

from __future__ import annotations

import json
import os
from pathlib import Path

HOME_VARIABLE = "NAPARI_SEEM_HOME"
LISTING = "places.json"


def cache_folder() -> Path:
    """Return the folder of downloaded weights: `$NAPARI_SEEM_HOME`, or the platform's own."""
    home = os.environ.get(HOME_VARIABLE)
    if home:
        return Path(home).expanduser()
    from platformdirs import user_cache_path

    return user_cache_path("napari-seem", appauthor=False)


def remember(filename: str, path: Path) -> None:
    """Look for a file at `path` from now on, where it is not in the cache folder itself."""
    listing = cache_folder() / LISTING
    listing.parent.mkdir(parents=True, exist_ok=True)
    part = listing.with_name(listing.name + ".part")
    part.write_text(json.dumps(_places() | {filename: str(path.expanduser().resolve())}, indent=1))
    os.replace(part, listing)


def remembered(filename: str) -> Path | None:
    """Return where a person keeps a file, if it is still there."""
    path = _places().get(filename)
    return Path(path) if path and Path(path).is_file() else None


def _places() -> dict[str, str]:
    try:
        found = json.loads((cache_folder() / LISTING).read_text())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
