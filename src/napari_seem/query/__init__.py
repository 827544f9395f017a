"""Find what a word names in many planes and files: one finding after another."""

from .finding import Finding, PlaneFindings, PlaneRef
from .label_files import LabelFile, added, labels_of, taken_out
from .run import check_words, find, search
from .sources import (
    PlaneSource,
    plane_sources_of_array,
    plane_sources_of_file,
    plane_sources_of_files,
)

__all__ = [
    "Finding",
    "LabelFile",
    "PlaneFindings",
    "PlaneRef",
    "PlaneSource",
    "added",
    "check_words",
    "find",
    "labels_of",
    "plane_sources_of_array",
    "plane_sources_of_file",
    "plane_sources_of_files",
    "search",
    "taken_out",
]  # fmt: skip
