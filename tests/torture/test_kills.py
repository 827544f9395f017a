"""Killed at any moment: what was whole stays whole, work goes on, nothing is left behind."""

from __future__ import annotations

import os

import pytest
from kills import OTHERS, SAVED, killed


@pytest.mark.skipif(not hasattr(os, "fork"), reason="children are forked")
@pytest.mark.parametrize("kind", [*SAVED, *OTHERS])
def test_nothing_is_half_after_a_kill(kind, count):
    if kind == "dicom":
        pytest.importorskip("highdicom")
    assert killed(kind, count=min(count, 1000), seed=count) == []
