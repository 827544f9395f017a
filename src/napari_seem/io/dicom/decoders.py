"""Decoders that pydicom has not: JPEG Extended of 12 bits (GDCM), and HTJ2K (imagecodecs)."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING

from ..extras import need

if TYPE_CHECKING:
    from pydicom.pixels.decoders.base import DecodeRunner

NAME = "napari-seem"
EXTENDED = "1.2.840.10008.1.2.4.51"
HTJ2K = ("1.2.840.10008.1.2.4.201", "1.2.840.10008.1.2.4.202", "1.2.840.10008.1.2.4.203")
DECODER_DEPENDENCIES = {
    EXTENDED: ("gdcm",), HTJ2K[0]: ("imagecodecs",), HTJ2K[1]: ("imagecodecs",),
    HTJ2K[2]: ("imagecodecs",),
}  # fmt: skip
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


def decode_frame(source: bytes, runner: DecodeRunner) -> bytes:
    """Decode a frame for pydicom."""
    if runner.transfer_syntax in HTJ2K:
        values = need("imagecodecs").htj2k_decode(source)
        runner.set_option("bits_allocated", values.dtype.itemsize * 8)
        return bytes(values.tobytes())
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
