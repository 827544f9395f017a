"""Folders of files: the docks' work, resumed, with bad files told of and survived."""

from __future__ import annotations

import json
import shutil
import sys

import numpy as np
import pytest
import tifffile
import torch

from napari_seem.batch import Outcome, do, plan, run
from napari_seem.batch.run import LEDGER
from napari_seem.cli import main
from napari_seem.errors import InvalidImage
from napari_seem.io.files import read_labels
from napari_seem.models.running import threads


@pytest.fixture
def folder(tmp_path, disc_image):
    """Three pictures of discs, the second damaged, and a stack."""
    image, labels = disc_image
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    for number in range(3):
        tifffile.imwrite(pictures / f"p{number}.tif", np.rot90(image, number))
    (pictures / "p1.tif").write_bytes(b"II*\0 nothing")
    tifffile.imwrite(tmp_path / "labels.tif", labels.astype(np.uint8))
    return pictures


def test_one_bad_file_does_not_end_the_run(folder, tmp_path, capsys):
    out = tmp_path / "out"
    assert main(["batch", "segment", str(folder), "-o", str(out)]) == 1
    told = capsys.readouterr()
    assert "3 files: 2 done, 0 done before, 1 failed" in told.out
    assert "p1.tif" in told.out.splitlines()[-1]
    for name in ("p0", "p2"):
        labels, table = read_labels(out / f"{name}_labels.tif")
        assert labels.max() == len(table) >= 2
    assert not (out / "p1_labels.tif").exists()


def test_only_objects_within_bounds_are_written(folder, tmp_path, capsys):
    (folder / "p1.tif").unlink()
    asked = ["batch", "segment", str(folder), "-o"]
    assert main([*asked, str(tmp_path / "all")]) == 0
    assert main([*asked, str(tmp_path / "large"), "--min-area", "300"]) == 0
    assert main([*asked, str(tmp_path / "none"), "--min-area", "9", "--max-area", "5"]) == 2
    assert "above the smallest" in capsys.readouterr().err

    every, _ = read_labels(tmp_path / "all" / "p0_labels.tif")
    large, table = read_labels(tmp_path / "large" / "p0_labels.tif")
    areas = np.bincount(np.asarray(every).ravel())[1:]
    assert len(table) == (areas >= 300).sum() >= 2
    assert sorted(np.bincount(np.asarray(large).ravel())[1:]) == sorted(areas[areas >= 300])


def test_an_interrupted_run_goes_on_where_it_was(folder, tmp_path):
    out = tmp_path / "out"
    (folder / "p1.tif").unlink()
    tasks = plan("segment", [folder], out, {})
    first = run(tasks[:1], out)
    assert len(first.done) == 1
    with (out / LEDGER).open("a") as ledger:
        ledger.write('{"task": "cut sho')
    written = (out / "p0_labels.tif").stat().st_mtime_ns
    second = run(tasks, out)
    assert [task.source.name for task in second.skipped] == ["p0.tif"]
    assert [outcome.task.source.name for outcome in second.done] == ["p2.tif"]
    assert (out / "p0_labels.tif").stat().st_mtime_ns == written


def test_changed_files_and_changed_wishes_are_done_again(folder, tmp_path):
    out = tmp_path / "out"
    tasks = plan("segment", [folder / "p0.tif"], out, {})
    run(tasks, out)
    assert len(run(tasks, out).skipped) == 1
    assert len(run(tasks, out, again=True).done) == 1
    assert (
        len(run(plan("segment", [folder / "p0.tif"], out, {"names": ["nucleus"]}), out).done) == 1
    )
    image = tifffile.imread(folder / "p0.tif")
    tifffile.imwrite(folder / "p0.tif", np.vstack([image, image]))
    assert len(run(tasks, out).done) == 1


def test_stacks_are_labelled_plane_by_plane(folder, tmp_path, disc_image):
    image, _ = disc_image
    tifffile.imwrite(tmp_path / "stack.tif", np.stack([image, image[::-1]]), imagej=True,
                     metadata={"axes": "ZYX", "spacing": 3.0, "unit": "um"})  # fmt: skip
    (task,) = plan("segment", [tmp_path / "stack.tif"], tmp_path / "out", {})
    outcome = do(task)
    assert outcome.error == ""
    labels, table = read_labels(task.output)
    assert labels.shape == (2, *image.shape)
    assert not set(np.unique(labels[0][labels[0] > 0])) & set(np.unique(labels[1][labels[1] > 0]))
    assert len(table) == labels.max()


