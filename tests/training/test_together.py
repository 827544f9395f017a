"""Several processes train one network."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from napari_seem.training.together import (
    clock_of_first_process,
    join_others,
    share_gradients,
    share_weights,
)


@pytest.mark.long
def test_processes_average_their_gradients_and_share_weights_and_clock(tmp_path):
    torch.multiprocessing.spawn(_meet, (tmp_path,), nprocs=2)

    first, second = (torch.load(tmp_path / f"{rank}.pt", weights_only=True) for rank in (0, 1))
    assert first["weight"].tolist() == second["weight"].tolist() == [[1.5, 1.5]]
    assert first["bias"].tolist() == second["bias"].tolist() == [1.0]  # one of them had none
    assert first["clock"] == second["clock"] == 10.0
    assert first["shared"].tolist() == second["shared"].tolist() == [[7.0, 7.0]]


def _meet(rank: int, folder: Path) -> None:
    address = f"file://{folder / 'meeting'}"
    torch.distributed.init_process_group("gloo", init_method=address, rank=rank, world_size=2)
    layer = torch.nn.Linear(2, 1)
    torch.nn.init.constant_(layer.weight, 7.0 + rank)
    share_weights(layer)
    layer.weight.grad = torch.full((1, 2), 1.0 + rank)
    layer.bias.grad = torch.tensor([2.0]) if rank == 0 else None
    share_gradients(layer)
    found = {name: p.grad for name, p in layer.named_parameters()}
    found |= {"clock": clock_of_first_process(10.0 + rank), "shared": layer.weight.detach()}
    torch.save(found, folder / f"{rank}.pt")
    torch.distributed.destroy_process_group()


def test_a_process_of_its_own_waits_for_nobody(monkeypatch):
    monkeypatch.delenv("RANK", raising=False)
    layer = torch.nn.Linear(2, 1)
    before = layer.weight.detach().clone()

    share_weights(layer)
    share_gradients(layer)

    assert join_others() == 0
    assert clock_of_first_process(3.5) == pytest.approx(3.5)
    assert torch.equal(layer.weight, before)
    assert layer.weight.grad is None
