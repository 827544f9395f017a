"""Child processes that are killed in the middle of their work."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any


def killed_after(files: int, work: Callable[[], None]) -> bool:
    """Do some work in a child that dies when it has put so many files in place; whether it did."""
    child = os.fork()
    if child == 0:
        done = 0

        def counted(real: Callable[..., Any]) -> Callable[..., Any]:
            def replace(*args: Any) -> Any:
                nonlocal done
                out, done = real(*args), done + 1
                if done == files:
                    os.kill(os.getpid(), signal.SIGKILL)
                return out

            return replace

        Path.replace, os.replace = counted(Path.replace), counted(os.replace)  # type: ignore[method-assign]
        try:
            work()
        finally:
            os._exit(0)
    _, status = os.waitpid(child, 0)
    return os.WIFSIGNALED(status)


def killed_at(seconds: float, work: Callable[[], None]) -> bool:
    """Do some work in a child that dies after so many seconds; whether it did."""
    child = os.fork()
    if child == 0:
        threading.Timer(seconds, lambda: os.kill(os.getpid(), signal.SIGKILL)).start()
        try:
            work()
        finally:
            os._exit(0)
    _, status = os.waitpid(child, 0)
    return os.WIFSIGNALED(status)
