"""DICOM: files and frames as volumes, films and films in time, and segmentations of them."""

from .headers import is_dicom, is_series, may_be
from .volume import describe, open_series, series_in

__all__ = ["describe", "is_dicom", "is_series", "may_be", "open_series", "series_in"]
