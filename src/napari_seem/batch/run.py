"""Many tasks: what is done already is skipped, what fails is listed at the end."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, cast

from ..checks import as_path, check_type, whole_number
from ..errors import FileTrouble, InvalidArgument
from ..io.formats import check_output
from ..io.guard import read_bytes
from ..io.writing.whole import make_folder, settle
from ..models.running import threads
from ..progress import Progress, tracked
from .tasks import AnyPath, Outcome, Task
from .work import do

if TYPE_CHECKING:
    from distributed import Client


LOG = logging.getLogger(__name__)

LEDGER = "batch.jsonl"
"""Lies in the output folder: a line per task that was done."""
LEDGER_BYTES = 1 << 28
"""Largest ledger that is read."""


@dataclass(repr=False)
class Report:
    """What became of a run; `str` lists the failures with their reasons.

    Attributes
    ----------
    done, failed : list of Outcome
    skipped : list of Task
        Done by an earlier run.

    Examples
    --------
    >>> import os, numpy as np, napari_seem as ns
    >>> from skimage.io import imsave
    >>> os.mkdir("slides")
    >>> imsave("slides/a.png", np.zeros((64, 64), np.uint8), check_contrast=False)
    >>> _ = open("slides/b.tif", "w").write("no image")
    >>> report = ns.run_batch(ns.plan_batch("segment", "slides", "labels"), "labels")
    >>> len(report.done), len(report.failed)
    (1, 1)
    """

    done: list[Outcome] = field(default_factory=list)
    failed: list[Outcome] = field(default_factory=list)
    skipped: list[Task] = field(default_factory=list)

    @property
    def exit_code(self) -> int:
        """0 where all went well, 1 otherwise."""
        return 1 if self.failed else 0

    @property
    def summary(self) -> str:
        """How many files were done, done before, and failed, without the reasons."""
        counts = len(self.done), len(self.skipped), len(self.failed)
        done, skipped, failed = counts
        return f"{sum(counts)} files: {done} done, {skipped} done before, {failed} failed"

    def __repr__(self) -> str:
        return f"Report({self.summary})"

    def __str__(self) -> str:
        lines = [f"  {one.task.source}: {one.error.splitlines()[0]}" for one in self.failed]
        return "\n".join([self.summary, *lines])


def run(
    tasks: Task | Sequence[Task], folder: AnyPath, *, client: Client | None = None,
    workers: int = 1, again: bool = False, force: bool = False,
    on_outcome: Callable[[Outcome], None] = lambda outcome: None,
    progress: bool | Progress | None = None,
) -> Report:  # fmt: skip
    """Do tasks in threads here, or on a cluster.

    A task whose fingerprint stands in the ledger, and whose labels are there, is skipped: a run
    that was interrupted goes on where it was.

    Parameters
    ----------
    tasks : Task, or sequence of Task
        From `plan`.
    folder : str or Path
        For the ledger; made where it is absent.
    client : distributed.Client, optional
        Of a cluster whose workers see the same files under the same names.
    workers : int
        Files worked on at once, each by its share of the cores and in memory of its own.
    again : bool
        Do everything again.
    force : bool
        Replace files that this program did not write; a task whose labels would be one fails
        otherwise.
    on_outcome : callable
        Called with each outcome, in this thread.
    progress : bool or callable, optional
        True for a bar; a callable gets (done, total, what), and cancels by an exception. What is
        done by then stays, and another run skips it.

    Returns
    -------
    Report
        A file that fails ends no other; it stands in `failed` with the reason.

    Raises
    ------
    InvalidArgument
        Something else than tasks, or no whole number of workers.
    FileTrouble
        The folder can't be made.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> from napari_seem import batch
    >>> out = pathlib.Path(tempfile.mkdtemp())
    >>> report = batch.run(batch.plan("segment", "absent.tif", out), out)
    >>> print(report)
    1 files: 0 done, 0 done before, 1 failed
      absent.tif: there is no file 'absent.tif'; check its name
    """
    tasks = [tasks] if isinstance(tasks, Task) else list(_checked(tasks))
    workers = whole_number(workers, "workers", 1)
    if client is not None and not hasattr(client, "submit"):
        raise InvalidArgument(f"client is a {type(client).__name__}; give a distributed.Client")
    folder = as_path(folder, "the folder")
    make_folder(folder)
    settle(folder)
    known = set() if again else done_before(folder)
    report = Report()
    left: list[Task] = []
    refused: list[Outcome] = []
    for task in tasks:
        if task.fingerprint() in known and _is_there(task.output):
            report.skipped.append(task)
        elif refusal := _refusal(task, force):
            refused.append(Outcome(task, error=refusal))
        else:
            left.append(task)
    outcomes = _on_cluster(client, left) if client is not None else _here(left, workers)
    for outcome in tracked(chain(refused, outcomes), progress, "batch", len(refused) + len(left)):
        if outcome.error:
            LOG.warning("%s failed: %s", outcome.task.source, outcome.error)
            report.failed.append(outcome)
        else:
            report.done.append(outcome)
            _note(folder, outcome)
        on_outcome(outcome)
    return report


def _refusal(task: Task, force: bool) -> str:
    """Why a task may not be done: its labels would be written over other files; else ""."""
    if task.kind == "embed":
        return ""
    examples = [Path(path) for pair in task.options.get("examples", ()) for path in pair]
    seeds = [Path(task.options["seeds"])] if "seeds" in task.options else []
    try:
        check_output(task.output, [task.source, *seeds, *examples], force=force)
    except FileTrouble as error:
        return str(error)
    return ""


def _is_there(output: Path) -> bool:
    """Return whether a result is there; a file cut to nothing is none."""
    return output.exists() and (output.is_dir() or output.stat().st_size > 0)


def _checked(tasks: object) -> Iterable[Task]:
    given = tasks if isinstance(tasks, Iterable) and not isinstance(tasks, str) else [tasks]
    for task in given:
        check_type(task, Task, "a task", "what plan(...) returns")
        yield cast(Task, task)


def done_before(folder: Path) -> set[str]:
    """Fingerprints in a folder's ledger; a line cut short by a crash counts for nothing."""
    ledger = folder / LEDGER
    found: set[str] = set()
    if not ledger.exists():
        return found
    for line in read_bytes(ledger, LEDGER_BYTES).splitlines():
        with suppress(ValueError, KeyError, TypeError, RecursionError):
            found.add(str(json.loads(line)["task"]))
    return found


