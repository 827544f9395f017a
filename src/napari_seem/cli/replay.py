"""`napari-seem replay`: a recorded session done again, and compared with what is recorded."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from .options import WRITTEN, add_force, add_library, usage

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..commands.replay import Replayed
    from ..images import ArraySource
    from ..io.grid import Grid
    from ..labels.log import Event
    from ..models.base import Model
    from ..values import JsonObject

SAME, DIFFERENT = 0, 1


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to a parser."""
    again = commands.add_parser(
        "replay", help="repeat a recorded session",
        description="Repeat a recorded session. The exit code is 0 if the labels are the same, "
        "1 if some differ, 2 if the log or the image is wrong.",
    )  # fmt: skip
    again.set_defaults(run=_replay)
    again.add_argument("log", type=Path, help="NAME.log.jsonl beside labels")
    again.add_argument("--image", type=Path, help="the image; by default the file named in the log")
    again.add_argument("-o", "--output", type=Path, help=WRITTEN)
    again.add_argument("--without-models", action="store_true",
                       help="use the stored pixels; needs no image and no model")  # fmt: skip
    again.add_argument("--session", type=int, default=0,
                       help="which of the log's sessions, from 1; by default the last")  # fmt: skip
    again.add_argument("--device", default="auto", help="auto, cpu, mps, cuda or cuda:1")
    add_library(again)
    add_force(again)


def _replay(options: argparse.Namespace) -> int:
    """Replay a session; tell what differs, and write the labels."""
    from ..commands.replay import replay
    from ..concepts import with_library
    from ..io.formats import check_output
    from ..labels.log import read_log
    from ..models.registry import load_model

    check_output(options.output, (options.log, options.image), force=options.force)
    sessions = read_log(options.log)
    number = options.session or len(sessions)
    if not 1 <= number <= len(sessions):
        raise usage(f"there is no session {number}; give --session 1 to {len(sessions)}")
    session = sessions[number - 1]
    if session.cut_off:
        print("the last line was not written to its end; it is left out", file=sys.stderr)
    pictures = Pictures(options.log, options.image)
    pictures.check(session.events)

    def show(done: int, total: int) -> None:
        if sys.stderr.isatty():
            print(f"\r{done} of {total} events", end="", file=sys.stderr)

    def load(name: str) -> Model:
        return with_library(load_model(name, device=options.device), options.library)

    found = replay(session, pictures.find, None if options.without_models else load, show)
    for reason in found.stored:
        print(f"taken from the record: {reason}")
    for difference in found.differences:
        print(difference)
    if options.output is not None:
        from ..commands.files import SaveLabels
        from ..palette import Palette

        grid = pictures.grid
        fits = grid is not None and grid.shape == found.labels.shape
        about = {"replayed": options.log.name}
        where = grid if fits else None
        SaveLabels(options.output, found.labels, found.table, Palette(), where, about).run()
    print(summary(found, len(session.events)))
    return DIFFERENT if found.differences else SAME


def summary(found: Replayed, events: int) -> str:
    """What came of it, in one line."""
    said = f"{events} events, {found.redone} of them done again by models: "
    if found.differences:
        pixels = sum(difference.pixels for difference in found.differences)
        return said + f"{len(found.differences)} differ, in {pixels} pixels"
    return said + "the same labels"


class Pictures:
    """Finds the images of a log: in the file that was given, else where the log says.

    Parameters
    ----------
    log : Path
    given : Path, optional
    """

    def __init__(self, log: Path, given: Path | None) -> None:
        from ..sources.identity import ImageFile

        self._log = log
        self._given = None if given is None else ImageFile(given)
        self._others: dict[Path, ImageFile] = {}

    @property
    def grid(self) -> Grid | None:
        """Of the given file."""
        return None if self._given is None else self._given.grid

    def check(self, events: Sequence[Event]) -> None:
        """Raise `LogTrouble` where the given file is none of the log's images."""
        from ..errors import LogTrouble

        images = [event for event in events if event["event"] == "image"]
        for number, line in enumerate(images, start=1):
            try:
                if self._given is not None:
                    self._given.find(line)
                return
            except LogTrouble:
                if number == len(images):
                    raise

    def find(self, line: JsonObject) -> ArraySource:
        """The array of an image, given its line of the log."""
        from ..errors import LogTrouble
        from ..sources.identity import ImageFile

        path = self._log.parent / line["source"]
        there = bool(line["source"]) and path.exists()
        if self._given is not None:
            try:
                return self._given.find(line)
            except LogTrouble:
                if not there:
                    raise
        if not there:
            raise LogTrouble(
                f"the image '{line['name']}' is not where the log says; give it with --image, or "
                "replay with --without-models"
            )
        if path not in self._others:
            self._others[path] = ImageFile(path)
        return self._others[path].find(line)
