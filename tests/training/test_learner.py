"""One step after another: nothing is read back, losses fall, the average follows."""

from __future__ import annotations

import contextlib
import itertools

import numpy as np
import pytest
import torch
from scenes import bank_of, discs, little_network, recipe, seeded
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode

from napari_seem.models.compact.prompt_maps import evidence
from napari_seem.training import Phase, PictureBank, dense, muon
from napari_seem.training import learner as learner_module
from napari_seem.training.learner import Learner, optimizers
from napari_seem.training.objects import KINDS
from napari_seem.training.recipe import LOSSES

ENCODER = Phase(1.0, crop=64, grid=32, batch=4, decode=False)
PLAIN = Phase(1.0, crop=64, grid=32, batch=4, refined=False)
REFINED = Phase(1.0, crop=64, grid=32, batch=4)
DENSE = {"boundary", "distance", "foreground", "size", "centre", "instance", "semantic"}
STEPS = [
    pytest.param(ENCODER, 0, id="encoder alone"),
    pytest.param(REFINED, 1, id="after a correction"),
]


@pytest.fixture(scope="module")
def bank():
    return bank_of(discs(0), discs(1), discs(2))


@pytest.fixture
def short_loops(monkeypatch):
    """Fewer of the same steps within a step."""
    monkeypatch.setattr(evidence, "GEODESIC_STEPS", 4)
    monkeypatch.setattr(dense, "DEPTH_STEPS", 2)
    monkeypatch.setattr(muon, "STEPS", 2)


def begin(bank: PictureBank, *phases: Phase, **changes: object) -> Learner:
    seeded(0)
    return Learner(bank, little_network(), recipe(*phases, **changes))


def after(rounds: int) -> tuple[float, ...]:
    """Every first prompt is followed by so many rounds of corrections."""
    return (0.0,) * rounds + (1.0,)


def faked(network: nn.Module, mode: FakeTensorMode) -> None:
    for module in network.modules():
        for name, weight in list(module._parameters.items()):
            if weight is not None:
                fake = mode.from_tensor(weight.detach())
                module._parameters[name] = nn.Parameter(fake, weight.requires_grad)
        for name, buffer in list(module._buffers.items()):
            if buffer is not None:
                module._buffers[name] = mode.from_tensor(buffer)


@pytest.mark.long
@pytest.mark.parametrize(("phase", "rounds"), STEPS)
@pytest.mark.usefixtures("short_loops")
def test_a_step_reads_nothing_back(bank, phase, rounds):
    learner = begin(bank, phase, corrections=after(rounds))
    mode = FakeTensorMode()  # tensors without values: reading one raises
    faked(learner.network, mode)
    faked(learner.average, mode)
    learner.bank = PictureBank(**{k: mode.from_tensor(v) for k, v in vars(bank).items()})
    learner.optimizers = optimizers(learner.network, learner.recipe)

    with mode:
        found = learner.learn(0.5)

    assert found.keys() >= (set(LOSSES) if phase.decode else DENSE)
    assert all(value.shape == () for value in found.values())


@pytest.mark.usefixtures("short_loops")
def test_a_step_leaves_everything_on_its_device(bank, monkeypatch):
    # no device but "meta" is there for sure besides the CPU; it has neither of these
    monkeypatch.setattr(learner_module, "optimizers", lambda *_: [])
    monkeypatch.setattr(Learner, "_autocast", lambda _: contextlib.nullcontext())
    learner = begin(bank.to("meta"), REFINED, corrections=after(1))

    found = learner.learn(0.5)

    assert {value.device.type for value in found.values()} == {"meta"}
    assert all(p.grad is None or p.grad.is_meta for p in learner.network.parameters())


@pytest.mark.long
def test_a_few_steps_bring_the_losses_down(bank):
    learner = begin(bank, REFINED, corrections=after(0))

    def judged():
        """The losses on crops that are always the same."""
        seeded(99)
        with torch.no_grad():
            rows = [learner._losses(REFINED)[0] for _ in range(3)]
        return {name: np.mean([float(row[name]) for row in rows]) for name in rows[0]}

    before = judged()
    history = [learner.learn(0.1) for _ in range(40)]
    later = judged()

    for name in LOSSES.keys() - {"instance", "order"}:  # these need more than a few steps
        assert later[name] < before[name], name
    assert all(torch.isfinite(row[name]) for row in history for name in LOSSES)
    assert learner.step == 40


