"""Runs the jobs, each in a process of its own, and prints what they took."""

from __future__ import annotations

import argparse
import faulthandler
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from napari_seem.errors import NapariSeemError

JOBS = {
    "coins": ("coins", "planar:coins", False),
    "organ": ("an organ in a CT", "stacks:organ", True),
    "nuclei": ("120 nuclei by Everything", "planar:nuclei", True),
    "vessels": ("vessels", "planar:vessels", True),
    "geotiff": ("roofs of a GeoTIFF", "files:geotiff", False),
    "ten": ("a folder of ten images", "files:ten", True),
    "video": ("a video of dividing cells", "stacks:video", True),
    "channels": ("three channels", "files:channels", False),
    "cli": ("the command line", "typed:command_line", True),
    "by-hand": ("20 nuclei by hand, two a second", "planar:by_hand", True),
}
"""By name: title, module and function, whether it needs the shared images."""
SIZE = (1366, 768)
LIMIT = int(os.environ.get("JOB_SECONDS", 400))
"""Seconds after which a job is ended."""
HEADER = "| job | actions | seconds | program | result |\n|---|---|---|---|---|"

Row = dict[str, Any]


def main(argv: Sequence[str] | None = None) -> int:
    """Run the jobs; 0 where none broke off."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks jobs", description=main.__doc__)
    parser.add_argument("--only", action="append", choices=sorted(JOBS), default=[])
    parser.add_argument("--screenshots", type=Path, metavar="DIR")
    parser.add_argument("-o", "--output", type=Path, metavar="FILE", help="table as Markdown")
    parser.add_argument("--here", metavar="JSON", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args(argv)
    if options.here is not None:
        faulthandler.dump_traceback_later(LIMIT - 15, exit=True)
        row = run_here(options.only[0], options.screenshots)
        options.here.write_text(json.dumps(row), encoding="utf-8")
        return 0
    rows = []
    print(HEADER, flush=True)
    for name in options.only or JOBS:
        rows.append(_run_apart(name, options.screenshots))
        print(as_line(rows[-1]), flush=True)
    text = "\n".join([HEADER, *map(as_line, rows), "", *_notes(rows), "", _machine(), ""])
    print("\n".join(["", *_notes(rows), _machine()]))
    if options.output is not None:
        options.output.write_text(text, encoding="utf-8")
    return int(any(row.get("broke") for row in rows))


def run_here(name: str, photos: Path | None) -> Row:
    """Do a job in this process, in a window of its own."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        if name == "cli":
            from .typed import Shell

            return do(name, Shell(folder), folder)
        import napari
        from napari.utils.notifications import notification_manager
        from qtpy.QtWidgets import QApplication

        from .hand import Hand

        viewer = napari.Viewer(show=True)
        window: Any = viewer.window._qt_window
        window.setGeometry(0, 0, *SIZE)
        hand = Hand(viewer, photos)
        hand.rest(0.5)
        window.activateWindow()
        hand.rest(0.5)
        try:
            with notification_manager:  # an error is a message, as in a session of napari's own
                return do(name, hand, folder)
        finally:
            if photos is not None:
                hand.photo(f"{name}-end")
            viewer.close()
            QApplication.processEvents()


def do(name: str, hand: Any, folder: Path, **options: Any) -> Row:
    """Do a job; gives its row. `hand` is a `Hand`, or a `Shell` for the command line."""
    from importlib import import_module

    from .screen import Stuck

    title, place, _ = JOBS[name]
    module, function = place.split(":")
    job = getattr(import_module(f"{__package__}.{module}"), function)
    start, broke = time.perf_counter(), ""
    right, text = False, ""
    try:
        result = job(hand, folder, **options)
        right, text = result.right, result.text
    except (Stuck, NapariSeemError, OSError) as error:
        broke = f"{type(error).__name__}: {error}"
    return {
        "job": title, "actions": hand.actions, "seconds": time.perf_counter() - start,
        "program": hand.program, "right": right, "text": text, "broke": broke,
        "stumbles": hand.stumbles,
    }  # fmt: skip


def _run_apart(name: str, photos: Path | None) -> Row:
    title, _, needs_shared = JOBS[name]
    if needs_shared:
        from .data import SHARED

        if not SHARED.is_dir():
            return {"job": title, "skipped": f"there are no images at {SHARED}"}
    with tempfile.TemporaryDirectory() as place:
        told = Path(place) / "row.json"
        if photos is not None:
            photos.mkdir(parents=True, exist_ok=True)
        command = [*_screen(), sys.executable, "-m", "benchmarks", "jobs", "--only", name,
                   "--here", str(told)]  # fmt: skip
        if photos is not None:
            command += ["--screenshots", str(photos.absolute())]
        try:
            done = subprocess.run(
                command, env=_own_settings(Path(place)), capture_output=True, text=True,
                timeout=LIMIT, check=False,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            return {"job": title, "broke": f"it had not ended after {LIMIT} s"}
        if not told.exists():
            return {"job": title, "broke": (done.stderr or "no output").strip()[-6000:]}
        row: Row = json.loads(told.read_text(encoding="utf-8"))
        row["stderr"] = done.stderr[-2000:]
        return row


def _screen() -> list[str]:
    """A virtual screen, so that a job does not take over the person's own."""
    tool = shutil.which("xvfb-run")
    if tool is None:
        return []
    return [tool, "-a", "-s", f"-screen 0 {SIZE[0]}x{SIZE[1]}x24"]


def _own_settings(place: Path) -> dict[str, str]:
    """An environment with settings, caches and state of its own."""
    folders = {f"XDG_{kind}_HOME": str(place / kind.lower())
               for kind in ("CACHE", "CONFIG", "DATA", "STATE")}  # fmt: skip
    return {**os.environ, **folders, "NAPARI_CONFIG": "", "QT_LOGGING_RULES": "*.warning=false"}


def as_line(row: Row) -> str:
    """A row of the table."""
    if "skipped" in row:
        return f"| {row['job']} | | | | skipped: {row['skipped']} |"
    if row.get("broke"):
        result = f"broke off: {row['broke']}"
    else:
        result = ("" if row["right"] else "WRONG: ") + row["text"]
    figures = [row.get(key) for key in ("actions", "seconds", "program")]
    cells = ["" if f is None else f"{f:.0f}" for f in figures]
    return f"| {row['job']} | {' | '.join(cells)} | {' '.join(result.split())} |"


def _notes(rows: Sequence[Row]) -> list[str]:
    """What got in the way, by job."""
    notes = []
    for row in rows:
        counts: dict[str, int] = {}
        for what in row.get("stumbles", ()):
            counts[what] = counts.get(what, 0) + 1
        notes += [f"- {row['job']}: {what}" + (f" ({n} times)" if n > 1 else "")
                  for what, n in counts.items()]  # fmt: skip
    return notes


def _machine() -> str:
    """The processor, its cores and the load, as figures of seconds depend on them."""
    model = platform.processor()
    info = Path("/proc/cpuinfo")
    if info.exists():
        lines = [
            line
            for line in info.read_text(encoding="utf-8").splitlines()
            if line.startswith("model name")
        ]
        model = lines[0].split(":", 1)[1].strip() if lines else model
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
    return f"{model}, {os.cpu_count()} cores; load {load:.1f} at the end"
