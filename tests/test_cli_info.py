"""`napari-seem info`: what a report of a problem should hold."""

from __future__ import annotations

import json
import shutil
from importlib.metadata import version
from pathlib import Path

import pytest
import torch

import napari_seem
from napari_seem.cli import main
from napari_seem.models.registry import MODELS


@pytest.fixture
def said(capsys):
    assert main(["info"]) == 0
    lines = [line.strip().split(maxsplit=1) for line in capsys.readouterr().out.splitlines()]
    return {line[0]: line[1] for line in lines if len(line) == 2}


def test_it_names_versions_and_processor(said):
    assert said["napari-seem"] == napari_seem.__version__
    assert said["torch"] == torch.__version__
    assert said["threads"].startswith(f"{torch.get_num_threads()} of ")
    assert torch.backends.cpu.get_cpu_capability() in said.values() or "set" in said["instruction"]


def test_it_names_the_digest_of_the_weights_that_are_here(said):
    path = MODELS["compact"].weights.path
    digest = json.loads(path.with_suffix(".json").read_text())["sha256"]

    assert said["compact"] == f"sha256 {digest}"
    assert said["seggpt-vit-l"] == "not downloaded"


def test_it_says_so_where_the_weights_are_not_those_that_were_published(
    tmp_path, monkeypatch, capsys
):
    here = Path(MODELS["compact"].weights.path)
    home = tmp_path / "compact"
    home.mkdir()
    shutil.copy(here.with_suffix(".json"), home)
    (home / here.name).write_bytes(here.read_bytes()[:-1] + b"?")
    monkeypatch.setattr(
        "napari_seem.models.files.weights.__file__", str(tmp_path / "files" / "weights.py")
    )

    assert main(["info"]) == 0
    assert "(not the published file)" in capsys.readouterr().out


def test_packages_are_called_as_pip_calls_them(said):
    pytest.importorskip("gdcm")
    assert said["python-gdcm"] == version("python-gdcm")


def test_missing_packages_are_named(monkeypatch, capsys):
    monkeypatch.setattr("napari_seem.cli.info.LIBRARIES", ("numpy", "no-such-package"))

    assert main(["info"]) == 0
    assert "no-such-package  not installed" in capsys.readouterr().out