def test_what_is_reported_depends_on_the_phase_and_the_rounds(bank):
    names = {f"iou_{kind}" for kind in KINDS}

    assert begin(bank, ENCODER).learn(0.5).keys() == DENSE
    first = begin(bank, PLAIN, corrections=after(0)).learn(0.5)
    later = begin(bank, PLAIN, corrections=after(1)).learn(0.5)

    assert first.keys() == set(LOSSES) | names
    assert later.keys() == set(LOSSES) | {"iou_later"}
    assert later["order"] == 0
    known = [float(first[name]) for name in names if not torch.isnan(first[name])]
    assert known  # kinds that nothing was asked for by are not a number
    assert all(0 <= value <= 1 for value in known)


@pytest.mark.parametrize("phase", [ENCODER, PLAIN, REFINED])
def test_each_phase_trains_its_part(bank, phase):
    learner = begin(bank, phase, corrections=after(0))

    learner.learn(0.5)

    moved = {
        part: any(p.grad is not None and p.grad.any() for p in module.parameters())
        for part, module in (
            ("encoder", learner.network.encoder), ("decoder", learner.network.decoder.first),
            ("border", learner.network.decoder.refine),
        )
    }  # fmt: skip
    assert moved == {
        "encoder": True, "decoder": phase.decode, "border": phase.decode and phase.refined
    }  # fmt: skip


def test_corrections_hand_no_gradient_back_through_earlier_answers(bank, monkeypatch):
    learner = begin(bank, PLAIN, corrections=after(2))
    seen = []
    plain = learner_module.correct

    def watched(round_, logits, again=None):
        seen.append(logits.requires_grad)
        plain(round_, logits, again)

    monkeypatch.setattr(learner_module, "correct", watched)
    learner.learn(0.5)

    assert seen == [False, False]


def test_steps_follow_the_seed(bank):
    def learned():
        learner = begin(bank, PLAIN)
        return [learner.learn(0.2)["boundary"].item() for _ in range(2)]

    assert learned() == learned()


def test_the_average_follows_the_network(bank):
    learner = begin(bank, ENCODER)
    names = [n for n, v in learner.network.state_dict().items() if v.dtype.is_floating_point]
    expected = {n: learner.network.state_dict()[n].clone() for n in names}
    for step in (1, 2, 3):
        learner.learn(0.1)
        decay = step / (step + 20)
        for name in names:
            now = learner.network.state_dict()[name]
            expected[name] = decay * expected[name] + (1 - decay) * now

    found = learner.average.state_dict()
    for name in names:
        assert torch.allclose(found[name], expected[name], atol=1e-5), name
    batches = [n for n in found if n.endswith("num_batches_tracked")]
    assert all(found[n] == learner.network.state_dict()[n] for n in batches)
    assert not any(p.requires_grad for p in learner.average.parameters())
    assert not learner.average.training


def test_the_rate_rises_and_falls_as_the_recipe_says(bank):
    learner = begin(bank, ENCODER, warm_up=4, rate=1e-3)
    rates = []
    for progress in (0.0, 0.0, 0.5):
        learner.learn(progress)
        rates += {g["lr"] for optimizer in learner.optimizers for g in optimizer.param_groups}

    assert np.allclose(rates, [0.25e-3, 0.5e-3, 0.75e-3 * 0.5])


def test_every_weight_has_one_optimizer(bank):
    learner = begin(bank, ENCODER)

    groups = [
        {id(p) for g in optimizer.param_groups for p in g["params"]}
        for optimizer in learner.optimizers
    ]

    assert groups[0].isdisjoint(groups[1])
    assert groups[0] | groups[1] == {id(p) for p in learner.network.parameters()}
    convolutions = (p for p in learner.network.parameters() if p.ndim == 4)
    assert all(id(p) in groups[0] for p in convolutions if p.shape[0] > 1)


@pytest.mark.parametrize("size", [{"crop": 100}, {"batch": 3}, {"grid": 48}])
def test_phases_of_odd_sizes_are_refused(size):
    with pytest.raises(ValueError, match="can't be run; give a crop of a multiple of 32"):
        Phase(1.0, **size)


def test_phases_follow_each_other():
    phases = [Phase(0.2, batch=2), Phase(0.7, batch=4), Phase(1.0, batch=6)]
    plan = recipe(*phases)

    found = [plan.phase(progress).batch for progress in (0, 0.19, 0.2, 0.69, 0.7, 1.0)]

    assert found == [2, 2, 4, 4, 6, 6]
    rates = [plan.rate_at(p, 10_000) for p in np.linspace(0, 1, 9)]
    assert all(a > b for a, b in itertools.pairwise(rates))
    assert plan.rate_at(1, 10_000) == pytest.approx(plan.rate / 100)
