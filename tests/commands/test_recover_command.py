"""`napari-seem recover`: what was not saved is listed, written to a file, or discarded."""

from __future__ import annotations

import numpy as np
import pytest
import tifffile
from discs import disc_image

from napari_seem.cli import main
from napari_seem.edits import ObjectRecord
from napari_seem.io.files import read_labels
from napari_seem.labels.document import LabelDocument
from napari_seem.labels.hosts import ArrayHost
from napari_seem.labels.journal import Journal, logs_folder
from napari_seem.labels.objects import NewObject
from napari_seem.labels.recorder import Recorder
from napari_seem.planes import Plane

IMAGE, TRUTH = disc_image()
GRID = {
    "axes": ["y", "x"], "affine": [[2, 0, 5], [0, 0.5, 7], [0, 0, 1]], "units": ["um", "um"],
}  # fmt: skip


@pytest.fixture
def left(tmp_path):
    """Labels of two discs that were not saved when their program died."""
    tifffile.imwrite(tmp_path / "discs.tif", IMAGE)
    labels = np.zeros(TRUTH.shape, np.uint16)
    journal = Journal(logs_folder() / "2026-11-28-120000-abc.log.jsonl")
    log = Recorder(labels, "discs labels", journal=lambda _: journal)
    log.describe({
        "labels": "discs labels", "grid": GRID,
        "image": {"name": "discs", "source": str(tmp_path / "discs.tif")},
    })  # fmt: skip
    document = LabelDocument(ArrayHost(labels), log)
    for number in (1, 2):
        record = ObjectRecord.made(f"disc {number}", 0.5, "disc", 1)
        new = NewObject(number == TRUTH, (0, 0), number, record)
        document.write_objects(Plane.of(TRUTH.shape), [new], entry={"event": "commit"})
    path, log.journal = journal.path, None
    return path


def test_what_was_not_saved_is_listed_with_image_time_and_objects(left, tmp_path, capsys):
    assert main(["recover"]) == 0

    first, second, third = capsys.readouterr().out.splitlines()
    assert first.startswith("  1  20")
    assert first.endswith("discs labels: 2 objects")
    assert second.split() == ["image", str(tmp_path / "discs.tif")]
    assert third.strip() == str(left)


def test_it_is_written_with_its_objects_and_its_place(left, tmp_path, capsys):
    out = tmp_path / "labels.ome.tif"
    assert main(["recover", "1", "-o", str(out)]) == 0

    assert str(out) in capsys.readouterr().out
    pixels, table = read_labels(out)[:2]
    assert np.array_equal(pixels, TRUTH)
    assert [record.name for _, record in table.items()] == ["disc 1", "disc 2"]
    with tifffile.TiffFile(out) as file:
        assert 'PhysicalSizeX="0.5"' in file.ome_metadata
        assert 'PhysicalSizeY="2.0"' in file.ome_metadata


def test_what_is_discarded_is_listed_no_more_but_with_all(left, capsys):
    assert main(["recover", "1", "--discard"]) == 0
    assert main(["recover"]) == 0
    assert "nothing is left" in capsys.readouterr().out

    assert main(["recover", "--all"]) == 0
    assert "2 objects" in capsys.readouterr().out


@pytest.mark.parametrize("arguments", [["9", "-o", "x.tif"], ["-o", "x.tif"], ["1"]])
def test_what_is_to_be_done_must_be_said(left, arguments, capsys):
    assert main(["recover", *arguments]) == 2
    assert capsys.readouterr().err.startswith("napari-seem: ")


def test_files_of_others_and_the_image_are_spared(left, tmp_path, capsys):
    image = (tmp_path / "discs.tif").read_bytes()
    tifffile.imwrite(tmp_path / "other.tif", IMAGE)
    for name, options in (("discs.tif", ["--force"]), ("other.tif", [])):
        assert main(["recover", "1", "-o", str(tmp_path / name), *options]) == 2
    assert (tmp_path / "discs.tif").read_bytes() == image
    assert np.array_equal(tifffile.imread(tmp_path / "other.tif"), IMAGE)

    assert main(["recover", "1", "-o", str(tmp_path / "other.tif"), "--force"]) == 0
    assert np.array_equal(read_labels(tmp_path / "other.tif")[0], np.where(TRUTH < 3, TRUTH, 0))
