"""Two people's labels compared object by object."""

from __future__ import annotations

import csv
import json

import numpy as np
import pytest
import tifffile

from napari_seem.cli import main
from napari_seem.edits import ObjectRecord, ObjectTable
from napari_seem.errors import InvalidLabels
from napari_seem.io.files import write_labels
from napari_seem.io.grid import Grid
from napari_seem.io.opened import OpenedLabels
from napari_seem.series.compare import (
    AGREE,
    ONLY_A,
    ONLY_B,
    OTHER_CLASS,
    OTHER_OUTLINE,
    agreement,
    compare_labels,
    disagreements,
)


def drawn(**boxes):
    """Labels (40, 40) of squares: `a=(class, y0, x0, size)`; ids from 1."""
    labels, table = np.zeros((40, 40), np.uint16), ObjectTable()
    for number, (name, y, x, size) in enumerate(boxes.values(), 1):
        labels[y : y + size, x : x + size] = number
        table[number] = ObjectRecord(name)
    return opened(labels, table)


def opened(labels, table=None):
    return OpenedLabels("x", labels, table or ObjectTable(), Grid.plain(labels.shape))


ANNA = drawn(
    same=("cell", 0, 0, 10), named=("cell", 0, 20, 10), moved=("cell", 20, 0, 10),
    alone=("cell", 30, 30, 5),
)  # fmt: skip
BEN = drawn(
    alone=("axon", 12, 12, 4), moved=("cell", 24, 4, 10), named=("axon", 0, 20, 10),
    same=("cell", 0, 0, 9),
)  # fmt: skip


def test_each_object_has_a_verdict():
    pairs = compare_labels(ANNA, BEN, image="x.tif")

    assert {(p.a, p.b): p.verdict for p in pairs} == {
        (1, 4): AGREE, (2, 3): OTHER_CLASS, (3, 2): OTHER_OUTLINE, (4, 0): ONLY_A, (0, 1): ONLY_B,
    }  # fmt: skip
    by_id = {p.a: p for p in pairs}
    assert by_id[1].iou == pytest.approx(0.81)
    assert (by_id[2].class_a, by_id[2].class_b) == ("cell", "axon")
    assert by_id[4].box == (30, 30, 35, 35)
    assert len(disagreements(pairs)) == 4


def test_agreement_is_told_in_numbers():
    pairs = compare_labels(ANNA, BEN)
    found = agreement(pairs)

    assert (found.objects_a, found.objects_b, found.matched, found.same_class) == (4, 4, 2, 1)
    assert found.f1 == 0.5
    assert found.iou == pytest.approx((0.81 + 1) / 2)
    assert agreement([]).f1 == 1


def test_a_stricter_threshold_makes_outlines_differ():
    pairs = compare_labels(ANNA, BEN, threshold=0.9)

    assert next(p for p in pairs if p.a == 1).verdict == OTHER_OUTLINE


def test_objects_of_volumes_are_one_on_all_planes():
    a, b = np.zeros((3, 40, 40), np.uint16), np.zeros((3, 40, 40), np.int32)
    a[0, :10, :10] = a[1, :20, :20] = 1
    b[1, :20, :20] = b[2, :10, :10] = 70_000
    (pair,) = compare_labels(opened(a), opened(b))

    assert pair.iou == pytest.approx(400 / 600)
    assert pair.index == (1,)


def test_labels_of_other_shapes_are_refused():
    smaller = opened(BEN.data[:5], BEN.table)
    with pytest.raises(InvalidLabels, match="the same image"):
        compare_labels(ANNA, smaller, image="x.tif")


@pytest.fixture
def folder(tmp_path):
    for number in (1, 2, 3):
        tifffile.imwrite(tmp_path / f"x{number}.tif", np.full((40, 40), number, np.uint8))
    for who, found in (("anna", ANNA), ("ben", BEN)):
        (tmp_path / "labels" / who).mkdir(parents=True)
        write_labels(tmp_path / "labels" / who / "x1_labels.tif", found.data, table=found.table)
        write_labels(tmp_path / "labels" / who / "x2.nii.gz", ANNA.data, table=ANNA.table)
    return tmp_path


@pytest.mark.parametrize("kind", ["csv", "json"])
def test_the_command_compares_folders(folder, capsys, kind):
    out = folder / f"found.{kind}"

    assert main(["series", str(folder), "--compare", "anna", "ben", "-o", str(out)]) == 0
    first, second, total = capsys.readouterr().out.splitlines()
    assert first.startswith("x1.tif: 4 and 4 objects, 2 in both (F1 0.50)")
    assert second.startswith("x2.tif: 4 and 4 objects, 4 in both (F1 1.00)")
    assert total.endswith("1 images without labels of both")
    if kind == "csv":
        rows = list(csv.DictReader(out.read_text().splitlines()))
    else:
        told = json.loads(out.read_text())
        rows, found = told["rows"], told["all"]
        assert found["matched"] == 6
    assert len(rows) == 9
    assert sum(row["verdict"] != AGREE for row in rows) == 4


def test_folders_without_common_images_are_told(folder, capsys):
    (folder / "labels" / "carla").mkdir()

    assert main(["series", str(folder), "--compare", "anna", "carla"]) == 2
    assert "no image has labels" in capsys.readouterr().err
    assert main(["series", str(folder), "--compare", "anna", "nobody"]) == 2
    assert "no folder 'nobody'" in capsys.readouterr().err
