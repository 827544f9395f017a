"""Several processes that train one network: one a GPU, or one a core.

The functions do nothing in a single process.
"""

from __future__ import annotations

import os

import torch
import torch.distributed as dist
from torch import nn


def join_others() -> int:
    """Join the other processes that `torchrun` started; return this one's number."""
    if "RANK" not in os.environ:
        return 0
    if torch.cuda.is_available():
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    dist.init_process_group("nccl" if torch.cuda.is_available() else "gloo")
    return dist.get_rank()


def clock_of_first_process(seconds: float) -> float:
    """Return the clock of the first process, so that all reach every stage at the same step."""
    if not dist.is_initialized():
        return seconds
    clock = torch.tensor([seconds], dtype=torch.float64)
    clock = clock.cuda() if torch.cuda.is_available() else clock
    dist.broadcast(clock, 0)
    return float(clock)


def share_gradients(network: nn.Module) -> None:
    """Average the gradients over all processes."""
    if not dist.is_initialized():
        return
    parameters = list(network.parameters())  # another process may have had objects to decode
    gradients = [torch.zeros_like(p) if p.grad is None else p.grad for p in parameters]
    flat = torch.cat([gradient.flatten() for gradient in gradients])
    dist.all_reduce(flat)
    flat /= dist.get_world_size()
    parts = flat.split([p.numel() for p in parameters])
    for parameter, part in zip(parameters, parts, strict=True):
        parameter.grad = part.view_as(parameter)


def share_weights(network: nn.Module) -> None:
    """Give all processes the first one's weights, since random ones differ."""
    if dist.is_initialized():
        for tensor in network.state_dict().values():
            dist.broadcast(tensor, 0)
