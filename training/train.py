"""Train the compact model: `python -m training.train --data ../shared/data/train --minutes 90`.

Two stages in one schedule: the encoder by dense supervision, then encoder and decoder together.
The run can be stopped and started again with the same command; it goes on where it was. Several
processes (`torchrun --nproc-per-node 2 -m training.train ...`) share each step: one a GPU, or one
a core, which is faster than one process with a thread a core.
"""

from __future__ import annotations

import argparse
import copy
import json
import math
import time
from collections import defaultdict
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch.utils.data import DataLoader

from napari_seem.models.compact.evidence import gather, strokes
from napari_seem.models.compact.network import CompactConfig, CompactNetwork
from training import turns
from training.corpus import read_pool, read_real, vocabulary
from training.crops import Crop, Crops
from training.dense import dense_losses
from training.muon import Muon
from training.together import join_others, of_the_first, share_gradients, take_over

WEIGHTS = {
    "boundary": 1.0, "distance": 0.5, "foreground": 0.5, "size": 0.3, "instance": 0.5,
    "semantic": 0.3, "mask": 1.5, "obeyed": 0.3, "core": 0.5, "quality": 0.4,
}  # fmt: skip
CORRECTIONS = (0.42, 0.2, 0.12, 0.1, 0.06, 0.04, 0.03, 0.03)
"""How often a first prompt is followed by none, one, two, ... clicks before the loss is taken."""
WARM_UP_STEPS = 50
AVERAGE_DECAY = 0.997


def main() -> None:
    """Run or resume a training."""
    options = _parse()
    options.out.mkdir(parents=True, exist_ok=True)
    rank = join_others()
    options.seed += 1000 * rank
    torch.manual_seed(options.seed)
    torch.set_num_threads(options.threads)
    pictures = [*read_real(options.data), *read_pool(options.pool)]
    words = vocabulary(pictures)
    state_file = options.out / "state.pt"
    if state_file.exists():
        words = tuple(json.loads((options.out / "words.json").read_text()))
    if rank == 0:
        (options.out / "words.json").write_text(json.dumps(words))
    print(f"{len(pictures)} pictures, {len(words)} words", flush=True)
    run = Run(options, words, rank)
    if options.init and not state_file.exists():
        run.begin_from(options.init)
    if state_file.exists():
        run.load(state_file)
    take_over(run.network)
    crops = Crops(pictures, words, options.seed + run.step)
    loader = DataLoader(crops, options.batch, num_workers=options.workers, collate_fn=list,
                        prefetch_factor=3 if options.workers else None)  # fmt: skip
    run.fit(loader)


