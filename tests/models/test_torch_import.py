"""torch is imported so that other threads are hardly held up; it ends as a plain import does."""

from __future__ import annotations

import gc
import subprocess
import sys

from napari_seem.models.running.torch_import import import_torch

STAND_IN = """
import gc
from pathlib import Path
Path(__file__).with_name("seen").write_text(f"{gc.isenabled()}")
"""
SCRIPT = """
import gc, sys
{before}
from napari_seem.models.running.torch_import import import_torch
import_torch()
import_torch()
print("torch" in sys.modules, gc.isenabled(), gc.get_freeze_count(), gc.get_count()[1:])
"""


def run(folder, before=""):
    """Import a stand-in for torch, without libraries, in a process of its own."""
    package = folder / "torch"
    package.mkdir()
    (package / "__init__.py").write_text(STAND_IN)
    script = SCRIPT.format(before=f"sys.path.insert(0, {str(folder)!r})\n{before}")
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60
    )
    return done.stdout.strip(), (package / "seen").read_text()


def test_the_collector_rests_meanwhile_and_has_nothing_new_to_look_through(tmp_path):
    said, collecting = run(tmp_path)
    assert collecting == "False"
    assert said == "True True 0 (0, 0)"


def test_a_collector_that_somebody_switched_off_stays_off(tmp_path):
    said, _ = run(tmp_path, "gc.disable()")
    assert said.startswith("True False 0")


def test_torch_that_is_there_is_left_alone():
    import torch

    enabled = gc.isenabled()
    import_torch()
    assert sys.modules["torch"] is torch
    assert gc.isenabled() == enabled
