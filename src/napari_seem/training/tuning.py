"""Further training of a loaded model, on few pictures: it begins with what the model answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from safetensors.torch import save
from torch import nn

from ..models.compact import CompactModel
from ..models.compact.network import CompactNetwork, ConvNorm
from .learner import Learner
from .pictures import Picture, PictureBank
from .recipe import TUNING, Recipe
from .state import between, exported

SHARE = 0.5
"""How far the weights that are returned have gone from the given ones towards the trained ones."""


class Tuner:
    """A model in further training; the model itself is not changed.

    What it returns lies between the given weights and the trained ones; see `between`.

    Batch norms keep the statistics of the model: batches of a few crops of few pictures would
    spoil them.

    Parameters
    ----------
    model : CompactModel
    pictures : sequence of Picture
        Images (H, W) or (H, W, 3) of which all objects are learned from.
    recipe : Recipe
    seed : int
    device : str
        A torch device.
    """

    def __init__(
        self, model: CompactModel, pictures: Sequence[Picture], recipe: Recipe = TUNING,
        seed: int = 0, device: str = "cpu",
    ) -> None:  # fmt: skip
        self._words = model.plain().vocabulary()[: model.network.config.vocabulary]
        weights = dict.fromkeys({picture.group for picture in pictures}, 1.0)
        bank = PictureBank.build(pictures, self._words, weights, seed).to(device)
        torch.manual_seed(seed)
        self._learner = Learner(bank, model.network.config, recipe, seed)
        self._given = trainable(model.network)
        for network in (self._learner.network, self._learner.average):
            network.load_state_dict(self._given.state_dict())
        self._kept = self._given

    @property
    def steps(self) -> int:
        """Number of steps that were taken."""
        return self._learner.step

    def step(self, progress: float) -> None:
        """Take one step; `progress` is the share of the time that is used up."""
        with torch.enable_grad():
            self._learner.learn(progress)

    def keep(self) -> None:
        """Remember the weights as they are now."""
        self._kept = self._now()

    def weights(self, *, kept: bool = False, about: Mapping[str, str] | None = None) -> bytes:
        """Return a weights file, with `about` in its metadata.

        With `kept` of the last `keep`, or of the beginning.
        """
        network = self._kept if kept else self._now()
        return save(*exported(network, self._words, about))

    def _now(self) -> CompactNetwork:
        """Return the network between the given one and the running average of the trained one."""
        return between(self._given, self._learner.average, SHARE)


def trainable(network: CompactNetwork) -> CompactNetwork:
    """Return a float32 copy, on the processor, of a network whose norms may be fused.

    A fused norm becomes one that scales by one and adds the bias of its convolution.
    """
    own = CompactNetwork(network.config)
    fused = dict(network.named_modules())
    state = {name: value.float().cpu() for name, value in network.state_dict().items()}
    for name, module in own.named_modules():
        if isinstance(module, ConvNorm) and isinstance(fused[f"{name}.1"], nn.Identity):
            norm = module[1]
            assert isinstance(norm, nn.BatchNorm2d)
            state[f"{name}.1.bias"] = state.pop(f"{name}.0.bias")
            state[f"{name}.1.weight"] = torch.ones_like(state[f"{name}.1.bias"])
            state[f"{name}.1.running_mean"] = torch.zeros_like(state[f"{name}.1.bias"])
            state[f"{name}.1.running_var"] = torch.full_like(state[f"{name}.1.bias"], 1 - norm.eps)
    own.load_state_dict(own.state_dict() | state)
    return own
