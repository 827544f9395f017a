"""Run the demonstration: open napari on a sample, or without a display do the whole script."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from ..samples import SAMPLES, Sample
from .script import TASKS, Click, DemoTask, Say

if TYPE_CHECKING:
    import napari

    from ..values import JsonObject
    from ..widgets.annotate.dock import AnnotateWidget

WINDOW = (1400, 900)
PICTURED = "stack"
"""The sample whose window is shown in the documentation."""


def main(argv: list[str] | None = None) -> int:
    """Run the demonstration; 0 where every step worked."""
    options = parser().parse_args(argv)
    display = bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
    own_screen = sys.platform in ("darwin", "win32")
    virtual = os.environ.get("XAUTHORITY", "").startswith("/tmp/xvfb-run")
    if not display and not own_screen:
        return _on_virtual_screen(options)
    if options.headless or virtual:
        return play(options.output)
    return _open(options.sample)


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command."""
    parser = argparse.ArgumentParser(prog="napari-seem demo", description=main.__doc__)
    parser.add_argument(
        "--headless", action="store_true", help="run the script even with a display"
    )
    parser.add_argument("-o", "--output", type=Path, default=Path("demo-output"),
                        help="folder for what the script writes (demo-output)")  # fmt: skip
    parser.add_argument("--sample", default="coins", choices=sorted(SAMPLES),
                        help="the image to open for a person (coins)")  # fmt: skip
    return parser


def _on_virtual_screen(options: argparse.Namespace) -> int:
    """Start again under xvfb-run."""
    import subprocess

    tool = shutil.which("xvfb-run")
    if tool is None:
        print("There is no display and no xvfb-run. Type: sudo apt-get install xvfb xauth")
        return 2
    command = [tool, "-a", "-s", "-screen 0 1600x1000x24", sys.executable, "-m",
               "napari_seem.cli", "demo", "--headless", "-o", str(options.output)]  # fmt: skip
    return subprocess.call(command)


def _open(name: str) -> int:
    """Open napari on a sample with the dock, for a person."""
    import napari

    viewer, _ = _viewer_with_dock()
    _show(viewer, SAMPLES[name]())
    napari.run()
    return 0


def play(output: Path) -> int:
    """Do the whole script in a real viewer and write what came out into `output`."""
    output.mkdir(parents=True, exist_ok=True)
    rows: list[JsonObject] = []
    for name in dict.fromkeys(task.sample for task in TASKS):
        sample = SAMPLES[name]()
        viewer, dock = _viewer_with_dock()
        _show(viewer, sample)
        for task in (t for t in TASKS if t.sample == name):
            rows.append(_do(viewer, dock, sample, task))
            print(_line(rows[-1]), flush=True)
        _save(viewer, dock, sample, output)
        viewer.close()
    _write_table(rows, output)
    failed = [row for row in rows if row["error"]]
    print(f"\n{len(rows) - len(failed)} of {len(rows)} tasks done; results in {output}/")
    return 1 if failed else 0


def _viewer_with_dock() -> tuple[napari.Viewer, AnnotateWidget]:
    import napari

    from ..widgets.annotate.dock import AnnotateWidget

    viewer = napari.Viewer(show=True)
    viewer.window.resize(*WINDOW)
    dock = AnnotateWidget(viewer)
    viewer.window.add_dock_widget(dock, name="Annotate", area="right")
    return viewer, dock


def _show(viewer: napari.Viewer, sample: Sample) -> None:
    data, about, _ = sample.layer()
    viewer.add_image(data, **about)
    viewer.reset_view()


def _do(
    viewer: napari.Viewer, dock: AnnotateWidget, sample: Sample, task: DemoTask
) -> dict[str, object]:
    """One task: gestures, commit, and what came of it."""
    row: JsonObject = {"sample": sample.title, "asked": task.title, "error": ""}
    try:
        if task.plane is not None:
            viewer.dims.set_current_step(0, task.plane)
        seconds, ids, score = _perform(dock, sample, task)
    except (TimeoutError, RuntimeError) as error:
        return row | {"error": f"{error}; {dock.panel.message.text()}"}
    labels = dock.annotator.labels
    plane = dock.annotator.plane
    if not ids or labels is None or plane is None:
        return row | {"error": dock.panel.message.text() or "nothing came out"}
    drawn = plane.read(labels.data)
    truth = None if sample.truth is None else plane.read(sample.truth)
    row |= {
        "objects": len(ids), "pixels": int(np.isin(drawn, ids).sum()), "score": score,
        "iou": None if truth is None else _agreement(drawn, ids, truth),
        "ms": [round(s * 1e3) for s in seconds],
    }  # fmt: skip
    return row


