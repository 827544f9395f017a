"""DICOM without a place in the body: films, mammograms, ultrasound, and one file of a series."""

from __future__ import annotations

import shutil

import numpy as np
import pytest

from napari_seem.errors import FileTrouble, InvalidLabels
from napari_seem.io.dicom import series_in
from napari_seem.io.files import open_image, open_labels, read_labels, write_labels
from napari_seem.io.images import open_plane

pydicom = pytest.importorskip("pydicom")
pytest.importorskip("highdicom")
dicom_files, uid = pytest.importorskip("dicom_files"), pytest.importorskip("pydicom.uid")
image, item, sample = dicom_files.image, dicom_files.item, dicom_files.sample
MAMMOGRAM = uid.DigitalMammographyXRayImageStorageForPresentation
ULTRASOUND, ULTRASOUND_FILM = uid.UltrasoundImageStorage, uid.UltrasoundMultiFrameImageStorage

FILM = np.random.default_rng(0).integers(0, 4096, (20, 30)).astype(np.uint16)


@pytest.fixture
def film(tmp_path):
    """A mammogram of 12 bits, whose largest value is black."""
    folder = tmp_path / "film"
    folder.mkdir()
    image(
        folder / "IM0001", FILM, MAMMOGRAM, "MG",
        BitsStored=12, HighBit=11, PhotometricInterpretation="MONOCHROME1",
        ImagerPixelSpacing=[0.07, 0.05], WindowCenter=1000, WindowWidth=400,
    )  # fmt: skip
    return folder / "IM0001"


@pytest.mark.parametrize("of", ["file", "folder"])
def test_a_film_is_opened_as_it_hangs_on_a_light_box(film, of):
    opened = open_image(film if of == "file" else film.parent)
    np.testing.assert_array_equal(opened.data, 4095 - FILM.astype(int))
    assert opened.grid.axes == ("y", "x")
    assert opened.grid.spacing == (0.07, 0.05)
    assert opened.grid.units == ("mm", "mm")
    assert opened.about["window"] == (4095 - 1200, 4095 - 800)
    assert "warning" not in opened.about


def test_a_film_begins_with_the_window_of_its_file(film):
    from napari_seem.viewer.files import as_layers

    ((_, options, _),) = as_layers(open_image(film))
    assert tuple(options["contrast_limits"]) == (2895, 3295)


def test_labels_of_a_film_keep_its_spacing(film, tmp_path):
    opened = open_image(film)
    labels = (FILM > 3000).astype(np.uint8)
    for name in ("l.tif", "l.nii.gz"):
        write_labels(tmp_path / name, labels, opened.grid)
        back = open_labels(tmp_path / name)
        np.testing.assert_array_equal(back.data, labels)
        np.testing.assert_allclose(back.grid.spacing, opened.grid.spacing, rtol=1e-5)
        assert set(back.grid.units) == {"mm"}


def test_a_segmentation_of_a_film_refers_to_it(film, tmp_path):
    labels = (FILM > 3000).astype(np.uint8)
    grid = open_image(film).grid
    write_labels(tmp_path / "seg.dcm", labels, grid)
    np.testing.assert_array_equal(read_labels(tmp_path / "seg.dcm", grid)[0], labels)
    np.testing.assert_array_equal(read_labels(tmp_path / "seg.dcm")[0], labels)
    assert open_labels(tmp_path / "seg.dcm").grid.spacing == pytest.approx(grid.spacing)
    seg = pytest.importorskip("highdicom").seg.segread(tmp_path / "seg.dcm")
    (source,) = seg.ReferencedSeriesSequence[0].ReferencedInstanceSequence
    assert source.ReferencedSOPInstanceUID == pydicom.dcmread(film).SOPInstanceUID


