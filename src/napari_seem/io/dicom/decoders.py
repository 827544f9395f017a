"""Decoders for pydicom: GDCM behind checks and for JPEG of 12 bits, and imagecodecs for HTJ2K."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING

from ..extras import need
from .jpeg import FRAMES, check_jpeg

if TYPE_CHECKING:
    from pydicom.pixels.decoders.base import DecodeRunner

NAME = "napari-seem"
EXTENDED = "1.2.840.10008.1.2.4.51"
JPEG_LS = ("1.2.840.10008.1.2.4.80", "1.2.840.10008.1.2.4.81")
HTJ2K = ("1.2.840.10008.1.2.4.201", "1.2.840.10008.1.2.4.202", "1.2.840.10008.1.2.4.203")
DECODER_DEPENDENCIES = dict.fromkeys((*FRAMES, *JPEG_LS), ("gdcm",)) | dict.fromkeys(
    HTJ2K, ("imagecodecs",)
)
"""Transfer syntax -> packages, as pydicom asks of its plugins."""
PACKAGES = {"": ("python-gdcm", "medical")} | dict.fromkeys(HTJ2K, ("imagecodecs", "codecs"))
"""Transfer syntax -> the package that decodes it, and the extra that brings it; "" for others."""


def is_available(uid: str) -> bool:
    """Return whether the package for a transfer syntax is installed, as pydicom asks."""
    return all(find_spec(package) for package in DECODER_DEPENDENCIES.get(uid, ("-",)))


def add_decoders() -> None:
    """Make the decoders known to pydicom, once."""
    get_decoder = need("pydicom.pixels").get_decoder
    for syntax in DECODER_DEPENDENCIES:
        try:
            get_decoder(syntax).add_plugin(NAME, (__name__, "decode_frame"))
        except ValueError:  # it is known
            return


def plugin_for(uid: str, bits_stored: object) -> str:
    """Return the plugin that alone is to decode a transfer syntax; "" where any may.

    Others take minutes over a JPEG-LS that is cut, or end the program at a damaged JPEG.
    """
    if uid in JPEG_LS and bits_stored in (6, 7):  # which GDCM doesn't read
        return ""
    return NAME if uid in DECODER_DEPENDENCIES and is_available(uid) else ""


def decode_frame(source: bytes, runner: DecodeRunner) -> bytes:
    """Decode a frame for pydicom."""
    syntax = str.__str__(runner.transfer_syntax)
    if syntax in HTJ2K:
        values = need("imagecodecs").htj2k_decode(source)
        runner.set_option("bits_allocated", values.dtype.itemsize * 8)
        return bytes(values.tobytes())
    if syntax in FRAMES:
        shape = runner.rows, runner.columns, runner.samples_per_pixel
        check_jpeg(source, syntax, shape, runner.bits_allocated)
    if syntax == EXTENDED and runner.bits_stored != 8:
        return _extended(source, runner)
    return bytes(need("pydicom.pixels.decoders.gdcm")._decode_frame(source, runner))


def _extended(source: bytes, runner: DecodeRunner) -> bytes:
    """Decode a frame of JPEG Extended of 12 bits by GDCM, which pydicom does not ask to."""
    gdcm = need("gdcm")
    fragment, fragments = gdcm.Fragment(), gdcm.SequenceOfFragments.New()
    fragment.SetByteStringValue(source)
    fragments.AddFragment(fragment)
    element = gdcm.DataElement(gdcm.Tag(0x7FE0, 0x0010))
    element.SetValue(fragments.__ref__())
    image = gdcm.Image()
    image.SetNumberOfDimensions(2)
    image.SetDimensions((runner.columns, runner.rows, 1))
    image.SetDataElement(element)
    kind = gdcm.PhotometricInterpretation.GetPIType(str(runner.photometric_interpretation))
    image.SetPhotometricInterpretation(gdcm.PhotometricInterpretation(kind))
    image.SetTransferSyntax(gdcm.TransferSyntax(gdcm.TransferSyntax.GetTSType(EXTENDED)))
    bits = runner.bits_stored
    image.SetPixelFormat(
        gdcm.PixelFormat(
            runner.samples_per_pixel, runner.bits_allocated, bits, bits - 1,
            runner.pixel_representation,
        )
    )  # fmt: skip
    return bytes(image.GetBuffer().encode("utf-8", "surrogateescape"))