def _perform(
    dock: AnnotateWidget, sample: Sample, task: DemoTask
) -> tuple[list[float], list[int], float]:
    from .gestures import is_settled, perform, wait_until

    seconds = []
    for gesture in task.gestures:
        if isinstance(gesture, Click) and gesture.at == (-1, -1):
            gesture = Click(_middle(dock, sample))
        seconds.append(perform(dock, gesture))
    start = time.perf_counter()
    if any(isinstance(gesture, Say) for gesture in task.gestures):
        offered = dock.proposals.offered()
        score = float(np.mean([i.score for _, i in offered])) if offered else 0.0
        ids = dock.take_all()
    else:
        wait_until(lambda: is_settled(dock))
        prediction = dock.annotator.prediction
        score = prediction.score if prediction else 0.0
        label_id = dock.commit()
        ids = [] if label_id is None else [label_id]
    return [*seconds, time.perf_counter() - start], ids, round(score, 2)


def _middle(dock: AnnotateWidget, sample: Sample) -> tuple[float, float]:
    """The innermost pixel of the largest object of the ground truth on the shown plane."""
    from scipy import ndimage

    plane = dock.annotator.plane
    assert plane is not None
    assert sample.truth is not None
    truth = plane.read(sample.truth)
    largest = int(np.bincount(truth.ravel())[1:].argmax()) + 1
    depth = ndimage.distance_transform_edt(truth == largest)
    y, x = np.unravel_index(int(depth.argmax()), depth.shape)
    return float(y), float(x)


def _agreement(
    drawn: npt.NDArray[np.integer], ids: list[int], truth: npt.NDArray[np.integer]
) -> float:
    """Compute the IoU of labels with the truth, 0..1; both are integer arrays (H, W).

    Of several objects it is the mean, over the true ones, of the best match.
    """
    if len(ids) == 1:
        mask = drawn == ids[0]
        number = int(np.bincount(truth[mask]).argmax()) if mask.any() else 0
        wanted = truth == number if number else np.zeros_like(mask)
        return round(float((mask & wanted).sum() / max(1, (mask | wanted).sum())), 3)
    best = []
    for number in np.unique(truth[truth > 0]):
        inside = truth == number
        matches = np.bincount(drawn[inside])
        matches[0] = 0
        match = drawn == matches.argmax() if matches.any() else np.zeros_like(inside)
        best.append((inside & match).sum() / (inside | match).sum())
    return round(float(np.mean(best)), 3)


def _save(viewer: napari.Viewer, dock: AnnotateWidget, sample: Sample, output: Path) -> None:
    """Label file, overlay picture, and one picture of the whole window."""
    import tifffile
    from skimage.io import imsave
    from skimage.segmentation import mark_boundaries

    from ..images import to_rgb

    labels, plane = dock.annotator.labels, dock.annotator.plane
    if labels is None or plane is None:
        return
    tifffile.imwrite(output / f"{sample.name}-labels.tif", labels.data, compression="zlib")
    picture = to_rgb(plane.read(sample.image))
    drawn = mark_boundaries(picture, plane.read(labels.data), color=(1, 1, 0), mode="outer")
    imsave(output / f"{sample.name}-overlay.png", (drawn * 255).astype(np.uint8),
           check_contrast=False)  # fmt: skip
    if sample.name == PICTURED:
        viewer.screenshot(str(output / "window.png"), canvas_only=False, flash=False)


HEADER = "| image | prompts | objects | pixels | own score | IoU with truth | ms a step |"


def _line(row: JsonObject) -> str:
    if row["error"]:
        return f"| {row['sample']} | {row['asked']} | failed: {row['error']} | | | | |"
    truth = "not known" if row["iou"] is None else f"{row['iou']:.3f}"
    steps = ", ".join(str(ms) for ms in row["ms"])
    return (
        f"| {row['sample']} | {row['asked']} | {row['objects']} | {row['pixels']} | "
        f"{row['score']:.2f} | {truth} | {steps} |"
    )


def _write_table(rows: list[JsonObject], output: Path) -> None:
    note = (
        "The last step of each row is the writing into the Labels layer. The first prompt on an "
        "image includes encoding it, and the very first one loading the model."
    )
    lines = [HEADER, "|---" * 7 + "|", *map(_line, rows), "", note, ""]
    (output / "results.md").write_text("\n".join(lines), encoding="utf-8")
    (output / "results.json").write_text(json.dumps(rows, indent=1), encoding="utf-8")
