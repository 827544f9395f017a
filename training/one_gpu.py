"""One training on a fixed clock, in one process, with no second try.

`PYTHONPATH=src python -m training.one_gpu --pack part-0.tar part-1.tar --out "$OUT" --minutes 8.5`

The clock starts with the script: reading, superpixels and a smoke test are part of it, and the
last results are written before it ends. The folder `--out` gets at most 8 files under 16 MiB each,
every minute anew: `compact.safetensors`, `log.jsonl` and what a run that is given
`--resume THAT_FOLDER` goes on from. Only the checkout and the packs are needed, with torch, numpy,
safetensors, Pillow, scipy, scikit-image and tifffile.
"""

from __future__ import annotations

import time

STARTED = time.monotonic()

import argparse  # noqa: E402  (the clock starts before anything heavy is imported)
import math  # noqa: E402
import shutil  # noqa: E402
import tempfile  # noqa: E402
from collections.abc import Sequence  # noqa: E402
from pathlib import Path  # noqa: E402

import torch  # noqa: E402

from napari_seem.models.compact.network import CompactConfig  # noqa: E402
from napari_seem.training import Run  # noqa: E402
from napari_seem.training.learner import Learner  # noqa: E402
from napari_seem.training.memory import keep_memory  # noqa: E402
from napari_seem.training.run import line  # noqa: E402
from napari_seem.training.state import take_over  # noqa: E402
from training.banks import RECIPES, Sources, build_bank  # noqa: E402
from training.parts import load_parts, save_parts  # noqa: E402
from training.smoke import fitting, smoke_test  # noqa: E402
from training.train import use_device  # noqa: E402

BEGIN_AGAIN = 0.3
"""Share of the schedule at which a run begins that goes on from another."""


class RunInParts(Run):
    """A run that also writes what can be handed over, and ends where losses are not finite."""

    results: Path

    def save(self) -> None:
        """Write state and results."""
        super().save()
        save_parts(self.learner, self.words, self.results)
        shutil.copyfile(self.out / "log.jsonl", self.results / "log.jsonl")


def report(values: dict[str, float]) -> None:
    """Print a line of the log.

    Raises
    ------
    SystemExit
        Where a value is not finite; what was written before stays.
    """
    say(line(values))
    wrong = [name for name, value in values.items() if not math.isfinite(value)]
    if wrong:
        raise SystemExit(f"TRAINING FAILED: {', '.join(wrong)} not finite at {values['step']}")


def say(text: str) -> None:
    """Print with the seconds since the start."""
    print(f"[{time.monotonic() - STARTED:6.1f} s] {text}", flush=True)


def main() -> None:
    """Read, test, train until the clock ends."""
    options = _parse()
    _check_files(options)
    if options.threads:
        torch.set_num_threads(options.threads)
    keep_memory()
    say(f"torch {torch.__version__}, {torch.get_num_threads()} threads")
    sources = Sources(None, options.pack, options.pool, options.without, options.longest)
    pictures = list(sources.pictures())
    say(f"{len(pictures)} pictures read")
    bank, words = build_bank(pictures, options.seed, options.workers)
    del pictures
    device = use_device()
    name = torch.cuda.get_device_name() if device == "cuda" else "CPU"
    bank = bank.to(device)
    say(f"{len(bank)} pictures, {len(words)} words, on {name}")
    smoke_test(bank, words, RECIPES[options.recipe])
    recipe = fitting(bank, words, RECIPES[options.recipe])
    say("smoke test passed")
    if options.smoke_only:
        return
    learner = Learner(bank, CompactConfig.second_generation(len(words)), recipe, options.seed)
    begin = _begin(learner, words, options)
    with tempfile.TemporaryDirectory() as scratch:
        left = 60 * options.minutes - options.margin - (time.monotonic() - STARTED)
        if left <= 0:
            raise SystemExit("no time is left to train in; give more --minutes or fewer pictures")
        run = RunInParts(learner, words, Path(scratch), left / 60 / (1 - begin), on_report=report)
        run.elapsed = begin * 60 * run.minutes
        run.results = options.out
        run.train(options.save_every)
    for file in sorted(options.out.iterdir()):
        say(f"{file.name}: {file.stat().st_size / 2**20:.1f} MiB")
    say(f"done; the clock ends at {60 * options.minutes:.0f} s")


def _check_files(options: argparse.Namespace) -> None:
    """End at once where something that was named is missing."""
    wanted = [*options.pack, *options.pool, *filter(None, (options.init, options.resume))]
    missing = [str(path) for path in wanted if not path.exists()]
    if missing:
        raise SystemExit(f"missing: {', '.join(missing)}")
    if not options.pack and not options.pool:
        raise SystemExit("there is nothing to learn from; give --pack or --pool")
    options.out.mkdir(parents=True, exist_ok=True)


def _begin(learner: Learner, words: Sequence[str], options: argparse.Namespace) -> float:
    """Take over what there is to take over; gives the share of the schedule to begin at."""
    torch.manual_seed(options.seed)
    begin = 0.0
    if options.resume:
        load_parts(learner, words, options.resume)
        learner.rng.bit_generator.advance(learner.step)
        torch.manual_seed(options.seed + learner.step)
        say(f"goes on at step {learner.step}")
        begin = BEGIN_AGAIN
    elif options.init:
        for network in (learner.network, learner.average):
            take_over(network, options.init, words)
    return begin if options.begin is None else options.begin


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--pack", type=Path, nargs="*", default=[],
                        help="parts that training.pack wrote")  # fmt: skip
    parser.add_argument("--pool", type=Path, nargs="*", default=[], help="procedural pools")
    parser.add_argument("--without", nargs="*", default=[], help="sets to leave out")
    parser.add_argument("--longest", type=int, default=400, help="longest side in pixels")
    parser.add_argument("--out", type=Path, required=True, help="folder for the results")
    parser.add_argument("--minutes", type=float, default=8.5, help="from the script's start")
    parser.add_argument("--margin", type=float, default=10, help="seconds kept for the last save")
    parser.add_argument("--save-every", type=float, default=60, help="seconds")
    parser.add_argument("--recipe", choices=RECIPES, default="one-gpu")
    parser.add_argument("--init", type=Path, help="exported weights to begin from")
    parser.add_argument("--resume", type=Path, help="results of the run before")
    parser.add_argument("--begin", type=float, help="share of the schedule to begin at: 0, or "
                        f"{BEGIN_AGAIN} with --resume")  # fmt: skip
    parser.add_argument("--workers", type=int, default=16, help="processes for superpixels")
    parser.add_argument("--threads", type=int, default=0, help="of torch; 0: as many as it takes")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--smoke-only", action="store_true", help="end after the smoke test")
    return parser.parse_args()


if __name__ == "__main__":
    main()
