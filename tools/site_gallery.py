"""The pictures of the gallery: what an example shows, as sphinx-gallery and the tests want it."""

from __future__ import annotations

import base64
import os
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

PICTURE = re.compile(r'src="data:image/png;base64,([^"]+)"')
LAST = "___"
"""The name under which sphinx-gallery keeps the value of a block's last line."""

os.environ["NAPARI_CONFIG"] = ""  # else every viewer writes the person's own settings


def pictures(values: Mapping[str, Any]) -> Iterator[bytes]:
    """Yield what a block of an example shows, as PNG: its last value, and an open viewer.

    Parameters
    ----------
    values : mapping
        The example's names. An answer of napari-seem shows itself as in a notebook.
    """
    shown = values.get(LAST)
    if hasattr(shown, "_repr_html_"):
        for encoded in PICTURE.findall(shown._repr_html_()):
            yield base64.b64decode(encoded)
    elif hasattr(shown, "_repr_png_"):
        yield shown._repr_png_()


def window() -> Any:
    """Return the napari viewer that is open, or None."""
    return sys.modules["napari"].current_viewer() if "napari" in sys.modules else None


def scrape(block: object, block_vars: Mapping[str, Any], gallery_conf: Mapping[str, Any]) -> str:
    """Save the pictures of a block; give the lines of the page that show them.

    What the last value shows stands on the page already: its picture is kept for the list of
    examples only.
    """
    paths = block_vars["image_path_iterator"]
    for picture in pictures(block_vars["example_globals"]):
        Path(next(paths)).write_bytes(picture)
    viewer = window()
    if viewer is None or "napari.run()" not in block[1]:  # type: ignore[index]
        return ""
    path = Path(next(paths))
    photograph(viewer, path)
    viewer.close()
    relative = path.relative_to(gallery_conf["src_dir"]).as_posix()
    return f"\n.. image-sg:: /{relative}\n   :alt: The napari window of this example\n\n"


def photograph(viewer: Any, path: Path) -> None:
    """Write a picture of the whole window of a viewer."""
    from qtpy.QtWidgets import QApplication

    viewer.window.resize(1200, 800)
    for _ in range(20):
        QApplication.processEvents()
    viewer.screenshot(str(path), canvas_only=False, flash=False)


def reset(gallery_conf: Mapping[str, Any], name: str) -> None:
    """Let `napari.run()` come back at once, as nobody will close the window."""
    import napari

    napari.run = lambda *_, **__: None
