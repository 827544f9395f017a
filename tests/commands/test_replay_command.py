"""`napari-seem replay`: what commands did is done again; the exit code says how it came out."""

from __future__ import annotations

import json

import numpy as np
import pytest
import tifffile
from discs import disc_image

import napari_seem as ns
from napari_seem.cli import main
from napari_seem.commands.models import ModelCache
from napari_seem.io.files import read_labels
from napari_seem.models import registry

SAME, DIFFERENT, AT_FAULT = 0, 1, 2


@pytest.fixture
def image(tmp_path):
    tifffile.imwrite(tmp_path / "discs.tif", disc_image()[0])
    return tmp_path / "discs.tif"


@pytest.fixture
def segmented(image, tmp_path):
    """Log of one object, found by two points of the compact model."""
    out = tmp_path / "one.tif"
    assert not main(["segment", str(image), "-o", str(out), "--point", "32,20",
                     "--not-point", "5,5"])  # fmt: skip
    return tmp_path / "one.log.jsonl"


def changed(log, number, **values):
    """The log with other values in one event."""
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    lines[number - 1] |= values
    log.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return lines


def number_of(log, kind):
    events = [json.loads(line) for line in log.read_text().splitlines()]
    return next(event["n"] for event in events if event["event"] == kind)


def pixels(path):
    return np.asarray(read_labels(path)[0])


@pytest.mark.parametrize("how", [[], ["--without-models"]])
def test_a_command_is_replayed_to_the_same_labels(segmented, image, tmp_path, how, capsys):
    out = tmp_path / "again.tif"

    assert main(["replay", str(segmented), "-o", str(out), *how]) == SAME

    assert np.array_equal(pixels(out), pixels(tmp_path / "one.tif"))
    table = [read_labels(tmp_path / name)[1].items() for name in ("one.tif", "again.tif")]
    assert table[0] == table[1]
    told = capsys.readouterr().out
    assert told.endswith(f"events, {0 if how else 1} of them done again by models: the same "
                         "labels\n")  # fmt: skip


def test_the_log_tells_the_image_by_its_name_only_where_it_lies_beside(segmented, image):
    events = [json.loads(line) for line in segmented.read_text().splitlines()]

    assert events[1]["source"] == "discs.tif"
    assert str(image.parent) not in segmented.read_text()


def test_other_prompts_lead_to_a_difference_that_is_reported(segmented, tmp_path, capsys):
    moved = [{"kind": "point", "positive": True, "y": 32.0, "x": 58.0}]
    changed(segmented, number_of(segmented, "commit"), prompts=moved, turns=[1])

    assert main(["replay", str(segmented), "-o", str(tmp_path / "again.tif")]) == DIFFERENT

    told = capsys.readouterr().out
    assert "event 3 (commit)" in told
    assert "pixels differ, the first at (" in told
    assert pixels(tmp_path / "again.tif")[32, 58]
    assert main(["replay", str(segmented), "--without-models"]) == SAME


@pytest.mark.parametrize("how", [[], ["--without-models"]])
def test_another_image_is_refused(segmented, tmp_path, how, capsys):
    other = disc_image()[0]
    other[0, 0] += 1
    tifffile.imwrite(tmp_path / "other.tif", other)

    assert (
        main(["replay", str(segmented), "--image", str(tmp_path / "other.tif"), *how]) == AT_FAULT
    )

    assert "other pixels" in capsys.readouterr().err
    tifffile.imwrite(tmp_path / "other.tif", other[:40])
    assert (
        main(["replay", str(segmented), "--image", str(tmp_path / "other.tif"), *how]) == AT_FAULT
    )
    assert "has the shape (40, 80)" in capsys.readouterr().err


def test_an_image_that_is_gone_is_asked_for(segmented, image, tmp_path, capsys):
    (tmp_path / "elsewhere").mkdir()
    image.rename(tmp_path / "elsewhere" / "moved.tif")

    assert main(["replay", str(segmented)]) == AT_FAULT
    assert "--image" in capsys.readouterr().err
    moved = str(tmp_path / "elsewhere" / "moved.tif")
    assert main(["replay", str(segmented), "--image", moved]) == SAME
    assert main(["replay", str(segmented), "--without-models"]) == SAME


def test_a_prompt_that_is_refused_now_is_a_difference(segmented, capsys):
    outside = [{"kind": "point", "positive": True, "y": 900.0, "x": 5.0}]
    changed(segmented, number_of(segmented, "commit"), prompts=outside, turns=[1])

    assert main(["replay", str(segmented)]) == DIFFERENT
    assert "refused now: the point at row 900" in capsys.readouterr().out