def test_a_slice_of_unknown_place_is_a_film(make_series, tmp_path):
    def lost(_, dataset):
        del dataset.ImagePositionPatient

    grid = open_image(make_series([0.0], change=lost)).grid
    assert grid.shape == (128, 128)
    with pytest.raises(InvalidLabels, match=r"write NIfTI or TIFF instead"):
        write_labels(tmp_path / "seg.dcm", np.ones(grid.shape, np.uint8), grid)


def test_ct_numbers_are_not_inverted_but_told(make_series):
    def inverse(_, dataset):
        dataset.PhotometricInterpretation = "MONOCHROME1"

    plain = open_image(make_series([0.0, 2.5], "a"))
    opened = open_image(make_series([0.0, 2.5], "b", change=inverse))
    np.testing.assert_array_equal(opened.data, plain.data)
    assert "MONOCHROME1" in opened.about["warning"]


def test_films_of_one_series_are_chosen_by_name(film):
    shutil.copy(film, film.with_name("IM0002"))
    with pytest.raises(FileTrouble, match=r"2 series: MG .*'IM0001'.*MG .*'IM0002'"):
        open_image(film.parent)
    _, second = series_in(film.parent)
    assert open_image(film.parent, second).data.shape == FILM.shape


def test_one_file_of_a_series_is_one_slice_and_says_so(make_series):
    folder = make_series([0.0, 2.5, 5.0])
    one = next(folder.iterdir())
    opened = open_image(one)
    assert opened.data.shape == (1, 128, 128)
    assert "one slice; open its folder to see it together with 2 others" in opened.about["warning"]
    assert open_plane(one)[0].shape == (128, 128)


def test_ultrasound_has_colours_and_the_spacing_of_its_region(tmp_path):
    colours = np.random.default_rng(0).integers(0, 255, (12, 16, 3), np.uint8)

    def region(delta, shape=1):
        return item(PhysicalUnitsXDirection=3, PhysicalUnitsYDirection=3, PhysicalDeltaX=delta,
                    PhysicalDeltaY=delta, RegionSpatialFormat=shape)  # fmt: skip

    image(tmp_path / "one.dcm", colours, ULTRASOUND, "US",
          SequenceOfUltrasoundRegions=[region(0.02), region(7, 4)])  # fmt: skip
    opened = open_image(tmp_path / "one.dcm")
    np.testing.assert_array_equal(opened.data, colours)
    assert opened.rgb
    np.testing.assert_allclose(opened.grid.spacing, (0.2, 0.2))
    image(tmp_path / "two.dcm", colours, ULTRASOUND, "US",
          SequenceOfUltrasoundRegions=[region(0.02), region(0.03)])  # fmt: skip
    opened = open_image(tmp_path / "two.dcm")
    assert opened.grid.units == ("pixel", "pixel")
    assert "regions have pixels of different sizes" in opened.about["warning"]


def test_colours_of_every_kind_become_rgb(tmp_path):
    for name in (
        "examples_palette.dcm",
        "examples_rgb_color.dcm",
        "SC_ybr_full_422_uncompressed.dcm",
    ):
        opened = open_image(sample(name))
        assert opened.rgb
        assert opened.grid.axes == ("y", "x")
    ybr = open_image(sample("SC_ybr_full_422_uncompressed.dcm"))
    rgb = open_image(sample("SC_rgb_rle.dcm"))
    assert np.abs(np.asarray(ybr.data, int) - np.asarray(rgb.data, int)).mean() < 12


def test_an_ultrasound_film_has_time_and_colours(tmp_path):
    colours = np.random.default_rng(0).integers(0, 255, (4, 12, 16, 3), np.uint8)
    image(tmp_path / "film.dcm", colours, ULTRASOUND_FILM, "US",
          FrameTimeVector=[0, 40, 40, 40])  # fmt: skip
    opened = open_image(tmp_path / "film.dcm")
    np.testing.assert_array_equal(opened.data, colours)
    assert (opened.channel_axis, opened.grid.axes) == (3, ("t", "y", "x"))
    assert opened.rgb
    assert opened.grid.spacing[0] == pytest.approx(0.04)
