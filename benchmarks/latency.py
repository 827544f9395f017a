"""How long a person waits: encoding, a turn, and from a click to the updated Labels layer."""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from napari_seem.models.base import Model
from napari_seem.prompts import Point

if TYPE_CHECKING:
    import napari

    from napari_seem.widgets.annotate.dock import AnnotateWidget

SIZES = (512, 1024, 2048)
VOLUME = (64, 1024, 1024)
Figures = dict[str, dict[str, float]]


def main(argv: Sequence[str]) -> int:
    """Run `python -m benchmarks latency`."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks latency", description=__doc__)
    parser.add_argument("--model", default="compact")
    parser.add_argument("--sizes", type=int, nargs="*", default=list(SIZES))
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--no-viewer", action="store_true", help="leave the real viewer out")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args(list(argv))
    from napari_seem.models.registry import load_model

    model = load_model(options.model)
    results: dict[str, Figures] = {}
    for size in options.sizes:
        image = scene(size)
        results[str(size)] = _headless(model, image, options.repeats)
        if not options.no_viewer:
            results[str(size)] |= _in_viewer(options.model, image, options.repeats, None)
    if not options.no_viewer:
        results["x".join(map(str, VOLUME))] = _in_viewer(
            options.model, _volume(), options.repeats, VOLUME[0] // 2
        )
    _print(results)
    if options.json:
        options.json.write_text(json.dumps(results, indent=1))
    return 0


def scene(size: int, seed: int = 0) -> npt.NDArray[np.uint8]:
    """A square gray image of discs of many sizes on a noisy ground."""
    rng = np.random.default_rng(seed)
    image = rng.normal(60, 12, (size, size))
    for _ in range(60):
        y, x = rng.integers(0, size, 2)
        radius = int(size * np.exp(rng.uniform(np.log(0.01), np.log(0.08))))
        part = tuple(slice(max(0, c - radius), min(size, c + radius)) for c in (y, x))
        rows, cols = np.mgrid[part]
        image[part][(rows - y) ** 2 + (cols - x) ** 2 < radius**2] += rng.uniform(40, 120)
    return np.clip(image, 0, 255).astype(np.uint8)


def _volume() -> Any:
    """A stack that is read plane by plane."""
    import dask.array as da

    plane = scene(VOLUME[1])
    return da.stack([da.from_array(np.roll(plane, 7 * z, 0)) for z in range(VOLUME[0])])


def _times(work: Callable[[], Any], repeats: int) -> dict[str, float]:
    work()
    spent = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        spent.append((time.perf_counter() - start) * 1e3)
    return _figures(spent)


def _figures(ms: Sequence[float]) -> dict[str, float]:
    return {
        "median": round(float(np.median(ms)), 1), "p95": round(float(np.percentile(ms, 95)), 1)
    }  # fmt: skip


def _headless(model: Model, image: npt.NDArray[np.uint8], repeats: int) -> Figures:
    rng = np.random.default_rng(1)
    embedding = model.encode(image)

    smooth = ndimage.minimum_filter(image, 5)
    on_discs = np.argwhere(smooth >= min(np.median(image) + 30, smooth.max()))

    def click() -> Point:
        return Point(*on_discs[rng.integers(len(on_discs))])

    def later_turn() -> None:
        model.predict(embedding, [start, Point(start.y + 2, start.x)], first.memory)

    start = click()
    first = model.predict(embedding, [start])
    return {
        "encode": _times(lambda: model.encode(image), max(3, repeats // 3)),
        "first turn": _times(lambda: model.predict(embedding, [click()]), repeats),
        "later turn": _times(later_turn, repeats),
    }


def _in_viewer(name: str, image: Any, repeats: int, plane: int | None) -> Figures:
    """From a point in the Points layer to the mask in the preview, and to the labels."""
    import napari

    from napari_seem.widgets.annotate.dock import AnnotateWidget

    viewer = napari.Viewer(show=True)
    viewer.add_image(image, name="scene", contrast_limits=(0, 255))
    dock = AnnotateWidget(viewer)
    viewer.window.add_dock_widget(dock, name="Annotate")
    dock.annotator.choose_model(name)
    if plane is not None:
        viewer.dims.set_current_step(0, plane)
    size = image.shape[-1]
    rng = np.random.default_rng(2)
    _click(viewer, dock, rng.uniform(0.2 * size, 0.8 * size, 2))  # loads and encodes
    dock.clear()
    first, later, commits = [], [], []
    for _ in range(repeats):
        at = rng.uniform(0.2 * size, 0.8 * size, 2)
        first.append(_click(viewer, dock, at))
        later.append(_click(viewer, dock, at + 4))
        start = time.perf_counter()
        dock.annotator.overwrite = True
        dock.commit()
        commits.append((time.perf_counter() - start) * 1e3)
        dock.clear()
    viewer.close()
    return {
        "first click to labels": _figures(first), "later click to labels": _figures(later),
        "commit": _figures(commits),
    }  # fmt: skip


def _click(viewer: napari.Viewer, dock: AnnotateWidget, at: npt.NDArray[np.float64]) -> float:
    """Milliseconds from a new point to the new mask in the preview layer."""
    from qtpy.QtWidgets import QApplication

    annotator = dock.annotator
    layers, plane = annotator.prompt_layers, annotator.plane
    if layers is None or plane is None:
        raise RuntimeError("the dock did not take the image up")
    before = annotator.prediction
    start = time.perf_counter()
    layers.points.add(plane.to_array(*at))
    while annotator.prediction is before or annotator.prediction is None:
        QApplication.processEvents()
        time.sleep(0.001)  # an idle event loop sleeps, too
        if time.perf_counter() - start > 60:
            raise TimeoutError(f"no answer to a click at {at}: {dock.panel.message.text()}")
    return (time.perf_counter() - start) * 1e3


def _print(results: dict[str, Figures]) -> None:
    print("| image | what | median ms | 95 % ms |\n|---|---|---|---|")
    for size, figures in results.items():
        for what, ms in figures.items():
            print(f"| {size} | {what} | {ms['median']:.0f} | {ms['p95']:.0f} |")
