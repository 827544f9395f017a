"""The command line: what it writes, and what it says about bad input."""

from __future__ import annotations

import json

import numpy as np
import pytest
import tifffile
from discs import disc_image
from skimage.io import imsave

from napari_seem.cli import main


@pytest.fixture
def picture(tmp_path):
    path = tmp_path / "discs.png"
    imsave(path, np.kron(disc_image()[0], np.ones((3, 3), np.uint8)), check_contrast=False)
    return path


def test_segment_writes_labels_and_their_table(picture, tmp_path):
    out = tmp_path / "labels.tif"

    assert main(["segment", str(picture), "--box", "55,19,140,104", "-o", str(out)]) == 0

    labels = tifffile.imread(out)
    truth = np.kron(disc_image()[1], np.ones((3, 3), np.int32)) == 1
    assert labels.dtype == np.uint16
    assert (truth & (labels == 1)).sum() / (truth | (labels == 1)).sum() > 0.75
    table = json.loads(out.with_suffix(".json").read_text())
    assert table[0]["index"] == 1
    assert 0 <= table[0]["score"] <= 1
    assert not list(tmp_path.glob("*.part"))


def test_everything_numbers_its_objects(picture, tmp_path):
    out = tmp_path / "labels.tif"

    assert main(["segment", str(picture), "--everything", "-o", str(out)]) == 0

    labels = tifffile.imread(out)
    table = json.loads(out.with_suffix(".json").read_text())
    assert len(table) == labels.max()


def test_models_are_listed(capsys):
    assert main(["models"]) == 0

    listed = capsys.readouterr().out
    assert "compact" in listed
    assert "ready" in listed


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--point", "9999,5"], "outside"),
        (["--point", "5"], "2 numbers"),
        (["--word", "flux capacitor"], "was not taught"),
        ([], "--everything"),
        (["--point", "5,5", "--model", "compcat"], "did you mean compact"),
    ],
)
def test_bad_input_is_told_in_one_line_and_writes_nothing(
    picture, tmp_path, capsys, arguments, told
):
    out = tmp_path / "labels.tif"

    assert main(["segment", str(picture), *arguments, "-o", str(out)]) == 2

    message = capsys.readouterr().err
    assert told in message
    assert "Traceback" not in message
    assert not out.exists()


def test_a_file_that_is_no_image_is_told(tmp_path, capsys):
    path = tmp_path / "notes.png"
    path.write_text("not a picture")

    assert main(["segment", str(path), "--everything", "-o", str(tmp_path / "l.tif")]) == 2
    assert "notes.png" in capsys.readouterr().err


def test_a_bench_must_be_named(capsys):
    assert main(["bench", "patience"]) == 2
    assert "clicks" in capsys.readouterr().err


def test_a_stack_is_refused_instead_of_being_cut_along_the_wrong_axis(tmp_path, capsys):
    path, out = tmp_path / "stack.tif", tmp_path / "labels.tif"
    tifffile.imwrite(path, np.zeros((5, 64, 64), np.uint8))

    assert main(["segment", str(path), "--point", "2,2", "-o", str(out)]) == 2
    assert "one plane" in capsys.readouterr().err
    assert not out.exists()


def test_labels_are_not_written_where_their_table_cannot_be(picture, tmp_path, capsys):
    out = tmp_path / "labels.tif"
    out.with_name("labels.json.part").mkdir()

    assert main(["segment", str(picture), "--box", "55,19,140,104", "-o", str(out)]) == 2
    assert "labels.json" in capsys.readouterr().err
    assert not out.exists()
