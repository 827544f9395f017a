"""Fine-tuning beside graphics of Macs: the processor trains, and what fails there says so once."""

from __future__ import annotations

import itertools

import mps_stand_in
import pytest
from mps_stand_in import KIND, OnDevice, Pretended, lacking
from scenes import discs
from tuning_scene import QUICK, little_model

from napari_seem.errors import DeviceWarning
from napari_seem.finetuning import FineTuningRun
from napari_seem.finetuning import run as finetuning
from napari_seem.models import registry
from napari_seem.models.compact.prompt_maps import evidence
from napari_seem.models.running import fallback, mps

SCENES = [discs(seed, side=64, count=2) for seed in range(5)]
EXAMPLES = [(scene.image, scene.instances) for scene in SCENES]


@pytest.fixture
def finetune(monkeypatch):
    """Fine-tune a little model that is on a device of the kind that Macs have."""
    mps_stand_in.pretend(monkeypatch)
    monkeypatch.setattr(evidence, "GEODESIC_STEPS", 8)
    monkeypatch.setattr(finetuning, "MOST_CLICKS", 3)  # each of its steps is checked in Python
    monkeypatch.setattr(registry, "resolve_device", lambda device="auto": device)

    def run(before=lambda: None):
        with mps.LOCK:
            model = little_model()
            model.use_device(KIND)
        model = fallback.on_device(model, KIND)
        before()
        clock = itertools.count(step=5).__next__
        run = FineTuningRun(
            model, EXAMPLES, minutes=0.5, device=KIND, recipe=QUICK, clock=clock
        )  # fmt: skip
        for _ in run.steps():
            pass
        return run.result()

    with Pretended():
        yield run


@pytest.mark.long
def test_the_processor_trains_and_the_graphics_judge(finetune):
    tuned = finetune()
    assert tuned.provenance["steps"] > 0
    assert tuned.provenance["device"] == "cpu"
    assert any(isinstance(one, OnDevice) for one in tuned.model.network.parameters())


def test_graphics_that_fail_say_so_once(finetune, monkeypatch):
    with pytest.warns(DeviceWarning) as warned:
        tuned = finetune(lambda: lacking(monkeypatch, "convolution"))
    assert len([one for one in warned if one.category is DeviceWarning]) == 1
    assert len(tuned.curve) >= 2
    assert not any(isinstance(one, OnDevice) for one in tuned.model.network.parameters())
