"""The network in training: one step is one batch of tensor operations, without synchronisation.

No step reads a value back (`.item()`, `nonzero`, a mask as an index), so that a GPU is never waited
for; `tests/training` checks that.
"""

from __future__ import annotations

import copy

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..models.compact.network import CompactConfig, CompactNetwork, compute_type
from ..models.compact.prompt_maps.evidence import IMAGE_CHANNELS, WindowPrompts, gather
from ..models.compact.prompt_maps.evidence import strokes as stroke_maps
from .crops import draw_crops
from .dense import dense_losses
from .losses import mean, turn_losses
from .muon import Muon
from .objects import KINDS, CropObjects, draw_objects, is_kind
from .pictures import PictureBank
from .prompts import Round, as_prompts, begin, correct
from .recipe import Phase, Recipe
from .together import share_gradients
from .views import ViewWindows, context_of, cut, draw_windows, example_of

LOOK_AGAIN = 0.3
"""Share of the regions that are decoded again uncorrected after the first answer, as the model
does."""
CLIP = 2.0
"""Largest norm of the gradient."""
EVIDENCE_MAPS = IMAGE_CHANNELS + 1
"""Boundary and image: the fine maps that the evidence uses, which come last."""


class Learner:
    """Network, running average and optimisers.

    Parameters
    ----------
    bank : PictureBank
        On the device that trains.
    config : CompactConfig
    recipe : Recipe
    seed : int
        Of everything drawn on the host; what is drawn on the device follows `torch.manual_seed`.
    """

    def __init__(
        self, bank: PictureBank, config: CompactConfig, recipe: Recipe, seed: int = 0
    ) -> None:
        self.bank, self.recipe = bank, recipe
        self.device = bank.pixels.device
        self.compute = compute_type(str(self.device))
        self.network = CompactNetwork(config).to(self.device)
        for parameter in self.network.parameters():
            if parameter.ndim == 4:
                parameter.data = parameter.data.contiguous(memory_format=torch.channels_last)
        self.average = copy.deepcopy(self.network).eval().requires_grad_(False)
        self.optimizers = optimizers(self.network, recipe)
        self.rng = np.random.default_rng(seed)
        self.step = 0

    def learn(self, progress: float) -> dict[str, Tensor]:
        """Take one step.

        Parameters
        ----------
        progress : float
            Share of the time budget that is used up.

        Returns
        -------
        dict of str to scalar tensor
            Losses, and the mean intersection over union by kind of prompt (`iou_<kind>`; NaN where
            there was none) or after corrections (`iou_later`).
        """
        phase = self.recipe.phase(progress)
        self._set_rate(self.recipe.rate_at(progress, self.step))
        self.network.train(self.recipe.statistics)
        losses, facts = self._losses(phase)
        total = torch.stack([self.recipe.losses[k] * loss for k, loss in losses.items()]).sum()
        self.network.zero_grad(set_to_none=True)
        total.backward()
        share_gradients(self.network)
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), CLIP)
        for optimizer in self.optimizers:
            optimizer.step()
        self.step += 1
        self._update_average()
        return {name: value.detach() for name, value in (losses | facts).items()}

    def _losses(self, phase: Phase) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        crops = draw_crops(self.bank, phase.batch, phase.crop)
        image = crops.image.contiguous(memory_format=torch.channels_last)
        with self._autocast():
            coarse, fine = self.network.encoder(image)
        losses = dense_losses(self.network, coarse, fine, crops, self.bank)
        if not phase.decode:
            return losses, {}
        objects = draw_objects(self.bank, crops, self.recipe.objects)
        found = draw_windows(objects)
        rounds = int(self.rng.choice(len(self.recipe.corrections), p=self.recipe.corrections))
        more, facts = self._turns(crops.ids, coarse, fine, objects, found, rounds, phase)
        return losses | more, facts

    def _turns(
        self, ids: Tensor, coarse: Tensor, fine: Tensor, objects: CropObjects, found: ViewWindows,
        rounds: int, phase: Phase,
    ) -> tuple[dict[str, Tensor], dict[str, Tensor]]:  # fmt: skip
        """Run the first turn and `rounds` corrections; the last answer is learned from.

        `ids` is (B, 2, S, S); `coarse` and `fine` are the encoder's outputs (B, C, h, w).
        """
        config, at = self.network.config, self.network.config.coarse_slices
        kept = fine if phase.refined else fine[:, -EVIDENCE_MAPS:]
        seen = cut(coarse, found, phase.grid), cut(kept, found, 2 * phase.grid, ratio=2)
        round_ = begin(objects, ids, found, phase.grid)
        vectors = {key: example_of(coarse, objects, at[key]) for key in ("instance", "semantic")}
        words = F.normalize(self.network.words, dim=1)
        context = context_of(coarse, objects, found, at)

        def answer(maps: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor, Tensor]:
            prompts = as_prompts(round_, objects, found, vectors, words, config, context)
            return self._decode(*maps, prompts, phase.refined)

        kind = objects.kind.flatten()[found.item]
        region = is_kind(kind, "box", "lasso")
        for number in range(rounds):
            with torch.no_grad():
                logits, _, _ = answer((seen[0].detach(), seen[1].detach()))
            lot = torch.rand(len(kind), device=self.device)
            correct(round_, logits, region & (lot < LOOK_AGAIN) if number == 0 else None)
        ladder = is_kind(kind, "click").float() * (rounds == 0)
        losses, overlap = turn_losses(round_, *answer(seen), ladder)
        return losses, _facts(overlap, kind, round_, rounds)

    def _decode(
        self, coarse: Tensor, fine: Tensor, prompts: WindowPrompts, refined: bool
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Decode windows of `coarse` (N, C, G, G) and `fine` (N, D, 2 G, 2 G)."""
        config = self.network.config
        evidence = gather(coarse, fine, prompts, config, skip_unmarked=False)
        features = coarse[:, config.coarse_slices["features"]]
        with self._autocast():
            return self.network.decoder(features, evidence, fine, stroke_maps(prompts), refined)

    def _autocast(self) -> torch.autocast:
        wanted = self.compute != torch.float32
        return torch.autocast(self.device.type, torch.bfloat16, enabled=wanted)

    def _set_rate(self, rate: float) -> None:
        for optimizer in self.optimizers:
            for group in optimizer.param_groups:
                group["lr"] = rate

    @torch.no_grad()
    def _update_average(self) -> None:
        decay = min(self.recipe.average, self.step / (self.step + 20))
        mine = list(self.average.state_dict().values())
        theirs = list(self.network.state_dict().values())
        moving = [v.dtype.is_floating_point for v in mine]
        torch._foreach_lerp_(
            [v for v, moves in zip(mine, moving, strict=True) if moves],
            [v for v, moves in zip(theirs, moving, strict=True) if moves],
            1 - decay,
        )
        for value, other, moves in zip(mine, theirs, moving, strict=True):
            if not moves:
                value.copy_(other)


def _facts(overlap: Tensor, kind: Tensor, round_: Round, rounds: int) -> dict[str, Tensor]:
    """Average `overlap` (N,) after corrections, or by `kind` (N,) of first prompt; NaN for none."""
    if rounds:
        return {"iou_later": mean(overlap, round_.counts)}
    facts = {}
    for index, name in enumerate(KINDS):
        counts = round_.counts * (kind == index)
        facts[f"iou_{name}"] = torch.where(counts.any(), mean(overlap, counts), torch.nan)
    return facts


def optimizers(network: CompactNetwork, recipe: Recipe) -> list[torch.optim.Optimizer]:
    """Return Muon for the convolutions between maps, AdamW for everything else."""
    hidden: list[nn.Parameter] = []
    other: list[nn.Parameter] = []
    for parameter in network.parameters():
        (hidden if parameter.ndim == 4 and parameter.shape[0] > 1 else other).append(parameter)
    return [
        Muon(hidden, lr=recipe.rate, weight_decay=recipe.decay),
        torch.optim.AdamW(other, lr=recipe.rate, weight_decay=recipe.decay, fused=True),
    ]
