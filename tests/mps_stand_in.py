"""Tensors that allow what graphics of Macs allow, computed on the processor.

Torch moves nothing to its device "mps" where there is none; "lazy" stands for it.

A tensor "on the device" holds one of the processor. It has no float64, meets no tensor of the
processor of more than one value, and is touched by the thread that holds `mps.LOCK` only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode, return_and_correct_aliasing

from napari_seem.models.running import mps

KIND = "lazy"
MPS = torch.device(KIND, 0)


_ATEN = torch.ops.aten
SAME_KIND = _ATEN._has_compatible_shallow_copy_type
MOVES = (_ATEN._to_copy, _ATEN.copy_, SAME_KIND)
"""Operators that may see a tensor of each."""


LACKING: dict[str, Exception] = {}
"""What operators raise there, by their names; see `lacking`."""


class Refused(TypeError):
    """The device can't do it."""


class OnDevice(torch.Tensor):
    """A tensor that says it is on the device."""

    inner: torch.Tensor

    @staticmethod
    def __new__(cls, inner: torch.Tensor) -> OnDevice:
        if inner.dtype in (torch.float64, torch.complex128):
            raise Refused("the MPS framework doesn't support float64")
        made = torch.Tensor._make_wrapper_subclass(
            cls, inner.shape, inner.stride(), inner.storage_offset(), dtype=inner.dtype,
            device=MPS, requires_grad=False,
        )  # fmt: skip
        made.inner = inner
        return made

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return compute(func, args, kwargs or {})

    def tolist(self) -> Any:
        return self.cpu().tolist()

    def numpy(self, *, force: bool = False) -> Any:
        raise Refused("can't convert mps:0 device type tensor to numpy. Use Tensor.cpu()")

    def __repr__(self, *, tensor_contents: Any = None) -> str:
        return f"OnDevice({tuple(self.shape)}, {self.dtype})"


def is_on_device(value: Any) -> bool:
    return isinstance(value, OnDevice)


def tensors_in(values: Any) -> Iterator[torch.Tensor]:
    """The tensors of an operator's arguments; torch's own walk takes longer than most operators."""
    for value in values:
        if isinstance(value, torch.Tensor):
            yield value
        elif isinstance(value, (list, tuple)):
            yield from tensors_in(value)


def each(change: Callable[[Any], Any], value: Any) -> Any:
    """Arguments, or what an operator gives, with each value changed."""
    if isinstance(value, (list, tuple)):
        return type(value)([each(change, one) for one in value])
    return change(value)


def plain(value: Any) -> Any:
    return value.inner if is_on_device(value) else value


def wrapped(value: Any) -> Any:
    return OnDevice(value) if isinstance(value, torch.Tensor) else value


@cache
def gives_its_own(func: Any) -> bool:
    """Whether an operator gives one of its arguments, or a view of one."""
    return any(one.alias_info is not None for one in func._schema.returns)


def check(func: Any, tensors: list[torch.Tensor]) -> None:
    """Refuse what the device refuses: of tensors of which one at least is there, if any."""
    if not mps.LOCK.is_mine:
        raise Refused(f"{func} without the lock of the device")
    if func.overloadpacket.__name__ in LACKING:
        raise LACKING[func.overloadpacket.__name__]
    mixed = any(one.ndim and not is_on_device(one) for one in tensors)
    if mixed and func.overloadpacket not in (*MOVES, _ATEN.index, _ATEN.index_put_):
        raise Refused(f"{func} of tensors on the processor and on the device")


def compute(func: Any, args: Any, kwargs: dict[str, Any]) -> Any:
    """Run an operator, on the device where any tensor or its `device` says so."""
    device = kwargs.get("device")
    wanted = None if device is None else torch.device(device).type
    tensors = [*tensors_in(args), *tensors_in(kwargs.values())]
    there = any(map(is_on_device, tensors))
    if not there and wanted != KIND:
        return func(*args, **kwargs)
    check(func, tensors if there else [])
    if func.overloadpacket is SAME_KIND and not all(map(is_on_device, args)):
        return False  # a parameter that moves becomes another
    plain_args = each(plain, args)
    plain_kwargs = dict(zip(kwargs, each(plain, [*kwargs.values()]), strict=True))
    if wanted == KIND:
        plain_kwargs["device"] = "cpu"
    out = func(*plain_args, **plain_kwargs)
    if func == torch.ops.aten.copy_.default:
        return args[0]
    if wanted not in (None, KIND):
        return out
    found = each(wrapped, out)
    if there and gives_its_own(func):
        return return_and_correct_aliasing(func, args, kwargs, found)
    return found


class Pretended(TorchDispatchMode):
    """Within it, tensors may be made on, and moved to, the device."""

    entered = 0

    def __enter__(self) -> Any:
        self.entered += 1
        torch._C._set_only_lift_cpu_tensors(True)  # else `torch.tensor` asks no mode
        return super().__enter__()

    def __exit__(self, *about: Any) -> None:
        super().__exit__(*about)
        self.entered -= 1
        torch._C._set_only_lift_cpu_tensors(self.entered > 0)

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func.overloadpacket is _ATEN.to:  # which is not split where nothing is differentiated
            with self:
                return func.decompose(*args, **(kwargs or {}))
        return compute(func, args, kwargs or {})


def lacking(patch: pytest.MonkeyPatch, operator: str, error: Exception | None = None) -> None:
    """Let an operator fail on the device from now on, such as one without code for it."""
    patch.setitem(LACKING, operator, error or NotImplementedError(
        f"The operator 'aten::{operator}' is not currently implemented for the MPS device."
    ))  # fmt: skip


def pretend(patch: pytest.MonkeyPatch) -> None:
    """Let models be on the device, within `Pretended`.

    Wrapped tensors can't be those of inference, and autocast knows no such device: gradients are
    left out instead, and types are as on the processor.
    """
    patch.setattr(mps, "KIND", KIND)
    made = torch.autocast.__init__

    def automatic(self: torch.autocast, kind: str, *args: Any, **options: Any) -> None:
        made(self, "cpu" if kind == KIND else kind, *args, **options)

    def enter(self: Any) -> None:
        self.before = torch.is_grad_enabled()
        torch.set_grad_enabled(not self.mode)

    def leave(self: Any, *_: object) -> None:  # an error is passed on
        torch.set_grad_enabled(self.before)

    patch.setattr(torch.autocast, "__init__", automatic)
    patch.setattr(torch.inference_mode, "__enter__", enter)
    patch.setattr(torch.inference_mode, "__exit__", leave)
