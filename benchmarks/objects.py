"""Objects a second: a loop over sessions, and all of them in one call, by turns in one run."""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy import ndimage

import napari_seem as ns
from napari_seem.errors import InvalidArgument
from napari_seem.models.base import Embedding, Model

from .latency.machine import processor
from .latency.scene import scene

Masks = list[npt.NDArray[np.bool_]]


def main(argv: Sequence[str]) -> int:
    """Run `python -m benchmarks objects`."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks objects", description=__doc__)
    parser.add_argument("--model", default="compact")
    parser.add_argument("--size", type=int, default=1024, help="side of the image in pixels")
    parser.add_argument("--objects", type=int, default=100)
    parser.add_argument("--boxes", action="store_true", help="boxes instead of clicks")
    parser.add_argument("--rounds", type=int, default=5, help="times that both are run, by turns")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args(list(argv))
    if min(options.objects, options.rounds, options.threads) < 1:
        raise InvalidArgument("--objects, --rounds and --threads need 1 or more")
    import torch

    torch.set_num_threads(options.threads)
    model = ns.load_model(options.model)
    image = scene(options.size)
    prompts = prompts_on(image, options.objects, boxes=options.boxes)
    figures = compare(model, model.encode(image), prompts, options.rounds)
    figures |= {"processor": processor(), "threads": options.threads}
    print(report(figures))
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1), encoding="utf-8")
    return 0


def prompts_on(image: npt.NDArray[np.uint8], count: int, *, boxes: bool) -> npt.NDArray[np.float64]:
    """Return clicks (N, 2) on bright discs of an image (H, W), or boxes (N, 4) around them."""
    rng = np.random.default_rng(1)
    smooth = ndimage.minimum_filter(image, 5)
    bright = np.argwhere(smooth >= min(np.median(image) + 30, smooth.max()))
    clicks = bright[rng.integers(len(bright), size=count)].astype(float)
    if not boxes:
        return clicks
    reach = rng.uniform(8, 40, (count, 1))
    return np.concatenate([clicks - reach, clicks + reach], 1).clip(0, max(image.shape))


def compare(
    model: Model, embedding: Embedding, prompts: npt.NDArray[np.float64], rounds: int
) -> dict[str, object]:
    """Segment the objects of prompts (N, 2) or (N, 4) both ways, by turns.

    Returns
    -------
    dict
        Objects a second by wall time and by the process's own time, medians of the rounds; the
        median ratio of the rounds; and the share of pixels in which the masks differ.
    """
    make = ns.Point if prompts.shape[1] == 2 else ns.Box

    def loop() -> Masks:
        answers = (ns.Session(model, embedding).add(make(*row)) for row in prompts.tolist())
        return [answer.cut_out()[0] for answer in answers]

    def batch() -> Masks:
        return [one.mask for one in ns.segment_objects(model, embedding, prompts).instances]

    ways: dict[str, Callable[[], Masks]] = {"loop": loop, "batch": batch}
    masks = {name: way() for name, way in ways.items()}  # also warms up
    spent: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
    for turn in range(rounds):
        for name in sorted(ways, reverse=turn % 2 == 0):
            start = time.perf_counter(), time.process_time()
            ways[name]()
            spent[name].append((time.perf_counter() - start[0], time.process_time() - start[1]))
    speeds = {name: len(prompts) / np.array(times) for name, times in spent.items()}
    ratios = speeds["batch"] / speeds["loop"]
    return {
        "objects": len(prompts), "rounds": rounds,
        **{f"{name} objects/s": round(float(np.median(s[:, 0])), 2) for name, s in speeds.items()},
        **{f"{name} objects/cpu s": round(float(np.median(s[:, 1])), 2)
           for name, s in speeds.items()},
        "ratio": round(float(np.median(ratios[:, 0])), 2),
        "cpu ratio": round(float(np.median(ratios[:, 1])), 2),
        "objects that differ": sum(
            not np.array_equal(a, b) for a, b in zip(masks["loop"], masks["batch"], strict=True)
        ),
    }  # fmt: skip


def report(figures: dict[str, object]) -> str:
    """Return the figures as lines of a table."""
    return "\n".join(["| | |", "|---|---|", *(f"| {key} | {figures[key]} |" for key in figures)])
