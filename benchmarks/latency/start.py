"""From opening the dock to its being ready, and to the first mask; each in a fresh process.

Run as `python -m benchmarks.latency.start SIZE MODEL WHEN SECONDS`, with WHEN `ready` or `soon`;
prints one line of JSON.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from typing import Any

SOON = 3.0
"""Seconds after the dock was made at which a person who does not wait clicks."""
START = "started: "


def started(size: int, model: str, when: str, seconds: float) -> dict[str, float | None]:
    """Open the dock in a fresh process, and click once.

    Parameters
    ----------
    size : int
        Of the image.
    model : str
    when : 'ready' or 'soon'
        Click when the plane is encoded, or after `SOON` seconds.
    seconds : float
        For which it is waited until the plane is encoded.
    """
    command = [sys.executable, "-m", __name__, str(size), model, when, str(seconds)]
    told = subprocess.run(command, capture_output=True, text=True, check=False)
    for line in told.stdout.splitlines():
        if line.startswith(START):
            return dict(json.loads(line.removeprefix(START)))
    raise RuntimeError(f"{' '.join(command)} failed:\n{told.stderr[-2000:]}")


def _here(size: int, name: str, when: str, seconds: float) -> dict[str, Any]:
    from .scene import on_discs, scene
    from .window import PAUSE, Beats, Window  # none of these imports torch

    image = scene(size)
    at = on_discs(image, 1)[0]
    window = Window(image)
    window.lay_out()
    window.mouse.hover(at)
    start = time.perf_counter()
    beats = Beats()
    opened: list[Any] = []
    drawn = window.frame_after(lambda: opened.append(_open_dock(window, name)))
    docked = opened[0]
    figures: dict[str, Any] = {"dock made and drawn": drawn}
    beats.reset()
    models = docked.annotator.model_cache
    limit = SOON if when == "soon" else seconds
    while (spent := time.perf_counter() - start) < limit:
        for what, there in (("model loaded", models.loaded(name)), ("plane encoded", models.cache)):
            if there and what not in figures:
                figures[what] = spent * 1e3
        if "plane encoded" in figures and when != "soon":
            break
        _pass(20)
    figures["longest standstill"] = beats.stop()
    if when != "soon":
        window.settle()
        _pass(PAUSE)
    figures["first click"] = window.frame_after(
        lambda: window.mouse.click(at), docked.annotator.answered
    )
    figures["longest standstill of the click"] = window.longest
    docked.release()
    window.close()
    return figures


def _open_dock(window: Any, name: str) -> Any:
    from napari_seem.widgets.annotate.dock import AnnotateWidget

    dock = AnnotateWidget(window.viewer)
    window.viewer.window.add_dock_widget(dock, name="Annotate")
    if name != dock.annotator.model_name:
        dock.annotator.choose_model(name)
    return dock


def _pass(milliseconds: int) -> None:
    from qtpy.QtTest import QTest

    QTest.qWait(milliseconds)


if __name__ == "__main__":
    size, model, when, seconds = sys.argv[1:]
    print(START + json.dumps(_here(int(size), model, when, float(seconds))), flush=True)
