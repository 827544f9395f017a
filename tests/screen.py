"""A virtual screen of the test run's own, for windows and mice that nobody else moves."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

SIZE = "1600x1000x24"


def open_screen() -> subprocess.Popen[bytes] | None:
    """Start Xvfb and let Qt draw there; None where there is no Xvfb.

    It ends when its standard input does, at the latest with this process. Qt must not have looked
    for a display before.
    """
    if not sys.platform.startswith("linux") or not shutil.which("Xvfb"):
        return None
    number, told = os.pipe()
    command = f"Xvfb -displayfd {told} -screen 0 {SIZE} -nolisten tcp & cat; kill $!"
    screen = subprocess.Popen(
        ["sh", "-c", command], pass_fds=[told], stdin=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    os.close(told)
    with os.fdopen(number) as answer:
        display = answer.readline().strip()  # comes when the screen is ready
    if display:
        os.environ |= {"DISPLAY": f":{display}", "QT_QPA_PLATFORM": "xcb"}
        os.environ.pop("WAYLAND_DISPLAY", None)
    return screen


def has_display() -> bool:
    """Whether windows can be shown without a screen of our own."""
    shown = os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    return bool(shown) or not sys.platform.startswith("linux")
