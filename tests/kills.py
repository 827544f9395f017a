"""Programs that are killed at a chosen moment, and what they leave: `python -m kills 9 0 tif`.

A child process of this one does the work. It is killed before its n-th call of the file system, or,
every fourth time, after some milliseconds: each moment of a program that writes files is between
two such calls, but for libraries that write by themselves.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from functools import partial
from pathlib import Path

import numpy as np

from napari_seem.batch import plan
from napari_seem.batch import run as run_batch
from napari_seem.batch.run import LEDGER
from napari_seem.cli import main as cli
from napari_seem.commands.files import new_document, save_document
from napari_seem.commands.replay import replay
from napari_seem.concepts import ConceptLibrary
from napari_seem.edits import ObjectRecord
from napari_seem.errors import NapariSeemError
from napari_seem.io.files import open_image, open_labels, read_labels, write_labels
from napari_seem.io.formats import find_labels
from napari_seem.io.writing.whole import PREFIX
from napari_seem.labels.log import log_path, read_log
from napari_seem.labels.objects import NewObject
from napari_seem.planes import Plane
from napari_seem.propagation import propagate
from napari_seem.propagation.record import resume_path

SAVED = {
    "tif": "a.tif", "ome": "a.ome.tif", "nifti": "a.nii.gz", "dicom": "a.dcm",
    "coco": "a.coco.json", "geojson": "a.geojson", "roi": "a.zip", "zarr": "a.zarr",
    "tracks": "res_track.txt", "image": "image.zarr/labels/a.zarr",
}  # fmt: skip
"""Formats of labels, and a file of each."""
CALLS = ("open", "os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.link", "os.chmod")


class Calls:
    """Counts this process's calls of the file system, and kills it before one of them."""

    def __init__(self) -> None:
        self.last: float = 0
        self.count = 0
        sys.addaudithook(self._see)

    def _see(self, event: str, _: object) -> None:
        if self.last and event in CALLS:
            self.count += 1
            if self.count >= self.last:
                os.kill(os.getpid(), signal.SIGKILL)


def in_child(work: Callable[[], object], last: float, seconds: float | None = None) -> int | None:
    """Do some work in a child process; how many calls it made, or None where it was killed.

    Parameters
    ----------
    work : callable
    last : float
        The call before which it is killed.
    seconds : float, optional
        After which it is killed.
    """
    reading, writing = os.pipe()
    pid = os.fork()
    if not pid:
        os.close(reading)
        calls = Calls()
        calls.last = last
        try:
            work()
            calls.last = 0
            os.write(writing, str(calls.count).encode())
        finally:
            os._exit(0)
    os.close(writing)
    if seconds is not None:
        time.sleep(seconds)
        os.kill(pid, signal.SIGKILL)
    with os.fdopen(reading) as stream:
        said = stream.read()
    os.waitpid(pid, 0)
    return int(said) if said else None


