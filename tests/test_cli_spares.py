"""Commands write over nothing that they read, and over files of others by --force only."""

from __future__ import annotations

import numpy as np
import pytest
import tifffile

from napari_seem.batch import plan, run
from napari_seem.cli import main
from napari_seem.edits import ObjectTable
from napari_seem.io.files import write_labels

IMAGE = np.full((40, 50), 20, np.uint8)
IMAGE[10:30, 10:40] = 200
SEEDS = np.zeros((3, 40, 50), np.uint16)
SEEDS[0, 10:30, 10:40] = 1
CSV = "id,name\n1,mine\n"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Images, labels of them, a table of prompts, and files of other software."""
    monkeypatch.chdir(tmp_path)
    tifffile.imwrite("a.tif", IMAGE)
    tifffile.imwrite("s.tif", np.stack([IMAGE] * 3), imagej=True, metadata={"axes": "ZYX"})
    write_labels("seeds.nii.gz", SEEDS)
    write_labels("marked.nii.gz", SEEDS[0])
    (tmp_path / "p.csv").write_text("y,x\n20,20\n")
    for name in ("theirs.tif", "theirs.nii.gz", "theirs.geojson", "theirs.coco.json", "theirs.zip",
                 "theirs.csv", "theirs.json"):  # fmt: skip
        (tmp_path / name).write_text(CSV)
    (tmp_path / "theirs.dcm").write_text(CSV)
    return tmp_path


SHAPE = ["--method", "shape"]
COMMANDS = {
    "segment": (["segment", "a.tif", "--point", "20,20", "-o"], "theirs.tif", ["a.tif"]),
    "prompts": (["segment", "a.tif", "--prompts", "p.csv", "-o"], "theirs.geojson", ["a.tif"]),
    "table": (["segment", "a.tif", "--prompts", "p.csv", "-o", "new.tif", "--table"], "theirs.csv",
              ["p.csv"]),
    "semantic": (["segment", "a.tif", "--everything", "-o", "new.tif", "--semantic"], "theirs.tif",
                 ["a.tif"]),
    "propagate": (["propagate", "s.tif", "seeds.nii.gz", *SHAPE, "-o"], "theirs.nii.gz",
                  ["s.tif", "seeds.nii.gz"]),
    "tracks": (["tracks", "marked.nii.gz", "-o"], "theirs.coco.json", ["marked.nii.gz"]),
    "find": (["find", "disc", "a.tif", "-o"], "theirs.csv", []),
    "measure": (["measure", "marked.nii.gz", "-o"], "theirs.csv", []),
    "status": (["series", "a.tif", "--status", "-o"], "theirs.json", []),
}  # fmt: skip
"""Beginning of a command, a file of others that it could write to, and files that it reads."""


def contents(folder):
    return {one.name: one.read_bytes() for one in folder.iterdir() if one.is_file()}


@pytest.mark.parametrize("name", COMMANDS)
def test_files_of_others_and_those_that_are_read_stay(folder, capsys, name):
    command, theirs, read = COMMANDS[name]
    before = contents(folder)
    assert main([*command, theirs]) == 2
    assert "--force" in capsys.readouterr().err
    for one in read:
        for more in ([], ["--force"]):
            assert main([*command, one, *more]) == 2
            assert "would be lost" in capsys.readouterr().err
    assert contents(folder) == before


@pytest.mark.parametrize("name", ["prompts", "propagate", "tracks", "measure", "status"])
def test_force_replaces_and_own_files_need_none(folder, capsys, name):
    command, theirs, _ = COMMANDS[name]
    assert main([*command, theirs, "--force"]) == 0
    assert (folder / theirs).read_bytes() != CSV.encode()
    assert main([*command, theirs]) == 0


def test_ids_that_are_too_large_to_be_carried_are_named(folder, capsys):
    write_labels("large.nii.gz", SEEDS.astype(np.uint32) * 3_000_000_000)
    assert main(["propagate", "s.tif", "large.nii.gz", *SHAPE, "-o", "new.tif"]) == 2
    assert "hold the id 3000000000; number the objects up to" in capsys.readouterr().err


def test_labels_by_example_are_refused_before_a_model_is_asked(folder, capsys):
    (folder / "out").mkdir()
    (folder / "out" / "a_labels.tif").write_text(CSV)
    command = ["label-like", "a.tif", "--example", "a.tif", "marked.nii.gz", "-o", "out"]
    assert main(command) == 2
    assert "--force" in capsys.readouterr().err
    assert (folder / "out" / "a_labels.tif").read_text() == CSV


@pytest.mark.parametrize("ending", [".tif", ".nii.gz", ".geojson", ".coco.json", ".zip", ".zarr"])
def test_an_empty_file_and_own_labels_of_every_format_are_replaced(folder, ending):
    path = folder / f"own{ending}"
    if ending != ".zarr":
        path.touch()
    for _ in range(2):
        command = ["tracks", "marked.nii.gz", "-o", str(path)]
        assert main(command) == 0


def test_a_batch_fails_for_the_file_it_would_lose_and_goes_on(folder):
    out = folder / "out"
    out.mkdir()
    tifffile.imwrite("b.tif", IMAGE)
    theirs, seeds = out / "a_labels.tif", folder / "seeds"
    theirs.write_text(CSV)
    tasks = plan("segment", ["a.tif", "b.tif"], out)
    report = run(tasks, out)
    assert [one.task.source.name for one in report.failed] == ["a.tif"]
    assert "--force" in str(report)
    assert theirs.read_text() == CSV
    assert not run(tasks, out, force=True).failed
    assert len(run(tasks, out).skipped) == 2

    seeds.mkdir()
    write_labels(seeds / "s_labels.tif", SEEDS, table=ObjectTable())
    before = (seeds / "s_labels.tif").read_bytes()
    tasks = plan("propagate", "s.tif", seeds, {"method": "shape"}, labels=seeds)
    assert "would be lost" in str(run(tasks, seeds, force=True))
    assert (seeds / "s_labels.tif").read_bytes() == before


def test_a_list_that_was_cut_off_loses_one_line_only(folder):
    tifffile.imwrite("b.tif", IMAGE)
    tasks, out = plan("segment", ["a.tif", "b.tif"], "out"), folder / "out"
    run(tasks[:1], out)
    with (out / "batch.jsonl").open("a") as file:
        file.write('{"task": "12')
    run(tasks, out)
    assert len(run(tasks, out).skipped) == 2
