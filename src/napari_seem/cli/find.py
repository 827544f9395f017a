"""`napari-seem find`: where a word's objects are, in images, stacks and folders."""

from __future__ import annotations

import argparse
import csv
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from .options import add_force, add_library, add_model, add_window, models_for, usage, window_from

if TYPE_CHECKING:
    from ..query import Finding
    from ..values import JsonObject

COLUMNS = ("file", "plane", "word", "score", "y0", "x0", "y1", "x1", "area")


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to a parser."""
    finds = commands.add_parser("find", help="find all matches of a word in images and stacks")
    finds.set_defaults(run=_find)
    finds.add_argument("word", help="what to look for")
    finds.add_argument("images", type=Path, nargs="+", metavar="FILE",
                       help="images, stacks, or folders of them")  # fmt: skip
    finds.add_argument("-o", "--output", type=Path, help="table to write, .csv or .json")
    finds.add_argument("--least", type=float, default=0.45, help="least score, 0 to 1 (0.45)")
    finds.add_argument("--axis", type=int, help="axis of the planes of a stack (0)")
    add_model(finds)
    add_window(finds)
    add_library(finds)
    add_force(finds)


def _find(options: argparse.Namespace) -> int:
    """Print or write a table of what was found; 2 where a file could not be looked at."""
    from ..io.formats import check_output
    from ..query import plane_sources_of_files, search

    if options.output and options.output.suffix.lower() not in (".csv", ".json"):
        raise usage(f"'{options.output.name}' can't be written as a table; use .csv or .json")
    if not 0 <= options.least <= 1:
        raise usage(f"--least is a score from 0 to 1, got {options.least}")
    check_output(options.output, options.images, force=options.force, columns=COLUMNS)
    sources = plane_sources_of_files(options.images, options.axis, window_from(options))
    rows: list[JsonObject] = []
    failed = 0
    model = models_for(options.library).model(options.model)
    for result in search(model, sources, options.word, least=options.least):
        rows += [_row(finding) for finding in result.findings]
        failed += bool(result.problem)
        outcome = result.problem or f"{len(result.findings)} found"
        print(f"{result.place.title}: {outcome}", file=sys.stderr)
    rows.sort(key=lambda row: -row["score"])
    _write(options.output, rows, {"word": options.word, "model": options.model})
    return 2 if failed else 0


def _row(finding: Finding) -> dict[str, object]:
    values = (
        str(finding.place.source), finding.place.position, finding.word,
        round(finding.score, 3), *finding.bbox, finding.area,
    )  # fmt: skip
    return dict(zip(COLUMNS, values, strict=True))


def _write(output: Path | None, rows: list[dict[str, object]], about: dict[str, object]) -> None:
    from ..io.writing.whole import replacing

    if output is None:
        _write_csv(sys.stdout, rows)
        return
    with replacing(output) as (part,), part.open("w", newline="", encoding="utf-8") as file:
        if output.suffix.lower() == ".json":
            json.dump({"napari-seem": 1, **about, "findings": rows}, file, indent=1)
            file.write("\n")
        else:
            _write_csv(file, rows)
    print(f"{len(rows)} found -> {output}")


def _write_csv(file: TextIO, rows: list[JsonObject]) -> None:
    table = csv.DictWriter(file, COLUMNS, lineterminator="\n")
    table.writeheader()
    table.writerows(rows)