def kill(
    work: Callable[[int], object], check: Callable[[int], str], count: int, seed: int
) -> list[str]:
    """Kill some work `count` times, and list what was found wrong after it.

    Parameters
    ----------
    work : callable
        Does the n-th piece of work.
    check : callable
        Looks at what is there after the n-th was killed; says what is wrong, or "".
    count, seed : int
    """
    dice = random.Random(seed)
    work(0)
    start = time.perf_counter()
    calls = in_child(lambda: work(1), float("inf"))
    spent = time.perf_counter() - start
    assert calls, "the work fails by itself"
    wrong = []
    for number in range(2, count + 2):
        timed = dice.random() < 0.25
        last = float("inf") if timed else dice.randint(1, calls + calls // 10)
        in_child(lambda n=number: work(n), last, spent * dice.random() if timed else None)
        try:
            said = check(number)
        except NapariSeemError as error:
            said = f"it can't be read: {error}"
        if said:
            wrong.append(f"kill {number} before call {last} of {calls}: {said}")
    return wrong


def saving(kind: str, folder: Path, count: int, seed: int) -> list[str]:
    """Kill what saves labels of one object, table and log over those before."""
    grid, path = _grid(kind, folder), folder / SAVED[kind]
    shape = tuple(grid.shape) if grid is not None else _shape(kind)
    plane = Plane.across(0, 0) if len(shape) > 2 else Plane.of(shape)

    def save(number: int) -> None:
        document = new_document(shape, "a", grid=grid)
        new = NewObject(np.ones((9, 9), bool), (3, 3), number + 1, ObjectRecord(f"n{number + 1}"))
        document.write_objects(plane, [new])
        save_document(document, path, grid, narrow=True)

    def check(number: int) -> str:
        place = path.with_suffix("") if kind == "image" else path
        opened = open_labels(find_labels(place) or place, grid)
        pixels = {int(i) for i in np.unique(np.asarray(opened.data))} - {0}
        names = {i: record.name for i, record in opened.table.items()}
        logged = replay(read_log(log_path(path))[-1]).labels
        wrong = []
        if names != {i: f"n{i}" for i in pixels} or not pixels:
            wrong.append(f"pixels {pixels}, table {names}")
        if not np.array_equal(np.squeeze(logged), np.squeeze(np.asarray(opened.data))):
            wrong.append(f"the log knows {np.unique(logged)}, the pixels are {pixels}")
        return "; ".join([*wrong, *leftovers(folder)])

    return kill(save, check, count, seed)


def leftovers(folder: Path) -> list[str]:
    """What is left that is not finished, but for chunks of zarr that a later write replaces."""
    found = [str(one.relative_to(folder)) for one in folder.rglob(f"{PREFIX}*")]
    return found + [str(one.relative_to(folder)) for one in folder.rglob("*.lock")]


def _shape(kind: str) -> tuple[int, ...]:
    return (32, 48) if kind in ("coco", "geojson") else (3, 32, 48)


def _grid(kind: str, folder: Path) -> object:
    if kind == "dicom":
        from files import series_maker

        return open_image(series_maker(folder)([0.0, 2.5, 5.0])).grid
    if kind == "image":
        from napari_seem.io.grid import Grid
        from napari_seem.io.zarr.write import begin_ome_labels

        begin_ome_labels(folder / "image.zarr", Grid.plain((3, 32, 48)), np.uint16)
        return open_image(folder / "image.zarr").grid
    return None


def words(folder: Path, count: int, seed: int) -> list[str]:
    """Kill what teaches words into a library: none that was taught before is lost."""
    from napari_seem.commands.taught_words import TaughtWords
    from napari_seem.concepts.concept import Concept

    path = folder / "concepts.zip"

    def teach(number: int) -> None:
        word = Concept(f"word {number}", "model", "2026", {"a": np.full(9, number, "f4")}, {}, ())
        TaughtWords(path).change(lambda known: known.added(word))
        (folder / f"taught-{number}").touch()

    def check(number: int) -> str:
        known = {word.name for word in ConceptLibrary.load(path)}
        due = {f"word {one.name[7:]}" for one in folder.glob("taught-*")}
        lost = due - known
        return f"lost {sorted(lost)}" if lost else ""

    wrong = kill(teach, check, count, seed)
    teach(count + 2)
    return wrong + leftovers(folder)


def embeddings(folder: Path, count: int, seed: int) -> list[str]:
    """Kill what writes embeddings beside another program that does."""
    from test_embedding_store import embedding, same

    from napari_seem.embeddings import EmbeddingStore

    store = EmbeddingStore(folder)

    def put(number: int) -> None:
        for seed in range(2):
            EmbeddingStore(folder).put(("m", f"{number % 5} {seed}"), embedding(seed))

    def check(number: int) -> str:
        store.put(("m", "other"), embedding(7))
        kept = [(k, s, store.get(("m", f"{k} {s}"))) for k in range(5) for s in range(2)]
        wrong = [
            f"{k} {s}" for k, s, one in kept if one is not None and not same(one, embedding(s))
        ]
        return "; ".join([*wrong, *leftovers(folder)])

    return kill(put, check, count, seed)


def propagating(folder: Path, count: int, seed: int, kind: str) -> list[str]:
    """Kill `napari-seem propagate`: what it did before is not done again, and nothing is half."""
    image, seeds, expected = _stack(folder, "stack")
    output = folder / f"out{kind}"
    kept = resume_path(output)
    most = 0

    def run(number: int) -> None:
        command = ["propagate", str(image), str(seeds), "-o", str(output), "--method", "shape"]
        _quietly(lambda: cli(command))

    def check(number: int) -> str:
        nonlocal most
        planes = len(kept.read_text().splitlines()) if kept.exists() else 0
        lost = f"{planes} of {most} planes are left" if planes and planes < most else ""
        most = planes
        there = find_labels(output)
        right = there and np.array_equal(np.asarray(open_labels(there).data), expected)
        return "; ".join([*([lost] if lost else []), *([] if right else ["other labels"])])

    wrong = kill(run, check, count, seed)
    run(1)
    return wrong + leftovers(folder) + [str(one) for one in (kept,) if one.exists()]


def batching(folder: Path, count: int, seed: int) -> list[str]:
    """Kill `napari-seem batch`: what is in its list is done, and the rest is done by the next."""
    stacks = [_stack(folder / "in", f"s{k}") for k in range(4)]
    inputs = [str(image) for image, _, _ in stacks]
    output = folder / "out"

    def run(number: int) -> None:
        command = ["batch", "propagate", *inputs, "-o", str(output), "--labels", str(folder / "in")]
        _quietly(lambda: cli([*command, "--method", "shape"]))

    def check(number: int) -> str:
        done = (output / LEDGER).read_text().splitlines() if (output / LEDGER).exists() else []
        wrong = [f"'{line[:20]}'" for line in done if not line.startswith("{")]
        for image, _, expected in stacks:
            path = output / f"{image.stem}_labels.tif"
            if path.exists() and not np.array_equal(read_labels(path)[0], expected):
                wrong.append(f"{path.name} is other")
            elif not path.exists() and any(f"{image.name}" in line for line in done):
                wrong.append(f"{path.name} is missing")
        if number % 5 == 0:
            shutil.rmtree(output, ignore_errors=True)
        return "; ".join(wrong)

    wrong = kill(run, check, count, seed)
    tasks = plan("propagate", inputs, output, {"method": "shape"}, labels=folder / "in")
    report = run_batch(tasks, output)
    assert not report.failed, report
    return wrong + [said for said in [check(1)] if said] + leftovers(folder)


def _stack(folder: Path, name: str) -> tuple[Path, Path, np.ndarray]:
    """Write a stack and its seeds; gives them, and the labels of all planes."""
    import tifffile

    folder.mkdir(exist_ok=True)
    image = np.zeros((12, 24, 24), np.uint8)
    image[:, 5:15, 5:15] = 200
    seeds = np.zeros(image.shape, np.uint16)
    seeds[[0, 11], 5:15, 5:15] = 3
    tifffile.imwrite(folder / f"{name}.tif", image, imagej=True, metadata={"axes": "ZYX"})
    write_labels(folder / f"{name}_labels.nii.gz", seeds)
    expected = np.asarray(propagate(None, image, seeds, method="shape").labels)
    return folder / f"{name}.tif", folder / f"{name}_labels.nii.gz", expected


def _quietly(work: Callable[[], object]) -> None:
    with open(os.devnull, "w") as nothing, redirect_stdout(nothing), redirect_stderr(nothing):
        work()


OTHERS = {
    "words": words, "embeddings": embeddings, "batch": batching,
    "propagate": partial(propagating, kind=".tif"),
    "propagate zarr": partial(propagating, kind=".zarr"),
}  # fmt: skip
"""Other work that is killed."""


def killed(*kinds: str, count: int, seed: int = 0) -> list[str]:
    """What was found wrong where works of some kinds were killed, in a process without threads."""
    command = [sys.executable, "-m", "kills", str(count), str(seed), *kinds]
    folders = [str(Path(__file__).parent), *sys.path]
    where = {**os.environ, "PYTHONPATH": os.pathsep.join(folders), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, env=where, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def jobs(kind: str, count: int, seed: int) -> list[str]:
    """Do one job in a new folder; what was found wrong."""
    with tempfile.TemporaryDirectory() as name:
        if kind in SAVED:
            return saving(kind, Path(name), count, seed)
        return OTHERS[kind](Path(name), count, seed)


if __name__ == "__main__":
    count, seed = map(int, sys.argv[1:3])
    found = [f"{kind}: {said}" for kind in sys.argv[3:] for said in jobs(kind, count, seed)]
    sys.stdout.write(json.dumps(found))
