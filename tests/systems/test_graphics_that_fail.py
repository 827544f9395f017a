"""A model whose graphics fail goes on on the processor, as a whole, and says so once."""

from __future__ import annotations

import threading

import mps_stand_in
import numpy as np
import pytest
import tifffile
import torch
from mps_stand_in import OnDevice, Pretended, lacking

import napari_seem as ns
from napari_seem.cli import main
from napari_seem.errors import DeviceWarning
from napari_seem.models import registry
from napari_seem.models.base import Prediction
from napari_seem.models.compact.prompt_maps import evidence
from napari_seem.models.context import Context
from napari_seem.models.running import fallback, mps

IMAGE = np.zeros((120, 140), np.uint8)
IMAGE[40:80, 50:100] = 180
POINT = [ns.Point(60, 75)]
OUT_OF_MEMORY = RuntimeError("MPS backend out of memory (MPS allocated: 9 GB)\nmore of it")


@pytest.fixture
def on_macs(monkeypatch):
    """A device of the kind that Macs have, in this thread."""
    monkeypatch.setattr(mps, "KIND", mps_stand_in.KIND)
    monkeypatch.setattr(evidence, "GEODESIC_STEPS", 8)  # each is checked in Python
    monkeypatch.setattr(registry, "resolve_device", lambda device="auto": device)
    with Pretended():
        yield lambda: ns.load_model("compact", mps_stand_in.KIND)


def is_there(model):
    return any(isinstance(one, OnDevice) for one in model.network.parameters())


def test_a_model_goes_on_on_the_processor_and_says_so_once(on_macs, monkeypatch, recwarn):
    model = on_macs()
    identity, plane = model.identity, model.encode(IMAGE)
    assert is_there(model)
    lacking(monkeypatch, "conv2d")
    answers = [model.predict(plane, POINT) for _ in range(3)]

    assert [str(one.message) for one in recwarn] == [
        "'compact' failed on the graphics ('lazy') and goes on on the processor, more slowly, "
        "until it is loaded again (The operator 'aten::conv2d' is not currently implemented "
        "for the MPS device); choose the device 'cpu' to begin there"
    ]
    assert recwarn[0].category is DeviceWarning
    assert not is_there(model)
    assert model.identity == plane.model == identity
    here = ns.load_model("compact", "cpu")
    expected = here.predict(here.encode(IMAGE), POINT).mask
    assert all((one.mask == expected).mean() > 0.999 for one in answers)


@pytest.mark.long
def test_what_was_encoded_and_copied_before_is_of_use(on_macs, monkeypatch):
    model = on_macs()
    whole, lazy = model.encode(IMAGE), model.encode_lazily(IMAGE)
    copies = [model.with_context(Context()), model.plain()]
    masks = [np.roll(IMAGE > 0, step, 1) for step in (0, 20, -20, 35)]
    copies.append(model.adapted(whole, masks, steps=1))
    lesson = model.learn([ns.Example(whole, (IMAGE > 0).astype(int))])
    model.predict(lazy, POINT)
    lacking(monkeypatch, "conv2d", OUT_OF_MEMORY)
    with pytest.warns(
        DeviceWarning, match=r"\(MPS backend out of memory \(MPS allocated: 9 GB\)\)"
    ):
        copies[0].predict(whole, POINT)

    for one in (model, *copies):
        for plane in (whole, lazy):
            prompts = [ns.Reference(whole, IMAGE > 0)]
            assert one.predict(plane, prompts).logits.shape == IMAGE.shape
            assert one.predict(plane, POINT).mask[60, 75]
    assert not any(isinstance(one, OnDevice) for one in whole.tensors.values())
    assert not any(is_there(one) for one in copies)
    assert model.label(lesson, whole).labels.any()


def test_other_answers_and_iterators_that_were_begun_go_on(on_macs, monkeypatch):
    model = on_macs()
    plane = model.encode(IMAGE)
    prompts = [[ns.Point(60, x)] for x in range(55, 100, 2)]
    many = model.predict_many(plane, prompts)
    found = [next(many)]
    answer = model.predict(plane, POINT)
    lacking(monkeypatch, "conv2d")
    with pytest.warns(DeviceWarning) as warned:
        others = answer.alternatives
    found += many

    assert len(warned) == 1
    assert all(
        one.mask[prompt[0].y, prompt[0].x] for one, prompt in zip(found, prompts, strict=True)
    )
    assert [o.area for o in others] == [o.area for o in model.predict(plane, POINT).alternatives]


def test_a_model_that_cannot_be_loaded_there_is_loaded_on_the_processor(on_macs, monkeypatch):
    lacking(monkeypatch, "_to_copy", OUT_OF_MEMORY)
    with pytest.warns(DeviceWarning, match="'compact' failed on the graphics") as warned:
        model = on_macs()
    assert len(warned) == 1
    assert not is_there(model)
    assert model.predict(model.encode(IMAGE), POINT).mask[60, 75]


def test_errors_of_the_input_move_nothing(on_macs, recwarn):
    model = on_macs()
    plane = model.encode(IMAGE)
    with pytest.raises(ns.InvalidPrompt):
        model.predict(plane, [ns.Point(500, 5)])
    with pytest.raises(TypeError):
        model.predict(plane)
    assert is_there(model)
    assert not list(recwarn)


class Failing:
    """A model whose graphics fail while another thread is at work there."""

    name, device = "failing", "cuda"

    def __init__(self):
        self.begun, self.left = threading.Event(), threading.Event()

    def use_device(self, device):
        self.device = device
        self.left.set()

    def encode(self):
        if self.device == "cuda":
            self.begun.set()
            assert self.left.wait(5)
            raise RuntimeError("Expected all tensors to be on the same device")
        return self.device

    def predict(self, error=torch.cuda.OutOfMemoryError):
        if self.device == "cuda":
            assert self.begun.wait(5)
            raise error("CUDA out of memory. Tried to allocate 20 GiB")
        return Prediction(np.ones((2, 2), np.float32), 1.0)


def test_calls_under_way_in_other_threads_are_done_again():
    said, found = [], []
    model = fallback.on_device(Failing(), "cuda", said.append)
    thread = threading.Thread(target=lambda: found.append(model.encode()))
    thread.start()
    assert model.predict().mask.all()
    thread.join()

    assert found == ["cpu"]
    assert len(said) == 1
    assert "CUDA out of memory" in said[0]
    assert fallback.has_left(model)


def test_other_errors_of_a_graphics_card_are_raised():
    model = fallback.on_device(Failing(), "cuda", lambda text: pytest.fail(text))
    model.begun.set()
    with pytest.raises(RuntimeError, match="out of memory"):
        model.predict(RuntimeError)
    assert not fallback.has_left(model)


def test_a_command_says_so_in_one_line(on_macs, monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(registry, "resolve_device", lambda device="auto": mps_stand_in.KIND)
    lacking(monkeypatch, "conv2d")
    picture, out = tmp_path / "square.tif", tmp_path / "labels.tif"
    tifffile.imwrite(picture, IMAGE)
    assert main(["segment", str(picture), "--everything", "-o", str(out)]) == 0

    lines = capsys.readouterr().err.splitlines()
    said = [line for line in lines if "graphics" in line]
    assert len(said) == 1
    assert said[0].startswith("napari-seem: 'compact' failed on the graphics ('lazy')")
    assert tifffile.imread(out)[60, 75]
