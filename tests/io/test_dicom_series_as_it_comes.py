"""DICOM folders as they come: empty tags, cut files, tilted gantries, media, mixed directions."""

from __future__ import annotations

import shutil
from contextlib import nullcontext

import numpy as np
import pytest

from napari_seem.errors import FileTrouble, InvalidLabels
from napari_seem.io.dicom import describe, is_series, series_in
from napari_seem.io.files import open_image, read_labels, write_labels

pydicom = pytest.importorskip("pydicom")
highdicom = pytest.importorskip("highdicom")
nibabel = pytest.importorskip("nibabel")
dicom_files = pytest.importorskip("dicom_files")

THREE = [0.0, 2.5, 5.0]
ANGLE = np.deg2rad(15)
EMPTY = (
    "RescaleSlope", "RescaleIntercept", "NumberOfFrames", "SliceThickness", "Modality",
    "PatientID", "PatientSex", "StudyDate", "AccessionNumber",
)  # fmt: skip
NAMES = ("FrameOfReferenceUID", "StudyInstanceUID", "SOPInstanceUID", "SeriesInstanceUID")
PLACES = ("PixelSpacing", "ImagePositionPatient", "ImageOrientationPatient")
ABSENT = (
    *NAMES, *PLACES, "SliceThickness", "Modality", "PatientName", "PatientID", "PatientBirthDate",
    "PatientSex", "StudyDate", "StudyTime", "StudyID", "AccessionNumber",
)  # fmt: skip


def marked(grid):
    labels = np.zeros(grid.shape, np.uint16)
    labels[1, 10:20, 10:30] = 3
    return labels


def emptied(keys):
    def change(_, dataset):
        for key in keys:
            setattr(dataset, key, None)

    return change


@pytest.mark.filterwarnings("ignore:A value of 'None' for .0028,0008")
@pytest.mark.parametrize("key", EMPTY)
def test_an_empty_element_counts_as_absent(make_series, tmp_path, key):
    opened = open_image(make_series(THREE, change=emptied([key])))
    plain = open_image(make_series(THREE, "plain"))
    np.testing.assert_allclose(opened.grid.matrix, plain.grid.matrix)
    shift = 1024 if key == "RescaleIntercept" else 0
    np.testing.assert_array_equal(opened.data, np.asarray(plain.data, int) + shift)
    write_labels(tmp_path / "s.dcm", marked(opened.grid), opened.grid)
    back, _ = read_labels(tmp_path / "s.dcm", opened.grid)
    np.testing.assert_array_equal(back, marked(opened.grid))


@pytest.mark.parametrize("key", PLACES)
def test_an_empty_place_is_refused_by_file_and_name(make_series, key):
    with pytest.raises(FileTrouble, match=rf"series-\d+\.dcm' does not say its {key}"):
        open_image(make_series(THREE, change=emptied([key])))


@pytest.mark.parametrize("key", ABSENT)
def test_whatever_an_anonymiser_left_out(make_series, tmp_path, key):
    folder = make_series(THREE, change=lambda _, one: one.pop(key, None))
    path = tmp_path / "s.dcm"
    refused = key in (*NAMES, *PLACES)
    with pytest.raises((FileTrouble, InvalidLabels), match=key) if refused else nullcontext():
        grid = open_image(folder).grid
        write_labels(path, marked(grid), grid)
    if not refused:
        np.testing.assert_array_equal(read_labels(path, grid)[0], marked(grid))
        assert highdicom.seg.segread(path).number_of_segments == 1


@pytest.mark.parametrize(("key", "value"), [
    ("PixelSpacing", [0, 1]), ("PixelSpacing", [1, 2, 3]), ("ImagePositionPatient", [1, 2]),
    ("ImageOrientationPatient", [1, 0, 0, 1, 0, 0]), ("ImageOrientationPatient", [0] * 6),
])  # fmt: skip
def test_a_place_that_is_none_is_refused(make_series, key, value):
    with pytest.raises(FileTrouble, match=rf"\.dcm' is damaged: its {key}"):
        open_image(make_series(THREE, change=lambda _, one: setattr(one, key, value)))


@pytest.mark.parametrize("kept", [0, 100, 131, 140, 300, 600])
def test_a_cut_slice_is_not_left_out(make_series, kept):
    folder = make_series(THREE)
    last = sorted(folder.iterdir())[-1]
    last.write_bytes(last.read_bytes()[:kept])
    with pytest.raises(FileTrouble, match=rf"{last.name}.*copy it again"):
        open_image(folder)
    with pytest.raises(FileTrouble, match=last.name):
        open_image(last)


def test_a_cut_slice_without_ending_is_known_by_its_name(make_series):
    folder = make_series(THREE)
    for number, file in enumerate(sorted(folder.iterdir())):
        file.rename(folder / f"IM{number:04d}")
    (folder / "README").write_text("made by a scanner")
    (folder / "._IM0001.dcm").write_bytes(b"\0\5\x16\7")  # macOS leaves these
    assert is_series(folder)
    assert open_image(folder).data.shape == (3, 128, 128)
    (folder / "IM0002").write_bytes(b"\0" * 100)
    with pytest.raises(FileTrouble, match="IM0002' is damaged or cut"):
        open_image(folder)


