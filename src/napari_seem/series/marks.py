"""How far each image is: one small file an image, so that several people can work in one folder."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from ..edits import now
from ..errors import FileTrouble
from ..io.guard import load_json, reading
from ..io.writing.whole import locked, make_folder, replacing
from ..values import JsonObject

TO_DO, IN_WORK, DONE, SKIPPED = "to do", "in work", "done", "skipped"
STATES = (TO_DO, IN_WORK, DONE, SKIPPED)
FOLDER = "series"
"""Folder of the marks in the labels folder."""
FORMAT = "napari-seem series"
VERSION = 1
MARK_BYTES = 1 << 26
"""Largest mark that is read."""


@dataclass(frozen=True)
class Mark:
    """What is known of an image of a series.

    Attributes
    ----------
    image : str
        Its name in the series.
    state : str
        One of `STATES`.
    note : str
    annotator, time : str
        Who changed the state last, and when.
    labels : str
        The label file, from the labels folder, with slashes; "" where there is none.
    session : str
        Of the log of the labels.
    prompts : list of dict
        Prompts that were not committed, a line for each plane, as in the log.
    counts : mapping of str to int
        Class -> objects in the label file; "" for those of none.
    counted : (int, int)
        Size in bytes and time in nanoseconds of the label file when they were counted.
    size, digest
        As of `SeriesImage.identity`.
    """

    image: str
    state: str = TO_DO
    note: str = ""
    annotator: str = ""
    time: str = ""
    labels: str = ""
    session: str = ""
    prompts: list[JsonObject] = field(default_factory=list)
    counts: Mapping[str, int] = field(default_factory=dict)
    counted: tuple[int, int] = (0, 0)
    size: int = 0
    digest: str = ""


_NAMES = {each.name for each in fields(Mark)}


class MarkFolder:
    """The marks of a series, each in a file of its own.

    Parameters
    ----------
    folder : Path
        The labels folder; nothing is written before the first mark.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder / FOLDER

    def path_of(self, image: str) -> Path:
        """The file of an image's mark."""
        return self.folder / f"{image}.json"

    def read(self, image: str) -> Mark:
        """The mark of an image; of one without a file, or with a damaged one, it is to do."""
        try:
            return _read(self.path_of(image))
        except (FileNotFoundError, FileTrouble):
            return Mark(image)

    def read_all(self) -> dict[str, Mark]:
        """All marks that can be read, by the names of their images."""
        marks = {}
        for path in sorted(self.folder.rglob("*.json")):
            if any(part.startswith(".") for part in path.relative_to(self.folder).parts):
                continue
            try:
                mark = _read(path)
            except (FileNotFoundError, FileTrouble):
                continue
            marks[path.relative_to(self.folder).as_posix().removesuffix(".json")] = mark
        return marks

    def change(self, image: str, annotator: str = "", **changes: Any) -> Mark:
        """Change an image's mark; what others wrote to it meanwhile stays.

        Parameters
        ----------
        image : str
        annotator : str
            Noted with the time where the state changes.
        **changes
            Fields of `Mark`.

        Raises
        ------
        FileTrouble
            The file can't be written; it is as it was.
        """
        path = self.path_of(image)
        mark = self._changed(image, annotator, changes)
        if mark == self.read(image):
            return mark
        make_folder(path.parent)
        with locked(path):  # or what somebody else writes just then would be lost
            mark = self._changed(image, annotator, changes)
            _spare_damaged(path)
            text = json.dumps({FORMAT: VERSION, **asdict(mark)}, indent=1, ensure_ascii=False)
            with replacing(texts={path: text + "\n"}):
                return mark

    def _changed(self, image: str, annotator: str, changes: JsonObject) -> Mark:
        former = self.read(image)
        mark = replace(former, image=image, **changes)
        changed = mark.state != former.state
        return replace(mark, annotator=annotator, time=now()) if changed else mark

    def rename(self, former: str, image: str) -> Mark:
        """Let an image have the mark of another name, which goes."""
        mark = self.read(former)
        kept = {key: getattr(mark, key) for key in _NAMES - {"image", "annotator", "time"}}
        self.change(image, mark.annotator, **kept)
        self.path_of(former).unlink(missing_ok=True)
        return self.change(image, time=mark.time)


def _read(path: Path) -> Mark:
    """Read a mark; `FileTrouble` where the file is something else."""
    if not path.exists():
        raise FileNotFoundError(path)
    with reading(path, "as a mark of a series", remedy="restore or delete it"):
        values = load_json(path, MARK_BYTES)
        version = values.pop(FORMAT)
        known = {key: value for key, value in values.items() if key in _NAMES}
        first, second = known.pop("counted", (0, 0))
        mark = Mark(**known, counted=(int(first), int(second)))
    if version != VERSION or mark.state not in STATES:
        raise FileTrouble(f"'{path}' was written by a newer napari-seem; update it")
    return mark


def _spare_damaged(path: Path) -> None:
    """Move a file aside that can't be read, so that it is not lost."""
    try:
        _read(path)
    except FileNotFoundError:
        return
    except FileTrouble:
        path.replace(path.with_name(f"{path.name}.damaged"))
