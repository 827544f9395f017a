"""The registry: names to models, and what it says when a name or a device is wrong."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from napari_seem.errors import UnknownDevice, UnknownModel, WeightsError
from napari_seem.models import registry
from napari_seem.models.base import Capability
from napari_seem.models.files.weights import WeightsFile


@dataclass
class Built:
    """What a builder was asked for."""

    weights: Path
    device: str
    name: str


def toy_spec(path: Path) -> registry.ModelSpec:
    return registry.ModelSpec(
        name="toy",
        title="Toy",
        builder=f"{__name__}:Built",
        capabilities=frozenset({Capability.POINT}),
        weights=WeightsFile(str(path)),
        licence="BSD-3-Clause",
        citation="",
        description="",
    )


@pytest.fixture
def packaged(tmp_path: Path) -> Path:
    path = tmp_path / "toy.safetensors"
    path.write_bytes(b"weights")
    entry = {"sha256": hashlib.sha256(b"weights").hexdigest(), "size": 7}
    path.with_suffix(".json").write_text(json.dumps(entry))
    return path


def test_the_builder_gets_verified_weights_and_a_device(packaged: Path) -> None:
    built = registry.build_model(toy_spec(packaged), device="cpu")
    assert built == Built(packaged, "cpu", "toy")


def test_damaged_weights_never_reach_the_builder(packaged: Path) -> None:
    packaged.write_bytes(b"Weights")
    with pytest.raises(WeightsError, match="damaged"):
        registry.build_model(toy_spec(packaged), device="cpu")


def test_own_weights_may_be_a_file_or_its_folder(packaged: Path, tmp_path: Path) -> None:
    own = tmp_path / "own"
    own.mkdir()
    with pytest.raises(WeightsError, match=r"no weights at .*own.toy\.safetensors"):
        registry.build_model(toy_spec(packaged), "cpu", own)
    (own / "toy.safetensors").write_bytes(b"other")
    for given in (own, str(own / "toy.safetensors")):
        built = registry.build_model(toy_spec(packaged), "cpu", given)
        assert built == Built(own / "toy.safetensors", "cpu", "toy")


def test_an_unknown_name_is_answered_with_the_nearest() -> None:
    with pytest.raises(UnknownModel, match="no model 'Compct'; did you mean compact"):
        registry.load_model("Compct")
    with pytest.raises(UnknownModel, match="known: compact"):
        registry.load_model("zzz")


def test_an_absent_device_is_answered_with_those_present() -> None:
    for device in ("abacus", "cuda:99", "cuda:x", "cpus"):
        with pytest.raises(UnknownDevice, match=rf"no device '{device}'.*cpu"):
            registry.resolve_device(device)
    assert registry.resolve_device("auto") in {"cuda", "mps", "cpu"}


def test_every_entry_can_be_described_without_loading_it() -> None:
    assert registry.model_names()[0] == "compact"
    for name, capabilities in registry.capabilities_by_model().items():
        spec = registry.model_spec(name)
        assert spec.name == name
        assert spec.capabilities == capabilities
        assert spec.licence
        assert spec.description
        assert spec.builder.count(":") == 1
    assert Capability.IN_CONTEXT not in registry.model_spec("seem-focal-t").capabilities


def test_reading_the_registry_imports_no_torch() -> None:
    code = (
        "import sys; from napari_seem.models import registry; registry.capabilities_by_model(); "
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