class Run:
    """Network, its running average, optimiser and clock of one training."""

    def __init__(self, options: argparse.Namespace, words: tuple[str, ...], rank: int = 0) -> None:
        self.options = options
        self.words = words
        self.rank = rank
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        config = CompactConfig(vocabulary=len(words))
        self.network = CompactNetwork(config).to(self.device, memory_format=torch.channels_last)
        self.average = copy.deepcopy(self.network).eval()
        self.optimizers = _optimizers(self.network, options.rate)
        self.rng = np.random.default_rng(options.seed)
        self.step, self.elapsed = 0, 0.0

    @property
    def progress(self) -> float:
        """Share of the time budget that is used up."""
        return min(1.0, self.elapsed / (60 * self.options.minutes))

    def fit(self, loader: DataLoader) -> None:
        """Train until the time is up, saving every few minutes."""
        log: dict[str, list[float]] = defaultdict(list)
        last_save = started = time.monotonic()
        already = self.elapsed
        for crops in loader:
            for name, value in self.learn(crops).items():
                log[name].append(value)
            self.step += 1
            now = time.monotonic()
            self.elapsed = of_the_first(already + now - started)
            if self.step % 25 == 0 and self.rank == 0:
                means = " ".join(f"{k} {np.mean(v):.3f}" for k, v in log.items())
                print(f"{self.step} {self.elapsed / 60:.1f} min {means}", flush=True)
                log.clear()
            if now - last_save > 240 or self.progress >= 1:
                if self.rank == 0:
                    self.save()
                last_save = now
            if self.progress >= 1:
                break

    def learn(self, crops: list[Crop]) -> dict[str, float]:
        """One step; gives the losses."""
        joint = self.progress >= self.options.dense_share
        self._set_rate(joint)
        self.network.train()
        there = [crop.to(self.device) for crop in crops]  # prompts are drawn from those here
        images = torch.stack([crop.image for crop in there])
        images = images.contiguous(memory_format=torch.channels_last)
        with torch.autocast(self.device.type, torch.bfloat16):
            coarse, fine = self.network.encoder(images)
        losses = dense_losses(self.network, coarse, fine, there)
        if joint:
            losses |= self._decode(crops, coarse, fine)
        total = sum(WEIGHTS[name] * loss for name, loss in losses.items() if name in WEIGHTS)
        self.network.zero_grad(set_to_none=True)
        total.backward()
        share_gradients(self.network)
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), 2.0)
        for optimizer in self.optimizers:
            optimizer.step()
        self._update_average()
        return {name: float(loss.detach()) for name, loss in losses.items()}

    def _decode(
        self, crops: list[Crop], coarse: torch.Tensor, fine: torch.Tensor
    ) -> dict[str, torch.Tensor]:
        tasks = turns.choose_tasks(crops, self.options.per_crop, self.rng)
        if not tasks:
            return {}
        refined = self.progress >= self.options.coarse_share
        fine = fine if refined else fine.detach()
        round_ = turns.start(tasks, crops, coarse, fine, self.network, self.rng)
        first = None
        for _ in range(int(self.rng.choice(len(CORRECTIONS), p=CORRECTIONS))):
            with torch.no_grad():
                logits, _, _ = self._predict(round_, refined)
            turns.correct(round_, logits, self.rng)
            first = True
        losses = turns.turn_losses(round_, *self._predict(round_, refined))
        overlaps = losses.pop("iou")
        if first:
            return losses | {"iou_later": overlaps.mean()}
        kinds = defaultdict(list)
        for task, overlap in zip(tasks, overlaps, strict=True):
            kinds[f"iou_{task.kind}"].append(overlap)
        return losses | {kind: torch.stack(values).mean() for kind, values in kinds.items()}

    def _predict(
        self, round_: turns.Round, refined: bool = True
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        config = self.network.config
        with torch.autocast(self.device.type, torch.bfloat16):
            evidence = gather(round_.coarse, round_.fine, round_.prompts, config)
            features = round_.coarse[:, config.coarse_slices["features"]]
            return self.network.decoder(
                features, evidence, round_.fine, strokes(round_.prompts), refined
            )

    def _set_rate(self, joint: bool) -> None:
        warm = min(1.0, (self.step + 1) / WARM_UP_STEPS)
        cosine = 0.5 * (1 + math.cos(math.pi * self.progress))
        for optimizer in self.optimizers:
            for group in optimizer.param_groups:
                group["lr"] = self.options.rate * warm * max(cosine, 0.01)

    @torch.no_grad()
    def _update_average(self) -> None:
        decay = min(AVERAGE_DECAY, (self.step + 1) / (self.step + 20))
        mine, theirs = self.average.state_dict(), self.network.state_dict()
        for name, value in mine.items():
            if value.dtype.is_floating_point:
                value.lerp_(theirs[name], 1 - decay)
            else:
                value.copy_(theirs[name])

    def save(self) -> None:
        """Write the state to go on from, and the weights as they would ship."""
        state = {
            "network": self.network.state_dict(), "average": self.average.state_dict(),
            "optimizers": [optimizer.state_dict() for optimizer in self.optimizers],
            "step": self.step, "elapsed": self.elapsed,
        }  # fmt: skip
        temporary = self.options.out / "state.pt.part"
        torch.save(state, temporary)
        temporary.rename(self.options.out / "state.pt")
        export(self.average, self.words, self.options.out / "compact.safetensors")

    def begin_from(self, path: Path) -> None:
        """Take over exported weights, word vectors by their words; what does not fit stays new."""
        with safe_open(path, "pt") as file:
            known = json.loads(file.metadata()["words"])
            saved = {name: file.get_tensor(name).float() for name in file.keys()}  # noqa: SIM118
        for network in (self.network, self.average):
            own = network.state_dict()
            for name in ("words", "word_bias"):
                rows = saved.pop(name) if network is self.average else saved[name]
                for row, word in enumerate(known):
                    if word in self.words:
                        own[name][self.words.index(word)] = rows[row]
            _widen(saved, own)
            fitting = {k: v for k, v in saved.items() if k in own and own[k].shape == v.shape}
            network.load_state_dict(own | {k: v for k, v in fitting.items() if "word" not in k})

    def load(self, path: Path) -> None:
        """Go on from a saved state."""
        state = torch.load(path, map_location=self.device, weights_only=True)
        self.network.load_state_dict(state["network"])
        self.average.load_state_dict(state["average"])
        for optimizer, saved in zip(self.optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(saved)
        self.step, self.elapsed = state["step"], state["elapsed"]


def _optimizers(network: CompactNetwork, rate: float) -> list[torch.optim.Optimizer]:
    """Muon for the convolutions between maps, AdamW for everything else."""
    hidden, other = [], []
    for parameter in network.parameters():
        (hidden if parameter.ndim == 4 and parameter.shape[0] > 1 else other).append(parameter)
    return [
        Muon(hidden, lr=rate, weight_decay=0.02),
        torch.optim.AdamW(other, lr=rate, weight_decay=0.02),
    ]


def _widen(saved: dict[str, torch.Tensor], own: dict[str, torch.Tensor]) -> None:
    """Give saved convolutions the input maps that were added since, with weight zero, in place."""
    for name, value in saved.items():
        wanted = own[name].shape if name in own else value.shape
        if value.ndim == 4 and wanted[0] == value.shape[0] and wanted[1] > value.shape[1]:
            missing = value.new_zeros(wanted[0], wanted[1] - value.shape[1], *wanted[2:])
            saved[name] = torch.cat([value, missing], 1)


def export(network: CompactNetwork, words: tuple[str, ...], path: Path) -> None:
    """Write weights in half precision with everything needed to build the network again."""
    tensors = {
        name: (value.half() if value.dtype.is_floating_point else value).cpu().contiguous()
        for name, value in network.state_dict().items()
        if not name.endswith("num_batches_tracked")
    }
    metadata = {"config": json.dumps(asdict(network.config)), "words": json.dumps(words)}
    temporary = path.with_suffix(".part")
    save_file(tensors, temporary, metadata)
    temporary.rename(path)


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("../shared/data/train"))
    parser.add_argument("--pool", type=Path, nargs="*", default=[], help="procedural pools")
    parser.add_argument("--out", type=Path, default=Path("training/runs/compact"))
    parser.add_argument("--init", type=Path, help="exported weights to begin from")
    parser.add_argument("--minutes", type=float, default=90, help="time budget of the whole run")
    parser.add_argument("--dense-share", type=float, default=0.25,
                        help="share of the time for the encoder alone")  # fmt: skip
    parser.add_argument("--coarse-share", type=float, default=0.5,
                        help="share of the time in which borders are not refined")  # fmt: skip
    parser.add_argument("--batch", type=int, default=12, help="crops a step (even)")
    parser.add_argument("--per-crop", type=int, default=3, help="objects decoded per crop")
    parser.add_argument("--rate", type=float, default=1.5e-3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--workers", type=int, default=1)
    return parser.parse_args()


if __name__ == "__main__":
    main()
