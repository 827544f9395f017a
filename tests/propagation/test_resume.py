"""A propagation that was killed goes on from its file, to the same labels."""

from __future__ import annotations

import numpy as np
import pytest
from encoding_once import encoding_once
from test_propagation import moving_discs

import napari_seem as ns
from napari_seem.errors import FileTrouble
from napari_seem.propagation import Propagation, propagate


@pytest.fixture(scope="module")
def model():
    return encoding_once(ns.load_model("compact", device="cpu"))


def begun(path, planes, *arguments, **options):
    """Do some planes of a run, and no more."""
    work = Propagation(*arguments, **options)
    return [result for result, _ in zip(work.run(resume=path), range(planes), strict=False)]


@pytest.mark.parametrize("divide", [False, True])
def test_the_same_call_goes_on(model, tmp_path, divide):
    video, truth = moving_discs()
    path, seeds = tmp_path / "run.jsonl", {0: truth[0], 8: truth[8]}
    done = [one.index for one in begun(path, 4, model, video, seeds, divide=divide)]
    encoded = []

    def count(done, total, what):
        encoded.append(done)

    out = np.zeros(video.shape, np.uint16)
    whole = propagate(model, video, seeds, divide=divide)
    again = propagate(
        model, video, seeds, divide=divide, out=out, resume=path, progress=count
    )  # fmt: skip

    assert len(encoded) < len(video) - len(done)  # of the planes that were left
    assert np.array_equal(again.labels, whole.labels)
    assert np.array_equal(out, whole.labels)
    assert again.scores == pytest.approx(whole.scores)
    assert again.events == whole.events
    assert not path.exists()


def test_a_line_that_was_cut_off_is_done_again(tmp_path):
    video, truth = moving_discs()
    path, seeds = tmp_path / "run.jsonl", {0: truth[0], 8: truth[8]}
    begun(path, 4, None, video, seeds, method="shape")
    whole = propagate(None, video, seeds, method="shape")
    for damage in (b"", b"\xff" * 50, b'[{"plane": 3}]\n', b"[" * 5000 + b"\n"):
        text = path.read_bytes()
        path.write_bytes(text[: -len(text) // 10] + damage)
        work = Propagation(None, video, seeds, method="shape")
        steps = work.run(resume=path)
        next(steps)
        assert len(work.results) > 2
        for _ in steps:
            pass
        assert np.array_equal(work.labels, whole.labels)


def test_another_run_begins_anew(tmp_path):
    video, truth = moving_discs()
    path, seeds = tmp_path / "run.jsonl", {0: truth[0], 8: truth[8]}
    begun(path, 4, None, video, seeds, method="shape")

    other = propagate(None, video, {0: truth[0] > 1, 8: truth[8]}, method="shape", resume=path)
    assert np.array_equal(
        other.labels, propagate(None, video, {0: truth[0] > 1, 8: truth[8]}, method="shape").labels
    )


def test_a_file_of_another_kind_is_left_alone(tmp_path):
    video, truth = moving_discs()
    path = tmp_path / "diary.txt"
    path.write_text("dear diary\n")
    with pytest.raises(FileTrouble, match="no record of a propagation"):
        propagate(None, video, {0: truth[0]}, method="shape", resume=path)
    assert path.read_text() == "dear diary\n"
