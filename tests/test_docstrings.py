"""Every public name explains itself, and its example runs as it says."""

from __future__ import annotations

import doctest
import inspect
from functools import cache

import pytest

import napari_seem as ns
from napari_seem.finetuning import run
from napari_seem.training import Phase, Recipe

NO_CALLS = {"Model", "Embedding", "Capability", "download_model"}
"""Protocols, what only models make, and what needs a network."""
OBJECTS = {name: getattr(ns, name) for name in ns.__all__ if callable(getattr(ns, name))}
FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


QUICK = Recipe((Phase(1.0, crop=64, grid=32, batch=2),), corrections=(1.0,), statistics=False)


@pytest.fixture(scope="module")
def load_model():
    """Load each model once: no example changes one."""
    return cache(ns.load_model)


@pytest.fixture
def _small_steps(monkeypatch, load_model, name):
    """Load, train and judge as little as an example needs."""
    if name != "load_model":
        monkeypatch.setattr(ns, "load_model", load_model)
    monkeypatch.setattr("napari_seem.training.recipe.TUNING", QUICK)
    monkeypatch.setattr(run, "MOST_CLICKS", 3)


def is_error(thing: object) -> bool:
    return inspect.isclass(thing) and issubclass(thing, Exception)


@pytest.mark.parametrize("name", OBJECTS)
def test_a_public_name_has_a_docstring_with_an_example(name):
    text = inspect.getdoc(OBJECTS[name]) or ""

    assert text
    if not is_error(OBJECTS[name]) and name not in NO_CALLS:
        assert ">>>" in text


@pytest.mark.parametrize("name", ["napari_seem", *OBJECTS])
@pytest.mark.usefixtures("_small_steps")
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
