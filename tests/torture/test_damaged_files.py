"""Thousands of damaged files: each opens or is refused by an error of ours."""

import os
import sys
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import pytest
from damage import torture
from damage_targets import TARGETS


def _damaged(name, folder, count, seed):
    return torture(next(t for t in TARGETS if t.name == name), folder, count, seed)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name)
def test_damaged_files_open_or_are_refused(target, count, tmp_path):
    """In a process of its own: a library may end it."""
    seed = int(os.environ.get("SEED", "0"))
    with ProcessPoolExecutor(1, get_context("spawn"), sys.path.extend, (sys.path[:],)) as child:
        found = child.submit(_damaged, target.name, tmp_path, max(10, count // 10), seed).result()
    assert not found.faults, str(found)
