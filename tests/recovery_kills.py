"""Kills windows in which somebody works, and compares what comes back with what was there."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np

from napari_seem.commands.recovery import Recovery, recoveries

HERE = Path(__file__).parent


def kill_windows(folder: Path, seed: int, kills: int, steps: int, *, shown: bool) -> list[str]:
    """Kill so many windows at random moments; gives what was lost, a text for each window."""
    paths = [str(HERE), str(HERE.parent / "src"), os.environ.get("PYTHONPATH", "")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
    values = [folder, seed, kills, steps, "shown" if shown else "hidden"]
    command = [sys.executable, str(HERE / "recovery_child.py"), *map(str, values)]
    subprocess.run(command, env=environment, check=True, timeout=60 + 30 * kills)
    states = pickle.loads((folder / "states.pickle").read_bytes())
    said = [lost(folder, number, states) for number in range(1, kills + 1)]
    return [one for one in said if one]


def lost(folder: Path, number: int, states: list[dict[str, Any]]) -> str:
    """What the N-th window had done before its last step that does not come back; "" for nothing.

    The step that was being done may be there or not.
    """
    done = int((folder / f"{number}.steps").read_text().split()[-1])
    found = recoveries(folder / str(number))
    wrong = [_differences(found, state) for state in states[done : done + 2]]
    return "" if "" in wrong else f"window {number} after step {done}: {wrong[0]}"


def _differences(found: list[Recovery], state: dict[str, Any]) -> str:
    back = {one.labels: one for one in found}
    prompts = [
        (p["y"], p["x"], p["positive"])
        for one in found for line in one.session.uncommitted for p in line["prompts"]
    ]  # fmt: skip
    wrong = [] if prompts == state["prompts"] else [f"prompts {prompts}, not {state['prompts']}"]
    for name, kept in state.items():
        if name == "prompts" or (name not in back and not kept["pixels"].any()):
            continue
        if name not in back:
            wrong.append(f"'{name}' is not there")
            continue
        done = back[name].read()
        rows = {i: (record.name, record.class_name) for i, record in done.table.items()}
        if not np.array_equal(done.labels, kept["pixels"]):
            wrong.append(f"{np.count_nonzero(done.labels != kept['pixels'])} pixels of '{name}'")
        if {i: row for i, row in rows.items() if i} != {
            i: row for i, row in kept["rows"].items() if i
        }:
            wrong.append(f"rows {rows} of '{name}', not {kept['rows']}")
        if kept["colours"] != back[name].palette.colours:
            wrong.append(f"colours {back[name].palette.colours}, not {kept['colours']}")
        if not np.allclose(np.diag(back[name].grid.matrix), (2, 0.5, 1)):
            wrong.append(f"'{name}' lies elsewhere: {back[name].grid.matrix}")
    return "; ".join(wrong)
