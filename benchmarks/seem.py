"""How fast SEEM is here: encode, a turn and the whole image, beside the authors' code.

With random weights and in float32, as the authors' code was measured; nothing is downloaded.
Processor seconds are given too: on a busy machine they, and not the time on the wall, tell how
much work there is (with `--threads 1`, so that no thread counts its waiting for another). Of an
encode it also prints what its matrix products and convolutions take alone, part by part.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_seem.prompts import Point

if TYPE_CHECKING:
    import torch

    from napari_seem.models.seem.model import SeemModel

SIZES = (512, 1024)
MODELS = ("seem-focal-t", "seem-focal-l")
AUTHORS: dict[str, dict[int, dict[str, float]]] = {
    "seem-focal-t": {512: {"encode": 1.8, "turn": 0.60}, 1024: {"encode": 14.0, "turn": 2.6}},
    "seem-focal-l": {512: {"encode": 9.3, "turn": 2.4}, 1024: {"encode": 34.0, "turn": 6.4}},
}
"""Seconds that the authors' code took on two processor cores (shared/specs/seem.md)."""
NAMES = ("cell", "nucleus", "road", "tree")
Figures = dict[str, dict[str, dict[str, Any]]]
Seconds = tuple[float, float]


def main(argv: Sequence[str]) -> int:
    """Run `python -m benchmarks seem`."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks seem", description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="*", default=list(SIZES))
    parser.add_argument("--models", nargs="*", choices=MODELS, default=list(MODELS[:1]))
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--bfloat16", action="store_true", help="encode in bfloat16")
    parser.add_argument("--threads", type=int, help="processor cores to use")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args(list(argv))
    if options.threads:
        import torch

        torch.set_num_threads(options.threads)
    run(options.sizes, options.json, options.models, options.repeats, bfloat16=options.bfloat16)
    return 0


def run(
    sizes: Sequence[int] = SIZES,
    json_path: Path | None = None,
    models: Sequence[str] = MODELS[:1],
    repeats: int = 3,
    *,
    bfloat16: bool = False,
) -> Figures:
    """Time SEEM on square images.

    Parameters
    ----------
    sizes : sequence of int
        Sides of the images in pixels; nothing is resized.
    json_path : Path, optional
        Where the figures are written to as well.
    models : sequence of str
        'seem-focal-t' and 'seem-focal-l'.
    repeats : int
        Best of so many.
    bfloat16 : bool
        Encode in bfloat16.

    Returns
    -------
    dict
        Seconds by model, size and step ('encode', 'turn', 'later turn', 'segment'), and processor
        seconds; with those of the authors and how many times faster this is, where known.
    """
    figures: Figures = {}
    for name in models:
        figures[name] = {}
        for size in sizes:
            model = _random_model(name, size, bfloat16=bfloat16)
            steps = _beside(_measure(model, size, repeats), AUTHORS[name].get(size, {}))
            _print(name, size, steps)
            if not bfloat16:
                steps["encode, share of its products alone"] = _roof(model, size, repeats)
            figures[name][str(size)] = steps
    if json_path is not None:
        json_path.write_text(json.dumps(figures, indent=1), encoding="utf-8")
    return figures


def _random_model(name: str, size: int, *, bfloat16: bool) -> SeemModel:
    """A SEEM with random weights that names things without a tokenizer."""
    import torch

    from napari_seem.models.seem.config import FOCAL_L, FOCAL_T
    from napari_seem.models.seem.model import SeemModel
    from napari_seem.models.seem.network import Seem
    from napari_seem.models.seem.tokenizer import Tokenizer

    torch.manual_seed(0)
    config = FOCAL_T if name == "seem-focal-t" else FOCAL_L
    network = Seem(config).eval().requires_grad_(False)
    model = SeemModel(
        network, Tokenizer([]), name, short_side=size, long_side=size, bfloat16=bfloat16
    )
    vectors = torch.nn.functional.normalize(torch.randn(len(NAMES) + 1, config.hidden))

    def embed_names(names: Sequence[str]) -> torch.Tensor:
        return vectors[: len(names) + 1]

    model.embed_names = embed_names
    return model


def _measure(model: SeemModel, size: int, repeats: int) -> dict[str, Seconds]:
    image = np.random.default_rng(0).integers(0, 255, (size, size, 3), dtype=np.uint8)
    encode, embedding = _best(lambda: model.encode(image), repeats)
    click = Point(size / 2, size / 2)
    turn, first = _best(lambda: model.predict(embedding, [click]), repeats)
    prompts = [click, Point(5, 5, positive=False)]
    later, _ = _best(lambda: model.predict(embedding, prompts, first.memory), repeats)
    whole, _ = _best(lambda: model.segment(embedding, NAMES), repeats)
    return {"encode": encode, "turn": turn, "later turn": later, "segment": whole}


def _roof(model: SeemModel, size: int, repeats: int) -> float:
    """Print what an encode spends on each part beside its products alone, and return the share."""
    import torch

    from .roof import print_table

    backbone, pixel_decoder = model.network.backbone, model.network.pixel_decoder
    parts = {
        "stem": backbone.patch_embed,
        **{f"stage {number}": stage for number, stage in enumerate(backbone.layers, 1)},
        "attention": pixel_decoder.transformer["encoder"],
        "pyramid": pixel_decoder,
    }
    image = torch.rand(3, size, size) * 255
    return round(print_table(lambda: model.network.encode(image), parts, repeats), 3)


def _best(work: Callable[[], Any], repeats: int) -> tuple[Seconds, Any]:
    """Seconds of the quickest of so many runs, and what it gave."""
    spent, result = [], None
    for _ in range(repeats):
        start, start_processor = time.perf_counter(), time.process_time()
        result = work()
        spent.append((time.perf_counter() - start, time.process_time() - start_processor))
    wall, processor = (min(column) for column in zip(*spent, strict=True))
    return (wall, processor), result


def _beside(times: dict[str, Seconds], authors: dict[str, float]) -> dict[str, Any]:
    """The times with those of the authors."""
    out: dict[str, Any] = {}
    for step, (wall, processor) in times.items():
        out[step], out[f"{step}, processor"] = round(wall, 4), round(processor, 4)
    for step, seconds in authors.items():
        out[f"{step}, authors"] = seconds
        out[f"{step}, times faster"] = round(seconds / times[step][0], 2)
    return out


def _print(name: str, size: int, steps: dict[str, Any]) -> None:
    print(f"{name} at {size} x {size}")
    for step in ("encode", "turn", "later turn", "segment"):
        cores = steps[f"{step}, processor"]
        line = f"  {step:<12}{steps[step]:8.3f} s ({cores:.3f} s of cores)"
        if f"{step}, authors" in steps:
            line += f"   authors {steps[f'{step}, authors']:6.2f} s"
            line += f"   {steps[f'{step}, times faster']:5.1f} times faster"
        print(line, flush=True)
