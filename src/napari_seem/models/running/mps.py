"""What graphics of Macs (torch's device "mps") need: one call at a time, plain layout, no float64.

Two threads that compute there at once can end the process. A model on it is therefore entered by
one thread at a time, by whichever of its methods (`fallback`); encoders in the background let
others in at their checkpoints. Operators that torch has no code for there run on the processor, see
`napari_seem`; a model that fails nevertheless leaves it as a whole.
"""

from __future__ import annotations

import logging
import warnings
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING

from .patience import LOCK

if TYPE_CHECKING:
    import torch
    from torch import Tensor

LOG = logging.getLogger(__name__)
KIND = "mps"
_FALLS_BACK = r"The operator .*MPS"


def entered(device: str) -> AbstractContextManager[None]:
    """Return what to hold while something is done on a device."""
    return LOCK if device.partition(":")[0] == KIND else nullcontext()


def prepare(kind: str) -> None:
    """Keep torch from warning of every operator that runs on the processor."""
    if kind == KIND:
        warnings.filterwarnings("ignore", message=_FALLS_BACK)
        LOG.info("what this Mac's graphics lack runs on the processor")


def layout(device: torch.device) -> torch.memory_format:
    """Return how maps lie in memory: processors convolve channels that lie last faster.

    Slices of such maps are convolved wrongly on some Macs, where they lie plainly therefore.
    """
    import torch

    return torch.contiguous_format if device.type == KIND else torch.channels_last


def wide(tensor: Tensor) -> Tensor:
    """Return a tensor of any shape as float64, on the processor if its device has no such type."""
    return (tensor.cpu() if tensor.device.type == KIND else tensor).double()
