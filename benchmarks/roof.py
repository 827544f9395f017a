"""How long a network's matrix products and convolutions take alone, beside the whole of it."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

aten = torch.ops.aten
PRODUCTS = {
    aten.mm, aten.addmm, aten.bmm, aten.baddbmm, aten.convolution,
    aten._scaled_dot_product_flash_attention_for_cpu,
}  # fmt: skip
COUNTED_AS = {
    aten._scaled_dot_product_flash_attention_for_cpu: aten._scaled_dot_product_flash_attention
}
REST = "the rest"
Call = tuple[Any, tuple[Any, ...], dict[str, Any]]


class Parts:
    """Which part of a network is at work, and processor seconds spent in each.

    Parameters
    ----------
    parts : mapping of str to Module
        They may lie in each other; time counts for the innermost.
    """

    def __init__(self, parts: Mapping[str, nn.Module]) -> None:
        self.stack, self.seconds, self._since = [REST], Counter[str](), time.process_time()
        for name, module in parts.items():
            module.register_forward_pre_hook(lambda *_, name=name: self._turn_to(name))
            module.register_forward_hook(lambda *_: self._turn_to(None))

    def _turn_to(self, name: str | None) -> None:
        self.stop()
        if name is None:
            self.stack.pop()
        else:
            self.stack.append(name)

    def stop(self) -> None:
        """Count the time since the last change."""
        now = time.process_time()
        self.seconds[self.stack[-1]] += now - self._since
        self._since = now


class Recorder(TorchDispatchMode):
    """Records every product and convolution, by the part of the network that asks for it."""

    def __init__(self, parts: Parts) -> None:
        super().__init__()
        self.parts = parts
        self.calls: list[tuple[str, Call]] = []
        self.operations: Counter[str] = Counter()
        self._alike: dict[Any, Tensor] = {}

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
        out = function(*args, **(kwargs or {}))
        packet = function._overloadpacket
        if packet in PRODUCTS:
            part = self.parts.stack[-1]
            count = flop_registry[COUNTED_AS.get(packet, packet)]
            self.operations[part] += count(*args, **_without_out(kwargs or {}), out_val=out)
            alone = (
                tuple(map(self._like, args)),
                {k: self._like(v) for k, v in (kwargs or {}).items()},
            )
            self.calls.append((part, (function, *alone)))
        return out

    def _like(self, value: Any) -> Any:
        """Return another tensor of the same layout, the same one for equal layouts."""
        if not isinstance(value, Tensor):
            return value
        key = tuple(value.shape), value.stride(), value.dtype
        if key not in self._alike:
            self._alike[key] = torch.empty_strided(key[0], key[1], dtype=key[2]).normal_()
        return self._alike[key]

    def replay(self) -> Counter[str]:
        """Run what was recorded, in order and with nothing between: processor seconds by part."""
        seconds: Counter[str] = Counter()
        for part, (function, args, kwargs) in self.calls:
            start = time.process_time()
            function(*args, **kwargs)
            seconds[part] += time.process_time() - start
        return seconds


def print_table(work: Callable[[], Any], modules: Mapping[str, nn.Module], repeats: int) -> float:
    """Print a network's time by part beside that of its products alone.

    Both are run in turns, and the quickest of each counts. Times are processor seconds: with one
    thread they are the work there is, whatever else the machine does.

    Returns
    -------
    float
        Share of the time that the products take alone.
    """
    parts = Parts(modules)
    with torch.no_grad():
        work()
        recorder = Recorder(parts)
        with recorder:
            work()
        wholes, alones = [], []
        for _ in range(repeats):
            parts.seconds.clear()
            parts._since = time.process_time()
            work()
            parts.stop()
            wholes.append(parts.seconds.copy())
            alones.append(recorder.replay())
    whole, alone = min(wholes, key=Counter.total), min(alones, key=Counter.total)
    print("  part               GFLOP  seconds   share  products alone   of the time")
    for part in [*modules, REST]:
        _line(part, recorder.operations[part], whole[part], alone[part], whole.total())
    _line("all", recorder.operations.total(), whole.total(), alone.total(), whole.total())
    return alone.total() / whole.total()


def _line(part: str, operations: int, whole: float, alone: float, total: float) -> None:
    print(
        f"  {part:<16}{operations / 1e9:8.1f}{whole:9.3f}{whole / total:8.1%}{alone:14.3f} s"
        f"{alone / max(whole, 1e-9):14.0%}", flush=True
    )  # fmt: skip


def _without_out(kwargs: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in kwargs.items() if key != "out"}
