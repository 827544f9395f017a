"""An image of a series with its labels: opened as it was left, also after a crash, and saved."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from ..commands.files import SaveLabels
from ..commands.recovery import Recovery
from ..errors import InvalidLabels, LogTrouble, NapariSeemError
from ..io.files import open_image
from ..io.formats import stem_of
from ..io.grid import Grid
from ..io.opened import Opened, OpenedLabels
from ..labels.journal import is_live
from ..labels.log import SUFFIX, log_path, read_log, write_log
from ..values import JsonObject
from .listing import open_labels_of
from .marks import Mark
from .series import Series, counts_of, stamp_of


@dataclass(frozen=True, eq=False)
class OpenedImage:
    """An image of a series as it was left.

    Attributes
    ----------
    index : int
    image : Opened or None
        None where it is not to be opened.
    path : Path
        Of the label file.
    labels : OpenedLabels or None
        None where nothing is labelled, or where the labels lie in a folder that is worked in.
    prompts : list of dict
        Prompts that were not committed, a line for each plane.
    recovered : str
        What was brought back from the log of a session that was not ended; "" for nothing.
    stamp : (int, int)
        Of the label file, by which changes of others are noticed.
    journal : Path or None
        The log that it was brought back from.
    """

    index: int
    image: Opened | None
    path: Path
    labels: OpenedLabels | None = None
    prompts: list[JsonObject] = field(default_factory=list)
    recovered: str = ""
    stamp: tuple[int, int] = (0, 0)
    journal: Path | None = None


def open_in(series: Series, index: int, logs: Path, opened: Opened | None = None) -> OpenedImage:
    """Open an image of a series and its labels; in any thread.

    Parameters
    ----------
    series : Series
    index : int
    logs : Path
        The folder of the logs of sessions on this machine; what was done after the labels were
        saved last is taken from there.
    opened : Opened, optional
        The image, where it is open; by default its file is opened.

    Raises
    ------
    FileTrouble, InvalidLabels
        The image or its labels can't be read, or the labels lie on another grid.
    """
    source, mark, path = series.images[index], series.mark_of(index), series.labels_path(index)
    if opened is None and source.path is not None:
        opened = open_image(source.path)
    found = OpenedImage(index, opened, path, prompts=list(mark.prompts), stamp=stamp_of(path))
    if path.is_file():  # a folder's pixels change while they are worked on
        labels = open_labels_of(source, path, None if opened is None else opened.grid)
        found = replace(found, labels=_editable(labels, path))
    return _with_journal(found, mark, logs)


class LabelFile:
    """The label file of an image that is worked on.

    Parameters
    ----------
    series : Series
    index : int
        Of the image.
    path : Path
    stamp : (int, int)
        Of the file when it was read, by which changes of others are noticed.
    """

    def __init__(self, series: Series, index: int, path: Path, stamp: tuple[int, int]) -> None:
        self.series, self.index, self.path, self.stamp = series, index, path, stamp

    def save(self, labels: SaveLabels, **changes: Any) -> str:
        """Write labels, and then the mark with their counts; in any thread, one at a time.

        Where somebody else changed the file meanwhile, theirs stays, and this and all later labels
        go into a file with the annotator's name beside it; the text that is given back says so.

        Parameters
        ----------
        labels : SaveLabels
        **changes
            Fields of the mark.

        Raises
        ------
        InvalidLabels, FileTrouble
            As `napari_seem.io.files.write_labels`; what was there is unchanged.
        """
        said = ""
        if self._is_others(labels):
            theirs, self.path = self.path, own_path(self.path, self.series.annotator)
            said = (
                f"'{theirs.name}' was changed by somebody else since it was opened; your labels "
                f"are in '{self.path.name}' beside it"
            )
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.path = replace(labels, path=self.path).run()[0]
        self.stamp = stamp_of(self.path)
        grid = labels.grid or Grid.plain(labels.labels.shape)
        counts = counts_of(OpenedLabels(self.path.stem, labels.labels, labels.table, grid))
        self.mark(**changes, counts=counts, counted=self.stamp)
        return said

    def _is_others(self, labels: SaveLabels) -> bool:
        """Whether the file was changed since, and not by saving these labels in another way."""
        if not self.path.exists() or stamp_of(self.path) == self.stamp:
            return False
        log, events = log_path(self.path), labels.events()
        if not events or not log.exists():
            return True
        later = log.stat().st_mtime_ns >= self.path.stat().st_mtime_ns
        try:
            return not later or read_log(log)[-1].name != events[0]["session"]
        except LogTrouble:
            return True

    def mark(self, **changes: Any) -> None:
        """Change the mark of the image, which knows the file from then on."""
        if self.path.is_relative_to(self.series.folder) and self.path.exists():
            changes["labels"] = self.path.relative_to(self.series.folder).as_posix()
        self.series.change(self.index, **changes)


def own_path(path: Path, annotator: str) -> Path:
    """A free name for labels of an annotator beside somebody else's."""
    stem, kind = stem_of(path), path.name[len(stem_of(path)) :]
    who = re.sub(r"\W+", "_", annotator) or "own"
    names = (f"{stem}-{who}{'' if k == 1 else f'-{k}'}{kind}" for k in range(1, 1000))
    return next(one for one in map(path.with_name, names) if not one.exists())


def journal_of(session: str, logs: Path) -> Path | None:
    """The log of a session as it was kept while it went on; None where there is none."""
    return next(logs.glob(f"*-{session}{SUFFIX}"), None) if session else None


def _editable(labels: OpenedLabels, path: Path) -> OpenedLabels:
    """Labels in memory, wide enough for further objects."""
    array = np.asarray(labels.data)
    if array.dtype.kind not in "iub":
        raise InvalidLabels(
            f"'{path}' holds {array.dtype} values and no labels; give a file with one integer a "
            "pixel, or choose another labels folder"
        )
    array = array.astype(np.uint16) if array.dtype.itemsize == 1 else array
    return replace(labels, data=array, levels=())


def _with_journal(found: OpenedImage, mark: Mark, logs: Path) -> OpenedImage:
    """With what the log of the last session knows and the files don't."""
    journal = journal_of(mark.session, logs)
    if journal is None or is_live(journal):
        return found
    written = journal.stat().st_mtime
    try:
        recovery = Recovery(journal, read_log(journal)[-1])
        if found.path.is_dir() or (found.path.exists() and found.path.stat().st_mtime >= written):
            return found
        return _recovered(found, recovery)
    except (NapariSeemError, OSError):  # it helps, but is not needed
        return found


def _recovered(found: OpenedImage, recovery: Recovery) -> OpenedImage:
    session = recovery.session
    prompts = session.uncommitted or ([] if session.prompts else found.prompts)
    found = replace(found, prompts=prompts)
    done = recovery.read()
    known, array = found.labels, np.asarray(done.labels)
    if known is None and not array.any():
        return found
    if known is not None and (known.data.shape != array.shape or np.array_equal(known.data, array)):
        return found
    found.path.parent.mkdir(parents=True, exist_ok=True)
    write_log(log_path(found.path), session.events)  # the record of the labels goes on from it
    grid = found.image.grid if found.image is not None else Grid.plain(array.shape)
    known = known or OpenedLabels(found.path.stem, array, done.table, grid)
    about = {**known.about, **recovery.palette.to_dict()}
    return replace(
        found,
        labels=_editable(replace(known, data=array, table=done.table, about=about), found.path),
        recovered="what was not saved when the program ended is brought back from its log",
        journal=recovery.path,
    )
