"""Who computes while a person waits for an answer, with how many threads, and who waits.

PyTorch keeps the number for each thread that calls it, and gives new threads the number that was
set last, so that it is set where a job begins and set back where it ends. While a turn runs, the
viewer draws: a turn leaves it a core. Other work takes all cores, and pauses between its steps
while a turn runs.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from math import inf
from pathlib import Path
from types import ModuleType

CGROUPS = Path("/sys/fs/cgroup")
LONGEST_WAIT = 5.0
"""Seconds for which a step gives way at most: a turn may wait for what the step is to find."""
NEAR_BEST = 1.15
"""A number of threads is as good as a larger one if it takes at most so many times as long."""
ROUNDS = 4
REST = 1.0
"""Seconds for which the gate stays shut after an answer: the next click may be near."""

_state = threading.Condition()
_turns = 0
_held = 0
_default = 0
_measured: dict[int, int] = {}


def cores(cgroups: Path = CGROUPS) -> int:
    """Return how many processors this program may use, at least 1.

    Parameters
    ----------
    cgroups : path
        Where the quota of the program's control group is told, such as a container's.
    """
    bound = getattr(os, "sched_getaffinity", None)
    processors = len(bound(0)) if bound else os.cpu_count() or 1
    return max(1, int(min(processors, _quota(cgroups))))


def limit() -> int:
    """Return how many threads may compute: a core each, and no more than a person allows.

    That is what `OMP_NUM_THREADS` or `torch.set_num_threads` says.
    """
    global _default
    with _state:
        if not _held or not _default:
            _default = _asked_for()
        return min(cores(), _default)


def for_turns() -> int:
    """Return how many threads answer a person's turn, at least 1; a core is left to the viewer.

    Measured by the first call, in less than a tenth of a second: more threads than help are not
    used.
    """
    room = cores() - 1
    most = min(limit(), room) if room > 1 else 1  # who has no choice need not ask torch
    if most > 1 and most not in _measured:
        _measured[most] = _fastest(most)
    return _measured.get(most, 1)


def keep_to_cores() -> None:
    """Let torch use no more threads than this program has cores, by its control group's quota."""
    import torch

    if torch.get_num_threads() > cores():
        torch.set_num_threads(cores())


@contextmanager
def turn() -> Iterator[None]:
    """Compute a person's turn in this thread; other work gives way."""
    global _turns
    with _state:
        _turns += 1
    try:
        with _threads(for_turns):
            yield
    finally:
        with _state:
            _turns -= 1
            _state.notify_all()


@contextmanager
def work() -> Iterator[None]:
    """Compute with all cores in this thread."""
    with _threads(limit):
        yield


@contextmanager
def shared(workers: int) -> Iterator[None]:
    """Compute in this thread with its share of the cores, beside so many threads at most."""
    import torch  # noqa: F401  (what is not imported yet can't be told a number)

    with _threads(lambda: max(1, limit() // workers)):
        yield


def give_way(seconds: float = LONGEST_WAIT) -> None:
    """Wait until no turn runs, some seconds at most; called between the steps of other work."""
    with _state:
        _state.wait_for(lambda: not _turns, seconds)


class IdleGate:
    """Where work in the background waits: shut while anybody holds it, and for a moment longer.

    Safe in threads.

    Parameters
    ----------
    rest : float
        Seconds.
    """

    def __init__(self, rest: float = REST) -> None:
        self.rest = rest
        self._holders: set[object] = set()
        self._opens_at = 0.0
        self._changed = threading.Condition()

    def shut(self, holder: object) -> None:
        """Hold the gate; once more changes nothing."""
        with self._changed:
            self._holders.add(holder)

    def open(self, holder: object) -> None:
        """Let go of the gate; it opens when nobody else holds it."""
        with self._changed:
            if holder in self._holders:
                self._holders.discard(holder)
                self._opens_at = time.monotonic() + self.rest
                self._changed.notify_all()

    def wait(self, seconds: float, *, rest: bool = True) -> bool:
        """Whether one may pass, now or within some seconds; with `rest` not right afterwards."""
        until = time.monotonic() + seconds
        with self._changed:
            while True:
                now = time.monotonic()
                if not self._holders and (now >= self._opens_at or not rest):
                    return True
                if now >= until:
                    return False
                nearest = until if self._holders else min(until, self._opens_at)
                self._changed.wait(nearest - now)


@contextmanager
def _threads(wanted: Callable[[], int]) -> Iterator[None]:
    """Set the number of threads of this thread for a while, if torch has been imported."""
    global _held
    torch = sys.modules.get("torch")
    if torch is None or not hasattr(torch, "set_num_threads"):
        yield
        return
    count, before = wanted(), torch.get_num_threads()
    with _state:
        if _held:  # a thread that is new has the number of the other job
            before = _default
        _held += 1
    try:
        _set(torch, count)
        yield
    finally:
        _set(torch, before)
        with _state:
            _held -= 1


def _set(torch: ModuleType, count: int) -> None:
    if torch.get_num_threads() != count:
        torch.set_num_threads(count)


def _asked_for() -> int:
    """Return the number of threads that a new thread gets."""
    import torch

    found: list[int] = []
    new = threading.Thread(target=lambda: found.append(torch.get_num_threads()))
    new.start()
    new.join()
    return found[0]


def _quota(cgroups: Path) -> float:
    """Return how many processors the control group is given time of; infinity without a quota."""
    try:
        groups = Path("/proc/self/cgroup").read_text(encoding="utf-8").splitlines()
    except OSError:
        return inf
    own = next((line[3:].strip("/") for line in groups if line.startswith("0::")), "")
    folders = [cgroups / own, *(cgroups / own).parents]
    inside = [folder for folder in folders if folder.is_relative_to(cgroups)]
    return min((_read_quota(folder / "cpu.max") for folder in inside), default=inf)


def _read_quota(path: Path) -> float:
    try:
        quota, period = path.read_text(encoding="utf-8").split()
        return inf if quota == "max" else float(quota) / float(period)
    except (OSError, ValueError):
        return inf


def _fastest(most: int) -> int:
    """Return the fewest threads, up to `most`, that are about as fast as any number of them."""
    counts = sorted({*(2**k for k in range(most.bit_length())), most})
    spent = {count: _decode_time(count) for count in counts}
    best = min(spent.values())
    return next(count for count in counts if spent[count] <= NEAR_BEST * best)


def _decode_time(count: int) -> float:
    """Return the seconds that work like a decoder's takes with so many threads."""
    import torch
    import torch.nn.functional as F

    with _threads(lambda: count), torch.inference_mode():
        grid = torch.ones(1, 48, 64, 64).contiguous(memory_format=torch.channels_last)
        kernel = torch.ones(48, 48, 3, 3).contiguous(memory_format=torch.channels_last)
        spent = []
        for _ in range(ROUNDS):
            start = time.perf_counter()
            F.relu(grid + F.conv2d(grid, kernel, padding=1))
            F.interpolate(grid, scale_factor=2, mode="bilinear")
            spent.append(time.perf_counter() - start)
    return min(spent)
