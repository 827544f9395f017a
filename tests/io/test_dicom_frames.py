"""Multi-frame DICOM: stacks, times and films in the order of their places, and labels on them."""

from __future__ import annotations

import numpy as np
import pytest

from napari_seem.errors import FileTrouble, InvalidLabels
from napari_seem.io.dicom import series_in
from napari_seem.io.files import open_image, open_labels, read_labels, write_labels

pydicom = pytest.importorskip("pydicom")
highdicom = pytest.importorskip("highdicom")
nibabel = pytest.importorskip("nibabel")

dicom_files, uid = pytest.importorskip("dicom_files"), pytest.importorskip("pydicom.uid")
AXIAL, CORONAL, enhanced = dicom_files.AXIAL, dicom_files.CORONAL, dicom_files.enhanced
groups, image, item = dicom_files.groups, dicom_files.image, dicom_files.item

ORDER = np.random.default_rng(0).permutation(8)
"""Slice that each frame of a file shows."""


def stored(count=8):
    return np.random.default_rng(1).integers(0, 2000, (count, 6, 9)).astype(np.uint16)


@pytest.fixture
def scan(tmp_path):
    """An Enhanced CT of eight frames in no order, each with its own rescaling."""
    frames = [groups((-10, -20, 3 * int(k)), slope=1 + int(k) % 2) for k in ORDER]
    enhanced(tmp_path / "scan", stored(), frames)
    return tmp_path / "scan"


def labels_on(shape):
    labels = np.zeros(shape, np.uint16)
    labels[..., 1:4, 2:7] = 7
    labels[..., 4:, 5:] = 900
    labels.reshape(-1, *shape[-2:])[0] = 0
    return labels


def lps(affine):
    return np.diag([-1.0, -1.0, 1.0, 1.0]) @ affine


def test_frames_are_sorted_by_place_and_rescaled_each_by_its_own(scan):
    opened = open_image(scan)
    slopes = 1 + ORDER % 2
    expected = stored().astype(int) * slopes[:, None, None] - 1024
    np.testing.assert_array_equal(opened.data[ORDER], expected)
    assert opened.data.dtype == np.int16
    assert opened.about["unit"] == "HU"
    assert opened.grid.spacing == (3.0, 0.5, 0.75)
    np.testing.assert_allclose(
        lps(opened.grid.native["affine"]) @ (2, 3, 5, 1), (-8.5, -18.5, 15, 1)
    )


def test_every_frame_is_decoded_once(scan, monkeypatch):
    decoded = []
    inner = pydicom.pixels.iter_pixels

    def counted(*args, **options):
        for frame in inner(*args, **options):
            decoded.append(1)
            yield frame

    monkeypatch.setattr(pydicom.pixels, "iter_pixels", counted)
    open_image(scan)
    assert len(decoded) == 8


def test_large_images_are_read_when_they_are_needed(scan, monkeypatch):
    from napari_seem.io.dicom import pixels

    whole = np.asarray(open_image(scan).data)
    monkeypatch.setattr(pixels, "LARGE", 200)
    opened = open_image(scan)
    assert not isinstance(opened.data, np.ndarray)
    np.testing.assert_array_equal(np.asarray(opened.data[3]), whole[3])
    np.testing.assert_array_equal(np.asarray(opened.data), whole)


def test_a_segmentation_refers_to_the_frames(scan, tmp_path):
    opened = open_image(scan)
    labels = labels_on(opened.grid.shape)
    write_labels(tmp_path / "seg.dcm", labels, opened.grid)
    seg = highdicom.seg.segread(tmp_path / "seg.dcm")
    (source,) = seg.ReferencedSeriesSequence[0].ReferencedInstanceSequence
    header = pydicom.dcmread(scan)
    assert source.ReferencedSOPInstanceUID == header.SOPInstanceUID
    assert source.ReferencedSOPClassUID == header.SOPClassUID
    assert seg.ReferencedSeriesSequence[0].SeriesInstanceUID == header.SeriesInstanceUID
    by_frame = seg.get_pixels_by_source_frame(
        header.SOPInstanceUID, list(range(1, 9)), combine_segments=True,
        assert_missing_frames_are_empty=True,
    )  # fmt: skip
    ids = np.array([0, 7, 900])
    np.testing.assert_array_equal(ids[by_frame], labels[ORDER])
    np.testing.assert_array_equal(read_labels(tmp_path / "seg.dcm", opened.grid)[0], labels)
    volume = seg.get_volume(combine_segments=True)
    assert sorted(volume.spacing) == [0.5, 0.75, 3.0]


