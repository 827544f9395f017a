"""`napari-seem propagate` by a model with a memory, and by those that can't carry."""

from __future__ import annotations

import json

import numpy as np
import pytest
import tifffile
from remembering import RememberingModel, discs

from napari_seem.cli import main
from napari_seem.models.base import Capability


@pytest.fixture
def model(monkeypatch):
    """The model that every name stands for."""
    model = RememberingModel()
    monkeypatch.setattr("napari_seem.commands.models.build_model", lambda *_, **__: model)
    return model


@pytest.fixture
def asked(tmp_path):
    """The command for a stack of eight planes of which two are labelled, and the labels."""
    volume, truth = discs(8)
    seeds = truth.astype(np.uint8)
    seeds[[0, 1, 3, 4, 5, 7]] = 0
    tifffile.imwrite(tmp_path / "stack.tif", volume)
    tifffile.imwrite(tmp_path / "seeds.tif", seeds)
    files = [str(tmp_path / name) for name in ("stack.tif", "seeds.tif", "out.tif")]
    return ["propagate", *files[:2], "-o", files[2], "--model", "sam2.1-tiny"], truth


def test_planes_are_carried_and_scored(model, asked, tmp_path):
    command, truth = asked

    assert main(command) == 0

    np.testing.assert_array_equal(tifffile.imread(tmp_path / "out.tif"), truth)
    table = json.loads((tmp_path / "out.json").read_text())
    assert [row["plane"] for row in table["planes"] if row["seed"]] == [2, 6]
    assert all(0.5 < row["score"] <= 1 for row in table["planes"])
    assert table["model"] == "sam2.1-tiny"


def test_what_a_model_can_t_do_is_said_before_anything_is_written(model, asked, tmp_path, capsys):
    command, _ = asked
    assert main([*command, "--find-new"]) == 2
    assert "can't look for new objects" in capsys.readouterr().err
    model.capabilities = frozenset({Capability.POINT})
    assert main(command) == 2
    told = capsys.readouterr().err
    assert "can't carry objects through a stack; choose one of: compact, seggpt" in told
    assert "sam2.1-tiny" in told
    assert not (tmp_path / "out.tif").exists()


def test_a_batch_carries_stacks_by_memory(model, asked, tmp_path):
    (tmp_path / "seeds").mkdir()
    (tmp_path / "seeds.tif").rename(tmp_path / "seeds" / "stack_labels.tif")
    out = tmp_path / "out"

    command = ["batch", "propagate", str(tmp_path / "stack.tif"), "-o", str(out)]
    assert main([*command, "--labels", str(tmp_path / "seeds"), "--model", "sam2.1-tiny"]) == 0

    np.testing.assert_array_equal(tifffile.imread(out / "stack_labels.tif"), asked[1])
    table = json.loads((out / "stack_labels.json").read_text())
    assert table["model"] == "sam2.1-tiny"
    assert len(table["planes"]) == 8
    assert all(0.5 < score <= 1 for score in table["planes"].values())
