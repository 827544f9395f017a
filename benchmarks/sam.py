"""How fast SAM and SAM 2.1 are here, and what memory they need: encode, turns, encoded planes.

With random weights in float32, which take as long as published ones; nothing is downloaded. Each
size is measured in a process of its own, so that its memory is its own, too.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_seem.errors import NapariSeemError
from napari_seem.models.sam.sizes import Sam2Sizes, SamSizes

from .memory import peak

if TYPE_CHECKING:
    from napari_seem.models.base import Embedding
    from napari_seem.models.sam.model import SamModel

SIDE = 1024
SIZES: dict[str, SamSizes | Sam2Sizes] = {
    "sam2.1-tiny": Sam2Sizes(96, 1, (1, 2, 7, 2), 7),
    "sam2.1-small": Sam2Sizes(96, 1, (1, 2, 11, 2), 7),
    "sam2.1-base-plus": Sam2Sizes(112, 2, (2, 3, 16, 3), 14),
    "sam2.1-large": Sam2Sizes(144, 2, (2, 6, 36, 4), 7),
    "sam-vit-b": SamSizes(768, 12, 12, (2, 5, 8, 11), 14),
    "sam-vit-l": SamSizes(1024, 24, 16, (5, 11, 17, 23), 14),
    "sam-vit-h": SamSizes(1280, 32, 16, (7, 15, 23, 31), 14),
}
"""By the names of the registry; micro-sam's are those of SAM ViT-B and ViT-L."""
HEAD = (
    "| model | encode, s | first click, ms | later click, ms | lasso, ms | encoded plane, MB "
    "| written, ms | read, ms | memory, GB |"
)
RESULT = "measured: "
Figures = dict[str, Any]


def main(argv: Sequence[str]) -> int:
    """Run `python -m benchmarks sam`."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks sam", description=__doc__)
    parser.add_argument("--models", nargs="*", choices=SIZES, default=list(SIZES))
    parser.add_argument("--repeats", type=int, default=3, help="encodes; ten times as many turns")
    parser.add_argument("--threads", type=int, help="by default as many as cores")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--table", type=Path, help="write the table into this page, too")
    options = parser.parse_args(list(argv))
    import torch

    from napari_seem.models.running import threads

    from .latency.machine import busy_processes, facts
    from .pages import put_table

    count = options.threads or threads.limit()
    known = facts(torch.float32) | {"threads": str(count)}
    del known["threads of a turn"]
    rows: dict[str, Figures] = {}
    for name in options.models:
        rows[name] = _in_a_process(name, options.repeats, count)
        print(_row(name, rows[name]), file=sys.stderr, flush=True)
    known["busy at the end"] = busy_processes()
    text = report(known, rows)
    print(text)
    if options.json:
        kept = json.dumps({"machine": known, "models": rows}, indent=1)
        options.json.write_text(kept, encoding="utf-8")
    if options.table:
        put_table(options.table, text, "sam", "SAM on this computer")
    return 0


def measured(name: str, repeats: int, threads: int) -> Figures:
    """Measure one size in this process.

    Returns
    -------
    dict
        Seconds of "encode" and of turns, "bytes" of an encoded plane on disk, seconds in which it
        is "written" and "read", and the most "memory" that the process took, in bytes (or nan).
    """
    import torch

    from napari_seem.models.sam import network
    from napari_seem.models.sam.model import SamModel

    from .latency.scene import scene

    torch.set_num_threads(threads)
    torch.manual_seed(0)
    model = SamModel(network.build(SIZES[name]).eval().requires_grad_(False), name)
    image = scene(SIDE)
    embedding = model.encode(image)
    figures: Figures = {"encode": _median(lambda: model.encode(image), repeats)}
    figures |= _turns(model, embedding, 10 * repeats) | _on_disk(embedding)
    return figures | {"memory": peak() * (1 << 20)}


def _turns(model: SamModel, embedding: Embedding, repeats: int) -> Figures:
    from napari_seem.prompts import Point, Polygon

    click, other = Point(300, 400), Point(500, 420)
    around = np.linspace(0, 2 * np.pi, 60, endpoint=False)
    lasso = Polygon(np.stack([400 + 200 * np.sin(around), 400 + 200 * np.cos(around)], 1))
    before = model.predict(embedding, [click]).memory
    asked = {
        "first click": lambda: model.predict(embedding, [click]),
        "click": lambda: model.predict(embedding, [click, other], before),
        "lasso": lambda: model.predict(embedding, [lasso]),
    }
    return {what: _median(ask, repeats) for what, ask in asked.items()}


def _on_disk(embedding: Embedding) -> Figures:
    from napari_seem.embeddings import packing

    key = (embedding.model, "plane")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "plane.zip"
        written = _median(lambda: packing.write(path, key, embedding), 3)
        read = _median(lambda: packing.read(path, key), 3)
        return {"bytes": path.stat().st_size, "written": written, "read": read}


def _median(work: Callable[[], object], repeats: int) -> float:
    spent = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        spent.append(time.perf_counter() - start)
    return median(spent)


def _in_a_process(name: str, repeats: int, threads: int) -> Figures:
    command = [sys.executable, "-m", __name__, name, str(repeats), str(threads)]
    told = subprocess.run(command, capture_output=True, text=True, check=False)
    for line in told.stdout.splitlines():
        if line.startswith(RESULT):
            return dict(json.loads(line.removeprefix(RESULT)))
    raise NapariSeemError(f"{' '.join(command)} failed:\n{told.stderr[-2000:]}")


def report(known: dict[str, str], rows: dict[str, Figures]) -> str:
    """Return the conditions and the table as Markdown."""
    machine = [f"- {what}: {value}" for what, value in known.items()]
    line = "|---" * (HEAD.count("|") - 1) + "|"
    return "\n".join([*machine, "", HEAD, line, *(_row(name, row) for name, row in rows.items())])


def _row(name: str, row: Figures) -> str:
    milliseconds = [f"{1000 * row[what]:.0f}" for what in ("first click", "click", "lasso")]
    disk = [f"{1000 * row[what]:.0f}" for what in ("written", "read")]
    cells = [
        f"`{name}`", f"{row['encode']:.1f}", *milliseconds, f"{row['bytes'] / 1e6:.1f}", *disk,
        f"{row['memory'] / 1e9:.1f}",
    ]  # fmt: skip
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    size, repeats, threads = sys.argv[1:]
    print(RESULT + json.dumps(measured(size, int(repeats), int(threads))), flush=True)