@pytest.mark.parametrize("name", ["l.nii.gz", "l.dcm"])
def test_labels_keep_the_place_in_the_patient(scan, tmp_path, name):
    opened = open_image(scan)
    labels = np.zeros(opened.grid.shape, np.uint8)
    labels[5, 3, 2] = 1
    write_labels(tmp_path / name, labels, opened.grid)
    if name == "l.dcm":
        alone = open_labels(tmp_path / name)
        affine, index = alone.grid.native["affine"], np.argwhere(alone.data)[0]
    else:
        file = nibabel.load(tmp_path / name)
        affine, index = file.affine, np.argwhere(np.asarray(file.dataobj))[0][::-1]
    np.testing.assert_allclose(lps(affine) @ (*index[::-1], 1), (-8.5, -18.5, 15, 1))


def test_stacks_of_different_directions_are_chosen_by_name(tmp_path):
    frames = [groups((0, 0, 3 * k), AXIAL) for k in range(3)]
    frames += [groups((0, 5 * k, 0), CORONAL, stack="2", spacing=(1, 1)) for k in range(5)]
    enhanced(tmp_path / "two.dcm", stored(), frames, turn=None)
    with pytest.raises(FileTrouble, match=r"2 series: .*3 images, axial.*5 images, coronal"):
        open_image(tmp_path / "two.dcm")
    _, second = series_in(tmp_path / "two.dcm")
    opened = open_image(tmp_path / "two.dcm", second)
    np.testing.assert_array_equal(np.sort(opened.data, 0), np.sort(stored()[3:], 0))
    assert opened.grid.axes == ("y", "z", "x")
    labels = labels_on(opened.grid.shape)
    write_labels(tmp_path / "seg.dcm", labels, opened.grid)
    np.testing.assert_array_equal(read_labels(tmp_path / "seg.dcm", opened.grid)[0], labels)
    seg = highdicom.seg.segread(tmp_path / "seg.dcm")
    first = seg.PerFrameFunctionalGroupsSequence[0].DerivationImageSequence[0]
    assert first.SourceImageSequence[0].ReferencedFrameNumber > 3


