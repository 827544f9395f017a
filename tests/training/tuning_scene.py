"""What tests of further training begin with: a little loaded model, and a quick recipe."""

from __future__ import annotations

from dataclasses import replace

import torch
from scenes import WORDS, little_network, recipe, seeded

from napari_seem.models.compact.network import CompactNetwork, ConvNorm
from napari_seem.sources.any_size import Compact
from napari_seem.training import Phase

QUICK = recipe(
    Phase(1.0, crop=32, grid=32, batch=2), corrections=(1.0,), rate=1e-4, statistics=False
)


def little_model() -> Compact:
    """A little network of the second generation, as it is loaded."""
    seeded(0)
    network = CompactNetwork(replace(little_network(), geodesic_grid=32)).eval()
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.normal_()
            module.running_var.uniform_(0.5, 2)
        if isinstance(module, ConvNorm):
            module.fuse()
    return Compact(network.requires_grad_(False), WORDS, "compact@little")
