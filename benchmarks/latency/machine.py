"""What a figure was measured on: processor, threads, and what else ran there."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ORDINARY = {
    "ONEDNN_MAX_CPU_ISA": "AVX2", "ATEN_CPU_CAPABILITY": "avx2", "MKL_ENABLE_INSTRUCTIONS": "AVX2",
}  # fmt: skip
"""Environment that holds torch and its libraries to AVX2."""
BUSY = 10.0
"""Per cent of a core from which another process counts as busy."""
SPINNER = """
import hashlib, threading, time
def spin(block=bytes(1 << 20)):
    while time.monotonic() < until:
        hashlib.sha256(block)
until = time.monotonic() + 3600
for _ in range(2):
    threading.Thread(target=spin).start()
print("spinning", flush=True)
"""


def processor() -> str:
    """Name the processor, as the system tells it."""
    known = Path("/proc/cpuinfo")
    lines = known.read_text(encoding="utf-8").splitlines() if known.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def busy_processes(seconds: float = 0.5) -> str:
    """Name the other programs that compute now, with their share of a core."""
    import psutil

    others = [p for p in psutil.process_iter(["name"]) if p.pid != os.getpid()]
    shares = []
    for wait in (seconds, 0):
        shares = [(_share(process), process.info["name"]) for process in others]
        time.sleep(wait)
    busy = sorted((share, name) for share, name in shares if share >= BUSY)
    return ", ".join(f"{name} {share:.0f} %" for share, name in reversed(busy)) or "nothing"


def _share(process: object) -> float:
    import psutil

    try:
        return float(process.cpu_percent(None))  # type: ignore[attr-defined]
    except psutil.Error:
        return 0.0  # it has ended, or is not ours to look at


def facts(dtype: object) -> dict[str, str]:
    """Say what the figures of this run depend on; called before anything is measured.

    Parameters
    ----------
    dtype : torch.dtype
        In which the model computes.
    """
    import torch

    from napari_seem.models.running import threads

    load = getattr(os, "getloadavg", lambda: (float("nan"),))()[0]
    return {
        "processor": f"{processor()}, {threads.cores()} cores for this program",
        "instruction set": torch.backends.cpu.get_cpu_capability(),
        "number type": str(dtype).removeprefix("torch."),
        "threads of a turn": f"{threads.for_turns()} in the dock, {threads.limit()} without one",
        "threads that wait": f"spin {os.environ.get('GOMP_SPINCOUNT', 'long')} times, then sleep",
        "load average before": f"{load:.2f}",
        "busy besides": busy_processes(),
    }


@contextmanager
def spinner() -> Iterator[None]:
    """Keep two threads of another program computing."""
    program = subprocess.Popen(
        [sys.executable, "-c", SPINNER], stdout=subprocess.PIPE, text=True
    )  # fmt: skip
    try:
        assert program.stdout is not None
        program.stdout.readline()
        yield
    finally:
        program.kill()
        program.communicate()