def test_times_are_an_axis_of_their_own(tmp_path):
    frames = [groups((0, 0, 3 * (k % 2)), time=1 + k // 2, dimensions=(1 + k % 2, 1 + k // 2))
              for k in (6, 1, 0, 3, 2, 5, 4, 7)]  # fmt: skip
    pixels = stored()
    enhanced(
        tmp_path / "t.dcm", pixels, frames, SOPClassUID=uid.EnhancedMRImageStorage, Modality="MR"
    )
    opened = open_image(tmp_path / "t.dcm")
    assert opened.grid.axes == ("t", "z", "y", "x")
    assert opened.grid.units == ("s", "mm", "mm", "mm")
    assert opened.grid.spacing[0] == pytest.approx(0.25)
    assert "4 images of each place" in opened.about["warning"]
    np.testing.assert_array_equal(opened.data.reshape(8, 6, 9)[[6, 1, 0, 3, 2, 5, 4, 7]], pixels)
    with pytest.raises(InvalidLabels, match=r"images of one place apart.*NIfTI or OME-TIFF"):
        write_labels(tmp_path / "s.dcm", labels_on(opened.grid.shape), opened.grid)
    write_labels(tmp_path / "s.nii.gz", labels_on(opened.grid.shape), opened.grid)
    np.testing.assert_allclose(
        nibabel.load(tmp_path / "s.nii.gz").affine, opened.grid.native["affine"]
    )


def test_frames_that_nothing_places_are_a_film_in_time(tmp_path):
    film = np.random.default_rng(0).integers(0, 255, (5, 7, 11), np.uint8)
    image(tmp_path / "xa.dcm", film, uid.XRayAngiographicImageStorage, "XA", FrameTime=66.7,
          ImagerPixelSpacing=[0.2, 0.3])  # fmt: skip
    opened = open_image(tmp_path / "xa.dcm")
    np.testing.assert_array_equal(opened.data, film)
    assert opened.grid.axes == ("t", "y", "x")
    np.testing.assert_allclose(opened.grid.spacing, (0.0667, 0.2, 0.3))
    assert opened.grid.units == ("s", "mm", "mm")
    write_labels(tmp_path / "l.tif", labels_on(film.shape), opened.grid)
    back = open_labels(tmp_path / "l.tif")
    np.testing.assert_allclose(back.grid.matrix, opened.grid.matrix)
    enhanced(tmp_path / "exa.dcm", stored(), [item(FrameContentSequence=[item()])] * 8, turn=None,
             CineRate=10, SOPClassUID=uid.EnhancedXAImageStorage, Modality="XA")  # fmt: skip
    assert open_image(tmp_path / "exa.dcm").grid.spacing[0] == pytest.approx(0.1)


def test_a_dose_lies_by_its_offsets(tmp_path):
    image(
        tmp_path / "d.dcm", stored(3), uid.RTDoseStorage, "RTDOSE", ImagePositionPatient=[1, 2, 3],
        ImageOrientationPatient=list(AXIAL), PixelSpacing=[2, 2], DoseGridScaling=0.001,
        GridFrameOffsetVector=[0, 5, 10], FrameOfReferenceUID="1.2",
    )  # fmt: skip
    opened = open_image(tmp_path / "d.dcm")
    assert opened.grid.spacing == (5.0, 2.0, 2.0)
    np.testing.assert_allclose(opened.data, stored(3) * 0.001, rtol=1e-6)


def test_slices_of_several_echoes_or_times_are_told_apart(make_series):
    def timed(number, dataset):
        dataset.TemporalPositionIdentifier = 1 + number // 3

    opened = open_image(make_series([0.0, 2.5, 5.0] * 2, change=timed))
    assert opened.data.shape == (2, 3, 128, 128)
    np.testing.assert_allclose(np.diff(opened.data.mean((2, 3)), axis=1), 1)


def test_a_series_made_multi_frame_by_highdicom(make_series, tmp_path):
    folder = make_series([0.0, 2.5, 5.0])
    plain = open_image(folder)
    files = [pydicom.dcmread(file) for file in folder.iterdir()]
    legacy = highdicom.legacy.LegacyConvertedEnhancedCTImage(
        files, uid.generate_uid(), 5, uid.generate_uid(), 1
    )
    legacy.save_as(tmp_path / "legacy.dcm")
    opened = open_image(tmp_path / "legacy.dcm")
    np.testing.assert_array_equal(opened.data, plain.data)
    np.testing.assert_allclose(opened.grid.matrix, plain.grid.matrix)


@pytest.mark.parametrize(("change", "said"), [
    (lambda one: setattr(one, "NumberOfFrames", 9), "describes 8 of its 9 frames"),
    (lambda one: setattr(one, "NumberOfFrames", 10**9), "says to hold 1e.09 frames"),
    (lambda one: setattr(one, "PixelData", one.PixelData[:-40]), "can't be read"),
    (lambda one: one.PerFrameFunctionalGroupsSequence[2].pop("PlanePositionSequence"),
     "does not say its ImagePositionPatient"),
    (lambda one: setattr(one, "TotalPixelMatrixColumns", 900), "slide of 8 tiles"),
])  # fmt: skip
def test_frames_that_are_not_there(scan, change, said):
    dataset = pydicom.dcmread(scan)
    change(dataset)
    dataset.save_as(scan)
    with pytest.raises(FileTrouble, match=said):
        open_image(scan)
