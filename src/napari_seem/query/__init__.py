"""Find what a word names in many planes and files: one finding after another."""

from .finding import Finding, Place, Seen
from .label_files import LabelFile, added, labels_of, taken_out
from .run import check_words, find, search
from .sights import Sight, sights_of_array, sights_of_file, sights_of_files

__all__ = [
    "Finding", "LabelFile", "Place", "Seen", "Sight", "added", "check_words", "find", "labels_of",
    "search", "sights_of_array", "sights_of_file", "sights_of_files", "taken_out",
]  # fmt: skip
