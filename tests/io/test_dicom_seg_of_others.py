"""DICOM segmentations of others: fractional, overlapping, label maps, without their images."""

from __future__ import annotations

import numpy as np
import pytest

from napari_seem.edits import ObjectRecord, ObjectTable
from napari_seem.errors import FileTrouble
from napari_seem.io.files import open_image, open_labels, read_labels, write_labels
from napari_seem.io.formats import find_labels

pydicom = pytest.importorskip("pydicom")
highdicom = pytest.importorskip("highdicom")
dicom_files = pytest.importorskip("dicom_files")
enhanced, groups, sample = dicom_files.enhanced, dicom_files.groups, dicom_files.sample
codes, Kind = pytest.importorskip("pydicom.sr.codedict").codes, highdicom.seg.SegmentationTypeValues

PLACES = [2.5 * number for number in range(6)]


def described(number, name):
    return highdicom.seg.SegmentDescription(
        number,
        name,
        codes.SCT.Organ,
        codes.SCT.Liver,
        highdicom.seg.SegmentAlgorithmTypeValues.MANUAL,
    )


def written(path, sources, pixels, kind, names=("one", "two"), **more):
    """Write a segmentation by highdicom: pixels (z, y, x) or (z, y, x, segment)."""
    seg = highdicom.seg.Segmentation(
        sources, pixels, kind, [described(n, name) for n, name in enumerate(names, 1)],
        pydicom.uid.generate_uid(), 1, pydicom.uid.generate_uid(), 1, "Maker", "Model", "1", "2",
        **more,
    )  # fmt: skip
    seg.save_as(path)
    return path


@pytest.fixture
def ct(make_series):
    """A CT, its files from foot to head, and two segments (z, y, x, segment) that overlap."""
    folder = make_series(PLACES)
    opened = open_image(folder)
    files = [pydicom.dcmread(file) for file in opened.grid.native["files"]]
    masks = np.zeros((*opened.grid.shape, 2), np.uint8)
    masks[1:4, 10:30, 20:50, 0] = 1
    masks[2:5, 25:40, 30:60, 1] = 1
    return opened, files, masks


def expected(masks):
    return np.where(masks[..., 1] > 0, 2, masks[..., 0])


@pytest.mark.parametrize("image", ["open", "absent"])
def test_overlapping_segments_are_told_and_the_later_wins(ct, tmp_path, image):
    opened, files, masks = ct
    path = written(tmp_path / "s.dcm", files, masks, Kind.BINARY)
    found = open_labels(path, opened.grid if image == "open" else None)
    wanted = expected(masks) if image == "open" else expected(masks)[1:5]
    np.testing.assert_array_equal(found.data, wanted)
    overlap = int((masks.sum(-1) == 2).sum())
    assert f"overlap in {overlap} pixels" in found.note
    assert [record.name for _, record in found.table.items()] == ["one", "two"]
    if image == "absent":  # in the world where the image would lie
        z = opened.grid.matrix @ (1, 0, 0, 1)
        np.testing.assert_allclose(found.grid.matrix @ (0, 0, 0, 1), z)


def test_fractional_segments_hold_from_a_half_on(ct, tmp_path):
    opened, files, masks = ct
    parts = masks[..., 0] * 0.6 + 0.4 * (masks[..., 1] > 0)
    path = written(tmp_path / "s.dcm", files, parts.astype(np.float32), Kind.FRACTIONAL, ("one",),
                   max_fractional_value=200)  # fmt: skip
    found, _ = read_labels(path, opened.grid)
    np.testing.assert_array_equal(found, masks[..., 0])


def test_label_maps_show_all_segments_in_a_frame(ct, tmp_path):
    opened, files, masks = ct
    path = written(tmp_path / "s.dcm", files, expected(masks).astype(np.uint8), Kind.LABELMAP)
    found = open_labels(path, opened.grid)
    np.testing.assert_array_equal(found.data, expected(masks))
    assert not found.note


