"""Every public name explains itself, and its example runs as it says."""

from __future__ import annotations

import doctest
import inspect

import pytest

import napari_seem as ns

NO_CALLS = {"Model", "Embedding", "Capability", "download_model"}
"""Protocols, what only models make, and what needs a network."""
OBJECTS = {name: getattr(ns, name) for name in ns.__all__ if callable(getattr(ns, name))}
FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


def is_error(thing: object) -> bool:
    return inspect.isclass(thing) and issubclass(thing, Exception)


@pytest.mark.parametrize("name", OBJECTS)
def test_a_public_name_has_a_docstring_with_an_example(name):
    text = inspect.getdoc(OBJECTS[name]) or ""

    assert text
    if not is_error(OBJECTS[name]) and name not in NO_CALLS:
        assert ">>>" in text


@pytest.mark.parametrize("name", ["napari_seem", *OBJECTS])
def test_examples_run_as_they_say(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    thing = OBJECTS.get(name, ns)
    found = doctest.DocTestFinder(recurse=name != "napari_seem").find(
        thing, name, module=False, globs={"ns": ns}
    )
    said: list[str] = []
    runner = doctest.DocTestRunner(optionflags=FLAGS, verbose=False)
    for test in found:
        runner.run(test, out=said.append)

    assert runner.summarize(verbose=False).failed == 0, "".join(said)