def tilted(number, dataset):
    dataset.ImageOrientationPatient = [1, 0, 0, 0, float(np.cos(ANGLE)), float(np.sin(ANGLE))]
    dataset.ImagePositionPatient = [-100, -100, -500 + 5 * number]


def test_a_tilted_gantry_is_told_and_labels_keep_their_place(make_series, tmp_path):
    opened = open_image(make_series([0.0] * 6, change=tilted))
    assert "tilted by 15.0 degrees" in opened.about["warning"]
    assert "1.29 mm" in opened.about["warning"]
    assert opened.grid.spacing[0] == pytest.approx(5 * np.cos(ANGLE))  # volumes are right
    labels = np.zeros(opened.grid.shape, np.uint8)
    labels[5, 40, 60] = 1
    true = np.array([60 * 0.661468, 40 * 0.661468 * np.cos(ANGLE), 40 * 0.661468 * np.sin(ANGLE)])
    true += (-100, -100, -500 + 25)
    write_labels(tmp_path / "l.nii.gz", labels, opened.grid)
    image = nibabel.load(tmp_path / "l.nii.gz")
    np.testing.assert_allclose(
        (image.get_sform() @ (60, 40, 5, 1))[:3], true * (-1, -1, 1), atol=1e-3
    )
    assert image.header["qform_code"] == 0
    write_labels(tmp_path / "s.dcm", labels, opened.grid)
    np.testing.assert_array_equal(read_labels(tmp_path / "s.dcm", opened.grid)[0], labels)
    (frame,) = highdicom.seg.segread(tmp_path / "s.dcm").PerFrameFunctionalGroupsSequence
    place = np.array(frame.PlanePositionSequence[0].ImagePositionPatient, float)
    np.testing.assert_allclose(place, (-100, -100, -475))


def test_an_upright_gantry_is_not_called_tilted(make_series):
    assert "warning" not in open_image(make_series(THREE)).about


def test_directions_in_one_series_are_told_by_name(make_series):
    def localizer(number, dataset):
        if number == 2:
            dataset.ImageOrientationPatient = [1, 0, 0, 0, 0, -1]

    folder = make_series(THREE, change=localizer)
    with pytest.raises(FileTrouble, match=r"2 images, axial.*1 image, coronal"):
        open_image(folder)
    assert sorted(len(frames) for frames in series_in(folder).values()) == [1, 2]


def test_slices_beside_the_line_of_the_others_are_refused(make_series):
    def shifted(number, dataset):
        if number == 1:
            dataset.ImagePositionPatient[0] += 4

    with pytest.raises(FileTrouble, match=r"lies 4\.00 mm beside the line of the others"):
        open_image(make_series(THREE, change=shifted))


def test_unequal_distances_are_refused_with_their_files(make_series):
    with pytest.raises(
        FileTrouble, match=r"2\.5 mm apart, but 3\.5 mm between '.*dcm' and '.*dcm'"
    ):
        open_image(make_series([0.0, 2.5, 5.0, 8.5]))


def test_images_of_other_formats_in_the_folder_are_named(make_series):
    folder = make_series(THREE)
    grid = open_image(folder).grid
    write_labels(folder / "labels.nii.gz", marked(grid), grid)
    assert "warning" not in open_image(folder).about

    (folder / "preview.jpg").write_bytes(b"a picture")
    assert "left out are 'preview.jpg'" in open_image(folder).about["warning"]


@pytest.fixture
def medium(tmp_path):
    """A DICOM medium with the folders of one patient of pydicom's own, and its DICOMDIR."""
    source = dicom_files.sample("DICOMDIR").parent
    shutil.copytree(source, tmp_path / "cd")
    return tmp_path / "cd"


def test_a_dicomdir_lists_the_series_of_a_medium(medium):
    found = series_in(medium / "DICOMDIR")
    assert len(found) > 5
    assert series_in(medium).keys() == found.keys()  # the folder has no image of its own
    uid = next(uid for uid, frames in found.items() if len(frames) == 5)
    assert open_image(medium / "DICOMDIR", uid).data.shape == (5, 16, 16)
    told = {describe(frames) for frames in found.values()}
    assert "MR 'T/S/C RF FAST PILOT', 1 image, coronal" in told


def test_a_dicomdir_with_missing_or_foreign_files_is_refused(medium, tmp_path):
    shutil.rmtree(medium / "98892003" / "MR1")
    with pytest.raises(FileTrouble, match=r"lists \d+ images, of which \d+ are missing"):
        open_image(medium)
    index = pydicom.dcmread(medium / "DICOMDIR")
    with pydicom.config.disable_value_validation():
        for record in index.DirectoryRecordSequence:
            if record.DirectoryRecordType == "IMAGE":
                record.ReferencedFileID = ["..", "OTHER"]
        index.save_as(medium / "DICOMDIR")
    with pytest.raises(FileTrouble, match="outside its folder"):
        open_image(medium)


def test_a_deflated_file_that_unpacks_to_gigabytes_is_refused(tmp_path, monkeypatch):
    from napari_seem.io.dicom import headers

    monkeypatch.setattr(headers, "UNPACKED_BYTES", 100_000)
    path = dicom_files.sample("image_dfl.dcm")
    with pytest.raises(FileTrouble, match="unpacks to more than 100,000 bytes"):
        open_image(path)
