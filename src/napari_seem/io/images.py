"""Plain image files in, label files with a table of their objects out."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import InvalidImage

SUFFIXES = (".tif", ".tiff", ".png", ".jpg", ".jpeg", ".bmp")
"""Of the image files that are looked for in a folder."""
MOST_CHANNELS = 32
"""A last axis longer than this holds columns of a stack, not channels."""


def read_array(path: Path) -> npt.NDArray[Any]:
    """Any array that an image file holds; `InvalidImage` where it can't be read."""
    from skimage.io import imread

    if not path.exists():
        raise InvalidImage(f"there is no file '{path}'")
    try:
        return np.asarray(imread(path))
    except (ValueError, OSError, SyntaxError) as error:
        raise InvalidImage(f"'{path}' can't be read as an image ({error})") from error


def read_image(path: Path) -> npt.NDArray[Any]:
    """One image (H, W) or (H, W, channels); `InvalidImage` for a stack."""
    image = read_array(path)
    if image.ndim not in (2, 3) or (image.ndim == 3 and image.shape[-1] > MOST_CHANNELS):
        raise InvalidImage(
            f"'{path}' has the shape {image.shape}, which is a stack and not one image (H, W) or "
            "(H, W, channels); save one plane of it, or open it in napari"
        )
    return image


def images_in(folder: Path) -> list[Path]:
    """The image files of a folder, sorted, without label files that we wrote."""
    found = [path for path in sorted(folder.iterdir()) if path.suffix.lower() in SUFFIXES]
    if not found:
        raise InvalidImage(f"there is no image file in '{folder}' ({', '.join(SUFFIXES)})")
    return found


def write_scored(
    folder: Path, source: Path, labels: npt.NDArray[Any], scores: Mapping[int, float]
) -> Path:
    """Write the labels of an image file into a folder, with the score of each id; where to."""
    rows = [{"index": i, "score": round(score, 3)} for i, score in scores.items()]
    path = folder / f"{source.stem}_labels.tif"
    folder.mkdir(parents=True, exist_ok=True)
    write_labels(path, labels, rows)
    return path


def write_labels(path: Path, labels: npt.NDArray[Any], rows: list[dict[str, Any]]) -> None:
    """Write a label TIFF and a JSON table beside it.

    Both are written beside their final names first, so that nothing is half-written. Labels are
    16-bit where their ids allow.
    """
    import tifffile

    narrow = labels.astype(np.uint16 if labels.max(initial=0) < 2**16 else np.uint32)
    table = path.with_suffix(".json")
    parts = {final: final.with_name(final.name + ".part") for final in (path, table)}
    try:
        tifffile.imwrite(parts[path], narrow, compression="zlib")
        parts[table].write_text(json.dumps(rows, indent=1) + "\n")
        for final, part in parts.items():
            part.replace(final)
    finally:
        for part in parts.values():
            part.unlink(missing_ok=True)
