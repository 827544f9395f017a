"""What batch work is given: kinds, options and paths are checked before anything is done."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from skimage.io import imsave

from napari_seem.batch import Report, Task, plan, run
from napari_seem.errors import (
    FileTrouble,
    InvalidArgument,
    InvalidImage,
    NapariSeemError,
    UnknownModel,
)
from napari_seem.intensity import IntensityWindow
from napari_seem.io.files import read_labels
from napari_seem.models.filters import Wanted


@pytest.fixture
def folder(tmp_path, disc_image):
    (tmp_path / "in").mkdir()
    for name in ("a.png", "b.png"):
        imsave(tmp_path / "in" / name, disc_image[0].astype(np.uint8), check_contrast=False)
    return tmp_path / "in"


@pytest.mark.parametrize(("kind", "options", "said"), [
    ("segmnt", {}, "did you mean 'segment'"), (None, {}, "choose one of"),
    (["embed"], {}, "choose"),
    ("segment", None, "a mapping"), ("segment", [("model", "compact")], "a mapping"),
    ("segment", {"min_area": 300}, "its options: model"),
    ("segment", {"method": "copy"}, "option"),
    ("segment", {"modell": "compact"}, "did you mean 'model'"),
    ("segment", {"model": 3}, "name of"),
    ("segment", {"wanted": {"min_aera": 3}}, "did you mean 'min_area'"),
    ("segment", {"wanted": {"min_area": "3"}}, "whole number"),
    ("segment", {"wanted": 3}, "Wanted"),
    ("segment", {"names": [3]}, "give one text"), ("segment", {"shown": 3}, "IntensityWindow"),
    ("segment", {"shown": {"window": "wide"}}, "no intensity window"),
    ("segment", {"library": 3}, "name of a file"), ("segment", {"device": 3}, "'auto'"),
    ("embed", {"megabytes": 0}, "1 or more"), ("embed", {"axis": "z"}, "whole number"),
    ("propagate", {"method": "modell"}, "did you mean 'model'"),
    ("propagate", {"find_new": "no"}, "True or False"), ("propagate", {}, "give their folder"),
    ("label-like", {}, "needs examples"), ("label-like", {"examples": "a.tif"}, "pairs of paths"),
    ("label-like", {"examples": [("a.tif",)]}, "the pair of"),
    ("label-like", {"examples": [("a.tif", 3)]}, "a path of example 1"),
    ("label-like", {"examples": [("a.tif", "b.tif")], "kind": "instances"}, "instance"),
])  # fmt: skip
def test_what_can_t_be_meant_is_refused_before_work(folder, tmp_path, kind, options, said):
    with pytest.raises(InvalidArgument, match=said):
        plan(kind, folder, tmp_path / "out", options)
    assert not (tmp_path / "out").exists()


def test_unknown_models_and_libraries_are_refused_before_work(folder):
    with pytest.raises(UnknownModel, match="compact"):
        plan("segment", folder, "out", {"model": "compakt"})
    with pytest.raises(FileTrouble, match="there is no library"):
        plan("segment", folder, "out", {"library": "absent.zip"})


@pytest.mark.parametrize(("inputs", "output", "suffix"), [
    (None, "out", ""), ([None], "out", ""), (3, "out", ""), ([], "out", ""), ("", "out", ""),
    ("a.tif", None, ""), ("a.tif", 3, ""), ("a.tif", "out", ".xyz"),
])  # fmt: skip
def test_what_is_no_path_is_refused(inputs, output, suffix):
    with pytest.raises(NapariSeemError):
        plan("segment", inputs, output, {}, suffix)


def test_options_may_be_values_of_the_library(folder):
    window = IntensityWindow((10.0, 90.0))
    one = plan("segment", str(folder / "a.png"), "out",
               {"wanted": Wanted(min_area=5, names="cell"), "shown": window,
                "names": "cell"})  # fmt: skip
    two = plan("segment", [folder / "a.png"], "out",
               {"wanted": {"min_area": 5, "names": ["cell"]}, "shown": window.to_dict(),
                "names": ["cell"], "model": None})  # fmt: skip

    assert one == two
    assert one[0].options["wanted"]["names"] == ["cell"]
    pair = plan("label-like", folder, "out", {"examples": ("a.png", folder / "b.png")})
    assert pair[0].options["examples"] == [["a.png", str(folder / "b.png")]]


def test_paths_may_be_text_and_tasks_alone(folder, tmp_path):
    out = str(tmp_path / "out")
    (task,) = plan("segment", str(folder / "a.png"), out)
    told = []
    report = run(task, out, progress=lambda *step: told.append(step))

    assert told == [(0, 1, "batch"), (1, 1, "batch")]
    assert len(report.done) == 1
    assert read_labels(str(task.output))[0].max() >= 2
    assert repr(task) == f"Task('segment', '{folder / 'a.png'}' -> '{task.output}')"
    assert pickle.loads(pickle.dumps(report)) == report
    assert repr(report) == "Report(1 files: 1 done, 0 done before, 0 failed)"
    assert "objects" in repr(report.done[0])


def test_an_exception_of_the_progress_keeps_what_was_done(folder, tmp_path):
    class Enough(Exception):
        pass

    def stop(done, total, what):
        if done == 1:
            raise Enough

    out = tmp_path / "out"
    tasks = plan("segment", folder, out)
    with pytest.raises(Enough):
        run(tasks, out, progress=stop)
    assert [task.output.exists() for task in tasks] == [True, False]
    report = run(tasks, out)
    assert (len(report.skipped), len(report.done)) == (1, 1)


def test_the_report_lists_what_failed_and_why(folder, tmp_path):
    (folder / "a.png").write_bytes(b"nothing")
    report = run(plan("segment", folder, tmp_path / "out"), tmp_path / "out")

    assert (len(report.done), len(report.failed)) == (1, 1)
    head, line = str(report).splitlines()
    assert head == "2 files: 1 done, 0 done before, 1 failed"
    assert "a.png: " in line
    assert "can't be read" in line
    assert "\n" not in repr(report.failed[0])


@pytest.mark.parametrize(("tasks", "keywords"), [
    (None, {}), (["a.tif"], {}), ("a.tif", {}), ([], {"workers": 0}), ([], {"workers": "2"}),
    ([], {"progress": 3}), ([], {"client": "tls://host:8786"}),
])  # fmt: skip
def test_what_is_no_task_is_refused(tmp_path, tasks, keywords):
    with pytest.raises(InvalidArgument):
        run(tasks, tmp_path / "out", **keywords)
    with pytest.raises(InvalidArgument, match="choose one of"):
        Task("segmnt", "a", "b")


def test_a_folder_of_other_files_is_a_task_that_fails(tmp_path):
    (tmp_path / "in").mkdir()
    with pytest.raises(InvalidImage, match="no image file"):
        plan("segment", tmp_path / "in", tmp_path)
    (tmp_path / "in" / "notes.txt").write_text("nothing")
    report = run(plan("segment", tmp_path / "in", tmp_path), tmp_path)
    assert len(report.failed) == 1


def test_a_big_image_is_labelled_like_a_small_example(tmp_path):
    rows, columns = np.mgrid[:2304, :192]
    truth = (rows % 48 - 24) ** 2 + (columns % 48 - 24) ** 2 <= 81
    image = (np.random.default_rng(0).normal(50, 5, truth.shape) + 140 * truth).astype(np.uint8)
    for name, pixels in (("big", image), ("small", image[:384]), ("ids", truth[:384] * 1)):
        imsave(tmp_path / f"{name}.tif", pixels.astype(np.uint8), check_contrast=False)
    example = tmp_path / "small.tif", tmp_path / "ids.tif"
    (task,) = plan("label-like", tmp_path / "big.tif", tmp_path / "out", {"examples": [example]})
    report = run(task, tmp_path / "out")

    assert str(report) == "1 files: 1 done, 0 done before, 0 failed"
    found = np.asarray(read_labels(task.output)[0]) > 0
    assert (found & truth).sum() / (found | truth).sum() > 0.85


def test_an_empty_run_reports_nothing(tmp_path):
    assert run([], tmp_path) == Report()
