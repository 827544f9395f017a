"""Where the time of a training step goes: `python -m training.speed --threads 1`.

Needs no data, and a machine that does nothing else. Every step is timed with no and with one round
of corrections, from which the mean of the recipe follows; of several times the shortest counts.
"Convolutions alone" are the same calls on the same shapes, timed one by one: what this machine
needs for the convolutions and nothing else.
"""

from __future__ import annotations

import argparse
import platform
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.profiler import ProfilerActivity, profile
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode

from napari_seem.models.compact.network import CompactConfig
from napari_seem.training import Phase, Picture, PictureBank, Recipe
from napari_seem.training.learner import Learner
from napari_seem.training.memory import keep_memory
from training.banks import RECIPES
from training.train import use_device

CATEGORIES = {
    "convolutions": ("conv",),
    "matrix products": ("aten::mm", "aten::bmm", "aten::addmm", "aten::baddbmm"),
    "normalisation": ("batch_norm",),
    "sampling": (
        "grid_sampler", "upsample", "index", "gather", "scatter", "topk", "sort", "rand",
        "multinomial", "pool",
    ),
}  # fmt: skip
"""Parts of names of operations; those of gathering, resizing and drawing are "sampling"."""
REST = "the rest"
REPEATS = 3
WORDS = 200

aten = torch.ops.aten


def main() -> None:
    """Print a few lines for each phase of a recipe."""
    options = _parse()
    if options.threads:
        torch.set_num_threads(options.threads)
    keep_memory()
    device = use_device()
    print(f"{processor()}, torch {torch.__version__}, {torch.get_num_threads()} threads, {device}")
    recipe = RECIPES[options.recipe]
    bank = made_up_bank().to(device)
    for number, phase in enumerate(recipe.phases, 1):
        if options.phase in (0, number):
            print(f"phase {number}: {described(phase)}", flush=True)
            _print_phase(bank, recipe, phase, options.steps)


def _print_phase(bank: PictureBank, recipe: Recipe, phase: Phase, steps: int) -> None:
    found = measured_with(bank, recipe, phase, 0, steps)
    if phase.decode:
        rounds = sum(i * share for i, share in enumerate(recipe.corrections))
        one = measured_with(bank, recipe, phase, 1, steps)
        found = {key: value + rounds * (one[key] - value) for key, value in found.items()}
    seconds, flop = found["seconds"], found["flop"]
    print(
        f"  {phase.batch / seconds:.2f} crops a second, {flop / phase.batch / 1e9:.2f} GFLOP a "
        f"crop, {flop / seconds / 1e9:.1f} GFLOP/s"
    )
    traced = sum(found[name] for name in (*CATEGORIES, REST))
    parts = [f"{name} {found[name] / traced:.0%}" for name in (*CATEGORIES, REST)]
    print("  " + ", ".join(parts))
    alone = found["alone"]
    print(
        f"  convolutions alone / step = {alone / seconds:.0%} "
        f"({found['conv_flop'] / alone / 1e9:.1f} GFLOP/s alone)",
        flush=True,
    )


def measured_with(
    bank: PictureBank, recipe: Recipe, phase: Phase, rounds: int, steps: int
) -> dict[str, float]:
    """What a step of one phase takes with so many rounds of corrections, in seconds and FLOP."""
    fixed = replace(
        recipe, phases=(replace(phase, until=1.0),), corrections=(0.0,) * rounds + (1.0,)
    )
    torch.manual_seed(0)
    learner = Learner(bank, CompactConfig.second_generation(WORDS), fixed)

    def step() -> None:
        learner.learn(0.5)

    step()
    seconds = min(timed(step) for _ in range(steps))
    counter = FlopCounterMode(display=False)
    with counter:
        step()
    by_operation = counter.get_flop_counts()["Global"]
    convolutions = sum(n for op, n in by_operation.items() if "conv" in str(op))
    return {
        "seconds": seconds, "flop": float(counter.get_total_flops()),
        "conv_flop": float(convolutions), "alone": seconds_alone(step), **seconds_by_kind(step),
    }  # fmt: skip


def timed(function: Callable[[], object]) -> float:
    """Seconds that a call takes, until the device has done it."""
    _wait()
    begun = time.perf_counter()
    function()
    _wait()
    return time.perf_counter() - begun


