"""A program that dies while it writes to labels in a folder leaves all of an object or nothing."""

from __future__ import annotations

import pytest
from disk_kills import commit, document_of_array, kill_once, state

from napari_seem.viewer.label_layers import targets

EVERY = 19
"""Calls of the file system between two moments at which the program is killed."""


@pytest.mark.parametrize(
    ("shown", "step"), [(True, "commit"), (True, "undo"), (False, "commit"), (False, "undo")]
)
def test_an_object_is_written_whole_with_its_row_or_not_at_all(tmp_path, monkeypatch, shown, step):
    monkeypatch.setattr(targets, "IN_MEMORY", 0)  # as for a big image
    seen, whole, last = set(), False, 5
    while not whole:
        home = tmp_path / str(last)
        monkeypatch.setenv("NAPARI_SEEM_LABELS", str(home))
        label_id, wrong, whole = kill_once(home, step, last, shown=shown)
        assert not wrong, last
        seen.add(label_id)
        last += EVERY
    assert seen == {1, 2}


def test_former_pixels_that_were_not_written_whole_are_swept(tmp_path):
    commit(document_of_array(tmp_path)[0], 1)
    (folder,) = tmp_path.iterdir()
    cut = folder / ".pending-2-0.part"  # killed while it kept what the second change would replace
    cut.write_bytes(b"PK")
    assert state(folder) == ({1: 360_000}, [1])
    assert not cut.exists()
