"""Graphics of Macs: one thread at a time, no float64, plain maps; on tensors that allow no more."""

from __future__ import annotations

import threading
import time
from types import SimpleNamespace

import mps_stand_in
import numpy as np
import pytest
import torch
from mps_stand_in import OnDevice, Pretended, Refused

import napari_seem as ns
from napari_seem.models import registry, tensors
from napari_seem.models.base import Prediction
from napari_seem.models.compact.prompt_maps import evidence
from napari_seem.models.running import fallback, mps
from napari_seem.models.running.patience import checkpoint, patiently

IMAGE = np.zeros((120, 140), np.uint8)
IMAGE[40:80, 50:100] = 180
DISC = IMAGE > 0


@pytest.fixture
def macs(monkeypatch):
    """A device of the kind that Macs have, in this thread."""
    monkeypatch.setattr(mps, "KIND", mps_stand_in.KIND)
    monkeypatch.setattr(evidence, "GEODESIC_STEPS", 8)  # each is checked in Python
    monkeypatch.setattr(registry, "resolve_device", lambda device="auto": mps_stand_in.KIND)
    with Pretended():
        yield


def test_the_stand_in_refuses_what_the_device_refuses(macs):
    plain, wide = torch.ones(3), torch.ones(3, dtype=torch.float64)
    with pytest.raises(Refused, match="without the lock"):
        plain.to(mps_stand_in.KIND)
    with mps.LOCK:
        there = plain.to(mps_stand_in.KIND)
        for wrong in (
            lambda: there.double(), lambda: wide.to(mps_stand_in.KIND), lambda: there + plain,
            there.numpy, lambda: torch.zeros(2, dtype=torch.float64, device=mps_stand_in.KIND),
        ):  # fmt: skip
            with pytest.raises(TypeError):
                wrong()
        assert (there * 2 + there[0]).tolist() == [3, 3, 3]
        assert mps.wide(there).dtype == torch.float64
    with pytest.raises(Refused, match="without the lock"):
        there.cpu()


def test_the_compact_model_keeps_to_it_by_every_door(macs):
    model = ns.load_model("compact")
    assert isinstance(next(model.network.parameters()), OnDevice)
    first, second = ns.Point(60, 75), ns.Point(10, 10, False)
    plane = model.encode(IMAGE)
    answer = model.predict(plane, [first])
    masks = [np.roll(DISC, step, 1) for step in (0, 20, -20)]
    others = [
        model.predict(plane, [first, second], answer.memory),
        model.predict(model.encode_lazily(IMAGE), [first]),
        model.predict(plane, [ns.Reference(plane, DISC)]),
        model.predict(plane, [ns.Text("nucleus")]),
        model.adapted(plane, masks, steps=1).predict(plane, [first]),
        model.with_context(ns.Context()).predict(plane, [first]),
        *answer.alternatives, *model.predict_many(plane, [[first], [ns.Box(38, 48, 82, 102)]]),
    ]  # fmt: skip

    assert answer.mask[60, 75]
    assert all(isinstance(one, Prediction) for one in others)
    assert model.segment(plane).instances
    assert len(model.pixel_features(plane)) == 6
    ids = DISC.astype(np.uint16)
    assert np.asarray(ns.label_like(model, (IMAGE, ids), IMAGE)).any()
    assert np.asarray(ns.propagate(model, np.stack([IMAGE] * 2), {0: ids}))[1].any()
    assert tensors.unpack(tensors.pack(plane.tensors[next(iter(plane.tensors))])).dtype


def test_answers_are_those_of_the_processor(macs, monkeypatch):
    there = ns.load_model("compact")
    monkeypatch.setattr(registry, "resolve_device", lambda device="auto": "cpu")
    here = ns.load_model("compact")
    point = [ns.Point(60, 75)]
    masks = [model.predict(model.encode(IMAGE), point).mask for model in (there, here)]

    assert (masks[0] & masks[1]).sum() > 0.98 * (masks[0] | masks[1]).sum()


class Slow:
    """A model that says how many threads are in it."""

    def __init__(self):
        self.inside, self.most = 0, 0

    def _work(self):
        self.inside += 1
        self.most = max(self.most, self.inside)
        time.sleep(0.005)
        self.inside -= 1

    def encode(self):
        for _ in range(4):
            self._work()
            checkpoint()

    def predict(self):
        self._work()
        return Prediction(np.ones((2, 2), np.float32), 1.0, others=self._others)

    def segment(self):
        for _ in range(4):
            self._work()
            yield self._work()

    def _others(self):
        self._work()
        return ()


def test_threads_take_turns_by_every_method(monkeypatch):
    model = fallback.on_device(Slow(), "mps")
    acts = (model.encode, lambda: list(model.segment()), lambda: model.predict().alternatives)
    threads = [threading.Thread(target=act) for act in acts * 3]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert model.most == 1
    assert type(fallback.on_device(Slow(), "cpu")) is Slow


def test_an_encoder_in_the_background_lets_a_click_in():
    model, answered = fallback.on_device(Slow(), "mps"), threading.Event()

    def click():
        model.predict()
        answered.set()

    waits = []

    def give_way():
        if not waits:
            threading.Thread(target=click).start()
        waits.append(answered.wait(5))

    with patiently(give_way):
        model.encode()
    assert waits == [True] * 4
    assert not mps.LOCK.is_mine


def test_an_error_frees_the_device():
    model = fallback.on_device(Slow(), "mps")
    model._work = lambda: 1 / 0
    for act in (model.encode, lambda: list(model.segment()), model.predict):
        with pytest.raises(ZeroDivisionError):
            act()
    with mps.LOCK, mps.LOCK:
        assert mps.LOCK.is_mine
    assert not mps.LOCK.is_mine


def test_maps_lie_plainly_there():
    assert mps.layout(SimpleNamespace(type="mps")) == torch.contiguous_format
    assert mps.layout(torch.device("cpu")) == torch.channels_last