def test_other_weights_are_refused(segmented, capsys):
    number = number_of(segmented, "commit")
    changed(segmented, number, model={"name": "compact", "identity": "compact-00000000"})

    assert main(["replay", str(segmented)]) == AT_FAULT
    assert "'compact-00000000'; install those" in capsys.readouterr().err
    assert main(["replay", str(segmented), "--without-models"]) == SAME


def test_a_damaged_log_and_a_wrong_session_are_refused(segmented, tmp_path, capsys):
    assert main(["replay", str(segmented), "--session", "3"]) == AT_FAULT
    assert "there is no session 3; give --session 1 to 1" in capsys.readouterr().err
    changed(segmented, number_of(segmented, "commit"), patch="AAAA")
    assert main(["replay", str(segmented), "--without-models"]) == AT_FAULT
    assert "damaged" in capsys.readouterr().err
    (tmp_path / "empty.log.jsonl").write_text("")
    assert main(["replay", str(tmp_path / "empty.log.jsonl")]) == AT_FAULT
    assert "is empty" in capsys.readouterr().err


def test_everything_found_by_another_decoder_is_not_replayed(image, tmp_path, monkeypatch, capsys):
    model = ns.load_model("compact")
    monkeypatch.setattr(ModelCache, "_load", lambda *_: model)
    monkeypatch.setattr(registry, "load_model", lambda *_, **__: model)
    everything = ["segment", str(image), "-o", str(tmp_path / "all.tif"), "--everything"]
    replay = ["replay", str(log := tmp_path / "all.log.jsonl")]
    monkeypatch.setattr(model, "finds_by", "decoder-12345678", raising=False)
    assert not main(everything)
    named = json.loads(log.read_text().splitlines()[number_of(log, "segment") - 1])["model"]
    assert named["finds_by"] == "decoder-12345678"
    assert main(replay) == SAME

    monkeypatch.setattr(model, "finds_by", "grid")
    assert main(replay) == AT_FAULT
    assert "by 'grid', the log was made with 'decoder-12345678'" in capsys.readouterr().err
    assert main([*replay, "--without-models"]) == SAME


def test_everything_within_bounds_is_replayed(image, tmp_path):
    out = tmp_path / "all.tif"
    assert not main(["segment", str(image), "-o", str(out), "--everything", "--min-area", "100"])

    assert main(["replay", str(tmp_path / "all.log.jsonl")]) == SAME
    changed(
        log := tmp_path / "all.log.jsonl", number_of(log, "segment"), filters={"min_area": 9999}
    )
    assert main(["replay", str(log)]) == DIFFERENT


def test_a_propagation_is_replayed(tmp_path):
    rows, columns = np.mgrid[:48, :64]
    stack = np.stack([np.where((rows - 24) ** 2 + (columns - 20 - 2 * k) ** 2 < 81, 200, 30)
                      for k in range(6)]).astype(np.uint8)  # fmt: skip
    seeds = np.zeros(stack.shape, np.uint8)
    seeds[2] = stack[2] > 100
    tifffile.imwrite(tmp_path / "stack.tif", stack, metadata={"axes": "ZYX"}, imagej=True)
    tifffile.imwrite(tmp_path / "seeds.tif", seeds, metadata={"axes": "ZYX"}, imagej=True)
    out = tmp_path / "carried.tif"
    assert not main(["propagate", str(tmp_path / "stack.tif"), str(tmp_path / "seeds.tif"),
                     "-o", str(out), "--window", "10,220"])  # fmt: skip

    again = tmp_path / "again.tif"
    assert main(["replay", str(tmp_path / "carried.log.jsonl"), "-o", str(again)]) == SAME
    assert np.array_equal(pixels(again), pixels(out))


def test_labels_by_example_are_replayed(tmp_path, capsys):
    image, labels = disc_image()
    tifffile.imwrite(tmp_path / "shown.tif", image)
    tifffile.imwrite(tmp_path / "truth.tif", labels.astype(np.uint8))
    tifffile.imwrite(tmp_path / "target.tif", np.ascontiguousarray(image[::-1, ::-1]))
    example = ["--example", str(tmp_path / "shown.tif"), str(tmp_path / "truth.tif")]
    assert not main(["label-like", str(tmp_path / "target.tif"), *example, "-o",
                     str(tmp_path / "out")])  # fmt: skip
    (log,) = (tmp_path / "out").glob("*.log.jsonl")

    assert main(["replay", str(log), "--image", str(tmp_path / "target.tif")]) == SAME
    assert "1 of them done again" in capsys.readouterr().out
