"""How many threads compute is set where a job begins, and set back where it ends."""

from __future__ import annotations

import os
import subprocess
import sys
import threading

import pytest
import torch

from napari_seem.models.running import threads


@pytest.fixture
def eight(monkeypatch):
    """A machine of eight cores on which nobody limits the threads, and four turns out fastest."""
    before = torch.get_num_threads()
    torch.set_num_threads(8)
    monkeypatch.setattr(threads, "cores", lambda: 8)
    monkeypatch.setattr(threads, "_measured", {7: 4})
    yield
    torch.set_num_threads(before)


def in_new_thread(work):
    """What a function gives that runs in a thread of its own."""
    found = []
    thread = threading.Thread(target=lambda: found.append(work()))
    thread.start()
    thread.join()
    return found[0]


def counts():
    """How many threads compute before, during and after a turn, and during other work."""
    before = torch.get_num_threads()
    with threads.turn():
        turn = torch.get_num_threads()
    with threads.work():
        work = torch.get_num_threads()
    return before, turn, work, torch.get_num_threads()


def test_a_turn_leaves_cores_free_and_other_work_takes_all(eight):
    assert in_new_thread(counts) == (8, 4, 8, 8)
    assert torch.get_num_threads() == 8


@pytest.mark.parametrize(("workers", "each"), [(1, 8), (3, 2), (20, 1)])
def test_workers_share_the_cores_and_leave_the_number_as_it_was(eight, workers, each):
    def inside():
        with threads.shared(workers):
            return torch.get_num_threads()

    assert in_new_thread(inside) == each
    assert torch.get_num_threads() == in_new_thread(torch.get_num_threads) == 8


def test_nobody_computes_with_more_threads_than_a_person_allows(eight):
    torch.set_num_threads(2)

    assert threads.limit() == 2
    assert in_new_thread(counts)[2] == 2
    assert in_new_thread(counts)[1] <= 2


def test_work_that_begins_during_a_turn_takes_all_cores_and_leaves_the_number_as_it_was(eight):
    with threads.turn():
        assert in_new_thread(counts)[2:] == (8, 8)
    assert in_new_thread(torch.get_num_threads) == 8


def test_one_core_computes_with_one_thread(monkeypatch):
    monkeypatch.setattr(threads, "cores", lambda: 1)

    assert threads.for_turns() == threads.limit() == 1
    assert in_new_thread(counts)[1:3] == (1, 1)


def test_as_many_threads_as_help_are_found_by_measuring(monkeypatch):
    spent = {1: 4.0, 2: 2.1, 4: 1.05, 7: 1.0}
    monkeypatch.setattr(threads, "_decode_time", spent.__getitem__)
    monkeypatch.setattr(threads, "cores", lambda: 8)
    monkeypatch.setattr(threads, "limit", lambda: 8)
    monkeypatch.setattr(threads, "_measured", {})

    assert threads.for_turns() == 4
    spent[7] = 0.5
    assert threads.for_turns() == 4  # measured once


@pytest.mark.parametrize(
    ("told", "most"), [("200000 100000", 2), ("50000 100000", 1), ("max 100000", None), ("?", None)]
)
def test_the_quota_of_a_container_bounds_the_cores(tmp_path, monkeypatch, told, most):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(16)), raising=False)
    (tmp_path / "cpu.max").write_text(told)

    assert threads.cores(tmp_path) == (most or 16)


def test_other_work_gives_way_until_the_turn_has_ended():
    passed, begun = threading.Event(), threading.Event()

    def step():
        begun.set()
        threads.give_way(20)
        passed.set()

    other = threading.Thread(target=step)
    with threads.turn():
        other.start()
        assert begun.wait(5)
        assert not passed.wait(0.05)
    assert passed.wait(5)
    other.join()


def test_no_torch_is_imported_to_set_its_threads():
    code = (
        "import sys\nfrom napari_seem.models.running import threads\n"
        "with threads.turn(), threads.work(): pass\nassert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
