"""Differences between two runs of the click bench, object by object."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks import compare
from benchmarks.records import Measured, Protocol, Record, write
from napari_seem.errors import NapariSeemError


def run(shift: float, count: int = 40) -> list[Record]:
    """Made-up figures of objects in two sets, of which one is much larger."""
    rng = np.random.default_rng(0)
    out = []
    for name, share in (("aerial/roofs", 0.9), ("medical/organs", 0.1)):
        for number in range(int(count * share)):
            start = rng.uniform(0.2, 0.6) + (0.2 if name.startswith("medical") else 0)
            record = Record(name, other_source=False, image="a", number=number)
            record.sizes = ("under 8 px",) if number % 2 else ("8 to 12 px",)
            record.curve = [start + shift + 0.05 * i for i in range(5)]
            record.best = [start + shift] * 3
            record.single = {"box": start + shift}
            out.append(record)
    return out


def test_figures_are_taken_after_so_many_clicks_and_by_kind_of_prompt():
    first, third, box = (
        compare.by_set(run(0.0), compare.figure_of(name)) for name in ("IoU@1", "IoU@3", "box")
    )

    for name in first:
        np.testing.assert_allclose(third[name] - first[name], 0.1)
        np.testing.assert_array_equal(box[name], first[name])


def test_every_set_counts_alike_however_large():
    values = {"a": np.full(100, 0.2), "b": np.full(2, 0.8)}

    assert compare.mean_over_sets(values) == pytest.approx(0.5)


def test_a_gain_on_every_object_is_certain_and_none_on_average_is_not():
    rng = np.random.default_rng(1)
    certain = {"a": np.full(30, 0.1), "b": np.full(30, 0.1)}
    doubtful = {"a": rng.normal(0, 0.3, 30), "b": rng.normal(0, 0.3, 30)}

    assert compare.interval_of(certain) == pytest.approx((0.1, 0.1))
    low, high = compare.interval_of(doubtful)
    assert low < np.mean([part.mean() for part in doubtful.values()]) < high
    assert low < 0 < high


def test_two_files_are_compared_object_by_object(tmp_path, capsys):
    files = [tmp_path / "old.json", tmp_path / "new.json"]
    for path, records in zip(files, (run(0.0), run(0.07)[::-1]), strict=True):
        write(path, Protocol(clicks=5), {"m": Measured(f"weights of {path.stem}", records)})

    compare.main([str(path) for path in files])

    told = capsys.readouterr().out
    assert "B: weights of new" in told
    rows = {line.split(" | ")[0]: line for line in told.splitlines() if line.startswith("| ")}
    assert {"| all sets", "| medical", "| under 8 px"} <= set(rows)
    assert "+0.070 (+0.070 to +0.070)" in rows["| all sets"]
    assert " | 40 | " in rows["| all sets"]
    assert " | 20 | " in rows["| under 8 px"]


def test_runs_on_other_objects_are_refused():
    other = [Record("aerial/roofs", other_source=False, image="b", number=1)]

    with pytest.raises(NapariSeemError, match="one folder with one seed"):
        compare.pairs(run(0.0), other)


def test_other_files_and_models_that_are_not_in_a_file_are_refused(tmp_path):
    path = tmp_path / "run.json"
    path.write_text('{"models": 3}')
    with pytest.raises(NapariSeemError, match="measure again"):
        compare.main([str(path), str(path)])
    write(path, Protocol(), {"compact": Measured("", run(0.0))})
    with pytest.raises(NapariSeemError, match="holds compact, not other"):
        compare.main([str(path), str(path), "--model", "other"])
