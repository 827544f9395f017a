"""One image file in, labels with their table and log out."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from .options import window_from

if TYPE_CHECKING:
    from ..commands.models import KnownPlane, ModelCache
    from ..commands.workspace import Workspace
    from ..io.grid import Grid
    from ..io.zarr.labels import GrowingLabels
    from ..labels.document import LabelDocument
    from ..sources.source import PlaneSource


def segment_image(
    options: argparse.Namespace, image: Path, paths: Mapping[str, Path], models: ModelCache,
    work: Callable[[Workspace, KnownPlane], Mapping[str, LabelDocument]],
) -> None:  # fmt: skip
    """Segment an image file and write labels, their table and the log.

    Parameters
    ----------
    options : Namespace
        With `model`, and those of `add_window`.
    image : Path
    paths : mapping of str to Path
        The files to write: "objects", and one for each map that `work` gives.
    models : ModelCache
    work : callable
        Writes objects into the workspace's document; gives maps of every pixel by their kinds.
    """
    from ..commands.files import end_growing, save_document
    from ..commands.models import KnownPlane
    from ..commands.workspace import Workspace

    source, grid = _open_image(options, image)
    about = {
        "image": image.name, "model": options.model,
        "shown": source.input.resolved[0].to_dict(),
    }  # fmt: skip
    with _target(paths["objects"], grid, source.is_big) as target:
        document, growing = target
        maps = work(Workspace(document, models), KnownPlane(source))
        if growing is None:
            save_document(document, paths["objects"], grid, about, narrow=True)
        else:
            end_growing(growing, document, about)
        _report(document, "objects", paths["objects"])
    for kind, labels in maps.items():
        save_document(labels, paths[kind], grid, about, narrow=True)
        _report(labels, f"regions, {kind}", paths[kind])


def _open_image(options: argparse.Namespace, path: Path) -> tuple[PlaneSource, Grid]:
    """The image as a plane that is not read yet, and its grid."""
    from ..io.images import open_lazily
    from ..sources.source import source_of_array

    image, grid = open_lazily(path)
    source = source_of_array(
        image, window=window_from(options), colours=image.ndim == 3, name=path.stem,
        path=str(path.absolute()),
    )  # fmt: skip
    return source, grid


@contextmanager
def _target(
    path: Path, grid: Grid, big: bool
) -> Iterator[tuple[LabelDocument, GrowingLabels | None]]:
    """The document to write to; that of a big image grows in a .zarr, on disk."""
    from ..commands.files import new_document
    from ..io.formats import ending
    from ..io.zarr.labels import growing_labels

    if not big or ending(path) != ".zarr":
        yield new_document(tuple(grid.shape), path.stem, grid=grid), None
        return
    with growing_labels(path, grid) as growing:
        yield new_document(growing.array, path.stem, grid=grid), growing


def _report(document: LabelDocument, what: str, path: Path) -> None:
    from ..commands.files import labelled_pixels

    pixels = labelled_pixels(document.data)
    print(f"{len(document.table)} {what}, {pixels} pixels -> {path}")
