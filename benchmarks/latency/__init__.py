"""How long a person waits: for the model, for the dock to be ready, and from click to mask."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

PARTS = ("headless", "dock", "start")
SIZES = (1024, 4096)
Row = dict[str, Any]
"""`size`, `what`, `value`, and where there are several values `p95`; `unit` is ms by default."""


def main(argv: Sequence[str]) -> int:
    """Run `python -m benchmarks latency`."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks latency", description=__doc__)
    parser.add_argument("--model", default="compact")
    parser.add_argument("--sizes", type=int, nargs="*", default=list(SIZES))
    parser.add_argument("--repeats", type=int, default=15, help="objects, each of three clicks")
    parser.add_argument("--parts", nargs="*", choices=PARTS, default=list(PARTS))
    parser.add_argument(
        "--patience", type=float, default=60, help="seconds to wait for the dock to get ready"
    )
    parser.add_argument(
        "--ordinary", action="store_true", help="hold torch to AVX2 and float32, in a new process"
    )
    parser.add_argument("--json", type=Path)
    parser.add_argument("--table", type=Path, help="write the tables into this page, too")
    options = parser.parse_args(list(argv))
    if options.ordinary:
        from .machine import ORDINARY

        rest = [word for word in argv if word != "--ordinary"]
        command = [sys.executable, "-m", "benchmarks", "latency", *rest]
        return subprocess.run(command, env={**os.environ, **ORDINARY}, check=False).returncode
    with tempfile.TemporaryDirectory() as folder:
        for variable in ("NAPARI_SEEM_CACHE", "NAPARI_SEEM_LOGS"):  # what other runs left behind
            os.environ[variable] = os.path.join(folder, variable)
        return _run(options)


def _run(options: argparse.Namespace) -> int:
    from napari_seem.models.registry import load_model

    from .machine import facts

    model = load_model(options.model)
    known = facts(getattr(model, "compute", "float32"))
    rows: list[Row] = []
    for size in options.sizes:
        for part in options.parts:
            measured = {"headless": _headless, "dock": _dock, "start": _start}[part]
            found = [{"size": size, **row} for row in measured(options, model, size)]
            print("\n".join(map(_line, found)), file=sys.stderr, flush=True)
            rows += found
    known["busy at the end"] = _busy()
    text = _report(known, rows)
    print(text)
    if options.json:
        options.json.write_text(
            json.dumps({"machine": known, "rows": rows}, indent=1), encoding="utf-8"
        )
    if options.table:
        from ..pages import put_table

        put_table(options.table, text, "latency", "Waiting times")
    return 0


def _busy() -> str:
    from .machine import busy_processes

    return busy_processes()


def _headless(options: argparse.Namespace, model: Any, size: int) -> list[Row]:
    from .headless import alone, ratio, turns
    from .machine import spinner
    from .scene import scene

    image = scene(size)
    times = alone(model, image, options.repeats)
    with spinner():
        busy = turns(model, image, max(2, options.repeats // 2))
    rows = [_row(f"headless: {what}", ms) for what, ms in times.items()]
    return rows + [
        _times_row(f"headless: {what}, beside a spinner over alone", ratio(ms, times[what]))
        for what, ms in busy.items()
    ]


def _dock(options: argparse.Namespace, _: Any, size: int) -> list[Row]:
    from .clicks import in_dock, unencoded_in_dock
    from .headless import ratio
    from .scene import scene
    from .window import floor

    image = scene(size)
    clicks = in_dock(options.model, image, options.repeats)
    low = floor(image, options.repeats, clicks.width)
    waits = unencoded_in_dock(options.model, image, max(2, options.repeats // 4))
    rows = [_row(f"napari alone: point and Labels layer (canvas {clicks.canvas})", low)]
    for what, ms in {**clicks.frames, "click on a plane as it is first shown": waits}.items():
        rows.append(_row(f"dock: {what}", ms))
        if "click" in what:
            rows.append(_over(what, ms, low))
    for what, ms in clicks.worker.items():
        rows += [
            _row(f"dock's worker: {what}", ms),
            _times_row(f"worker over Session, as many threads: {what}",
                       ratio(ms, clicks.session[what])),
            _times_row(f"worker over Session, all threads: {what}",
                       ratio(ms, clicks.session_all[what])),
            _times_row(f"worker beside a spinner over alone: {what}",
                       ratio(clicks.busy[what], ms)),
        ]  # fmt: skip
    return [*rows, {"what": f"slowest: {clicks.slowest}", "value": clicks.most}]


def _start(options: argparse.Namespace, _: Any, size: int) -> list[Row]:
    from .start import SOON, started

    rows: list[Row] = []
    titles = {"ready": "ready", "soon": f"{SOON:.0f} s after the dock was opened"}
    for when, title in titles.items():
        figures = started(size, options.model, when, options.patience)
        for what in ("dock made and drawn", "model loaded", "plane encoded", "longest standstill",
                     "first click", "longest standstill of the click"):  # fmt: skip
            if when == "ready" or "click" in what:
                name = f"start: {what}" + (f" ({title})" if "click" in what else "")
                rows.append({"what": name, "value": figures.get(what)})
    return rows


def _row(what: str, ms: Sequence[float]) -> Row:
    return {"what": what, "value": float(np.median(ms)), "p95": float(np.percentile(ms, 95))}


def _over(what: str, ms: Sequence[float], low: Sequence[float]) -> Row:
    """The same, over the median of what napari takes."""
    return _row(f"dock, over napari alone: {what}", np.subtract(ms, np.median(low)).tolist())


def _times_row(what: str, ratio: float) -> Row:
    return {"what": what, "value": ratio, "unit": "x"}


def _report(known: dict[str, str], rows: Sequence[Row]) -> str:
    machine = [f"- {name}: {value}" for name, value in known.items()]
    head = ["| image | what | median | 95 % |", "|---|---|---|---|"]
    return "\n".join([*machine, "", *head, *map(_line, rows)])


def _line(row: Row) -> str:
    unit = row.get("unit", "ms")
    shown = [
        "" if value is None else f"{value:.2f} x" if unit == "x" else f"{value:.0f} ms"
        for value in (row["value"], row.get("p95"))
    ]
    if row["value"] is None:
        shown[0] = "not before the click"
    return f"| {row['size']} | {row['what']} | {' | '.join(shown)} |"
