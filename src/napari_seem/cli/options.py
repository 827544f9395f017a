"""Options that commands share."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import NapariSeemError

if TYPE_CHECKING:
    from ..commands.models import ModelCache
    from ..intensity import IntensityWindow

WRITTEN = "label file to write: .tif, .nii.gz, .geojson, .zarr, ..."


def add_force(command: argparse._ActionsContainer) -> None:
    """The option that allows to write over files of others."""
    command.add_argument("--force", action="store_true",
                         help="replace files that napari-seem did not write")  # fmt: skip


def add_window(command: argparse._ActionsContainer) -> None:
    """Options that say how intensities become what a model sees."""
    command.add_argument("--window", help="intensities to show: LOW,HIGH, volume, soft tissue, "
                         "bone, lung or brain")  # fmt: skip
    command.add_argument("--bands", metavar="R,G,B", help="channels to show, numbered from 0")
    command.add_argument(
        "--ndvi", metavar="NIR,RED", help="show the normalised difference of two channels"
    )


def add_bounds(command: argparse._ActionsContainer) -> None:
    """Options that say which found objects are kept."""
    command.add_argument("--min-area", type=int, default=0, metavar="PIXELS",
                         help="smallest area of the objects to keep")  # fmt: skip
    command.add_argument("--max-area", type=int, default=0, metavar="PIXELS",
                         help="leave out larger objects; 0 leaves out none")  # fmt: skip
    command.add_argument("--min-score", type=float, default=0.0, metavar="0..1",
                         help="leave out objects of which the model is less sure")  # fmt: skip


def add_model(command: argparse._ActionsContainer) -> None:
    """The option that names the model."""
    command.add_argument("--model", default="compact",
                         help="a name that `napari-seem models` lists (compact)")  # fmt: skip


def add_library(command: argparse._ActionsContainer) -> None:
    """The option that names taught words."""
    command.add_argument("--library", type=Path, metavar="FILE",
                         help="also use the taught words of this library")  # fmt: skip


def window_from(options: argparse.Namespace) -> IntensityWindow:
    """Make the look that the options of `add_window` ask for."""
    from dataclasses import replace

    from ..intensity import IntensityWindow

    window = IntensityWindow.named(options.window) if options.window else IntensityWindow()
    if options.ndvi:
        first, second = numbers(options.ndvi, 2)
        return replace(window, bands=(int(first), int(second)), index=True)
    if options.bands:
        chosen = numbers(options.bands, options.bands.count(",") + 1)
        return replace(window, bands=tuple(int(band) for band in chosen))
    return window


def numbers(text: str, count: int) -> list[float]:
    """Read as many numbers with commas between them; NapariSeemError for anything else."""
    try:
        values = [float(part) for part in text.split(",")]
    except ValueError:
        values = []
    if len(values) != count:
        raise usage(f"'{text}' is not {count} numbers with commas between them")
    return values


def words(text: str) -> list[str]:
    """Read words with commas between them."""
    return [word.strip() for word in text.split(",") if word.strip()]


def usage(message: str) -> NapariSeemError:
    """Make an error that ends the command with 2."""
    return NapariSeemError(message)


def models_for(library: Path | None = None, device: str = "auto") -> ModelCache:
    """Models that are loaded when they are needed, knowing the words of a library file."""
    from ..commands.models import ModelCache
    from ..commands.taught_words import TaughtWords
    from ..concepts import ConceptLibrary
    from ..embeddings import EmbeddingCache

    words = ConceptLibrary() if library is None else ConceptLibrary.load(library)
    return ModelCache(None, EmbeddingCache(), device, words=TaughtWords.of(words))


def show_progress(done: int, total: int, what: str = "") -> None:
    """Write a line of progress that is overwritten by the next."""
    print(f"\r{f'{done} of {total} {what}' if what else f'{100 * done // total} %'}", end="",
          file=sys.stderr)  # fmt: skip
