"""DICOM: a series becomes a volume in Hounsfield units, labels a segmentation of its images."""

from __future__ import annotations

import numpy as np
import pytest
from files import some_labels

from napari_seem.errors import FileTrouble, InvalidLabels
from napari_seem.io.dicom import series_in
from napari_seem.io.files import open_image, read_labels, write_labels
from napari_seem.io.grid import Grid

pydicom = pytest.importorskip("pydicom")
highdicom = pytest.importorskip("highdicom")

EVEN = [-75.7 + 2.5 * number for number in range(6)]


def test_slices_are_sorted_by_place_and_rescaled(make_series):
    opened = open_image(make_series(EVEN))
    means = opened.data.mean((1, 2))
    np.testing.assert_allclose(np.diff(means), 1.0, atol=1e-6)
    assert opened.about["unit"] == "HU"
    assert opened.data.dtype == np.int16
    assert opened.data.min() < -500
    np.testing.assert_allclose(opened.grid.spacing, (2.5, 0.661468, 0.661468))
    assert opened.grid.axes == ("z", "y", "x")
    np.testing.assert_allclose(opened.grid.origin, (75.7, -179.035797, -158.135803))


def test_a_ct_begins_with_the_window_of_its_file_or_soft_tissue(make_series):
    from napari_seem.images import WINDOWS
    from napari_seem.viewer.files import as_layers
    from napari_seem.viewer.model_input import CONTRAST, LOOK

    def windowed(centre, width):
        def change(_, dataset):
            dataset.WindowCenter, dataset.WindowWidth = centre, width

        ((_, options, _),) = as_layers(open_image(make_series(EVEN[:2], f"w{width}", change)))
        return tuple(options["contrast_limits"]), options["metadata"][LOOK]

    assert windowed([40, 300], [350, 2000]) == ((-135, 215), CONTRAST)
    limits, look = windowed(300, 1500)
    assert (limits, look.name, look.window) == ((-450, 1050), "bone", WINDOWS["bone"])
    limits, look = windowed("", "")
    assert (limits, look.name) == (WINDOWS["soft tissue"], "soft tissue")


def test_a_segmentation_refers_to_its_images_and_keeps_ids_and_names(tmp_path, make_series, table):
    folder = make_series(EVEN)
    grid = open_image(folder).grid
    labels = some_labels(grid.shape)
    labels[0] = 0
    labels[2, labels[2] == 9] = 0
    out = tmp_path / "seg.dcm"
    write_labels(out, labels, grid, table)
    file = pydicom.dcmread(out)
    assert file.Modality == "SEG"
    assert [str(s.SegmentLabel) for s in file.SegmentSequence] == [
        "liver", "a thing of mine", "object 300"
    ]  # fmt: skip
    liver = file.SegmentSequence[0]
    assert liver.SegmentedPropertyTypeCodeSequence[0].CodeValue == "10200004"
    (frames,) = series_in(folder).values()
    images = {frame.header.SOPInstanceUID: frame.header for frame in frames}
    ids = (4, 9, 300)
    ours = {tuple(np.round(images_z(grid, k), 4)): k for k in range(grid.shape[0])}
    for frame, group in zip(file.pixel_array, file.PerFrameFunctionalGroupsSequence, strict=True):
        source = group.DerivationImageSequence[0].SourceImageSequence[0]
        image = images[source.ReferencedSOPInstanceUID]
        plane = group.PlanePositionSequence[0].ImagePositionPatient
        assert list(plane) == list(image.ImagePositionPatient)
        number = group.SegmentIdentificationSequence[0].ReferencedSegmentNumber
        k = ours[(round(float(plane[2]), 4),)]
        np.testing.assert_array_equal(frame > 0, labels[k] == ids[number - 1])
    assert len(file.pixel_array) == sum((labels == i).any((1, 2)).sum() for i in ids)
    back, objects = read_labels(out, grid)
    np.testing.assert_array_equal(back, labels)
    assert objects[4].score == 0.873


def images_z(grid, k):
    return (-(grid.matrix[0, -1] + grid.matrix[0, 0] * k),)


