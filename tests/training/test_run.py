"""A training on disk: gone on from where it was, whole or damaged, and shipped."""

from __future__ import annotations

import itertools
import json
import shutil
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from scenes import WORDS, bank_of, discs, little_network, recipe, same

from napari_seem.errors import DamagedState, NapariSeemError
from napari_seem.models.compact import build
from napari_seem.models.compact.network import CompactConfig
from napari_seem.prompts import Point
from napari_seem.training import Phase, resume_or_begin
from napari_seem.training.state import BEFORE, NEWEST, latest_state

PHASES = (
    Phase(0.3, crop=64, grid=32, batch=4, decode=False),
    Phase(0.6, crop=64, grid=32, batch=2, refined=False),
    Phase(1.0, crop=32, grid=32, batch=2),
)
MINUTES = 0.1
"""Six ticks of a clock that moves on by a second whenever it is looked at."""


@pytest.fixture(autouse=True)
def _little(monkeypatch):
    monkeypatch.setattr(CompactConfig, "second_generation", little_network)


@pytest.fixture(scope="module")
def bank():
    return bank_of(discs(0), discs(1))


def begin(bank, out, minutes=MINUTES, words=WORDS, **changes):
    plan = recipe(*PHASES, corrections=(0.5, 0.5))
    clock = itertools.count().__next__
    return resume_or_begin(bank, words, plan, out, minutes, clock=clock, **changes)


def log_of(out):
    return [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]


def everything(run) -> dict[str, torch.Tensor]:
    """All tensors that a step depends on."""
    tensors = {f"network {k}": v for k, v in run.learner.network.state_dict().items()}
    tensors |= {f"average {k}": v for k, v in run.learner.average.state_dict().items()}
    for number, optimizer in enumerate(run.learner.optimizers):
        for index, values in optimizer.state_dict()["state"].items():
            tensors |= {f"optimizer {number} {index} {k}": v for k, v in values.items()}
    return tensors | {"drawn": torch.get_rng_state()}


@pytest.fixture(scope="module")
def whole(bank, tmp_path_factory):
    """A training that nothing interrupted: folder, tensors and run."""
    out = tmp_path_factory.mktemp("whole")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(CompactConfig, "second_generation", little_network)
        run = begin(bank, out)
        run.train(save_every=1)
    return out, everything(run), run


def test_a_training_passes_its_phases_and_ends_with_its_time(whole):
    out, _, run = whole

    assert run.progress == 1
    assert run.learner.step == 6
    log = log_of(out)
    assert [row["step"] for row in log] == [1, 2, 3, 4, 5, 6]
    assert [row["crops"] for row in log] == [4, 8, 10, 12, 14, 16]
    assert [row["minutes"] for row in log] == pytest.approx([k / 60 for k in range(1, 7)])
    assert ["mask" in row for row in log] == [False] * 2 + [True] * 4
    assert all(np.isfinite(list(row.values())).all() for row in log)


def test_gone_on_from_a_stop_is_as_if_nothing_had_stopped_it(bank, whole, tmp_path):
    for steps in (3, 2, None):  # in the middle of a phase and at the end of one
        torch.rand(7)  # what is drawn in between changes nothing
        run = begin(bank, tmp_path)
        run.train(save_every=1, steps=steps)

    out, tensors, _ = whole
    assert same(everything(run), tensors)
    assert log_of(tmp_path) == log_of(out)
    assert same(*(load_file(folder / "compact.safetensors") for folder in (tmp_path, out)))


def test_what_was_killed_goes_on_from_the_last_time_it_was_saved(bank, whole, tmp_path):
    killed = begin(bank, tmp_path)
    plain, killed.save = killed.save, lambda: None
    killed.train(steps=2)
    plain()
    killed.train(steps=1)  # is never saved

    run = begin(bank, tmp_path)
    assert run.learner.step == 2
    run.train()

    assert same(everything(run), whole[1])


def test_a_finished_training_takes_no_further_step(bank, whole):
    run = begin(bank, whole[0])
    before = everything(run)

    run.train()

    assert run.learner.step == 6
    assert same(everything(run), before)


@pytest.fixture(scope="module")
def halves(bank, tmp_path_factory):
    """A training that was stopped after five steps, and has saved after four, too."""
    out = tmp_path_factory.mktemp("stopped")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(CompactConfig, "second_generation", little_network)
        begin(bank, out).train(save_every=100, steps=4)
        begin(bank, out).train(save_every=100, steps=1)
    return out


@pytest.fixture
def stopped(halves, tmp_path):
    """A copy of that folder."""
    return Path(shutil.copytree(halves, tmp_path / "stopped"))


def damage(file, how):
    content = file.read_bytes()
    middle = len(content) // 2
    file.write_bytes({
        "cut off": content[:middle],
        "empty": b"",
        "changed": content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :],
    }[how])  # fmt: skip


@pytest.mark.parametrize("how", ["cut off", "empty", "changed"])
def test_a_damaged_state_is_told_and_the_one_before_is_used(bank, whole, stopped, how):
    damage(stopped / NEWEST, how)

    with pytest.warns(UserWarning, match=r"damaged.*the state before it is used"):
        run = begin(bank, stopped)
    early = run.learner.step
    run.train()

    assert early == 4
    assert same(everything(run), whole[1])


def test_a_state_that_was_lost_is_made_up_for_by_the_one_before(bank, stopped):
    (stopped / NEWEST).unlink()

    assert begin(bank, stopped).learner.step == 4


@pytest.mark.filterwarnings("ignore:.*the state before it is used")
def test_two_damaged_states_are_an_error_that_says_what_to_do(bank, stopped):
    for name in (NEWEST, BEFORE):
        damage(stopped / name, "cut off")

    with pytest.raises(DamagedState, match="delete it to start again") as told:
        begin(bank, stopped)

    assert isinstance(told.value, NapariSeemError)
    assert str(stopped) in str(told.value)


@pytest.mark.filterwarnings("ignore:.*the state before it is used")
def test_a_state_of_another_vocabulary_is_refused(bank, stopped):
    with pytest.raises(DamagedState, match="another vocabulary"):
        begin(bank, stopped, words=("disc", "pebble"))


def test_an_empty_folder_has_no_state(tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert latest_state(tmp_path, WORDS, torch.device("cpu")) is None


def test_only_the_first_process_writes(bank, tmp_path):
    out = tmp_path / "second"

    begin(bank, out, rank=1).train(save_every=1, steps=1)

    assert not out.exists()


def test_processes_draw_different_crops_from_the_beginning_and_from_a_stop(bank, whole, tmp_path):
    def drawn(out, rank):
        begin(bank, out, rank=rank)
        return torch.rand(3).tolist()

    for out in (tmp_path, whole[0]):
        assert drawn(out, 0) == drawn(out, 0)
        assert drawn(out, 1) == drawn(out, 1)
        assert drawn(out, 0) != drawn(out, 1) != drawn(out, 2)
    assert drawn(tmp_path, 1) != drawn(whole[0], 1)


def test_what_is_shipped_answers_a_click(whole):
    model = build(whole[0] / "compact.safetensors")
    picture = discs(7, side=64)

    answer = model.predict(model.encode(picture.image), [Point(30, 30)])

    assert model.vocabulary() == WORDS
    assert answer.logits.shape == (64, 64)
    assert np.isfinite(answer.logits).all()
    average = whole[2].learner.average
    assert model.network.config == average.config
    assert torch.allclose(model.network.words.float(), average.words, atol=1e-3)