def seconds_by_kind(step: Callable[[], None]) -> dict[str, float]:
    """Seconds of one step by kind of operation, from the profiler."""
    cuda = torch.cuda.is_available()
    activities = [ProfilerActivity.CPU] + [ProfilerActivity.CUDA] * cuda
    with profile(activities=activities) as trace:
        step()
        _wait()
    totals = dict.fromkeys((*CATEGORIES, REST), 0.0)
    for event in trace.key_averages():
        spent = event.self_device_time_total if cuda else event.self_cpu_time_total
        if event.key.startswith("aten::") or not cuda:  # kernels are counted with their operation
            kinds = (
                kind for kind, parts in CATEGORIES.items() if any(p in event.key for p in parts)
            )
            totals[next(kinds, REST)] += spent / 1e6
    return totals


@dataclass(frozen=True)
class Layout:
    """Shape, strides and type of a tensor."""

    shape: tuple[int, ...]
    stride: tuple[int, ...]
    dtype: torch.dtype
    device: torch.device

    @classmethod
    def of(cls, value: object) -> object:
        """The layout of a tensor; a tuple of a list; anything else as it is."""
        if isinstance(value, Tensor):
            return cls(tuple(value.shape), value.stride(), value.dtype, value.device)
        return tuple(value) if isinstance(value, list) else value

    def filled(self) -> Tensor:
        """A tensor of this layout with random values."""
        empty = torch.empty_strided(self.shape, self.stride, dtype=self.dtype, device=self.device)
        return empty.normal_()


class Recorder(TorchDispatchMode):
    """Counts the convolutions, forward and backward, by their arguments."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: Counter[tuple[Any, ...]] = Counter()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Do what is asked, and count it."""
        if func in (aten.convolution.default, aten.convolution_backward.default):
            self.calls[(func, *map(Layout.of, args))] += 1
        return func(*args, **(kwargs or {}))


def seconds_alone(step: Callable[[], None]) -> float:
    """Seconds that the convolutions of one step take when nothing else is done."""
    with Recorder() as recorder:
        step()
    total = 0.0
    for (function, *layouts), count in recorder.calls.items():
        values = [v.filled() if isinstance(v, Layout) else v for v in layouts]

        def call(function: Any = function, values: list[Any] = values) -> None:
            with torch.no_grad():
                function(*values)

        call()
        total += count * min(timed(call) for _ in range(REPEATS))
    return total


def _wait() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def made_up_bank(count: int = 24, side: int = 400) -> PictureBank:
    """Pictures of discs."""
    rng = np.random.default_rng(0)
    rows, cols = np.mgrid[:side, :side]
    pictures = []
    for _ in range(count):
        image = rng.integers(0, 60, (side, side, 3)).astype(np.uint8)
        instances = np.zeros((side, side), np.uint16)
        for number in range(1, 13):
            y, x = rng.integers(30, side - 30, 2)
            inside = (rows - y) ** 2 + (cols - x) ** 2 < rng.integers(8, 30) ** 2
            instances[inside] = number
            image[inside] += rng.integers(60, 190, 3).astype(np.uint8)
        pictures.append(
            Picture(image, instances, dict.fromkeys(range(1, 13), "disc"), "made/discs")
        )
    words = ["disc", *(f"word {i}" for i in range(1, WORDS))]
    return PictureBank.build(pictures, words, {"made/discs": 1.0})


def processor() -> str:
    """The processor's name."""
    facts = Path("/proc/cpuinfo")
    lines = facts.read_text(encoding="utf-8").splitlines() if facts.exists() else []
    names = [text.split(":", 1)[1].strip() for text in lines if text.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def described(phase: Phase) -> str:
    """A phase in words."""
    text = f"{phase.batch} crops of {phase.crop} px"
    if not phase.decode:
        return text + ", encoder alone"
    return text + f", windows of {phase.grid} cells" + (", refined" if phase.refined else "")


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--recipe", choices=RECIPES, default="two-cores")
    parser.add_argument("--threads", type=int, default=0, help="of torch; 0: as many as it takes")
    parser.add_argument("--steps", type=int, default=3)
    parser.add_argument("--phase", type=int, default=0, help="number of one phase alone")
    return parser.parse_args()


if __name__ == "__main__":
    main()
