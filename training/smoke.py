"""A look at whether a training works on this machine, before its time is spent."""

from __future__ import annotations

import gc
import json
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

import napari_seem as ns
from napari_seem.models.compact import build
from napari_seem.models.compact.network import CompactConfig
from napari_seem.training import Phase, PictureBank, Recipe
from napari_seem.training.learner import Learner
from napari_seem.training.state import export

FEW = {"cuda": 16}
"""Crops in a step of the test, by device; 2 on all others."""
LONGEST_CORRECTIONS = 1
SHARE_OF_MEMORY = 0.92
"""Share of a GPU's memory that a step may take."""


class SmokeFailure(SystemExit):
    """What is wrong; ends the program with exit status 1."""

    def __init__(self, trouble: str) -> None:
        super().__init__(f"SMOKE TEST FAILED: {trouble}")


def smoke_test(bank: PictureBank, words: Sequence[str], recipe: Recipe) -> None:
    """Take small steps in each phase, export the weights and ask them something.

    Raises
    ------
    SmokeFailure
        Where a loss is not finite, a weight does not change, or the file can't be used.
    """
    few = FEW.get(bank.pixels.device.type, 2)
    phases = tuple(replace(phase, batch=min(phase.batch, few)) for phase in recipe.phases)
    # a high rate, so that every weight visibly moves in so few steps
    recipe = replace(recipe, phases=phases, warm_up=1, average=0.5)
    torch.manual_seed(0)
    learner = Learner(bank, CompactConfig.second_generation(len(words)), recipe)
    before = {name: value.clone() for name, value in learner.network.named_parameters()}
    for number, phase in enumerate(phases):
        for corrections in (0, LONGEST_CORRECTIONS) if phase.decode else (0,):
            learner.recipe = replace(recipe, corrections=(0.0,) * corrections + (1.0,))
            begun = time.monotonic()
            losses = learner.learn(phase.until - 1e-6)
            _check_finite(losses, f"phase {number + 1} with {corrections} corrections")
            seconds = time.monotonic() - begun
            print(f"  phase {number + 1}, {corrections} corrections: {seconds:.2f} s", flush=True)
    still = [n for n, p in learner.network.named_parameters() if torch.equal(p, before[n])]
    if still:
        raise SmokeFailure(f"{len(still)} weights did not change, the first is '{still[0]}'")
    _check_export(learner, words)


def _check_finite(losses: dict[str, Tensor], where: str) -> None:
    wrong = [
        name
        for name, value in losses.items()
        if not name.startswith("iou_") and not torch.isfinite(value)
    ]
    if wrong:
        raise SmokeFailure(f"{', '.join(wrong)} not finite in {where}")


def _check_export(learner: Learner, words: Sequence[str]) -> None:
    """Read the exported weights back and click on a disc with them."""
    rows, cols = np.mgrid[:96, :96]
    image = np.where((rows - 48) ** 2 + (cols - 48) ** 2 < 400, 200, 40).astype(np.uint8)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "compact.safetensors"
        export(learner.average, words, file)
        try:
            model = build(file)
            answer = model.predict(model.encode(image), [ns.Point(48, 48)])
        except Exception as error:
            raise SmokeFailure(f"exported weights can't be used: {error!r}") from error
    if not np.isfinite(np.asarray(answer.logits)).all():
        raise SmokeFailure("exported weights answer a click with values that are not finite")
    if tuple(words) and json.dumps(list(model.vocabulary())) == "[]":
        raise SmokeFailure("exported weights have lost their vocabulary")


def fitting(bank: PictureBank, words: Sequence[str], recipe: Recipe) -> Recipe:
    """A recipe whose steps fit the GPU's memory; prints time and memory of a step of each phase.

    Batches that do not fit are made smaller until they do. Nothing is tried on a CPU.
    """
    if bank.pixels.device.type != "cuda":
        return recipe
    learner = Learner(bank, CompactConfig.second_generation(len(words)), recipe)
    phases = tuple(_fitting_phase(learner, phase) for phase in recipe.phases)
    return replace(recipe, phases=phases)


def _fitting_phase(learner: Learner, phase: Phase) -> Phase:
    most = SHARE_OF_MEMORY * torch.cuda.get_device_properties(learner.device).total_memory
    while True:
        learner.recipe = replace(
            learner.recipe, phases=(replace(phase, until=1.0),), corrections=(0.0, 1.0)
        )
        gc.collect()
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
        seconds = _step_seconds(learner)
        used = torch.cuda.max_memory_reserved()
        print(
            f"  {phase.batch} crops of {phase.crop} px: "
            + ("out of memory" if seconds is None else f"{seconds:.2f} s, {used / 2**30:.1f} GiB"),
            flush=True,
        )
        if (seconds is not None and used < most) or phase.batch <= 2:
            return phase
        phase = replace(phase, batch=max(2, phase.batch * 3 // 8 * 2))


def _step_seconds(learner: Learner) -> float | None:
    """Seconds of a second step, the first one being slower; None where memory runs out."""
    try:
        learner.learn(0.5)
        torch.cuda.synchronize()
        begun = time.monotonic()
        learner.learn(0.5)
        torch.cuda.synchronize()
    except torch.OutOfMemoryError:
        return None
    return time.monotonic() - begun
