"""Tensors as flat numpy arrays and back, bit for bit, for keeping them on disk."""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from .running.mps import entered

if TYPE_CHECKING:
    from torch import Tensor, nn

AS_THEY_ARE = frozenset({
    "bool", "uint8", "int8", "int16", "int32", "int64", "float16", "float32", "float64",
})  # fmt: skip
"""Types that numpy has too; others (bfloat16) are kept as integers of their size."""


@dataclass(frozen=True, eq=False)
class Packed:
    """A tensor as numpy can hold it.

    Attributes
    ----------
    array : array
        The values in the order in which they lie in memory, the slowest axis first.
    dtype : str
        The tensor's, in torch's words; `array` holds integers of that size where numpy lacks it.
    shape, stride : tuple of int
        The tensor's. On another layout in memory torch may take another path, and round
        otherwise.
    device : str
        Where it was.
    """

    array: npt.NDArray[Any] = field(repr=False)
    dtype: str
    shape: tuple[int, ...]
    stride: tuple[int, ...]
    device: str = "cpu"


def pack(tensor: Tensor) -> Packed:
    """Turn a tensor of any shape into numpy.

    One with gaps or repeats in memory is made dense first.
    """
    import torch

    with entered(tensor.device.type):
        device, local = str(tensor.device), tensor.detach().cpu()
    axes = sorted(range(local.ndim), key=lambda axis: -local.stride()[axis])
    if not local.permute(axes).is_contiguous():
        local, axes = local.contiguous(), list(range(local.ndim))
    dtype = str(local.dtype).removeprefix("torch.")
    lying = local.permute(axes)
    if dtype not in AS_THEY_ARE:
        size = local.element_size()
        lying = lying.view({1: torch.uint8, 2: torch.int16, 4: torch.int32, 8: torch.int64}[size])
    return Packed(lying.numpy(), dtype, tuple(local.shape), tuple(local.stride()), device)


def unpack(packed: Packed) -> Tensor:
    """Restore a tensor, on its former device if this machine has it, else on the processor.

    Raises
    ------
    ValueError
        Type, shape and strides do not fit the values.
    """
    import torch

    dtype = getattr(torch, packed.dtype, None)
    values = np.ascontiguousarray(packed.array).reshape(-1)
    reach = 1 + sum((n - 1) * s for n, s in zip(packed.shape, packed.stride, strict=True))
    wanted = prod(packed.shape)
    if not isinstance(dtype, torch.dtype) or values.size != wanted or (wanted and reach != wanted):
        raise ValueError(f"{values.size} values are no {packed.dtype} tensor of {packed.shape}")
    flat = torch.from_numpy(values if values.flags.writeable else values.copy())
    if flat.element_size() != dtype.itemsize:
        raise ValueError(f"values of {flat.element_size()} bytes are no {packed.dtype}")
    tensor = flat.view(dtype).as_strided(packed.shape, packed.stride)
    with entered(packed.device):
        return tensor.to(packed.device) if _is_here(packed.device) else tensor


def _is_here(device: str) -> bool:
    import torch

    kind, _, index = device.partition(":")
    if kind == "cuda":
        return torch.cuda.is_available() and int(index or 0) < torch.cuda.device_count()
    return kind == "mps" and torch.backends.mps.is_available()


def signature(network: nn.Module) -> int:
    """Compute a checksum of a network's weights, from the first values of every tensor."""
    found = 0
    for tensor in network.state_dict().values():
        first = tensor.detach().flatten()[:64].float().cpu()
        found = zlib.crc32(first.numpy().tobytes(), found)
    return found
