"""Files of the Cell Tracking Challenge: a mask for every frame, and a text of the tracks.

`man_track.txt` (a reference, masks `man_track000.tif`) or `res_track.txt` (a result, masks
`mask000.tif`) has a line L B E P for each track: its label, the first and the last frame, and the
label of its parent, or 0. https://celltrackingchallenge.net, "naming and file content conventions".
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from os import PathLike
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ..checks import as_path
from ..edits import ObjectRecord, ObjectTable
from ..errors import FileTrouble, InvalidLabels
from ..images import Sliceable
from .formats import place_of_table, table_beside
from .grid import Grid, ids_in
from .guard import check_file, guarded, read_text, reading
from .opened import Opened, OpenedLabels
from .table import write_json
from .tiff import open_tiff, write_tiff
from .writing.whole import replacing

CONTINUES = "continues"
"""Key in the JSON beside: later parts of objects with gaps -> the object."""
HIGHEST = (1 << 16) - 1
TRACK_BYTES = 1 << 26
"""Largest text of tracks that is read."""
_MASKS = {"man_track.txt": "man_track", "res_track.txt": "mask"}


@dataclass(frozen=True)
class Track:
    """A line of the text.

    Attributes
    ----------
    label, begin, end, parent : int
        Frames count from 0; both ends belong to the track. Parent 0: none.
    """

    label: int
    begin: int
    end: int
    parent: int = 0


def tracks_of(labels: Sliceable, parents: Mapping[int, int] | None = None) -> list[Track]:
    """Return the tracks of labels (T, ..., H, W), with gaps counted in.

    Parents that are nowhere in the labels are left out.
    """
    first: dict[int, int] = {}
    last: dict[int, int] = {}
    for frame in range(labels.shape[0]):
        for label in ids_in(np.asarray(labels[frame])):
            first.setdefault(label, frame)
            last[label] = frame
    known = {child: parent for child, parent in (parents or {}).items() if parent in first}
    return [Track(i, first[i], last[i], known.get(i, 0)) for i in sorted(first)]


@guarded
def check_tracks(path: str | PathLike[str]) -> list[str]:
    """Check files of tracks by the rules of the Cell Tracking Challenge.

    Labels are unique and have at most 16 bits; no track ends before it begins; a parent ends before
    its daughters begin; every label of a mask has a track, and every track is in all masks from its
    first to its last frame.

    Parameters
    ----------
    path : str or Path
        `man_track.txt` or `res_track.txt`; the masks lie beside.

    Returns
    -------
    list of str
        What breaks the rules; empty where all hold.

    Raises
    ------
    FileTrouble
        The text or a mask can't be read.

    Examples
    --------
    >>> import numpy as np
    >>> import napari_seem as ns
    >>> frames = np.zeros((2, 8, 8), np.uint16)
    >>> frames[:, 2:4, 2:4] = 1
    >>> _ = ns.write_labels("res_track.txt", frames)
    >>> ns.check_tracks("res_track.txt")
    []
    """
    path = as_path(path)
    tracks, masks = _read_text(path), _mask_files(path)
    frames = (np.asarray(open_tiff(mask).data) for mask in masks)
    problems = _mask_problems(tracks, masks, frames, strict=True)
    return [*_text_problems(tracks, len(masks)), *problems]


def write_tracks(
    path: Path, labels: npt.NDArray[np.integer], grid: Grid, table: ObjectTable,
    about: Mapping[str, object], texts: Mapping[Path, str] | None = None,
) -> list[Path]:  # fmt: skip
    """Write the text of tracks, a mask for every frame, and a JSON table; all files, or none.

    A track has no gaps: from the second part on, an object is a track of its own whose parent is
    the part before.

    Parameters
    ----------
    path : Path
    labels : integer array (T, H, W) or (T, D, H, W)
    grid : Grid
    table : ObjectTable
        Names the parents.
    about : mapping
        Provenance, for the JSON.
    texts : mapping of Path to str, optional
        Further files to write in the same step.

    Raises
    ------
    InvalidLabels
        The name is no text of tracks, the labels have no axis of time or too high an id, or a
        parent is there when its daughter begins.
    FileTrouble
        The folder has masks of more frames, which would be counted in.
    """
    masks = _masks_to_write(path, labels)
    values, continues = _without_gaps(labels)
    ends = {of: part for part, (of, _) in sorted(continues.items())}
    parents = {i: ends.get(r.parent, r.parent) for i, r in table.items() if r.parent}
    parents |= {part: before for part, (_, before) in continues.items()}
    tracks = tracks_of(values, parents)
    problem = next(_text_problems(tracks, len(labels)), "")
    if problem:
        raise InvalidLabels(
            f"{problem}; erase the parent from that frame on, or say that it ended there"
        )
    parts_of = {CONTINUES: {part: of for part, (of, _) in continues.items()}} if continues else {}
    finals = [path, place_of_table(path), *masks]
    with replacing(*finals, texts=texts) as parts:
        lines = [f"{one.label} {one.begin} {one.end} {one.parent}\n" for one in tracks]
        parts[0].write_text("".join(lines), encoding="ascii")
        write_json(parts[1], table, {**about, **parts_of})
        for part, frame in zip(parts[2:], values, strict=True):
            write_tiff(part, frame.astype(np.uint16), _frame_grid(grid, frame.shape), "imagej")
    return finals


def _masks_to_write(path: Path, labels: npt.NDArray[np.integer]) -> list[Path]:
    """Return the paths of the masks of labels (T, ...); raises as `write_tracks`."""
    if path.name not in _MASKS:
        raise InvalidLabels(
            f"'{path.name}' names no tracks; call the file man_track.txt (a reference) or "
            "res_track.txt (a result)"
        )
    if labels.ndim not in (3, 4):
        raise InvalidLabels(
            f"labels of shape {labels.shape} have no frames; tracks are written of (T, H, W) or "
            "(T, D, H, W)"
        )
    count = len(labels)
    digits = max(3, len(str(count - 1)))
    masks = [path.with_name(f"{_MASKS[path.name]}{k:0{digits}}.tif") for k in range(count)]
    foreign = [one.name for one in _mask_files(path, missing_ok=True) if one not in masks]
    if foreign:
        raise FileTrouble(
            f"'{path.parent}' holds masks of other frames, such as '{foreign[0]}'; choose an empty "
            "folder for the tracks"
        )
    return masks


def _frame_grid(grid: Grid, shape: tuple[int, ...]) -> Grid:
    """Return the grid of one frame."""
    return Grid(shape, grid.axes[1:], grid.matrix[1:, 1:], grid.units[1:])


def open_tracks(path: Path) -> Opened:
    """Open the masks beside a text of tracks as one array (T, H, W) or (T, D, H, W)."""
    opened = [open_tiff(mask) for mask in _mask_files(path)]
    first, frames = opened[0], [np.asarray(one.data) for one in opened]
    if any(frame.shape != frames[0].shape for frame in frames):
        raise FileTrouble(f"the masks beside '{path}' have different sizes; they are no video")
    shape, matrix = (len(frames), *first.grid.shape), np.eye(first.grid.ndim + 2)
    matrix[1:, 1:] = first.grid.matrix
    grid = Grid(shape, ("t", *first.grid.axes), matrix, ("pixel", *first.grid.units), "tiff")
    return Opened(path.stem, (np.stack(frames),), grid)


def read_tracks(path: Path) -> OpenedLabels:
    """Read masks and tracks; objects that were written in several parts are one again.

    Parameters
    ----------
    path : Path
        The text of tracks; a JSON beside may name the objects.

    Raises
    ------
    FileTrouble
        The files break the rules: two tracks of one label, a parent that goes on, a label of a mask
        without a track. A track that is absent from a frame within is taken as it is.
    """
    tracks, masks = _read_text(path), _mask_files(path)
    opened = open_tracks(path)
    labels = np.asarray(opened.data)
    wrong = _mask_problems(tracks, masks, labels, strict=False)
    problem = next(chain(_text_problems(tracks, len(masks)), wrong), "")
    if problem:
        raise FileTrouble(f"'{path}' breaks the rules of tracks: {problem}; mend the file")
    table, about = table_beside(path) or (ObjectTable(), dict[str, object]())
    noted = about.pop(CONTINUES, None)
    whole = {int(i): int(of) for i, of in noted.items()} if isinstance(noted, Mapping) else {}
    for part, of in whole.items():
        labels[labels == part] = of
    rows = dict(table.items())
    for one in tracks:
        if one.label not in whole:
            known = rows.get(one.label, ObjectRecord())
            rows[one.label] = replace(known, parent=whole.get(one.parent, one.parent))
    return OpenedLabels(opened.name, labels, ObjectTable(rows), opened.grid, about)


def _without_gaps(
    labels: npt.NDArray[np.integer],
) -> tuple[npt.NDArray[np.integer], dict[int, tuple[int, int]]]:
    """Give later parts of objects with gaps ids of their own, in labels (t, ..., y, x).

    Returned are these labels, and part -> (object, part before).
    """
    values, continues = labels.copy(), dict[int, tuple[int, int]]()
    last: dict[int, tuple[int, int]] = {}
    following = int(labels.max(initial=0)) + 1
    for frame in range(len(labels)):
        for label in sorted(ids_in(labels[frame])):
            part, seen = last.get(label, (label, frame - 1))
            if seen < frame - 1:
                continues[following] = (label, part)
                part, following = following, following + 1
            if part != label:
                if part > HIGHEST:
                    break
                if part > np.iinfo(values.dtype).max:
                    values = values.astype(np.uint32)
                values[frame][labels[frame] == label] = part
            last[label] = (part, frame)
    if following - 1 > HIGHEST:
        raise InvalidLabels(
            f"tracks hold no id above {HIGHEST}, and these need {following - 1}; number the "
            "objects anew"
        )
    return values, continues


def _read_text(path: Path) -> list[Track]:
    lines = read_text(path, TRACK_BYTES, "utf-8-sig").splitlines()
    remedy = "each line has four numbers: label, first frame, last frame, parent"
    with reading(path, "as a text of tracks", remedy=remedy):
        return [Track(*(int(word) for word in line.split())) for line in lines if line.strip()]


def _mask_files(path: Path, *, missing_ok: bool = False) -> list[Path]:
    """Return the masks beside a text of tracks, in the order of the frames."""
    prefix = _MASKS.get(path.name)
    if prefix is None:
        raise FileTrouble(f"'{path.name}' names no tracks; call it man_track.txt or res_track.txt")
    found = {}
    for mask in path.parent.glob(f"{prefix}*.tif"):
        number = mask.stem.removeprefix(prefix)
        if number.isdecimal():
            check_file(mask)
            found[int(number)] = mask
    if missing_ok:
        return list(found.values())
    if not found or sorted(found) != list(range(len(found))):
        absent = next(k for k in range(len(found) + 1) if k not in found)
        raise FileTrouble(f"the mask '{prefix}{absent:03}.tif' is missing beside '{path}'")
    return [found[k] for k in sorted(found)]


def _text_problems(tracks: Sequence[Track], frames: int) -> Iterator[str]:
    """Yield what is wrong with tracks in a video of so many frames."""
    known: dict[int, Track] = {}
    for one in tracks:
        if one.label in known:
            yield f"there are two tracks {one.label}"
        if not 0 < one.label <= HIGHEST:
            yield f"the label {one.label} is not between 1 and {HIGHEST}"
        if not 0 <= one.begin <= one.end < frames:
            yield (
                f"track {one.label} goes from frame {one.begin} to {one.end}, and there are frames "
                f"0 to {frames - 1}"
            )
        known[one.label] = one
    for one in tracks:
        parent = known.get(one.parent)
        if one.parent and parent is None:
            yield f"track {one.label} has the parent {one.parent}, which is no track"
        elif parent is not None and parent.end >= one.begin:
            yield (
                f"track {one.label} begins in frame {one.begin}, and its parent {parent.label} is "
                f"there until frame {parent.end}"
            )


def _mask_problems(
    tracks: Sequence[Track],
    masks: Sequence[Path],
    frames: Iterable[npt.NDArray[np.integer]],
    strict: bool,
) -> Iterator[str]:
    """Yield labels of masks outside their track and, where `strict`, tracks absent from masks."""
    known = {one.label: one for one in tracks}
    for frame, (mask, labels) in enumerate(zip(masks, frames, strict=True)):
        there = ids_in(labels)
        for label in sorted(there):
            one = known.get(label)
            if one is None or not one.begin <= frame <= one.end:
                what = "has no track" if one is None else "is outside its track"
                yield f"the label {label} in '{mask.name}' {what}"
        due = {one.label for one in tracks if one.begin <= frame <= one.end} - there
        for label in sorted(due) if strict else ():
            yield f"track {label} is absent from '{mask.name}'"
