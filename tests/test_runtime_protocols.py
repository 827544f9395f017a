"""Objects that forward to another meet the protocols that it meets, on every Python."""

from __future__ import annotations

import inspect

import numpy as np
import pytest
from napari.layers._data_protocols import LayerDataProtocol

import napari_seem as ns
from napari_seem.embeddings.remote import RemoteEncoder
from napari_seem.io.guard import GuardedArray
from napari_seem.models.adaptable import AdaptableModel
from napari_seem.models.base import BatchPredictor, LazyEncoder, Model, PartEncoder
from napari_seem.models.context import Context, ContextModel
from napari_seem.models.in_context import InContextModel
from napari_seem.models.memory import MemoryModel
from napari_seem.models.pixel_features import PixelFeatureModel
from napari_seem.models.teachable import TeachableModel

PROTOCOLS = (
    Model, BatchPredictor, PartEncoder, LazyEncoder, AdaptableModel, ContextModel,
    InContextModel, MemoryModel, PixelFeatureModel, TeachableModel,
)  # fmt: skip


def meets(value, protocol):
    """Whether a value meets a runtime protocol by what Python 3.12 and later ask, and 3.11."""
    members = {
        name
        for kind in protocol.__mro__
        if getattr(kind, "_is_protocol", False)
        for name in (*vars(kind), *vars(kind).get("__annotations__", {}))
        if name == "__getitem__" or not name.startswith("_")
    }
    assert members
    missing = object()
    found = [inspect.getattr_static(value, name, missing) for name in members]
    return isinstance(value, protocol) and missing not in found


class Bare:
    """A model that can do nothing but what every model can."""

    name, identity, capabilities = "bare", "bare-1", frozenset()

    def encode(self, image, channels=None):
        raise NotImplementedError

    predict = segment = encode

    def vocabulary(self):
        return ()


@pytest.fixture(scope="module", params=["compact", "bare"])
def model(request):
    return Bare() if request.param == "bare" else ns.load_model("compact")


@pytest.mark.parametrize("protocol", PROTOCOLS, ids=lambda one: one.__name__)
def test_a_remote_encoder_meets_the_protocols_of_its_model(model, protocol):
    wanted = meets(model, protocol) and protocol is not LazyEncoder
    assert meets(RemoteEncoder(model, None), protocol) is wanted


def test_what_a_remote_encoder_gives_anew_encodes_there_too():
    far = RemoteEncoder(ns.load_model("compact"), None)
    steered = far.with_context(Context.of_areas([400] * 9))
    for new in (steered, steered.with_context(None), far.plain()):
        assert isinstance(new, RemoteEncoder)
    assert steered.context.steers
    assert not steered.with_context(None).context.steers


def test_a_guarded_array_is_layer_data(tmp_path):
    guarded = GuardedArray(np.zeros((4, 5), np.uint16), tmp_path)
    assert meets(guarded, LayerDataProtocol)
    assert (guarded.dtype, guarded.shape, guarded.ndim, guarded.size) == ("uint16", (4, 5), 2, 20)
