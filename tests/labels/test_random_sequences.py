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
BEGUN_WITH = {
    "nothing_is_kept_beside_the_pixels": 1, "a_brush_is_not_noticed": 1,
    "the_first_layer_is_written": 5, "a_column_of_others_is_lost": 12,
}  # fmt: skip
"""The first sequence of some faults: those before take long, and do not find them."""


@pytest.fixture(autouse=True)
def _layers(monkeypatch):
    pytest.importorskip("sequences_in_viewer")


def run_many(kind, count, folder, first=0, steps=None):
    for seed in range(first, first + count):
        run(kind, seed, folder / str(seed), steps)


@pytest.mark.parametrize(
    ("kind", "count", "steps"), [("memory", 25, None), ("folder", 1, 12), ("layer", 2, 12)]
)
def test_sequences_lead_where_the_oracle_leads(kind, count, steps, tmp_path):
    run_many(kind, count, tmp_path, steps=steps)


@pytest.mark.parametrize(("kind", "fault"), PLANTED, ids=[fault.__name__ for _, fault in PLANTED])
def test_a_planted_fault_is_found(kind, fault, tmp_path, monkeypatch):
    fault(monkeypatch)
    with pytest.raises(Wrong):
        run_many(kind, MOST[kind], tmp_path, BEGUN_WITH.get(fault.__name__, 0))
