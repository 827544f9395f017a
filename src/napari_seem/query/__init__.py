"""Searching many planes and files for what a word names, one finding after another."""

from ..sources.source import PlaneSource
from .finding import Finding, PlaneFindings, PlaneRef
from .run import check_words, find, search
from .sources import (
    Unreadable,
    plane_ref,
    plane_sources_of_array,
    plane_sources_of_file,
    plane_sources_of_files,
)

__all__ = [
    "Finding",
    "PlaneFindings",
    "PlaneRef",
    "PlaneSource",
    "Unreadable",
    "check_words",

    "find",
    "plane_ref",
    "plane_sources_of_array",
    "plane_sources_of_file",
    "plane_sources_of_files",
    "search",
]  # fmt: skip
