"""Memory that is freed and allocated again at every step."""

from __future__ import annotations

import ctypes
import sys

MMAP_MAX, TRIM_THRESHOLD = -4, -1


def keep_memory() -> bool:
    """Let the C library keep freed memory instead of handing it back to the system.

    Tensors of tens of megabytes come and go at every step; fresh pages for each of them took a
    sixth of the time of a step on one core. Returns whether the library accepts the setting
    (glibc).
    """
    if not sys.platform.startswith("linux"):
        return False
    try:
        ask = ctypes.CDLL("libc.so.6").mallopt
    except (OSError, AttributeError):
        return False
    return bool(ask(MMAP_MAX, 0)) and bool(ask(TRIM_THRESHOLD, 2**31 - 1))
