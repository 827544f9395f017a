"""Random sequences of edits lead where a plain oracle leads; ten and more planted faults don't.

The long form is in `tests/torture`.
"""

from __future__ import annotations

import pytest
from planted_faults import FAULTS
from sequences import Wrong, run

pytest.importorskip("zarr")
PLANTED = [(kind, fault) for kind, faults in FAULTS.items() for fault in faults]
MOST = {"memory": 60, "folder": 5, "layer": 30}
"""Sequences in which a fault of a kind must be found."""


@pytest.fixture(autouse=True)
def _layers(monkeypatch):
    pytest.importorskip("sequences_in_viewer")


@pytest.mark.parametrize(("kind", "count"), [("memory", 25), ("folder", 2), ("layer", 3)])
def test_sequences_lead_where_the_oracle_leads(kind, count, tmp_path):
    for seed in range(count):
        run(kind, seed, tmp_path / str(seed))


@pytest.mark.parametrize(("kind", "fault"), PLANTED, ids=[fault.__name__ for _, fault in PLANTED])
def test_a_planted_fault_is_found(kind, fault, tmp_path, monkeypatch):
    fault(monkeypatch)
    with pytest.raises(Wrong):
        for seed in range(MOST[kind]):
            run(kind, seed, tmp_path / str(seed))
