"""Every command on a small image and a small stack, with napari and Qt blocked from import.

Run as a program it writes labels and logs to a folder: `python without_napari.py FOLDER`.
"""

from __future__ import annotations

import json
import os
import sys
from importlib.abc import MetaPathFinder
from pathlib import Path

import numpy as np

BLOCKED = {"napari", "qtpy", "PyQt6", "PyQt5", "PySide6", "vispy", "superqt", "magicgui"}
CENTRES = {1: (32.0, 20.0), 2: (32.0, 58.0)}
STACK_SEEDS = (1, 5)


class Blocker(MetaPathFinder):
    """Refuses to find what must not be needed."""

    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in BLOCKED:
            raise ImportError(f"{name} is blocked")


def stack():
    """(image, labels): a disc that grows through six planes; two planes are labelled."""
    rows, cols = np.mgrid[:40, :40]
    truth = np.stack([(rows - 20) ** 2 + (cols - 20) ** 2 <= (6 + k) ** 2 for k in range(7)])
    seeds = np.zeros(truth.shape, np.uint16)
    for k in STACK_SEEDS:
        seeds[k] = truth[k]
    return (truth * 200).astype(np.uint8), seeds


def plain(events):
    """Lines of a log without what differs from run to run."""
    lines = []
    for event in json.loads(json.dumps(events)):
        line = {key: value for key, value in event.items() if key not in ("at", "session")}
        for key in ("program", "grid", "source", "run", "labels", "file"):
            line.pop(key, None)
        for prompt in line.get("prompts", ()):
            del prompt["uid"]
        for row in (line.get("objects") or {}).values():
            if row is not None:
                row.pop("time", None)
                for known in [k for k, v in row.items() if v in ("", None)]:
                    del row[known]
        lines.append(line)
    return lines


def on_discs(folder):
    """Commit, find a word, rename, recolour, merge, move, delete, undo, redo and save."""
    from discs import DiscModel, disc_image

    from napari_seem.commands import names
    from napari_seem.commands.commit import Commit
    from napari_seem.commands.files import new_document
    from napari_seem.commands.models import KnownPlane, ModelCache
    from napari_seem.commands.segment import WriteObjects
    from napari_seem.commands.workspace import Workspace
    from napari_seem.embeddings import EmbeddingCache
    from napari_seem.prompts import Point
    from napari_seem.sources.source import source_of_array

    image, _ = disc_image()
    document = new_document(np.zeros(image.shape, np.uint16), "discs labels")
    models = ModelCache(lambda _: DiscModel(), EmbeddingCache())
    workspace = Workspace(document, models)
    known = KnownPlane(source_of_array(image, name="discs"))
    plane = models.open("compact", known)

    prompts = [Point(*CENTRES[1])]
    command = Commit(
        **workspace.fields("compact", known), **Commit.of_prompts(prompts), name="cell"
    )
    command.apply(workspace, plane.predict(prompts))
    query = {"words": ["disc"], "area": None, "whole": False, "numbers": [1, 2]}
    command = WriteObjects(**workspace.fields("compact", known), **query)
    *_, found = plane.segment(["disc"])
    command.apply(workspace, command.chosen(found))
    names.RenameClass(old="cell", new="nucleus").apply(document)
    names.Recolour(names=["nucleus"], colour="#123456").apply(document)
    names.MoveToClass(ids=[3], name="nucleus").apply(document)
    names.RenameObject(label_id=3, name="the right one").apply(document)
    names.MergeObjects(ids=[1, 3]).apply(document)
    document.undo()
    document.redo()
    document.undo()
    names.DeleteObjects(ids=[3]).apply(document)
    events = list(document.log.events)
    pick_up_map_and_save(document, models, known, found, folder)
    return document.data, events


def pick_up_map_and_save(document, models, known, found, folder):
    """Pick an object up, write a map of names, save and open."""
    from napari_seem.commands.commit import PickUp
    from napari_seem.commands.files import new_document, open_document, save_document
    from napari_seem.commands.segment import WriteMap
    from napari_seem.commands.workspace import Workspace

    prompt = PickUp(label_id=1, plane=known.source.plane.to_dict()).run(document)
    assert prompt.mask.sum() == (document.data == 1).sum()
    maps = new_document(known.source.shape, "map", logged=False)
    own = Workspace(maps, models)
    WriteMap(**own.fields("compact", known), kind="semantic").apply(own, found)
    assert maps.table[1].name == "disc"
    (written, *_) = save_document(document, folder / "discs.tif")
    again = open_document(written)
    assert np.array_equal(again.data, document.data)
    assert again.table[1].name == document.table[1].name == "nucleus"