def test_segments_of_frames_of_a_file(tmp_path):
    order = [2, 0, 3, 1]
    frames = [groups((-10, -20, 3 * k)) for k in order]
    enhanced(
        tmp_path / "ct.dcm", np.zeros((4, 7, 9), np.uint16), frames, PatientBirthDate="",
        PatientSex="", AccessionNumber="", StudyID="", StudyDate="", StudyTime="",
    )  # fmt: skip
    opened = open_image(tmp_path / "ct.dcm")
    masks = np.random.default_rng(0).random((4, 7, 9)) > 0.5
    path = written(tmp_path / "s.dcm", [pydicom.dcmread(tmp_path / "ct.dcm")], masks[order],
                   Kind.BINARY, ("one",))  # fmt: skip
    np.testing.assert_array_equal(read_labels(path, opened.grid)[0], masks)
    np.testing.assert_array_equal(read_labels(path)[0], masks)


def test_frames_that_name_no_source_are_placed_by_their_position(ct, tmp_path):
    opened, files, masks = ct
    path = written(tmp_path / "s.dcm", files, masks[..., 0], Kind.BINARY, ("one",))
    seg = pydicom.dcmread(path)
    for frame in seg.PerFrameFunctionalGroupsSequence:
        del frame.DerivationImageSequence
    seg.save_as(path)
    np.testing.assert_array_equal(read_labels(path, opened.grid)[0], masks[..., 0])
    seg.FrameOfReferenceUID = "1.2.3"
    seg.save_as(path)
    with pytest.raises(FileTrouble, match="made on other images"):
        read_labels(path, opened.grid)


def test_slices_between_which_nothing_is_labelled_are_empty(ct, tmp_path):
    _, files, masks = ct
    masks[:] = 0
    masks[0, 5:9, 5:9, 0] = masks[4, 5:9, 5:9, 0] = 1
    for file in files:  # whose own is wrong
        file.SpacingBetweenSlices = 2.5
    path = written(tmp_path / "s.dcm", files, masks[..., 0], Kind.BINARY, ("one",))
    found = open_labels(path)
    np.testing.assert_array_equal(found.data.any((1, 2)), [True, False, False, False, True])
    assert found.grid.spacing[0] == 2.5


@pytest.mark.parametrize("name", ["liver_1frame.dcm", "liver_expb_1frame.dcm"])
def test_segmentations_of_others_in_both_byte_orders(tmp_path, name):
    seg = pydicom.dcmread(sample(name))
    with pytest.raises(FileTrouble, match="describes 3 of its 1 frames"):
        open_labels(sample(name))
    seg.PerFrameFunctionalGroupsSequence = seg.PerFrameFunctionalGroupsSequence[:1]
    seg.save_as(tmp_path / name)
    found = open_labels(tmp_path / name)
    np.testing.assert_array_equal(found.data, seg.pixel_array[None])
    assert found.data.sum() > 100


def test_high_ids_and_names_come_back(ct, tmp_path):
    opened, _, masks = ct
    labels = masks[..., 1].astype(np.uint32)
    labels[masks[..., 0] > 0] = 4_000_000_000
    table = ObjectTable({1: ObjectRecord("Leber, groß"), 4_000_000_000: ObjectRecord()})
    write_labels(tmp_path / "s.dcm", labels, opened.grid, table)
    (tmp_path / "s.json").unlink()
    found, objects = read_labels(tmp_path / "s.dcm", opened.grid)
    np.testing.assert_array_equal(found, labels)
    assert [(i, one.name) for i, one in objects.items()] == [
        (1, "Leber, groß"),
        (4_000_000_000, ""),
    ]


def test_a_segmentation_without_ending_is_found(ct, tmp_path):
    _, files, masks = ct
    path = written(tmp_path / "SEG0001", files, masks[..., 0], Kind.BINARY, ("one",))
    assert find_labels(path) == path
    assert open_labels(path).data.any()
    with pytest.raises(FileTrouble, match="is a segmentation and no image; open it as labels"):
        open_image(path)


@pytest.mark.parametrize("kept", [100, 700, -10])
def test_cut_segmentations_are_named(ct, tmp_path, kept):
    opened, files, masks = ct
    path = written(tmp_path / "s.dcm", files, masks[..., 0], Kind.BINARY, ("one",))
    path.write_bytes(path.read_bytes()[:kept])
    for grid in (None, opened.grid):
        with pytest.raises(FileTrouble, match=r"s\.dcm"):
            read_labels(path, grid)
