"""Thousands of random sequences of edits, in memory, in a folder, on layers and in a window."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from sequences import run

pytest.importorskip("zarr")
TESTS = Path(__file__).parents[1]
SHARES = {"memory": 0.7, "folder": 0.1, "layer": 0.15}
"""Of all sequences; the rest are done in a window."""
AT_ONCE = 25
"""Sequences of one process with windows."""
CRASHES = 0.1
"""Of these processes napari itself may end so many: it draws layers that were removed."""


@pytest.mark.parametrize("kind", SHARES)
def test_many_sequences_lead_where_the_oracle_leads(kind, count, tmp_path):
    pytest.importorskip("sequences_in_viewer")
    for seed in range(1000, 1000 + max(1, round(count * SHARES[kind]))):
        run(kind, seed, tmp_path / str(seed))


def test_many_sequences_in_a_window_lead_where_the_oracle_leads(count, tmp_path):
    wanted = max(1, round(count * (1 - sum(SHARES.values()))))
    first, done, crashed, processes = 0, 0, 0, 0
    while done + crashed < wanted:
        processes += 1
        many = min(AT_ONCE, wanted - done - crashed)
        ended = subprocess.run(
            [sys.executable, TESTS / "sequences_in_window.py", str(first), str(many)],
            capture_output=True, text=True, timeout=60 * many + 120,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "NAPARI_CONFIG": ""},
        )  # fmt: skip
        finished = ended.stdout.count("done ")
        done += finished
        if ended.returncode < 0:  # napari itself
            crashed += 1
            first += finished + 1
            continue
        assert ended.returncode == 0, ended.stderr
        first += finished
    assert crashed <= max(1, CRASHES * processes), f"{crashed} of {processes} processes crashed"
