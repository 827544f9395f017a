"""Seconds a plane of SegGPT's ViT-L, by the plain library and by us: `bench seggpt`."""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from napari_seem.errors import NapariSeemError

FLOAT, HALF, LIBRARY = "ours, float32", "ours, bfloat16", "transformers, float32"


def main(argv: Sequence[str]) -> int:
    """Run `python -m benchmarks seggpt`; weights are random, which takes the same time."""
    options = _parse(argv)
    import torch

    torch.set_num_threads(options.threads)
    figures: dict[str, dict[str, float]] = {}
    for name, build in ((FLOAT, _ours), (HALF, _ours_half), (LIBRARY, _library)):
        if name not in options.only:
            continue
        paint = build()
        for count in options.examples:
            seconds = _quickest(paint, count, options.repeats)
            figures.setdefault(str(count), {})[name] = round(seconds, 2)
            print(f"{name:24s} {count} examples  {seconds:7.2f} s a plane", flush=True)
        del paint
    for count, times in figures.items():
        if LIBRARY in times:
            for name in (FLOAT, HALF):
                if name in times:
                    ratio = times[LIBRARY] / times[name]
                    print(f"{count} examples: {name} is {ratio:.2f} times as fast")
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1))
    return 0


def _quickest(paint: Callable[[Any, Any, Any], Any], count: int, repeats: int) -> float:
    import torch

    torch.manual_seed(0)
    images, paintings = torch.randn(count, 3, 448, 448), torch.randn(count, 3, 448, 448)
    target = torch.randn(3, 448, 448)
    spent = []
    for _ in range(repeats):
        start = time.perf_counter()
        with torch.inference_mode():
            paint(images, paintings, target)
        spent.append(time.perf_counter() - start)
    return min(spent)


def _ours(*, bfloat16: bool = False) -> Callable[[Any, Any, Any], Any]:
    import torch

    from napari_seem.models.seggpt.config import VIT_L
    from napari_seem.models.seggpt.model import SegGptModel
    from napari_seem.models.seggpt.network import SegGpt

    torch.manual_seed(0)
    network = SegGpt(VIT_L).eval().requires_grad_(False)
    model = SegGptModel(network, "random", bfloat16=bfloat16)
    return lambda images, paintings, target: model.paint(images, paintings, target, "semantic")


def _ours_half() -> Callable[[Any, Any, Any], Any]:
    return _ours(bfloat16=True)


def _library() -> Callable[[Any, Any, Any], Any]:
    try:
        from transformers import SegGptConfig, SegGptForImageSegmentation
    except ImportError as error:
        raise NapariSeemError(
            "the comparison needs the package transformers (pip install transformers); "
            "leave it out by --only"
        ) from error
    config = SegGptConfig()
    network = SegGptForImageSegmentation(config).eval().requires_grad_(False)

    def paint(images: Any, paintings: Any, target: Any) -> Any:
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
