"""Torch that Windows can't load because Qt came first: said with what helps."""

from __future__ import annotations

import builtins
import sys

import pytest

from napari_seem.cli import main
from napari_seem.errors import MissingPackage
from napari_seem.models.running import torch_import

REAL = builtins.__import__


@pytest.fixture
def refused(monkeypatch):
    """Let `import torch` fail as Windows lets it."""

    def refuse(number):
        def imported(name, *rest, **options):
            if name == "torch":
                error = OSError("[WinError] Error loading c10.dll or one of its dependencies")
                error.winerror = number
                raise error
            return REAL(name, *rest, **options)

        monkeypatch.delitem(sys.modules, "torch")
        monkeypatch.setattr(torch_import, "_map_libraries", lambda: None)
        monkeypatch.setattr(builtins, "__import__", imported)

    return refuse


@pytest.mark.parametrize("number", [126, 1114])
def test_it_is_said_how_napari_is_to_be_started(refused, number):
    refused(number)
    with pytest.raises(MissingPackage, match=r'by python -c "import torch, napari') as told:
        torch_import.import_torch()
    assert "c10.dll" in str(told.value)


def test_other_errors_pass(refused):
    refused(None)
    with pytest.raises(OSError, match="c10"):
        torch_import.import_torch()


def test_the_demo_imports_torch_before_qt_on_windows(refused, monkeypatch, capsys):
    refused(1114)
    monkeypatch.setattr(sys, "platform", "win32")
    assert main(["demo"]) == 2
    assert "start napari by" in capsys.readouterr().err
