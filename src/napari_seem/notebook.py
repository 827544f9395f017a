"""How answers look in a notebook: outlines on a small picture, and a small table."""

from __future__ import annotations

import base64
import html
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import numpy.typing as npt

Picture = npt.NDArray[np.uint8]
Placed = tuple[npt.NDArray[np.bool_], tuple[int, int], int]
"""A mask (h, w), the (y, x) of its corner in the image, image pixels a mask pixel."""
SIDE = 384
"""Longest side of a shown picture in pixels."""
SHOWN = 240
"""Smaller pictures are enlarged by a whole number, to at most this."""
MOST_ROWS = 8
"""Rows of a table that are shown."""
COLOURS = (
    (255, 214, 10), (0, 229, 255), (255, 82, 130), (118, 255, 3), (255, 145, 0), (179, 136, 255),
)  # fmt: skip


def small_picture(rgb: Picture) -> Picture:
    """Return every so many pixels of an RGB picture (H, W, 3), at most `SIDE` along each side."""
    step = _step(rgb.shape)
    return np.ascontiguousarray(rgb[::step, ::step])


def outlined(picture: Picture | None, shape: Sequence[int], masks: Sequence[Placed]) -> Picture:
    """Draw the outlines of objects on a picture of their image.

    Parameters
    ----------
    picture : uint8 array (h, w, 3), or None
        By `small_picture`; without one the objects are drawn on gray.
    shape : (H, W)
        Of the image.
    masks : sequence of (mask, corner, scale)
        The first wins where they overlap. See `Placed`.

    Returns
    -------
    uint8 array (h, w, 3)
    """
    from skimage.segmentation import find_boundaries

    step = _step(shape)
    size = -(-shape[0] // step), -(-shape[1] // step)
    ids = np.zeros(size, np.int32)
    for number, placed in reversed(list(enumerate(masks, 1))):
        _stamp(ids, number, placed, step)
    shown = np.full((*size, 3), 60, np.uint8) if picture is None else picture.copy()
    inside, rim = ids > 0, find_boundaries(ids, mode="inner")
    tints = np.asarray(COLOURS, np.uint8)[(ids - 1) % len(COLOURS)]
    shown[inside] = (shown[inside] * 0.75 + tints[inside] * 0.25).astype(np.uint8)
    shown[rim] = tints[rim]
    return shown


def as_html(title: str, picture: Picture, rows: Sequence[Mapping[str, object]]) -> str:
    """Return an HTML fragment: a title, a picture (h, w, 3), and the first rows of a table."""
    parts = [f"<div><code>{html.escape(title)}</code></div>", _image(picture)]
    if rows:
        head = "".join(f"<th>{html.escape(name)}</th>" for name in rows[0])
        body = "".join(
            "<tr>" + "".join(f"<td>{html.escape(_text(v))}</td>" for v in row.values()) + "</tr>"
            for row in rows[:MOST_ROWS]
        )
        parts.append(f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>")
    if len(rows) > MOST_ROWS:
        parts.append(f"<div>and {len(rows) - MOST_ROWS} more</div>")
    return "\n".join(parts)


def _image(picture: Picture) -> str:
    """Return a picture (h, w, 3) as an HTML element that holds it."""
    from skimage.io import imsave

    with TemporaryDirectory() as folder:  # imsave takes no open file without a warning
        path = Path(folder) / "picture.png"
        imsave(path, picture, check_contrast=False)
        data = base64.b64encode(path.read_bytes()).decode()
    width = picture.shape[1] * max(1, SHOWN // max(picture.shape[:2]))
    style = f"width: {width}px; image-rendering: pixelated"
    return f'<img style="{style}" src="data:image/png;base64,{data}">'


def _stamp(ids: npt.NDArray[np.int32], number: int, placed: Placed, step: int) -> None:
    """Write a number into the pixels of a small map (h, w) that a mask covers."""
    mask, (y, x), scale = placed
    rows = (np.arange(ids.shape[0]) * step - y) // scale
    cols = (np.arange(ids.shape[1]) * step - x) // scale
    rows_in = np.flatnonzero((rows >= 0) & (rows < mask.shape[0]))
    cols_in = np.flatnonzero((cols >= 0) & (cols < mask.shape[1]))
    if rows_in.size and cols_in.size:
        where = np.ix_(rows_in, cols_in)
        ids[where] = np.where(mask[np.ix_(rows[rows_in], cols[cols_in])], number, ids[where])


def _step(shape: Sequence[int]) -> int:
    return max(1, -(-max(shape[0], shape[1]) // SIDE))


def _text(value: object) -> str:
    return "" if value is None else str(value)
