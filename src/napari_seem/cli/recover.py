"""`napari-seem recover`: labels that were not saved when napari ended."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from .options import WRITTEN, add_force, usage

if TYPE_CHECKING:
    from ..commands.recovery import Recovery


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to a parser."""
    found = commands.add_parser(
        "recover", help="list labels that were not saved, and write them to files",
        description="List labels that were not saved when napari ended, the latest first; write "
        "one of them to a file, or discard it. Labels that napari works on are left out.",
    )  # fmt: skip
    found.set_defaults(run=_recover)
    found.add_argument("number", type=int, nargs="?", help="in the list; without it, list them")
    found.add_argument("-o", "--output", type=Path, help=WRITTEN)
    found.add_argument("--discard", action="store_true", help="offer it no more")
    add_force(found)
    found.add_argument("--all", action="store_true",
                       help="also what was discarded, and labels removed unsaved")  # fmt: skip


def _recover(options: argparse.Namespace) -> int:
    from ..commands.recovery import recoveries
    from ..io.formats import check_output
    from ..labels.journal import discard, logs_folder

    if options.number is None and (options.output or options.discard):
        raise usage("which? give its number in the list that `napari-seem recover` shows")
    found = recoveries(logs_folder(), every=options.all)
    if options.number is None:
        _list(found)
        return 0
    if not 1 <= options.number <= len(found):
        raise usage(f"there is no number {options.number}; the list has {len(found)}")
    chosen = found[options.number - 1]
    if options.output is not None:
        sources = [] if chosen.source is None else [chosen.source]
        check_output(options.output, sources, force=options.force)
        done = chosen.read()
        for path in done.save(options.output):
            print(path)
    if options.discard:
        discard(chosen.path)
        print(f"discarded: {chosen.path}")
    elif options.output is None:
        raise usage("give -o FILE to write the labels, or --discard")
    return 0


def _list(found: list[Recovery]) -> None:
    """Print what was found, one in a few lines."""
    from ..errors import NapariSeemError
    from ..labels.plans import counted

    if not found:
        print("nothing is left that was not saved")
    for number, one in enumerate(found, start=1):
        try:
            what = counted(one.read().count)
        except (NapariSeemError, OSError) as error:
            what = f"can't be read: {error}"
        more = f", {one.prompts}" if one.prompts else ""
        more += ", of a series: open it again" if one.is_of_series else ""
        print(f"{number:3d}  {one.time:%Y-%m-%d %H:%M}  {one.labels}: {what}{more}")
        print(f"     image {one.source or one.image or 'unknown'}\n     {one.path}")
