"""`napari-seem segment --prompts`: the objects that a table of prompts asks for."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path, PureWindowsPath
from typing import TYPE_CHECKING, Any

from ..errors import NapariSeemError
from ..io.formats import check_output
from ..io.images import labels_name
from ..io.writing.whole import replacing
from .image_files import segment_image
from .options import models_for, show_progress, usage

if TYPE_CHECKING:
    import pandas as pd

    from ..commands.models import KnownPlane
    from ..commands.workspace import Workspace
    from ..labels.document import LabelDocument
    from ..models.context import Context
    from ..objects import Row


def add_prompts(segment: argparse.ArgumentParser) -> None:
    """Options of tables of prompts."""
    segment.add_argument("--prompts", type=Path, metavar="CSV",
                         help="an object for each row: y and x, or y0, x0, y1 and x1, or text; "
                         "also object, positive, kind, name, image")  # fmt: skip
    segment.add_argument("--table", type=Path, metavar="CSV",
                         help="with --prompts: also write what became of each object")  # fmt: skip
    segment.add_argument("--overlap", default="score", metavar="score|first|last",
                         help="with --prompts: which object gets the pixels of two")  # fmt: skip
    segment.add_argument("--context", type=Path, metavar="LABELS",
                         help="with --prompts: labels of accepted objects, whose sizes steer where "
                         "a click leaves the size open")  # fmt: skip
    segment.add_argument("--skip-bad-rows", action="store_true",
                         help="with --prompts: leave out rows that can't be used")  # fmt: skip


def segment_rows(options: argparse.Namespace) -> int:
    """Segment images by a table of prompts; 2 where a file failed, after all others are done."""
    from ..objects import read_rows

    if getattr(options, "in_order", ()) or options.word or options.everything:
        raise usage("--prompts is used instead of --point, --box, --answer, --word, --everything")
    rows = _rows_by_image(options.image, read_rows(options.prompts), options.prompts.name)
    several = len(options.image) > 1
    outputs = {
        image: options.output / f"{labels_name(image)}.tif" if several else options.output
        for image in options.image
    }
    _check_outputs(options, list(outputs.values()))
    models = models_for(options.library)
    models.model(options.model)
    context = None if options.context is None else _context(options.context)
    tables: dict[str, pd.DataFrame] = {}
    failed = 0
    for image in options.image:
        output = outputs[image]

        def work(
            workspace: Workspace, known: KnownPlane, image: Path = image
        ) -> dict[str, LabelDocument]:
            tables[image.name] = _write_objects(options, workspace, known, rows[image], context)
            return {}

        try:
            output.parent.mkdir(parents=True, exist_ok=True)
            segment_image(options, image, {"objects": output}, models, work)
        except (NapariSeemError, OSError) as error:
            if not several:
                raise
            failed += 1
            print(f"napari-seem: {image}: {error}", file=sys.stderr)
    if several:
        print(f"{len(options.image) - failed} of {len(options.image)} images done")
    if options.table is not None:
        _write_table(options.table, tables, several)
    return 2 if failed else 0


def _check_outputs(options: argparse.Namespace, outputs: Sequence[Path]) -> None:
    inputs = [*options.image, options.prompts]
    inputs += [] if options.context is None else [options.context]
    for output in outputs:
        check_output(output, inputs, force=options.force)
    columns = ("id", "area", "note", "to")
    check_output(options.table, inputs, force=options.force, columns=columns)


def _rows_by_image(images: Sequence[Path], rows: Sequence[Row], file: str) -> dict[Path, list[Row]]:
    """Share the rows of a table out, by the file names in their column `image`."""
    named = {image.name: image for image in images}
    if len(named) < len(images):
        raise usage("two of the images have the same file name; segment them one at a time")
    out: dict[Path, list[Row]] = {image: [] for image in images}
    passed = 0
    for where, cells in rows:
        asked = str(cells.get("image", "")).strip()
        if not asked and len(images) > 1:
            raise usage(f"{where} names no image; fill in its column image, or give one image")
        chosen = named.get(PureWindowsPath(asked).name) if asked else images[0]
        if chosen is None:
            passed += 1
        else:
            out[chosen].append((where, {**cells, "image": ""}))
    without = [image.name for image in images if not out[image]]
    if without:
        raise usage(
            f"'{file}' has no row for {', '.join(without)}; leave such images out, or add rows"
        )
    if passed:
        print(f"{passed} rows of other images are left out", file=sys.stderr)
    return out


def _write_objects(
    options: argparse.Namespace, workspace: Workspace, known: KnownPlane, rows: Sequence[Row],
    context: Context | None,
) -> pd.DataFrame:  # fmt: skip
    """Segment the objects of one image and commit them; gives the table of what became of each."""
    from ..commands.commit import commit_objects
    from ..models.context import in_context_of
    from ..objects import objects_of_rows, segment_objects

    plane = workspace.models.open(options.model, known)
    asked = objects_of_rows(rows)
    found = segment_objects(
        in_context_of(plane.model, context), plane.embedding, asked, overlap=options.overlap,
        min_score=options.min_score, errors="skip" if options.skip_bad_rows else "raise",
        progress=_shown if len(asked) > 20 else None,
    )  # fmt: skip
    fields = workspace.fields(options.model, known)
    if context is not None and context.steers:
        fields["context"] = context.to_dict()
    commit_objects(workspace, fields, asked, found, options.overlap)
    _tell(found.table)
    return found.table


def _context(path: Path) -> Context:
    """Read the sizes of the objects in a file of labels."""
    import numpy as np

    from ..io.files import read_labels
    from ..models.context import FEWEST, Context

    labels = np.asarray(read_labels(path)[0])
    context = Context.of_areas(np.unique(labels[labels > 0], return_counts=True)[1])
    if not context.steers:
        print(f"'{path.name}' holds fewer than {FEWEST} objects: they steer nothing",
              file=sys.stderr)  # fmt: skip
    return context


def _shown(done: int, total: int | None, what: str) -> None:
    show_progress(done, total or 0, what)
    if done == total:
        print(file=sys.stderr)


def _tell(table: pd.DataFrame) -> None:
    """Say which objects have no pixel, and why."""
    for row in table[table["area"] == 0].itertuples():
        print(f"object {row.id} has no pixels: {row.note}", file=sys.stderr)


def _write_table(path: Path, tables: dict[str, pd.DataFrame], several: bool) -> None:
    """Write the tables of all images as one CSV file."""
    import pandas as pd

    parts: list[Any] = []
    for image, table in tables.items():
        part = table.assign(to=[" ".join(map(str, ids)) for ids in table["to"]])
        if several:
            part.insert(0, "image", image)
        parts.append(part)
    if parts:
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(texts={path: pd.concat(parts).to_csv(index=False)}):
            pass
