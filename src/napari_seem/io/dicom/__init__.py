"""DICOM: files and frames as volumes, films and films in time, and segmentations of them."""

from .headers import NAMES, is_dicom, is_series
from .volume import describe, open_series, series_in

__all__ = ["NAMES", "describe", "is_dicom", "is_series", "open_series", "series_in"]