def on_a_stack(folder):
    """Propagate by outlines, accept a plane, and label a plane by example."""
    from napari_seem.commands.files import new_document
    from napari_seem.commands.in_context import LabelledExample, LearnedRun
    from napari_seem.commands.models import KnownPlane, ModelCache
    from napari_seem.commands.propagation import Propagate, PropagationRun
    from napari_seem.commands.taught_words import TaughtWords
    from napari_seem.commands.workspace import Workspace
    from napari_seem.embeddings import EmbeddingCache
    from napari_seem.in_context import learn
    from napari_seem.models.registry import load_model
    from napari_seem.planes import Plane
    from napari_seem.sources.source import source_of_array
    from napari_seem.sources.stack import StackSource

    image, seeds = stack()
    document = new_document(seeds, "seeds", empty=False)
    models = ModelCache(load_model, EmbeddingCache(), words=TaughtWords.none())
    workspace = Workspace(document, models)
    source = source_of_array(image, Plane.across(0, 1), name="stack")
    command = Propagate(
        images=[], windows=[], run="1", axis=0, model=None, method="shape", only=None,
        within=(0, 6), find_new=False, stop_below=0.0, divide=False,
    )  # fmt: skip
    run = PropagationRun(workspace, StackSource(source, 0), command)
    run.begin()
    for result in run.run():
        run.apply(result)
    run.accept(3)

    example = source.at(Plane.across(0, 3))
    model = models.model("compact")
    taught = LabelledExample("3", example.read(), document.read_plane(example.plane), (), example)
    pairs = [(taught.image, taught.labels)]
    lesson = learn(model, pairs, "semantic", models.cache)
    target = source.at(Plane.across(0, 6))
    known = KnownPlane(target)
    found = model.label(lesson, models.open("compact", known).embedding)
    LearnedRun("compact", "semantic", [taught]).label(workspace, target, target.plane, found)
    return document.data, list(document.log.events)


def words_and_adaptation():
    """Teach a word, take it back, and adapt the model to objects."""
    from napari_seem.commands.base import ModelRef
    from napari_seem.commands.models import KnownPlane, ModelCache
    from napari_seem.commands.taught_words import TaughtWords
    from napari_seem.commands.vocabulary import Adapt, ForgetWord, Teach, marked_examples, marks
    from napari_seem.embeddings import EmbeddingCache
    from napari_seem.models.registry import load_model
    from napari_seem.planes import Plane
    from napari_seem.sources.source import source_of_array

    image, seeds = stack()
    words = TaughtWords(Path(os.environ["NAPARI_SEEM_LIBRARY"]))
    models = ModelCache(load_model, EmbeddingCache(), words=words)
    source = source_of_array(image, Plane.across(0, 5), name="stack")
    labelled, others = marks(seeds[5], None)
    examples = marked_examples(source, labelled, others, (0, 0, *source.shape), {})
    concept = Teach(name="moon", model=ModelRef(name="compact")).run(models, examples)
    assert concept.objects == 1
    assert "moon" in models.model("compact").vocabulary()
    ForgetWord(name="moon").run(models)
    assert "moon" not in models.model("compact").vocabulary()
    plane = models.open("compact", KnownPlane(source))
    model, count = Adapt(model=ModelRef(name="compact")).run(plane, seeds[5].astype(np.int32))
    assert (count, model.name) == (1, "compact")


def main(folder):
    """Do everything, and keep what came of it."""
    sys.meta_path.insert(0, Blocker())
    words_and_adaptation()
    results = {"discs": on_discs(folder), "stack": on_a_stack(folder)}
    assert not BLOCKED & set(sys.modules)
    for name, (labels, events) in results.items():
        np.save(folder / f"{name}.npy", np.asarray(labels))
        (folder / f"{name}.json").write_text(json.dumps(events))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