def _note(folder: Path, outcome: Outcome) -> None:
    line = json.dumps({
        "task": outcome.task.fingerprint(), "kind": outcome.task.kind,
        "source": str(outcome.task.source), "output": str(outcome.task.output),
        "told": outcome.summary, "seconds": round(outcome.seconds, 3),
    })  # fmt: skip
    with (folder / LEDGER).open("ab+") as file:
        if file.tell():
            file.seek(-1, 2)
            cut = file.read(1) != b"\n"  # by a program that was killed
            line = "\n" + line if cut else line
        file.write(f"{line}\n".encode())


def _here(tasks: Sequence[Task], workers: int) -> Iterator[Outcome]:
    if workers <= 1:
        yield from map(do, tasks)
        return
    with ThreadPoolExecutor(workers) as pool:
        futures = [pool.submit(_beside, task, min(workers, len(tasks))) for task in tasks]
        try:
            for future in as_completed(futures):
                yield future.result()
        finally:
            for future in futures:
                future.cancel()


def _beside(task: Task, workers: int) -> Outcome:
    """Do a task with its share of the cores."""
    with threads.shared(workers):
        return do(task)


def _on_cluster(client: Client, tasks: Sequence[Task]) -> Iterable[Outcome]:
    from distributed import as_completed as finished

    futures = {client.submit(do, task, pure=False): task for task in tasks}
    try:
        for future in finished(futures, loop=client.loop):
            if future.status == "finished":
                yield future.result()
            else:  # a worker that died takes its task with it
                yield Outcome(futures[future], error=f"the worker failed ({future.exception()!r})")
    finally:
        client.cancel(list(futures))
