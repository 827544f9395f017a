"""The run on a fixed clock: it tests itself, ends in time, and leaves what a second one needs."""

from __future__ import annotations

import json
import time

import numpy as np
import pytest
import torch
from scenes import bank_of, discs, little_network

from napari_seem.errors import DamagedState
from napari_seem.models.compact import build
from napari_seem.models.compact.network import CompactConfig
from napari_seem.training.learner import Learner
from napari_seem.training.recipe import REHEARSAL
from training import one_gpu
from training.pack import write_packs
from training.parts import load_parts, save_parts
from training.smoke import SmokeFailure, smoke_test

WORDS = ("disc", "stone")
MOST_FILES, MOST_BYTES = 8, 16 * 2**20
"""What a device machine hands back."""


@pytest.fixture(scope="module")
def bank():
    return bank_of(discs(0), discs(1))


def learner_of(bank, words=WORDS) -> Learner:
    return Learner(bank, CompactConfig.second_generation(len(words)), REHEARSAL)


@pytest.fixture(scope="module")
def trained(bank):
    torch.manual_seed(0)
    learner = learner_of(bank)
    for progress in (0.1, 0.99):
        learner.learn(progress)
    return learner


@pytest.fixture
def parts(trained, tmp_path):
    save_parts(trained, WORDS, tmp_path)
    return tmp_path


@pytest.mark.long
def test_results_are_few_files_of_moderate_size(parts):
    files = list(parts.iterdir())

    assert len(files) < MOST_FILES
    assert all(file.stat().st_size < MOST_BYTES for file in files)


@pytest.mark.long
def test_a_second_run_goes_on_from_the_parts(bank, trained, parts):
    again = learner_of(bank)

    load_parts(again, WORDS, parts)

    assert again.step == trained.step == 2
    for mine, theirs in ((again.network, trained.network), (again.average, trained.average)):
        for name, value in mine.state_dict().items():
            if not name.endswith("num_batches_tracked"):
                assert torch.allclose(value, theirs.state_dict()[name], atol=1e-6, rtol=1e-3)
    for mine, theirs in zip(again.optimizers, trained.optimizers, strict=True):
        saved = theirs.state_dict()["state"]
        assert mine.state_dict()["state"].keys() == saved.keys()
        for number, state in mine.state_dict()["state"].items():
            for key, value in state.items():
                wanted = saved[number][key]
                assert (value - wanted).norm() <= 5e-3 * wanted.norm()
    losses = again.learn(0.5)
    assert all(torch.isfinite(value) for value in losses.values())


def test_words_keep_their_vectors_in_another_vocabulary(bank, trained, parts):
    more = ("brick", "disc", "stone")
    again = learner_of(bank, more)

    load_parts(again, more, parts)

    assert torch.allclose(again.network.words[1:], trained.network.words, atol=1e-4)
    moments = again.optimizers[1].state[again.network.words]["exp_avg"]
    assert torch.equal(moments[1:], trained.optimizers[1].state[trained.network.words]["exp_avg"])
    assert not moments[0].any()


def test_parts_that_are_missing_or_damaged_are_named(bank, parts):
    part = max(parts.glob("state-*.safetensors"))
    content = part.read_bytes()
    part.unlink()
    with pytest.raises(DamagedState, match="lacks"):
        load_parts(learner_of(bank), WORDS, parts)

    part.write_bytes(content[:1000])
    with pytest.raises(DamagedState, match="can't be gone on from"):
        load_parts(learner_of(bank), WORDS, parts)


@pytest.mark.parametrize("little", [True, pytest.param(False, marks=pytest.mark.long)])
def test_the_smoke_test_passes_where_all_is_well(bank, capsys, monkeypatch, little):
    if little:
        monkeypatch.setattr(CompactConfig, "second_generation", little_network)
    smoke_test(bank, WORDS, REHEARSAL)

    assert "phase 3, 1 corrections" in capsys.readouterr().out


def test_the_smoke_test_says_what_is_wrong():
    broken = bank_of(discs(0))
    broken.moments[:] = torch.nan

    with pytest.raises(SmokeFailure, match=r"SMOKE TEST FAILED: boundary.* not finite in phase 1"):
        smoke_test(broken, WORDS, REHEARSAL)


def test_losses_that_are_not_finite_end_the_run(capsys):
    with pytest.raises(SystemExit, match="mask not finite at 7"):
        one_gpu.report({"minutes": 1.0, "step": 7, "crops": 3, "mask": np.nan})

    assert "mask nan" in capsys.readouterr().out


@pytest.mark.long
def test_two_runs_of_the_whole_script(tmp_path, monkeypatch, capsys):
    pictures = [discs(seed, side=64, count=3) for seed in range(4)]
    files = write_packs(pictures, tmp_path / "pack", parts=2, quality=80, most=1)
    first, second = tmp_path / "first", tmp_path / "second"
    monkeypatch.setattr(one_gpu, "smoke_test", lambda *_: None)

    def run(out, *more):
        monkeypatch.setattr(one_gpu, "STARTED", time.monotonic())
        fixed = ["one_gpu", "--recipe", "rehearsal", "--workers", "0", "--margin", "4"]
        named = ["--out", str(out), "--minutes", str(8 / 60), "--pack", *map(str, files)]
        monkeypatch.setattr("sys.argv", [*fixed, *named, *more])
        one_gpu.main()

    run(first)
    run(second, "--resume", str(first))

    rows = [json.loads((out / "log.jsonl").read_text().splitlines()[-1]) for out in (first, second)]
    assert f"goes on at step {rows[0]['step']}" in capsys.readouterr().out
    assert rows[1]["step"] > rows[0]["step"] > 0
    assert build(second / "compact.safetensors").vocabulary() == ("disc",)


def test_a_missing_file_ends_the_script_at_once(tmp_path, monkeypatch):
    monkeypatch.setattr("sys.argv", ["one_gpu", "--out", str(tmp_path), "--pack", "nowhere.tar"])

    with pytest.raises(SystemExit, match=r"missing: nowhere\.tar"):
        one_gpu.main()
