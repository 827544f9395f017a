"""DICOM in every transfer syntax: the same pixels, or a word about the package."""

from __future__ import annotations

import importlib.util

import numpy as np
import pytest

from napari_seem.errors import FileTrouble, MissingPackage
from napari_seem.io.dicom import decoders
from napari_seem.io.files import open_image

pydicom = pytest.importorskip("pydicom")
gdcm = pytest.importorskip("gdcm")
dicom_files, uid = pytest.importorskip("dicom_files"), pytest.importorskip("pydicom.uid")
sample = dicom_files.sample

SYNTAXES = {
    "JPEGLosslessProcess14": uid.JPEGLossless,
    "JPEGLosslessProcess14_1": uid.JPEGLosslessSV1,
    "JPEGLSLossless": uid.JPEGLSLossless,
    "JPEG2000Lossless": uid.JPEG2000Lossless,
    "RLELossless": uid.RLELossless,
    "DeflatedExplicitVRLittleEndian": uid.DeflatedExplicitVRLittleEndian,
    "ExplicitVRBigEndian": uid.ExplicitVRBigEndian,
    "ImplicitVRLittleEndian": uid.ImplicitVRLittleEndian,
}


@pytest.fixture
def plain(tmp_path):
    """A CT slice, uncompressed, and what it is opened as."""
    path = tmp_path / "plain.dcm"
    pydicom.dcmread(sample("CT_small.dcm")).save_as(path)
    return path, np.asarray(open_image(path).data)


def converted(path, name):
    """Write a file again in another transfer syntax, by GDCM."""
    reader, change, writer = (
        gdcm.ImageReader(),
        gdcm.ImageChangeTransferSyntax(),
        gdcm.ImageWriter(),
    )
    reader.SetFileName(str(path))
    assert reader.Read()
    change.SetTransferSyntax(gdcm.TransferSyntax(getattr(gdcm.TransferSyntax, name)))
    change.SetInput(reader.GetImage())
    assert change.Change()
    out = path.with_name(f"{name}.dcm")
    writer.SetFileName(str(out))
    writer.SetFile(reader.GetFile())
    writer.SetImage(change.GetOutput())
    assert writer.Write()
    return out


@pytest.mark.parametrize("name", SYNTAXES)
def test_every_lossless_syntax_gives_the_same_pixels(plain, name):
    path, pixels = plain
    if name.startswith(("Deflated", "Implicit")):
        dataset = pydicom.dcmread(path)
        out = path.with_name("other.dcm")
        dataset.file_meta.TransferSyntaxUID = SYNTAXES[name]
        dataset.save_as(out, implicit_vr="Implicit" in name)
    else:
        out = converted(path, name)
    assert pydicom.dcmread(out).file_meta.TransferSyntaxUID == SYNTAXES[name]
    opened = open_image(out)
    np.testing.assert_array_equal(opened.data, pixels)
    assert opened.data.dtype.isnative
    assert opened.about["unit"] == "HU"


@pytest.mark.parametrize(("name", "shape", "highest"), [
    ("JPGExtended.dcm", (1024, 256), 264), ("JPEG-lossy.dcm", (1024, 256), 264),
    ("JPEGLSNearLossless_16.dcm", (50, 10), None), ("JPEGLSNearLossless_08.dcm", (45, 10), None),
    ("JPEG2000.dcm", (1024, 256), None), ("SC_rgb_jpeg_gdcm.dcm", (100, 100, 3), 255),
    ("SC_rgb_dcmtk_+eb+cy+np.dcm", (100, 100, 3), 255),
    ("SC_rgb_jpeg_lossy_gdcm.dcm", (100, 100, 3), 255), ("SC_rgb_rle.dcm", (100, 100, 3), 255),
    ("image_dfl.dcm", (512, 512), None), ("ExplVR_BigEnd.dcm", (60, 80, 3), None),
])  # fmt: skip
def test_files_of_others(name, shape, highest):
    opened = open_image(sample(name))
    data = np.asarray(opened.data)
    assert data.shape[-len(shape) :] == shape
    assert highest is None or data.max() == highest
    assert data.std() > 0
    assert opened.channel_axis == (2 if shape[-1] == 3 else None)
    assert opened.rgb == (shape[-1] == 3)


