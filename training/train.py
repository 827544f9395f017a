"""Train the compact model: `python -m training.train --data ../shared/data/train --minutes 60`.

It can be stopped at any moment and goes on where it was when the same command is given again.
Several processes (`torchrun --nproc-per-node 2 -m training.train ...`) share each step: one a GPU,
or one a core.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch

from napari_seem.training import resume_or_begin
from napari_seem.training.memory import keep_memory
from napari_seem.training.run import line
from napari_seem.training.together import clock_of_first_process, join_others
from training.banks import RECIPES, Sources, cached_bank


def main() -> None:
    """Begin or resume a training."""
    options = _parse()
    torch.set_num_threads(options.threads)
    keep_memory()
    rank = join_others()
    sources = Sources(
        None if options.pack else options.data, options.pack, options.pool, options.without,
        options.longest,
    )  # fmt: skip
    file = options.out / "bank.pt"
    if rank == 0:
        bank, words = cached_bank(file, sources, options.seed, options.workers)
    clock_of_first_process(0)  # the others wait until the bank is there
    if rank:
        bank, words = cached_bank(file, sources, options.seed)
    if rank == 0:
        print(f"{len(bank)} pictures, {len(words)} words", flush=True)
    device = use_device()
    run = resume_or_begin(
        bank.to(device), words, RECIPES[options.recipe], options.out, options.minutes,
        options.seed, options.init, rank=rank,
        on_report=lambda report: print(line(report), flush=True),
    )  # fmt: skip
    if rank == 0 and run.elapsed:
        print(f"goes on at {run.elapsed / 60:.1f} min, step {run.learner.step}", flush=True)
    run.train()


def use_device() -> str:
    """The GPU where there is one, set up for convolutions of few shapes; else the CPU."""
    if not torch.cuda.is_available():
        return "cpu"
    torch.backends.cudnn.benchmark = True
    torch.set_float32_matmul_precision("high")
    return "cuda"


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("../shared/data/train"))
    parser.add_argument("--pack", type=Path, nargs="*", default=[],
                        help="parts that training.pack wrote, instead of --data")  # fmt: skip
    parser.add_argument("--pool", type=Path, nargs="*", default=[], help="procedural pools")
    parser.add_argument("--without", nargs="*", default=[], help="sets to leave out")
    parser.add_argument("--longest", type=int, default=512, help="longest side in pixels")
    parser.add_argument("--out", type=Path, default=Path("training/runs/compact2"))
    parser.add_argument("--minutes", type=float, default=60, help="time budget of the whole run")
    parser.add_argument("--recipe", choices=RECIPES, default="two-cores")
    parser.add_argument("--init", type=Path, help="exported weights to begin from")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--workers", type=int, default=0,
                        help="processes that work out superpixels before the start")  # fmt: skip
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args()


if __name__ == "__main__":
    main()