def test_like_examples(folder, tmp_path):
    out = tmp_path / "out"
    code = main([
        "batch", "label-like", str(folder / "p2.tif"), "-o", str(out), "--example",
        str(folder / "p0.tif"), str(tmp_path / "labels.tif"), "--instances",
    ])  # fmt: skip
    assert code == 0
    labels, _ = read_labels(out / "p2_labels.tif")
    assert labels.max() >= 2


def test_stacks_are_carried_from_their_seeds(tmp_path, disc_image):
    image, labels = disc_image
    seeds, stacks = tmp_path / "seeds", tmp_path / "stacks"
    seeds.mkdir(), stacks.mkdir()
    tifffile.imwrite(stacks / "a.tif", np.stack([image] * 5))
    first = np.zeros((5, *image.shape), np.uint8)
    first[2] = labels
    tifffile.imwrite(seeds / "a_labels.tif", first)
    out = tmp_path / "out"
    code = main(["batch", "propagate", str(stacks), "-o", str(out), "--labels", str(seeds)])
    assert code == 0
    carried, _ = read_labels(out / "a_labels.tif")
    assert all(set(np.unique(plane)) == {0, 1, 2} for plane in carried)
    told = json.loads((out / "a_labels.json").read_text())
    assert len(told["planes"]) == 5


def test_embedding_ahead_fills_the_store(folder, tmp_path):
    pytest.importorskip("zarr")
    from napari_seem.embeddings import EmbeddingStore

    code = main(["batch", "embed", str(folder / "p0.tif"), "-o", str(tmp_path / "store")])
    assert code == 0
    assert EmbeddingStore(tmp_path / "store").usage().images == 1


def test_embedding_ahead_is_of_what_a_look_shows(folder, tmp_path):
    pytest.importorskip("zarr")
    from napari_seem.embeddings import EmbeddingStore

    image, store = str(folder / "p0.tif"), tmp_path / "store"
    for window in ((), ("--window", "20,90"), ("--window", "20,90", "--again")):
        assert main(["batch", "embed", image, "-o", str(store), *window]) == 0
    assert EmbeddingStore(store).usage().images == 2


def test_bands_that_are_no_numbers_end_in_a_message(folder, tmp_path, capsys):
    assert main(["batch", "segment", str(folder), "-o", str(tmp_path), "--bands", "red"]) == 2
    assert "'red'" in capsys.readouterr().err


def test_two_images_never_share_a_label_file(folder, tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    shutil.copy(folder / "p0.tif", other / "p0.tif")
    with pytest.raises(InvalidImage, match="would both be written to"):
        plan("segment", [folder, other], tmp_path / "out", {})
    with pytest.raises(InvalidImage, match="is not a label format"):
        plan("segment", [folder], tmp_path / "out", {}, ".xyz")


@pytest.mark.parametrize(("files", "each"), [(3, 4), (1, 8)])
def test_files_that_are_done_at_once_share_the_cores(folder, tmp_path, monkeypatch, files, each):
    before = torch.get_num_threads()
    torch.set_num_threads(8)
    monkeypatch.setattr(threads, "cores", lambda: 8)
    monkeypatch.setattr(
        sys.modules["napari_seem.batch.run"],
        "do",
        lambda task: Outcome(task, str(torch.get_num_threads())),
    )
    tasks = plan("segment", [folder], tmp_path, {})[:files]
    try:
        report = run(tasks, tmp_path, workers=2)
    finally:
        torch.set_num_threads(before)

    assert [one.summary for one in report.done] == [str(each)] * files


def test_threads_give_the_same_labels(folder, tmp_path):
    (folder / "p1.tif").unlink()
    for workers in (1, 2):
        out = tmp_path / f"out{workers}"
        assert not run(plan("segment", [folder], out, {}), out, workers=workers).failed
    for name in ("p0", "p2"):
        one, two = (read_labels(tmp_path / f"out{n}" / f"{name}_labels.tif")[0] for n in (1, 2))
        np.testing.assert_array_equal(one, two)
