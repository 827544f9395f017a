"""The bench of fine-tuning: one half is learned from, the other judged; cells are kept."""

import json

import numpy as np
import pytest
from scenes import WORDS, discs, little_network, recipe, seeded
from skimage.io import imsave

from benchmarks import main
from napari_seem.errors import NapariSeemError
from napari_seem.finetuning import run
from napari_seem.models.compact.network import CompactNetwork
from napari_seem.training import Phase
from napari_seem.training.state import export

QUICK = recipe(
    Phase(1.0, crop=32, grid=32, batch=2), corrections=(1.0,), rate=1e-4, statistics=False
)


@pytest.fixture
def asked(tmp_path, monkeypatch):
    """The command's arguments, for one set of six images and a little network."""
    monkeypatch.setattr("napari_seem.training.recipe.TUNING", QUICK)
    monkeypatch.setattr(run, "MOST_CLICKS", 3)
    place = tmp_path / "data" / "dev-eval" / "made" / "discs"
    items = {}
    for kind in ("images", "masks"):
        (place / kind).mkdir(parents=True)
    for number in range(6):
        made, name = discs(number, side=64, count=2), f"{number}.png"
        imsave(place / "images" / name, made.image, check_contrast=False)
        imsave(place / "masks" / name, made.instances.astype(np.uint8), check_contrast=False)
        items[str(number)] = {"image": f"images/{name}", "mask": f"masks/{name}"}
    about = {"kind": "instance", "classes": {"*": "disc"}, "items": items}
    (place / "set.json").write_text(json.dumps(about))
    seeded(0)
    weights = tmp_path / "little.safetensors"
    export(CompactNetwork(little_network()).eval(), WORDS, weights)
    return [
        "finetune", str(tmp_path / "data" / "dev-eval"), "--only", "made/discs", "--images", "2",
        "20", "--minutes", "0.002", "--max-clicks", "2", "--threads", "1", "--weights",
        str(weights), "--json", str(tmp_path / "data.json"), "--markdown",
        str(tmp_path / "page.md"),
    ]  # fmt: skip


@pytest.mark.long
def test_cells_are_measured_once(asked, tmp_path):
    assert main(asked) == 0

    found = json.loads((tmp_path / "data.json").read_text())
    cells = found["sets"]["made/discs"]
    assert list(cells["after"]) == ["2", "3"]  # of twenty there are three
    assert len(cells["before"]) == 3
    learned = cells["after"]["3"]["images"]
    assert [row["image"] for row in learned] == [row["image"] for row in cells["before"]]
    assert "| made/discs | 3 | 3 |" in (tmp_path / "page.md").read_text()
    written = (tmp_path / "data.json").stat().st_mtime_ns
    assert main(asked) == 0
    assert (tmp_path / "data.json").stat().st_mtime_ns == written


@pytest.mark.long
def test_other_protocols_are_not_mixed(asked):
    assert main([*asked, "--images", "2"]) == 0

    with pytest.raises(NapariSeemError, match="another protocol"):
        main([*asked, "--seed", "3"])
