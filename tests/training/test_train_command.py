"""`napari-seem train`: labelled files in, one weights file and a model of its own out."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import tifffile
from scenes import WORDS, discs, little_network, recipe, seeded
from skimage.io import imsave

import napari_seem as ns
from napari_seem.cli import main
from napari_seem.errors import FileTrouble, InvalidLabels
from napari_seem.finetuning import FineTuning
from napari_seem.finetuning import run as run_module
from napari_seem.finetuning.judge import ObjectScore
from napari_seem.models.compact.network import CompactNetwork
from napari_seem.series.labelled import labelled_planes
from napari_seem.training import Phase
from napari_seem.training.state import export

QUICK = recipe(
    Phase(1.0, crop=32, grid=32, batch=2), corrections=(1.0,), rate=1e-4, statistics=False
)


@pytest.fixture(autouse=True)
def _home(tmp_path, monkeypatch):
    monkeypatch.setenv("NAPARI_SEEM_HOME", str(tmp_path / "home"))
    monkeypatch.setattr("napari_seem.training.recipe.TUNING", QUICK)


@pytest.fixture
def folder(tmp_path):
    """Two images, a stack of which two planes are labelled, and an image without labels."""
    place = tmp_path / "images"
    place.mkdir()
    for number, kind in enumerate((".tif", ".geojson")):
        made = discs(number, side=64 + 8 * number, count=2)
        imsave(place / f"cell{number}.png", made.image, check_contrast=False)
        ns.write_labels(place / f"cell{number}_labels{kind}", made.instances)
    made = discs(5, side=64, count=3)
    stack, labels = np.stack([made.image] * 4), np.stack([made.instances] * 4)
    labels[[0, 3]] = 0
    tifffile.imwrite(place / "stack.tif", stack, metadata={"axes": "ZYX"}, imagej=True)
    ns.write_labels(place / "stack_labels.tif", labels)
    imsave(place / "other.png", made.image, check_contrast=False)
    return place


@pytest.fixture
def begin(tmp_path):
    """A weights file of a little network."""
    seeded(0)
    path = tmp_path / "little.safetensors"
    network = CompactNetwork(replace(little_network(), geodesic_grid=32)).eval()
    export(network, WORDS, path)
    return path


def train(folder, begin, out, *more: str) -> int:
    asked = ["train", str(folder), "-o", str(out), "--from", str(begin), "--minutes", "0.002"]
    return main([*asked, *more])


def better_and_better(monkeypatch) -> None:
    """Let every judgement be better than the one before."""
    figures = iter(np.linspace(0.1, 0.9, 1000))

    def judging(*_):
        value = float(next(figures))
        return iter([ObjectScore((value,) * 10, value), ObjectScore((value + 0.01,) * 10, value)])

    monkeypatch.setattr(run_module, "judging", judging)


def test_planes_with_labels_are_read_from_any_format(folder):
    planes = labelled_planes([folder])

    assert [plane.name for plane in planes] == ["cell0.png", "cell1.png", "stack.tif", "stack.tif"]
    assert [plane.labels.max() for plane in planes] == [2, 2, 3, 3]
    assert all(plane.image.shape[:2] == plane.labels.shape for plane in planes)


def test_images_and_planes_are_read_as_long_as_there_is_room(folder, caplog):
    stack = 64 * 64

    some = labelled_planes([folder], most_pixels=2 * stack)
    assert 0 < sum(plane.labels.size for plane in some) <= 2 * stack + 72 * 72
    assert [plane.name for plane in some] == sorted(plane.name for plane in some)
    assert len(labelled_planes([folder], most_pixels=1)) == 1
    assert "1 of 3 labelled images" in caplog.text
    assert len(labelled_planes([folder / "stack.tif"], most_pixels=1)) == 1
    assert len(labelled_planes([folder / "stack.tif"], most_pixels=2 * stack)) == 2


def test_labels_in_a_folder_of_their_own(folder, tmp_path):
    apart = tmp_path / "apart"
    apart.mkdir()
    for path in folder.glob("*_labels.*"):
        path.rename(apart / path.name)

    assert len(labelled_planes([folder], apart)) == 4
    with pytest.raises(InvalidLabels, match="none of the 4 images"):
        labelled_planes([folder])


def test_labels_of_another_size_are_refused(folder):
    tifffile.imwrite(folder / "cell0_labels.tif", np.ones((9, 9), np.uint16))

    with pytest.raises((InvalidLabels, FileTrouble), match="cell0"):
        labelled_planes([folder])


def test_a_file_and_a_model_come_of_it(folder, begin, tmp_path, capsys, monkeypatch):
    better_and_better(monkeypatch)
    out = tmp_path / "my-cells.safetensors"

    assert train(folder, begin, out) == 0

    told = capsys.readouterr().out
    assert "4 labelled planes of 3 images" in told
    assert "before  IoU after one click 0.1" in told
    assert "'compact: my-cells'" in told
    loaded = ns.load_model("compact: my-cells")
    assert loaded.identity == ns.load_model("compact", weights=out).identity
    assert main(["models"]) == 0
    assert "compact: my-cells" in capsys.readouterr().out
    assert train(folder, begin, out) == 2
    assert "--force" in capsys.readouterr().err
    assert main(["models", "--remove", "my-cells"]) == 0
    assert main(["models", "--install", str(out), "--name", "again"]) == 0
    assert "compact: again" in capsys.readouterr().out


@pytest.mark.long
def test_what_is_no_better_is_not_written(folder, begin, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(FineTuning, "improved", False)
    monkeypatch.setattr(run_module, "MOST_CLICKS", 3)
    out = tmp_path / "my-cells.safetensors"

    assert train(folder, begin, out) == 1
    assert "nothing is written" in capsys.readouterr().err
    assert not out.exists()
    assert train(folder, begin, out, "--keep", "--no-install") == 0
    assert out.exists()
    assert "compact: my-cells" not in ns.MODELS


def test_weights_find_a_place_where_the_disk_is_full(folder, begin, tmp_path, capsys, monkeypatch):
    better_and_better(monkeypatch)
    home = tmp_path / "out"
    home.mkdir()
    save, tried = FineTuning.save, []

    def full(tuned, path):
        tried.append(path)
        if path.parent == home:
            raise FileTrouble("the disk is full")
        return save(tuned, path)

    monkeypatch.setattr(FineTuning, "save", full)

    assert train(folder, begin, home / "a.safetensors", "--no-install") == 2
    assert str(tried[-1]) in capsys.readouterr().err
    assert ns.load_model("compact", weights=tried[-1]).name == "compact: a"


@pytest.mark.parametrize(
    ("out", "more", "error"),
    [
        ("a.pt", [], ".safetensors"),
        ("no/a.safetensors", [], "no folder"),
        ("a.safetensors", ["--name", "a/b"], "called"),
        ("a.safetensors", ["--minutes", "-1"], "minutes"),
    ],
)
def test_bad_arguments_are_refused_before_training(
    folder, begin, tmp_path, capsys, out, more, error
):
    assert train(folder, begin, tmp_path / out, *more) == 2
    assert error in capsys.readouterr().err
