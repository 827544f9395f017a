"""The click bench on a SAM and a classical tool: the same clicks, one table."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from discs import disc_image
from skimage.io import imsave

from benchmarks import main
from benchmarks.records import read
from napari_seem.errors import UnsupportedPrompt


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """One set of one image, laid out as the page on the protocol says."""
    image, labels = disc_image()
    place = tmp_path / "data" / "microscopy" / "discs"
    for name, pixels in (("images", image), ("masks", labels.astype(np.uint8))):
        (place / name).mkdir(parents=True)
        imsave(place / name / "a.png", pixels, check_contrast=False)
    items = {"a": {"image": "images/a.png", "mask": "masks/a.png"}}
    about = {"kind": "instance", "classes": {"*": "disc"}, "items": items}
    (place / "set.json").write_text(json.dumps(about), encoding="utf-8")
    return tmp_path / "data"


def test_a_sam_and_a_tool_are_given_the_same_clicks(
    model, checkpoint, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NAPARI_SEEM_HOME", str(tmp_path / "cache"))
    weights = tmp_path / "mine.pt"
    torch.save(checkpoint if model.keeps_aspect else {"model": checkpoint}, weights)
    name = f"{'sam-vit-b' if model.keeps_aspect else 'sam2.1-tiny'}={weights}"
    page, kept = tmp_path / "page.md", tmp_path / "kept.json"
    chosen = ["--model", name, "--model", "random-walker", "--per-set", "1", "--max-clicks", "2"]
    assert not main(["clicks", str(folder), *chosen, "--json", str(kept), "--table", str(page)])

    _, results = read(kept)
    assert set(results) == {name, "random-walker"}
    first, second = (measured.records[0] for measured in results.values())
    assert first.image == second.image == "a"
    assert first.number == second.number
    assert len(first.curve) == 2
    assert {"box", "scribble", "lasso"} <= set(first.single)
    text = page.read_text(encoding="utf-8")
    assert f"torch {torch.__version__}" in text
    assert "mine.pt" in text


def test_a_model_without_clicks_is_refused_by_name(folder: Path, monkeypatch) -> None:
    class Silent:
        name, capabilities = "silent", frozenset()

    monkeypatch.setattr("benchmarks.clicks.open_model", lambda _: Silent())
    with pytest.raises(UnsupportedPrompt, match="'silent' can't be clicked on"):
        main(["clicks", str(folder), "--model", "silent"])
