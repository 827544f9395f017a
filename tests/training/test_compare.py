"""Differences between weights, object by object."""

from __future__ import annotations

import json
import sys

import numpy as np
import pytest

from training import compare


def rows(shift: float, seed: int = 0, count: int = 40) -> list[dict[str, object]]:
    """Made-up figures of objects in two sets, of which one is much larger."""
    rng = np.random.default_rng(seed)
    out = []
    for name, share in (("aerial/roofs", 0.9), ("medical/organs", 0.1)):
        for _ in range(int(count * share)):
            start = rng.uniform(0.2, 0.6) + (0.2 if name.startswith("medical") else 0)
            curve = [start + shift + 0.05 * i for i in range(5)]
            out.append({"set": name, "curve": curve, "box": start + shift})
    return out


def test_figures_are_taken_after_so_many_clicks_and_by_kind_of_prompt():
    first, third, box = (compare.by_set(rows(0.0), f) for f in ("IoU@1", "IoU@3", "box"))

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


def test_measured_objects_are_read_again_and_compared(tmp_path, monkeypatch, capsys):
    for name, shift in (("old", 0.0), ("new", 0.07)):
        (tmp_path / f"{name}-compared.json").write_text(json.dumps(rows(shift)))
    files = [str(tmp_path / f"{name}.safetensors") for name in ("old", "new")]
    monkeypatch.setattr(sys, "argv", ["compare", *files, "--data", str(tmp_path)])

    compare.main()

    told = capsys.readouterr().out
    assert "difference +0.070 (+0.070 to +0.070)" in told
    assert "medical" in told
