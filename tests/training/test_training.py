"""The training learns: targets are right, and a few steps on one batch bring every loss down."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

sys.path.insert(0, str(Path(__file__).parents[2]))

from training import turns
from training.corpus import Picture
from training.crops import CROP, Crops
from training.dense import boundary_target, relative_depth
from training.together import of_the_first, share_gradients
from training.train import Run, export


def discs(seed: int) -> Picture:
    """Bright discs on noise, half of them named."""
    rng = np.random.default_rng(seed)
    image = rng.integers(0, 60, (300, 300))
    instances = np.zeros((300, 300), np.uint16)
    rows, cols = np.mgrid[:300, :300]
    for number in range(1, 9):
        y, x, radius = rng.integers(40, 260), rng.integers(40, 260), rng.integers(14, 30)
        inside = (rows - y) ** 2 + (cols - x) ** 2 < radius**2
        instances[inside] = number
        image[inside] = rng.integers(150, 250)
    return Picture(
        image.astype(np.uint8), instances, dict.fromkeys(range(1, 9), "disc"), "made/discs"
    )


@pytest.fixture
def batch():
    crops = iter(Crops([discs(0), discs(1)], ("disc",), seed=3))
    return [next(crops) for _ in range(4)]


def test_crops_number_their_instances_and_keep_them_on_the_image(batch):
    for crop in batch:
        assert crop.image.shape == (3, CROP, CROP)
        assert torch.isfinite(crop.image).all()
        assert int(crop.instances.max()) == len(crop.classes) - 1 == len(crop.areas) - 1
        assert set(crop.classes[1:].tolist()) == {0}


def test_crops_are_the_same_for_the_same_seed():
    def first(seed):
        return next(iter(Crops([discs(0)], ("disc",), seed)))

    assert torch.equal(first(5).image, first(5).image)
    assert not torch.equal(first(5).image, first(6).image)


def test_boundary_and_depth_targets_follow_the_instances():
    instances = torch.zeros(1, 64, 64, dtype=torch.long)
    instances[0, 16:48, 16:32] = 1
    instances[0, 16:48, 32:48] = 2

    boundary = boundary_target(instances)[0]
    depth = relative_depth(instances)[0]

    assert boundary[16, 16] == 1  # between the touching squares
    assert boundary[16, 12] == 0  # inside one
    assert depth[32, 24] == 1  # the deepest pixel of the first
    assert depth[32, 17] < 0.3
    assert depth[0, 0] == 0


def test_corrections_go_to_the_deepest_error_with_the_right_sign(batch):
    run = Run(_options(), ("disc",))
    rng = np.random.default_rng(0)
    coarse, fine = run.network.encoder(torch.stack([crop.image for crop in batch]))
    round_ = turns.start(turns.choose_tasks(batch, 1, rng), batch, coarse, fine, run.network, rng)
    before = round_.prompts.maps.clone()

    turns.correct(round_, torch.full_like(round_.target, 4.0), rng)  # everything was taken

    added = (round_.prompts.maps - before)[:, 1] > 0
    assert added.any()
    for new, target, valid in zip(added, round_.target, round_.valid, strict=True):
        rows, cols = new.nonzero(as_tuple=True)
        if len(rows):
            middle = int(rows.float().mean()), int(cols.float().mean())
            assert target[middle] == 0
            assert valid[middle] == 1


def test_what_a_click_complained_of_weighs_double(batch):
    run = Run(_options(), ("disc",))
    rng = np.random.default_rng(0)
    coarse, fine = run.network.encoder(torch.stack([crop.image for crop in batch]))
    round_ = turns.start(turns.choose_tasks(batch, 1, rng), batch, coarse, fine, run.network, rng)
    nothing = torch.full_like(round_.target, -4.0)
    core, quality = nothing[:, ::2, ::2], torch.zeros(len(nothing))
    before = turns.turn_losses(round_, nothing, core, quality)

    turns.correct(round_, nothing, rng)
    after = turns.turn_losses(round_, nothing, core, quality)

    assert torch.equal(round_.complaint, round_.target * round_.valid)  # all of it was missed
    assert after["mask"] > before["mask"] + 0.2
    assert after["obeyed"] > 3  # clicked, and not taken
    clicked = torch.where(round_.prompts.maps[:, :2].amax(1) > 0, 8 * round_.target - 4, nothing)
    assert turns.turn_losses(round_, clicked, core, quality)["obeyed"] < 0.1


def test_processes_average_their_gradients(tmp_path):
    torch.multiprocessing.spawn(_meet, (tmp_path,), nprocs=2)

    first, second = (torch.load(tmp_path / f"{rank}.pt", weights_only=True) for rank in (0, 1))
    assert first["weight"].tolist() == second["weight"].tolist() == [[1.5, 1.5]]
    assert first["bias"].tolist() == second["bias"].tolist() == [1.0]  # one of them had none
    assert first["clock"] == second["clock"] == 10.0


def _meet(rank: int, folder: Path) -> None:
    address = f"file://{folder / 'meeting'}"
    torch.distributed.init_process_group("gloo", init_method=address, rank=rank, world_size=2)
    layer = torch.nn.Linear(2, 1)
    layer.weight.grad = torch.full((1, 2), 1.0 + rank)
    layer.bias.grad = torch.tensor([2.0]) if rank == 0 else None
    share_gradients(layer)
    found = {name: p.grad for name, p in layer.named_parameters()}
    torch.save(found | {"clock": of_the_first(10.0 + rank)}, folder / f"{rank}.pt")
    torch.distributed.destroy_process_group()


def test_a_few_steps_on_one_batch_bring_the_losses_down(batch, tmp_path):
    torch.manual_seed(0)
    run = Run(_options(), ("disc",))

    history = [run.learn(batch) for _ in range(12)]
    export(run.average, ("disc",), tmp_path / "compact.safetensors")

    for name in ("boundary", "foreground", "core", "size"):  # "mask" weighs corrections, drawn anew
        early = np.mean([h[name] for h in history[:3]])
        late = np.mean([h[name] for h in history[-3:]])
        assert late < early, name

    from napari_seem.models.compact import build

    assert build(tmp_path / "compact.safetensors").vocabulary() == ("disc",)


def _options() -> argparse.Namespace:
    return argparse.Namespace(
        minutes=1e6, dense_share=0.0, coarse_share=0.0, rate=2e-3, seed=0, per_crop=2, out=Path()
    )
