"""Tables in the pages of the docs, and what they were measured with."""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from datetime import date
from importlib.metadata import version
from pathlib import Path

from napari_seem.errors import NapariSeemError
from napari_seem.models.base import Model

from .latency.machine import processor


def measured_with(model: Model) -> str:
    """Name what figures of a model depend on: weights, processor, number type, versions, day."""
    from napari_seem.models.running import threads

    kind = str(getattr(model, "compute", "")).removeprefix("torch.")
    machine = ", ".join(filter(None, [processor(), f"{threads.limit()} threads", kind]))
    versions = ", ".join(f"{name} {version(name)}" for name in ("napari-seem", "torch"))
    return f"{model.identity} on {machine}, {versions}, {date.today().isoformat()}"


def put_table(path: Path, table: str, mark: str, title: str) -> None:
    """Put a table into a page between its marks, or make the page.

    Raises
    ------
    NapariSeemError
        Where the page has no such marks.
    """
    begin, end = f"<!-- {mark}: begin -->", f"<!-- {mark}: end -->"
    text = path.read_text(encoding="utf-8") if path.exists() else f"# {title}\n\n{begin}\n{end}\n"
    if begin not in text or end not in text:
        raise NapariSeemError(f"'{path}' has no marks '{begin}' and '{end}' for the table")
    head, tail = text.split(begin)[0], text.split(end, 1)[1]
    path.write_text(f"{head}{begin}\n{table}\n{end}{tail}", encoding="utf-8")


def add_options(parser: argparse.ArgumentParser, mark: str) -> None:
    """Let the tables of a bench be put into a page, between marks that are named `mark`."""
    parser.add_argument("--table", type=Path, help="write the tables into this page, too")
    parser.add_argument("--mark", default=mark, help="of the tables in the page")


def publish(text: str, models: Iterable[Model], options: argparse.Namespace) -> None:
    """Print tables and what they were measured with, and put them into a page if one is named."""
    conditions = "\n".join(f"- {measured_with(model)}" for model in models)
    text = f"{conditions}\n\n{text}"
    print(text)
    if options.table:
        put_table(options.table, text, options.mark, options.mark.capitalize())
