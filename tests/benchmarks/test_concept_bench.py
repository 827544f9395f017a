"""The bench of taught words: which objects count, and means over the same sets only."""

from __future__ import annotations

import numpy as np

from benchmarks.concepts import Found, markdown, objects_of
from benchmarks.datasets import Picture


def test_objects_of_a_word_are_numbered_anew():
    instances = np.zeros((40, 40), np.int64)
    for number, value in enumerate((3, 7, 9)):
        instances[2:12, 2 + 12 * number : 12 + 12 * number] = value
    instances[30, 30] = 11  # too small to count
    picture = Picture(instances, instances, {3: "nut", 7: "fruit", 9: "nut", 11: "nut"}, "a")

    labels = objects_of(picture, "nut")

    assert [int(labels[5, x]) for x in (5, 17, 29)] == [1, 0, 2]
    assert labels.max() == 2


def test_means_are_taken_over_sets_with_the_same_ways():
    def found(name: str, way: str, ap50: float) -> Found:
        return Found(name, False, "nut", way, ap50, ap50 / 2, 0.1)

    results = [
        found("a/one", "everything", 0.2), found("a/one", "1", 0.4), found("a/one", "5", 0.8),
        found("a/two", "everything", 1.0), found("a/two", "word", 0.5), found("a/two", "1", 1.0),
    ]  # fmt: skip

    rows = {line.split(" | ")[0].strip("| "): line for line in markdown(results).splitlines()}

    assert "0.200 |  | 0.400 | 0.800" in rows["**where all numbers of objects could be marked**"]
    assert "1.000 | 0.500 | 1.000 | " in rows["**where the word is known, and one marked**"]
