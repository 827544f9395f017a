"""How long a picture takes is measured as it is read, and told where a person waits for it."""

from __future__ import annotations

import pytest

from napari_seem.models.running import pace
from napari_seem.models.running.pace import Pace
from napari_seem.models.running.patience import patiently


class Clock:
    """A clock that is put forward by hand."""

    now = 0.0

    def perf_counter(self) -> float:
        """Return its seconds."""
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(pace, "time", made)
    return made


def _read(timed: Pace, clock: Clock, seconds: list[float]) -> list[tuple[float, float]]:
    told: list[tuple[float, float]] = []

    def wait() -> None:
        clock.now += 1000.0

    with patiently(wait, lambda _, *now: told.append(now)), timed.picture():
        for part, took in enumerate(seconds):
            timed.reached(part)
            clock.now += took
    return told


def test_the_first_parts_tell_what_the_rest_takes(
    clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    """The wait for others does not count; afterwards the time is the measured one."""
    timed = Pace("big", [1.0, 1.0, 2.0, 4.0])
    assert timed.seconds is None
    told = _read(timed, clock, [3.0, 3.0, 9.0, 15.0])
    assert told == [(0.25, 24.0), (0.5, 30.0)]
    assert timed.seconds == 30.0
    assert _read(timed, clock, [3.0, 3.0, 6.0, 12.0])[0] == (0.0, 30.0)
    assert timed.seconds == 24.0
    (said,) = caplog.messages
    assert said.startswith("big: a picture takes about 25 s to read on this computer (")


def test_who_is_fast_says_nothing(clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    """Where nobody waits there is no word."""
    timed = Pace("small", [1.0] * 4)
    _read(timed, clock, [0.5] * 4)
    assert timed.seconds == 2.0
    assert not caplog.messages


def test_what_is_told_may_end_the_work() -> None:
    """A person who cancels ends it between two parts."""

    def leave(*_: float) -> None:
        raise KeyError("left")

    timed, reached = Pace("big", [1.0] * 20), []

    def read() -> None:
        for part in range(20):
            reached.append(part)
            timed.reached(part)

    with pytest.raises(KeyError), patiently(report=leave), timed.picture():
        read()
    assert reached == [0, 1, 2, 3]
    assert timed.seconds is not None
