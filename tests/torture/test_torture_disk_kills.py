"""Programs killed at any moment while they write to labels in a folder."""

from __future__ import annotations

import random

import pytest
from disk_kills import kill_once

from napari_seem.viewer.label_layers import targets


@pytest.mark.parametrize("shown", [True, False])
@pytest.mark.parametrize("step", ["commit", "undo"])
def test_an_object_is_whole_with_its_row_or_not_there(tmp_path, monkeypatch, count, shown, step):
    monkeypatch.setattr(targets, "IN_MEMORY", 0)  # as for a big image
    dice, seen = random.Random(3), []
    for number in range(count):
        home = tmp_path / str(number)
        monkeypatch.setenv("NAPARI_SEEM_LABELS", str(home))
        last = dice.randint(1, 130)
        label_id, wrong, _ = kill_once(home, step, last, shown=shown)
        assert not wrong, (number, last)
        seen.append(label_id)
    assert set(seen) == {1, 2}
