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
ORDER = (
    "clicks", "box_and_correction", "scribbles", "reference", "words", "teach_word", "everything",
    "label_like", "ct_organ", "roofs", "big_plane", "batch", "record_and_replay", "notebook",
    "napari_layer", "annotate_dock", "pixel_classes_dock",
)  # fmt: skip
"""The examples as the gallery lists them."""
LAST = "___"
"""The name under which sphinx-gallery keeps the value of a block's last line."""

os.environ["NAPARI_CONFIG"] = ""  # else every viewer writes the person's own settings


class Order:
    """The sorting key of the examples for sphinx-gallery; one that `ORDER` lacks is refused."""

    def __init__(self, folder: str) -> None:
        self.folder = folder

    def __call__(self, name: str) -> int:
        """Return the place of an example by its file name."""
        return ORDER.index(name.removeprefix("plot_").removesuffix(".py"))


def pictures(shown: object) -> Iterator[bytes]:
    """Yield the pictures by which a value shows itself in a notebook, as PNG."""
    if hasattr(shown, "_repr_html_"):
        for encoded in PICTURE.findall(shown._repr_html_()):
            yield base64.b64decode(encoded)
    elif hasattr(shown, "_repr_png_"):
        yield shown._repr_png_()


def window() -> Any:
    """Return the napari viewer that is open, or None."""
    return sys.modules["napari"].current_viewer() if "napari" in sys.modules else None


def scrape(block: Any, block_vars: Mapping[str, Any], gallery_conf: Mapping[str, Any]) -> str:
    """Save the pictures of a block; give the lines of the page that show them.

    An answer of napari-seem stands on the page already, with its table: its picture is kept for the
    list of examples only.
    """
    paths = block_vars["image_path_iterator"]
    shown = block_vars["example_globals"].get(LAST)
    lines = ""
    for picture in pictures(shown):
        path = Path(next(paths))
        path.write_bytes(picture)
        if not hasattr(shown, "_repr_html_"):
            lines += _line(path, gallery_conf)
    viewer = window()
    if viewer is not None and "napari.run()" in block[1]:
        path = Path(next(paths))
        photograph(viewer, path)
        viewer.close()
        lines += _line(path, gallery_conf)
    return lines


def _line(path: Path, gallery_conf: Mapping[str, Any]) -> str:
    relative = path.relative_to(gallery_conf["src_dir"]).as_posix()
    return f"\n.. image:: /{relative}\n   :alt: What this part of the example shows\n\n"


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
