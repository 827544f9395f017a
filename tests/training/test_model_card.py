"""The model card says what the shipped file and the training data are."""

from __future__ import annotations

import json
import re

import pytest

from napari_seem.models.registry import load_model
from training import attribution, ship

TEXT = ship.CARD.read_text()


def between_marks(mark: str) -> str:
    return TEXT.split(f"<!-- {mark}: begin -->")[1].split(f"<!-- {mark}: end -->")[0].strip()


def test_the_card_describes_the_shipped_file():
    shipped = ship.HOME / "compact.safetensors"

    assert between_marks(ship.MARK) == ship.described(shipped)
    assert json.loads((ship.HOME / "compact.json").read_text())["sha256"] in TEXT


def test_the_last_run_of_the_card_made_the_shipped_file():
    runs = re.findall(r"\| `(compact@[0-9a-f]+)` \|$", TEXT, re.MULTILINE)

    assert runs[-1] == load_model("compact").identity


@pytest.mark.needs_shared
def test_the_card_credits_every_set_of_the_training_half(shared_data):
    assert between_marks(attribution.MARK) == attribution.table(shared_data)


def test_photographs_of_several_licences_are_counted_by_licence(tmp_path):
    (tmp_path / "LICENSES.md").write_text(
        "# Licences\n\n| set | original source | copy taken from | licence | verdict | splits |\n"
        "|---|---|---|---|---|---|\n"
        "| photos | People | someone/copy | annotations CC0; images differ | train | train |\n"
        "| cells | A lab | lab/cells | MIT | train | dev-eval, train |\n"
    )
    files = [
        {"set": "photos", "domain": "natural", "split": "train", "kind": "image", "licence": one}
        for one in ("CC BY 2.0", "CC BY 2.0", "CC0")
    ]
    cells = {"set": "cells", "domain": "microscopy", "licence": "MIT"}
    files += [
        cells | {"split": "train", "kind": "image"}, cells | {"split": "train", "kind": "mask"},
        cells | {"split": "dev-eval", "kind": "image"},
    ]  # fmt: skip
    (tmp_path / "manifest.json").write_text(json.dumps(files))

    lines = attribution.table(tmp_path).splitlines()

    assert lines[0] == "2 sets, 4 images."
    assert lines[-2:] == [
        "| microscopy/cells | 1 | A lab | MIT |",
        "| natural/photos | 3 | People | annotations CC0; images 2 CC BY 2.0, 1 CC0 |",
    ]
