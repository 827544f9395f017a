"""What commands do without napari is what the docks do: the same labels, the same log."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

COMMANDS = Path(__file__).parents[1] / "commands"
sys.path.insert(0, str(COMMANDS))

from without_napari import CENTRES, plain, stack  # noqa: E402

from napari_seem.commands.models import ModelCache  # noqa: E402
from napari_seem.commands.taught_words import TaughtWords  # noqa: E402
from napari_seem.embeddings import EmbeddingCache  # noqa: E402
from napari_seem.models.registry import load_model  # noqa: E402
from napari_seem.viewer.documents import document_of  # noqa: E402
from napari_seem.widgets.examples.dock import ExamplesWidget  # noqa: E402
from napari_seem.widgets.examples.panel import STACK  # noqa: E402
from napari_seem.widgets.objects.dock import ObjectsWidget  # noqa: E402
from napari_seem.widgets.stack.dock import StackWidget  # noqa: E402
from napari_seem.widgets.stack.panel import OUTLINES  # noqa: E402


@pytest.fixture(scope="module")
def commands(tmp_path_factory):
    """Labels and log lines of `without_napari.py`, by the name of the image."""
    folder = tmp_path_factory.mktemp("commands")
    script = str(COMMANDS / "without_napari.py")
    words = str(folder / "words.zip")
    path = os.pathsep.join([str(COMMANDS.parent), *sys.path])
    environment = {**os.environ, "PYTHONPATH": path, "NAPARI_SEEM_LIBRARY": words}
    done = subprocess.run(
        [sys.executable, script, str(folder)], env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert (folder / "discs.tif").exists()
    return {
        name: (np.load(folder / f"{name}.npy"), json.loads((folder / f"{name}.json").read_text()))
        for name in ("discs", "stack")
    }


def assert_same(labels, expected):
    pixels, events = expected
    assert plain(document_of(labels).log.events) == plain(events)
    assert np.array_equal(np.asarray(labels.data), pixels)


def choose(objects, *ids):
    """Choose objects of the dock by their ids, whatever their classes."""
    objects.panel.classes.clearSelection()
    objects.refresh()
    objects.panel.objects.choose(lambda row: row.label_id in ids)
    assert set(objects.chosen_objects) == set(ids)


def test_the_annotate_and_objects_docks_do_what_the_commands_do(dock, settle, commands):
    dock.annotator.prompt_layers.points.add(CENTRES[1])
    settle(dock)
    dock.panel.name.setText("cell")
    assert dock.commit() == 1
    dock.find_word("disc")
    settle(dock)
    assert dock.take_all() == [3]
    labels = dock.annotator.labels
    objects = ObjectsWidget(dock.viewer)
    objects.panel.labels.select(labels)
    objects.rename_class("cell", "nucleus")
    objects.panel.classes.choose(lambda row: row.name == "nucleus")
    objects.recolour("#123456")
    choose(objects, 3)
    objects.put_into("nucleus")
    objects.rename_object(3, "the right one")
    choose(objects, 1, 3)
    objects.merge_objects()
    objects.undo()
    objects.redo()
    objects.undo()
    choose(objects, 3)
    objects.delete_objects()
    objects.release()

    assert_same(labels, commands["discs"])


def test_the_stack_and_examples_docks_do_what_the_commands_do(make_napari_viewer, qtbot, commands):
    viewer = make_napari_viewer()
    image, seeds = stack()
    viewer.add_image(image, name="stack")
    labels = viewer.add_labels(seeds, name="seeds")
    viewer.dims.set_point(0, 1)
    models = ModelCache(load_model, EmbeddingCache(), words=TaughtWords.none())
    docked = StackWidget(viewer, models)
    docked.panel.model.setCurrentText(OUTLINES)
    docked.panel.first.setValue(0)
    docked.panel.last.setValue(5)
    docked.carry("both")
    qtbot.waitUntil(lambda: not docked.runner.steps.running, timeout=60_000)
    viewer.dims.set_point(0, 3)
    docked.accept_plane()
    docked.release()

    examples = ExamplesWidget(viewer, models)
    examples.panel.targets.value = STACK
    examples.add_plane()
    examples.run()
    qtbot.waitUntil(lambda: not examples.labeller.steps.running, timeout=60_000)
    examples.release()

    assert_same(labels, commands["stack"])
