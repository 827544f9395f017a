"""Time and peak memory against size: stacks of many planes, planes of many pixels, on disk."""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_seem.errors import NapariSeemError

from .memory import peak
from .pages import put_table

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy.typing as npt

PLANES = (10, 100, 1000)
SIDES = (2048, 8192, 20_000)
PLANE_SIDE = 512
CHUNK = 512
SEED_EVERY = 50
CELL = 400
"""Pixels between the middles of the discs of a big plane."""
CAP_EVERYTHING = 4096


@dataclass(frozen=True)
class Case:
    """One run: `stack-shape`, `stack-model`, `clicks` or `everything`, and its size."""

    kind: str
    size: int

    @property
    def pixels(self) -> int:
        """Of the image."""
        return self.size * PLANE_SIDE**2 if self.kind.startswith("stack") else self.size**2

    @property
    def bytes_needed(self) -> int:
        """On disk, at most: the image once, the labels in four bytes, both as if incompressible."""
        return self.pixels * 5


def main(argv: Sequence[str]) -> int:
    """Run `python -m benchmarks scale`."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks scale", description=__doc__)
    parser.add_argument("--planes", type=int, nargs="*", default=list(PLANES))
    parser.add_argument("--model-planes", type=int, nargs="*", default=[10, 100],
                        help="stacks that are carried with the model, too")  # fmt: skip
    parser.add_argument("--sides", type=int, nargs="*", default=list(SIDES))
    parser.add_argument("--everything", type=int, nargs="*", default=[2048, CAP_EVERYTHING],
                        help="sides of planes on which everything is found")  # fmt: skip
    parser.add_argument("--folder", type=Path, help="where images and labels are written")
    parser.add_argument("--table", type=Path, help="write the table into this file, too")
    parser.add_argument("--child", nargs=2, metavar=("KIND", "SIZE"), help=argparse.SUPPRESS)
    options = parser.parse_args(list(argv))
    if options.child:
        kind, size = options.child
        print(json.dumps(run(Case(kind, int(size)), options.folder)))
        return 0
    if min([1, *options.planes, *options.model_planes, *options.sides, *options.everything]) < 1:
        raise NapariSeemError("sizes are numbers from 1")
    cases = [Case("stack-shape", n) for n in options.planes]
    cases += [Case("stack-model", n) for n in options.model_planes]
    cases += [Case("clicks", n) for n in options.sides]
    cases += [Case("everything", n) for n in options.everything]
    rows = [HEAD]
    print(HEAD)
    for case in cases:
        row = _row(case, _measured(case, options.folder))
        rows.append(row)
        print(row, flush=True)
    if options.table:
        put_table(options.table, "\n".join(rows), "scale", "Time and memory against size")
    return 0


HEAD = (
    "| what | size | first answer s | in all s | processor s | memory before MB | peak MB | "
    "on disk MB |\n|---|---|---|---|---|---|---|---|"
)
TITLES = {
    "stack-shape": "planes carried by outlines", "stack-model": "planes carried by the model",
    "clicks": "click, commit, take back", "everything": "everything found",
}  # fmt: skip


def run(case: Case, folder: Path) -> dict[str, float]:
    """Do one case in this process; its figures: seconds, and MB of memory and of disk."""
    image, model = make_image(case, folder / "image.zarr"), _model(case)
    work = _carry if case.kind.startswith("stack") else _on_plane
    with _timed() as told:
        work(case, image, folder, model, told)
    told["disk"] = sum(f.stat().st_size for f in folder.rglob("*") if f.is_file()) / 2**20
    return told


def _model(case: Case) -> Any:
    """The model that a case needs, loaded and warm; None for outlines."""
    if case.kind == "stack-shape":
        return None
    from napari_seem.models.registry import load_model
    from napari_seem.prompts import Point

    model: Any = load_model("compact")
    model.predict(model.encode(np.zeros((99, 99), np.uint8)), [Point(5, 5)])
    return model


def make_image(case: Case, path: Path) -> Any:
    """An image of discs on a noisy ground, written block by block."""
    import zarr

    shape = (
        (case.size, PLANE_SIDE, PLANE_SIDE) if case.kind.startswith("stack") else (case.size,) * 2
    )
    chunks = (*(1,) * (len(shape) - 2), CHUNK, CHUNK)
    array = zarr.create_array(path, shape=shape, chunks=chunks, dtype="uint8")
    noise = np.random.default_rng(0).normal(60, 8, (CHUNK, shape[-1]))
    for top in range(0, shape[0], 1 if len(shape) == 3 else CHUNK):
        if len(shape) == 3:
            array[top] = (np.roll(noise[:PLANE_SIDE], top, 1) + 90 * disc(top)).clip(0, 255)
            continue
        rows = np.arange(top, min(shape[0], top + CHUNK))[:, None]
        far = (rows % CELL - CELL / 2) ** 2 + (np.arange(shape[1]) % CELL - CELL / 2) ** 2
        array[top : top + len(rows)] = (noise[: len(rows)] + 90 * (far <= 60**2)).clip(0, 255)
    return array


def disc(plane: int) -> npt.NDArray[np.bool_]:
    """What is to be carried: it wanders and breathes."""
    rows, cols = np.ogrid[:PLANE_SIDE, :PLANE_SIDE]
    x = PLANE_SIDE / 2 + 120 * np.sin(plane / 40)
    return (rows - PLANE_SIDE / 2) ** 2 + (cols - x) ** 2 <= (50 + 15 * np.sin(plane / 15)) ** 2


@contextmanager
def _timed() -> Iterator[dict[str, float]]:
    told: dict[str, float] = {"before": peak(), "first": float("nan")}
    start, cpu = time.perf_counter(), time.process_time()
    yield told
    told |= {
        "seconds": time.perf_counter() - start, "cpu": time.process_time() - cpu, "peak": peak()
    }  # fmt: skip


def _carry(case: Case, image: Any, folder: Path, model: Any, told: dict[str, float]) -> None:
    """Carry labels of every fiftieth plane through the stack, into labels on disk."""
    from napari_seem.io.grid import Grid
    from napari_seem.io.zarr.labels import growing_labels
    from napari_seem.propagation import Propagation
    from napari_seem.propagation.seeds import SeedPlanes

    shape = (case.size, PLANE_SIDE, PLANE_SIDE)
    seeds = SeedPlanes(range(0, case.size, SEED_EVERY), lambda k: disc(k).astype(np.int32))
    start = time.perf_counter()
    with growing_labels(folder / "labels.zarr", Grid.plain(shape)) as growing:
        work = Propagation(
            model, image, seeds, method="shape" if model is None else "model", out=growing.array
        )
        for number, _ in enumerate(work.run()):
            if number == 0:
                told["first"] = time.perf_counter() - start


def _on_plane(case: Case, image: Any, folder: Path, model: Any, told: dict[str, float]) -> None:
    """Find everything, or click on three discs, commit each, and take the last back."""
    from napari_seem.edits import Edit
    from napari_seem.io.grid import Grid
    from napari_seem.io.zarr.label_store import LabelStore
    from napari_seem.io.zarr.labels import growing_labels
    from napari_seem.prompts import Point
    from napari_seem.sources import TiledModel, segment_tiled

    start = time.perf_counter()
    if case.kind == "everything":
        with growing_labels(folder / "labels.zarr", Grid.plain(image.shape)) as growing:
            segment_tiled(model, image, out=growing.array)
        return
    tiled, store = TiledModel(model), LabelStore.create(
        folder, "labels", Grid.plain(image.shape), coarser=True
    )  # fmt: skip
    embedding = tiled.encode(image)
    for number, share in enumerate((0.2, 0.5, 0.8), start=1):
        middle = int(case.size * share) // CELL * CELL + CELL / 2
        mask, corner = tiled.predict(embedding, [Point(middle, middle)]).cut_out()
        edit = Edit.from_mask(store.array, mask, number, corner)
        store.change(edit)
        if number == 1:
            told["first"] = time.perf_counter() - start
    store.change(edit, back=True)


def _measured(case: Case, folder: Path | None) -> dict[str, float] | str:
    """The figures of a case in a process of its own, or why there are none."""
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix="scale-", dir=folder) as place:
        free = shutil.disk_usage(place).free
        if case.bytes_needed > free / 2:
            return f"left out: up to {case.bytes_needed >> 20:,} MB needed, {free >> 20:,} MB free"
        command = [sys.executable, "-m", "benchmarks", "scale", "--folder", place]
        done = subprocess.run(
            [*command, "--child", case.kind, str(case.size)], capture_output=True, text=True,
            check=False,
        )  # fmt: skip
    if done.returncode:
        last = (done.stderr.strip().splitlines() or [f"ended with {done.returncode}"])[-1]
        return f"failed: {last}"
    return dict(json.loads(done.stdout.strip().splitlines()[-1]))


def _row(case: Case, told: dict[str, float] | str) -> str:
    size = (
        f"{case.size:,} x {PLANE_SIDE} x {PLANE_SIDE}" if case.kind.startswith("stack")
        else f"{case.size:,} x {case.size:,}"
    )  # fmt: skip
    start = f"| {TITLES[case.kind]} | {size} |"
    if isinstance(told, str):
        return f"{start} {told} | | | | | |"
    first = "" if np.isnan(told["first"]) else f"{told['first']:.2f}"
    return (
        f"{start} {first} | {told['seconds']:.1f} | {told['cpu']:.1f} | {told['before']:.0f} | "
        f"{told['peak']:.0f} | {told['disk']:.0f} |"
    )
