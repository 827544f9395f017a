"""Encoders pause and end between their stages where a thread works patiently."""

import threading

import numpy as np
import pytest

from napari_seem import load_model
from napari_seem.errors import NapariSeemError
from napari_seem.models.compact.network import ConvNorm
from napari_seem.models.running.patience import checkpoint, patiently


class Left(NapariSeemError):
    """The plane was left."""


@pytest.fixture(scope="module")
def model():
    return load_model("compact", device="cpu")


def picture(side=96):
    return np.random.default_rng(0).integers(0, 255, (side, side)).astype(np.uint8)


def test_a_checkpoint_calls_what_the_innermost_block_of_its_thread_gave():
    called = []
    checkpoint()
    with patiently(lambda: called.append("outer")):
        checkpoint()
        with patiently(lambda: called.append("inner")):
            checkpoint()
            other = threading.Thread(target=checkpoint)
            other.start()
            other.join()
        checkpoint()
    checkpoint()
    assert called == ["outer", "inner", "outer"]


def test_the_compact_model_pauses_between_its_layers_and_gives_the_same(model):
    plain, paused = model.encode(picture()), []
    with patiently(lambda: paused.append(1)):
        patient = model.encode(picture())
    layers = sum(isinstance(part, ConvNorm) for part in model.network.encoder.modules())
    assert len(paused) == layers  # of one level
    assert all((plain.tensors[k] == patient.tensors[k]).all() for k in plain.tensors)


def test_an_error_of_the_wait_ends_the_encoding_and_the_next_is_whole(model):
    def leave():
        if len(paused) == 3:
            raise Left("the plane was left")
        paused.append(1)

    paused = []
    with pytest.raises(Left), patiently(leave):
        model.encode(picture())
    assert len(paused) == 3