def test_a_segmentation_without_its_table_still_names_its_objects(tmp_path, make_series, table):
    grid = open_image(make_series(EVEN)).grid
    out = tmp_path / "seg.dcm"
    write_labels(out, some_labels(grid.shape), grid, table)
    (tmp_path / "seg.json").unlink()
    _, objects = read_labels(out, grid)
    assert [(i, r.name) for i, r in objects.items()] == [
        (4, "liver"), (9, "a thing of mine"), (300, "")
    ]  # fmt: skip


def test_a_series_can_be_written_as_nifti_on_its_own_grid(tmp_path, make_series):
    nibabel = pytest.importorskip("nibabel")
    opened = open_image(make_series(EVEN))
    write_labels(tmp_path / "l.nii.gz", some_labels(opened.grid.shape), opened.grid)
    affine = nibabel.load(tmp_path / "l.nii.gz").affine
    # NIfTI counts towards right and anterior, DICOM towards left and posterior
    np.testing.assert_allclose(affine @ (0, 0, 0, 1), (158.135803, 179.035797, -75.7, 1))
    np.testing.assert_allclose(affine @ (0, 0, 5, 1), (158.135803, 179.035797, -63.2, 1))


def test_two_series_are_refused_and_one_can_be_chosen(make_series):
    folder = make_series(EVEN)
    make_series(EVEN[:3])
    found = series_in(folder)
    with pytest.raises(FileTrouble, match=r"holds 2 series: CT .*6 images.*3 images"):
        open_image(folder)
    uid = next(uid for uid, sets in found.items() if len(sets) == 3)
    assert open_image(folder, series=uid).data.shape == (3, 128, 128)
    with pytest.raises(FileTrouble, match=r"no series 1\.2"):
        open_image(folder, series="1.2")


def test_missing_slices_are_refused(make_series):
    with pytest.raises(FileTrouble, match=r"2\.5 mm apart, but 7\.5 mm.*2 seem to be missing"):
        open_image(make_series([*EVEN, EVEN[-1] + 7.5]))


def test_several_slices_at_one_place_are_refused(make_series):
    with pytest.raises(FileTrouble, match="several slices at one place"):
        open_image(make_series([*EVEN, EVEN[-1]]))


def test_mixed_slices_are_refused(make_series):
    def coarser(number, dataset):
        if number == 2:
            dataset.PixelSpacing = [1.0, 1.0]

    with pytest.raises(FileTrouble, match="slices of different PixelSpacing"):
        open_image(make_series(EVEN, change=coarser))


def test_a_slice_of_unknown_place_is_refused(make_series):
    def lost(number, dataset):
        if number == 1:
            del dataset.ImagePositionPatient

    with pytest.raises(FileTrouble, match="does not say its ImagePositionPatient"):
        open_image(make_series(EVEN, change=lost))


def test_truncated_slices_and_other_files(make_series, tmp_path):
    folder = make_series(EVEN)
    (folder / "notes.txt").write_text("not an image")
    assert open_image(folder).data.shape[0] == 6
    victim = next(folder.glob("*.dcm"))
    victim.write_bytes(victim.read_bytes()[:-5000])
    with pytest.raises(FileTrouble, match=rf"{victim.name}.*copy it again"):
        open_image(folder)
    (tmp_path / "empty").mkdir()
    with pytest.raises(FileTrouble, match="no DICOM image"):
        open_image(tmp_path / "empty")


def test_a_segmentation_needs_a_series(tmp_path, make_series):
    labels = some_labels((6, 128, 128))
    with pytest.raises(InvalidLabels, match="did not come from a DICOM series"):
        write_labels(tmp_path / "s.dcm", labels, Grid.plain(labels.shape))
    folder = make_series(EVEN)
    grid = open_image(folder).grid
    with pytest.raises(InvalidLabels, match="can't be empty"):
        write_labels(tmp_path / "s.dcm", np.zeros_like(labels), grid)
    next(folder.glob("*.dcm")).unlink()
    with pytest.raises(FileTrouble, match="is gone"):
        write_labels(tmp_path / "s.dcm", labels, grid)
    assert not list(tmp_path.glob("*s.dcm"))
