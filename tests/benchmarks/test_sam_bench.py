"""The bench of SAM: the published sizes, a row that is measured, and its table."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

pytest.importorskip("transformers", reason="needs the extra 'sam'")

from benchmarks import sam
from napari_seem.models.sam import sizes

AUTHORS = json.loads((Path(__file__).parents[1] / "data/sam_keys.json").read_text())


def test_the_sizes_are_those_of_the_published_checkpoints() -> None:
    """The same sizes are told by the shapes of the authors' weights."""
    for name, built in sam.SIZES.items():
        shapes = {key: tuple(shape) for key, shape in AUTHORS[name].items()}
        assert sizes.sizes_of(shapes, Path("x")) == built


@pytest.mark.parametrize(
    ("side", "values"),
    [(256, 16**2 * 256), pytest.param(1024, 64**2 * 256, marks=pytest.mark.long)],
)
def test_a_size_is_measured_and_written_as_a_row(
    side: int, values: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Turns are faster than an encode, and the encoded plane has its bytes, at any size."""
    tiny = sizes.SamSizes(width=32, depth=2, heads=2, whole=(1,), window=14)
    monkeypatch.setitem(sam.SIZES, "sam-vit-b", tiny)
    monkeypatch.setattr(sizes, "SIDE", side)
    found = sam.measured("sam-vit-b", 1, 1)
    assert 0.7 * values < found["bytes"] / 4 < 1.1 * values
    assert all(found[what] > 0 for what in ("encode", "click", "lasso", "written", "read"))
    text = sam.report({"threads": "1"}, {"sam-vit-b": found})
    head, _, row = text.splitlines()[2:]
    assert head.count("|") == row.count("|")
    assert row.startswith(f"| `sam-vit-b` | {found['encode']:.1f} |")