def test_a_lossy_film_looks_like_the_one_it_was_made_of(tmp_path):
    ramp = np.add.outer(np.arange(64), np.arange(96)).astype(np.uint8)
    dicom_files.image(tmp_path / "raw.dcm", ramp)
    out = converted(tmp_path / "raw.dcm", "JPEGBaselineProcess1")
    data = np.asarray(open_image(out).data).astype(int)
    assert np.abs(data - ramp).max() <= 4


def test_high_throughput_jpeg_2000(plain):
    imagecodecs = pytest.importorskip("imagecodecs")
    path, pixels = plain
    dataset = pydicom.dcmread(path)
    raw = dataset.pixel_array
    coded = imagecodecs.htj2k_encode(raw, reversible=True)
    dataset.PixelData = pydicom.encaps.encapsulate([coded])
    dataset["PixelData"].is_undefined_length = True
    dataset.file_meta.TransferSyntaxUID = uid.HTJ2KLossless
    dataset.save_as(path.with_name("h.dcm"))
    np.testing.assert_array_equal(open_image(path.with_name("h.dcm")).data, pixels)


def test_a_missing_decoder_is_named_with_its_remedy(plain, monkeypatch):
    out = converted(plain[0], "JPEGLosslessProcess14_1")
    decoder = pydicom.pixels.get_decoder(uid.JPEGLosslessSV1)
    monkeypatch.setattr(type(decoder), "is_available", property(lambda _: False))
    with pytest.raises(MissingPackage, match=r"JPEG Lossless.*python-gdcm.*napari-seem\[medical\]"):
        open_image(out)


def test_a_package_is_asked_for_by_its_name(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(decoders, "find_spec", importlib.util.find_spec)
    assert not decoders.is_available(decoders.EXTENDED)
    assert not decoders.is_available(decoders.HTJ2K[0])


def test_films_coded_as_video_are_refused_with_a_way_out(plain):
    dataset = pydicom.dcmread(plain[0])
    dataset.PixelData = pydicom.encaps.encapsulate([b"\0" * 64])
    dataset["PixelData"].is_undefined_length = True
    dataset.file_meta.TransferSyntaxUID = uid.MPEG4HP41
    dataset.save_as(plain[0])
    with pytest.raises(FileTrouble, match=r"MPEG-4.*isn't read here; decompress it first"):
        open_image(plain[0])


def test_files_without_the_usual_beginning(plain):
    dataset = pydicom.dcmread(plain[0])
    bare = plain[0].with_name("bare.dcm")
    with bare.open("wb") as stream:
        pydicom.dcmwrite(
            stream, pydicom.Dataset(dataset), implicit_vr=True, little_endian=True,
        )  # fmt: skip
    np.testing.assert_array_equal(open_image(bare).data, plain[1])


@pytest.mark.parametrize(("old", "new", "said"), [
    (b"Adobe\0\x64\0\0\0\0\0", b"Adobe\0\x64\0\0\0\0\x02", "unknown colours"),
    (b"\xff\xc3\0\x11\x08\0\x64\0\x64", b"\xff\xc3\0\x11\x08\0\x64\x40\x64", "16484 x 100 pixels"),
    (b"\xff\xc3\0\x11\x08", b"\xff\xc3\0\x11\x10", "16 bits a sample"),
    (b"\xff\xc4\0\x17\0\1", b"\xff\xc4\0\x17\0\xff", "tables"),
    (b"\xff\xda\0\x0c\x03", b"\xff\xda\0\x0c\x04", "damaged scan"),
    (b"\xff\xd9", b"\xff\xc3", "its JPEG stream"),
])  # fmt: skip
def test_damaged_jpeg_is_refused_before_gdcm_ends_the_program(tmp_path, old, new, said):
    content = sample("SC_rgb_jpeg_gdcm.dcm").read_bytes()
    assert content.count(old) == 1
    (tmp_path / "a.dcm").write_bytes(content.replace(old, new))
    with pytest.raises(FileTrouble, match=rf"a\.dcm.*{said}"):
        open_image(tmp_path / "a.dcm")
