"""Seconds a plane of SegGPT's ViT-L, by the plain library and by us: `bench seggpt`.

All are run in turns, in one process; the quickest of each counts. The first plane of a lesson reads
its painted masks; the library reads them at every plane. Processor seconds are given too: with
`--threads 1` they are the work there is, whatever else the machine does.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from napari_seem.errors import NapariSeemError

FLOAT, HALF, LIBRARY = "ours, float32", "ours, bfloat16", "transformers, float32"
FIRST = ", first plane"
Times = dict[str, tuple[float, float]]


def main(argv: Sequence[str]) -> int:
    """Run `python -m benchmarks seggpt`; weights are random, which takes the same time."""
    options = _parse(argv)
    import torch

    torch.set_num_threads(options.threads)
    builders = {FLOAT: _ours, HALF: _ours_half, LIBRARY: _library}
    painters = {name: builders[name]() for name in builders if name in options.only}
    figures: dict[str, dict[str, Any]] = {}
    for count in options.examples:
        times = _time(painters, count, options.repeats)
        figures[str(count)] = _print(count, times)
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1), encoding="utf-8")
    return 0


def _time(painters: dict[str, Callable[..., Any]], count: int, repeats: int) -> Times:
    """Wall and processor seconds of each: the quickest plane, and ours' first of a lesson."""
    import torch

    torch.manual_seed(0)
    images, paintings = torch.randn(count, 3, 448, 448), torch.randn(count, 3, 448, 448)
    lesson = _lesson(images, paintings)
    times: Times = {}
    for number in range(repeats + 1):
        for name, paint in painters.items():
            if number == 0 and name == LIBRARY:
                continue  # it keeps nothing from plane to plane
            start, start_processor = time.perf_counter(), time.process_time()
            with torch.inference_mode():
                paint(lesson, torch.randn(3, 448, 448))
            spent = time.perf_counter() - start, time.process_time() - start_processor
            key = name if number else name + FIRST
            times[key] = min(times.get(key, spent), spent)
    return times


def _print(count: int, times: Times) -> dict[str, Any]:
    figures: dict[str, Any] = {}
    for name, (wall, processor) in times.items():
        line = f"{name:28s} {count} examples  {wall:7.2f} s a plane  {processor:7.2f} s of cores"
        figures[name] = {"seconds": round(wall, 2), "processor": round(processor, 2)}
        if LIBRARY in times and name != LIBRARY:
            ratios = [
                theirs / ours for theirs, ours in zip(times[LIBRARY], times[name], strict=True)
            ]
            figures[name]["times as fast"] = [round(ratio, 2) for ratio in ratios]
            line += f"   {ratios[0]:.2f} times as fast ({ratios[1]:.2f} by cores)"
        print(line, flush=True)
    return figures


def _lesson(images: Any, paintings: Any) -> Any:
    import torch

    from napari_seem.models.seggpt.model import SegGPTLesson

    return SegGPTLesson(images, [paintings], [torch.zeros(2, 3)], (1,), "semantic")


def _ours(*, bfloat16: bool = False) -> Callable[..., Any]:
    import torch

    from napari_seem.models.seggpt.config import VIT_L
    from napari_seem.models.seggpt.model import SegGptModel
    from napari_seem.models.seggpt.network import SegGpt

    torch.manual_seed(0)
    network = SegGpt(VIT_L).eval().requires_grad_(False)
    return SegGptModel(network, "random", bfloat16=bfloat16).paint


def _ours_half() -> Callable[..., Any]:
    return _ours(bfloat16=True)


def _library() -> Callable[..., Any]:
    try:
        from transformers import SegGptConfig, SegGptForImageSegmentation
    except ImportError as error:
        raise NapariSeemError(
            "the comparison needs the package transformers (pip install transformers); "
            "leave it out by --only"
        ) from error
    config = SegGptConfig()
    network = SegGptForImageSegmentation(config).eval().requires_grad_(False)

    def paint(lesson: Any, target: Any) -> Any:
        images, (paintings,) = lesson.images, lesson.paintings
        return network(
            pixel_values=target[None].expand(len(images), -1, -1, -1),
            prompt_pixel_values=images, prompt_masks=paintings,
            embedding_type="semantic", feature_ensemble=len(images) > 1,
        )  # fmt: skip

    return paint


def _parse(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks seggpt", description=__doc__)
    parser.add_argument("--examples", type=int, nargs="*", default=[1, 3])
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--threads", type=int, default=2)
    every = [FLOAT, HALF, LIBRARY]
    parser.add_argument("--only", nargs="*", choices=every, default=every)
    parser.add_argument("--json", type=Path)
    return parser.parse_args(argv)
