"""Windows that are killed again and again while somebody works in them."""

from __future__ import annotations

from recovery_kills import kill_windows

AT_ONCE = 20
"""Kills of the same work."""


def test_windows_that_are_killed_lose_at_most_the_last_step(tmp_path, count):
    wrong, seed = [], 0
    while seed * AT_ONCE < count:
        folder = tmp_path / str(seed)
        folder.mkdir()
        kills = min(AT_ONCE, count - seed * AT_ONCE)
        wrong += kill_windows(folder, seed, kills, 30, shown=True)
        seed += 1
    assert wrong == []
