"""A training with a time budget: resumable at any moment, with a log and weights every minute."""

from __future__ import annotations

import json
import math
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from torch import Tensor

from ..models.compact.network import CompactConfig
from .learner import Learner
from .pictures import PictureBank
from .recipe import Recipe
from .state import State, export, latest_state, take_over, write_state
from .together import clock_of_first_process, share_weights

SAVE_SECONDS = 60.0
SYNCHRONISE_EVERY = 16
"""Steps after which the host waits for the device, so that the clock counts finished work."""


class Run:
    """One training in a folder: `state.pt` to resume from, `compact.safetensors`, `log.jsonl`.

    Parameters
    ----------
    learner : Learner
    words : sequence of str
        The vocabulary, in the order of the network's word vectors.
    out : Path
    minutes : float
        Time budget of the whole training; time used by earlier sessions counts.
    clock : callable
        Returns seconds since any fixed moment.
    rank : int
        Number of this process; only the first writes.
    on_report : callable
        Called with each line of the log: "minutes", "step", "crops", and means since the last line.
    """

    def __init__(
        self, learner: Learner, words: Sequence[str], out: Path, minutes: float,
        clock: Callable[[], float] = time.monotonic, rank: int = 0,
        on_report: Callable[[dict[str, float]], None] = lambda report: None,
    ) -> None:  # fmt: skip
        self.learner, self.words, self.out = learner, tuple(words), out
        self.minutes, self.clock, self.rank, self.on_report = minutes, clock, rank, on_report
        self.elapsed, self.crops = 0.0, 0
        self._recent: list[dict[str, Tensor]] = []

    @property
    def progress(self) -> float:
        """Share of the time budget that is used up."""
        return min(1.0, self.elapsed / (60 * self.minutes))

    def train(self, save_every: float = SAVE_SECONDS, steps: int | None = None) -> None:
        """Train until the time is up, saving every `save_every` seconds.

        Parameters
        ----------
        save_every : float
        steps : int, optional
            Stop, and save, after this number of steps, with time left for a later session.
        """
        begun = last = self.clock()
        already, taken = self.elapsed, 0
        while self.progress < 1 and taken != steps:
            self.crops += self.learner.recipe.phase(self.progress).batch
            self._recent.append(self.learner.learn(self.progress))
            taken += 1
            if taken % SYNCHRONISE_EVERY == 0 and self.learner.device.type == "cuda":
                torch.cuda.synchronize()
            now = self.clock()
            self.elapsed = clock_of_first_process(already + now - begun)
            if now - last >= save_every:
                self.save()
                last = now
        self.save()

    def save(self) -> None:
        """Write the state, the averaged weights and a line of the log."""
        report = self._report()
        if self.rank:
            return
        self.out.mkdir(parents=True, exist_ok=True)
        write_state(self.out, self._state())
        export(self.learner.average, self.words, self.out / "compact.safetensors")
        if report:
            with (self.out / "log.jsonl").open("a", encoding="utf-8") as log:
                log.write(json.dumps(report) + "\n")
            self.on_report(report)

    def _report(self) -> dict[str, float]:
        """Average since the last report; nothing else reads values back."""
        if not self._recent:
            return {}
        columns: dict[str, list[Tensor]] = defaultdict(list)
        for row in self._recent:
            for name, value in row.items():
                columns[name].append(value)
        self._recent = []
        names = list(columns)
        means = torch.stack([_mean(torch.stack(columns[n]).float(), n) for n in names]).tolist()
        where = dict(zip(_COUNTS, (self.elapsed / 60, self.learner.step, self.crops), strict=True))
        found = {k: round(v, 4) for k, v in zip(names, means, strict=True)}
        return where | {k: v for k, v in found.items() if not (_is_overlap(k) and math.isnan(v))}

    def _state(self) -> State:
        learner = self.learner
        cuda = learner.device.type == "cuda"
        return {
            "network": learner.network.state_dict(), "average": learner.average.state_dict(),
            "optimizers": [optimizer.state_dict() for optimizer in learner.optimizers],
            "step": learner.step, "elapsed": self.elapsed, "crops": self.crops,
            "words": json.dumps(self.words),
            "drawn": json.dumps(learner.rng.bit_generator.state),
            "torch": torch.get_rng_state(),
            "device": torch.cuda.get_rng_state() if cuda else torch.get_rng_state(),
        }  # fmt: skip

    def load(self, state: State) -> None:
        """Resume from what `save` wrote."""
        learner = self.learner
        learner.network.load_state_dict(state["network"])
        learner.average.load_state_dict(state["average"])
        for optimizer, saved in zip(learner.optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(saved)
        learner.step, self.elapsed = state["step"], state["elapsed"]
        self.crops = state["crops"]
        learner.rng.bit_generator.state = json.loads(state["drawn"])
        if self.rank:  # what the first process drew is not for the others, too
            torch.manual_seed(torch.initial_seed() + learner.step)
            return
        torch.set_rng_state(state["torch"].cpu())
        if learner.device.type == "cuda":
            torch.cuda.set_rng_state(state["device"].cpu())


_COUNTS = ("minutes", "step", "crops")


def _is_overlap(name: str) -> bool:
    return name.startswith("iou_")


def _mean(values: Tensor, name: str) -> Tensor:
    """Average values (n,) over steps; overlaps are NaN in steps without prompts of their kind."""
    return values.nanmean() if _is_overlap(name) else values.mean()


def line(report: dict[str, float]) -> str:
    """Format a line of the log for people."""
    facts = " ".join(f"{k} {v:.3f}" for k, v in report.items() if k not in _COUNTS)
    counts = f"{report['minutes']:.1f} min, step {report['step']}, {report['crops']} crops"
    return f"{counts}: {facts}"


def resume_or_begin(
    bank: PictureBank, words: Sequence[str], recipe: Recipe, out: Path, minutes: float,
    seed: int = 0, init: Path | None = None, clock: Callable[[], float] = time.monotonic,
    rank: int = 0, on_report: Callable[[dict[str, float]], None] = lambda report: None,
) -> Run:  # fmt: skip
    """Resume the training of a folder where it was stopped, or begin a new one.

    Parameters
    ----------
    bank : PictureBank
        On the device that trains, with words numbered as in `words`.
    words : sequence of str
        The vocabulary.
    recipe : Recipe
    out : Path
    minutes : float
        Time budget of the whole training.
    seed : int
    init : Path, optional
        Exported weights that a new training begins with; weights that do not fit stay new.
    clock, rank, on_report
        See `Run`.

    Raises
    ------
    DamagedState
        There are states in the folder and none of them can be read, or it is of another vocabulary.
    """
    torch.manual_seed(seed + 1000 * rank)
    config = CompactConfig.second_generation(len(words))
    learner = Learner(bank, config, recipe, seed)  # as many corrections in all processes
    run = Run(learner, words, out, minutes, clock, rank, on_report)
    state = latest_state(out, words, learner.device)
    if state is not None:
        run.load(state)
    elif init is not None:
        for network in (learner.network, learner.average):
            take_over(network, init, words)
    share_weights(learner.network)
    return run
