"""Every public call, given what it can't mean: only this project's errors, each with a remedy."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import napari_seem as ns

SIDE = 48
WRONG: dict[str, Any] = {
    "None": None,
    "text": "nucleus",
    "empty text": "",
    "a number": 3,
    "NaN": float("nan"),
    "a huge number": 10**30,
    "an empty list": [],
    "a list of texts": ["a", "b"],
    "a list of None": [None],
    "a dict": {"a": 1},
    "an object": object(),
    "an empty array": np.zeros((0, 0), np.uint8),
    "a row": np.zeros(SIDE, np.uint8),
    "another shape": np.zeros((7, 9), np.uint8),
    "a stack": np.zeros((40, 41, 42), np.uint8),
    "channels first": np.zeros((3, SIDE, SIDE), np.uint8),
    "floats": np.full((SIDE, SIDE), 0.3),
    "all NaN": np.full((SIDE, SIDE), np.nan),
    "complex": np.zeros((SIDE, SIDE), complex),
    "texts": np.full((SIDE, SIDE), "a"),
    "objects": np.full((SIDE, SIDE), None),
    "another image's embedding": None,  # set by `wrong`
    "another model's embedding": None,
    "another prediction": ns.Prediction(np.zeros((7, 9), np.float32), 0.5),
}
IMAGES = {"another shape", "floats", "another prediction"}
"""Of these, what is an image all the same."""
ARRAYS = {"an empty array", "another shape"}
NAMES = {"text", "a list of texts", "a dict"}
"""What may be names of files; that they are missing is told when they are read."""
NOTHING = {"an empty list", "an empty array"}
MASKS = {*ARRAYS, "another prediction"}
"""What is a mask of some image."""


class Setting:
    """A model, an image, and what belongs to them."""

    def __init__(self) -> None:
        rng = np.random.default_rng(0)
        self.image = rng.integers(60, 90, (SIDE, SIDE)).astype(np.uint8)
        self.image[10:30, 10:30] = 200
        self.labels = np.zeros((SIDE, SIDE), np.uint16)
        self.labels[10:30, 10:30] = 1
        self.mask = self.labels > 0
        self.model = ns.load_model("compact", "cpu")
        self.embedding = self.model.encode(self.image)
        self.point = ns.Point(20, 20)

    def session(self) -> ns.Session:
        session = ns.Session(self.model, self.embedding)
        session.push(self.point)
        return session

    def committed(self, **given: Any) -> ns.Edit:
        session = self.session()
        session.compute()
        return session.commit(**{"label_id": 2, "labels": self.labels, **given})

    def wrong(self, kind: str) -> Any:
        if kind == "another image's embedding":
            return self.model.encode(self.image[:32, :40])
        if kind == "another model's embedding":
            return ns.Embedding("other", self.embedding.shape, self.embedding.tensors)
        return WRONG[kind]


@pytest.fixture(scope="module")
def at() -> Setting:
    return Setting()


Call = Callable[[Setting, Any], object]
CALLS: dict[str, tuple[Call, set[str]]] = {
    "load_model(name)": (lambda at, v: ns.load_model(v), set()),
    "load_model(device)": (lambda at, v: ns.load_model("compact", v), set()),
    "load_model(weights)": (lambda at, v: ns.load_model("compact", "cpu", v), {"None"}),
    "encode(image)": (lambda at, v: at.model.encode(v), IMAGES),
    "encode(channels)": (
        lambda at, v: at.model.encode(np.zeros((9, 9, 3), np.uint8), channels=v), {"None"},
    ),
    "predict(embedding)": (
        lambda at, v: at.model.predict(v, [at.point]), {"another image's embedding"},
    ),
    "predict(prompts)": (lambda at, v: at.model.predict(at.embedding, v), set()),
    "predict([prompt])": (lambda at, v: at.model.predict(at.embedding, [v]), set()),
    "predict(memory)": (
        lambda at, v: at.model.predict(at.embedding, [at.point], v), {"None"},
    ),
    "segment(embedding)": (lambda at, v: at.model.segment(v), {"another image's embedding"}),
    "segment(names)": (lambda at, v: at.model.segment(at.embedding, v), {"None", "text"}),
    "Point(y)": (lambda at, v: ns.Point(v, 3), {"a number", "NaN", "a huge number"}),
    "Point(positive)": (lambda at, v: ns.Point(1, 3, v), set()),
    "Box(x1)": (lambda at, v: ns.Box(1, 1, 9, v), {"a number", "NaN", "a huge number"}),
    "Polygon": (lambda at, v: ns.Polygon(v), set()),
    "Scribble": (lambda at, v: ns.Scribble(v), MASKS),
    "Mask": (lambda at, v: ns.Mask(v), MASKS),
    "Mask(corner)": (lambda at, v: ns.Mask(at.mask, corner=v), {"None"}),
    "Text": (lambda at, v: ns.Text(v), {"text"}),
    "Reference(embedding)": (lambda at, v: ns.Reference(v, at.mask), {"another model's embedding"}),
    "Reference(mask)": (lambda at, v: ns.Reference(at.embedding, v), set()),
    "Session(model)": (lambda at, v: ns.Session(v, at.embedding), set()),
    "Session(embedding)": (
        lambda at, v: ns.Session(at.model, v), {"another image's embedding"},
    ),
    "Session.add": (lambda at, v: at.session().add(v), set()),
    "Session.remove": (lambda at, v: at.session().remove(v), set()),
    "Session.replace": (lambda at, v: at.session().replace(v), {"an empty list"}),
    "commit(label_id)": (lambda at, v: at.committed(label_id=v), {"a number"}),
    "commit(labels)": (
        lambda at, v: at.committed(labels=v), {"None"},
    ),
    "commit(offset)": (lambda at, v: at.committed(offset=v), {"None"}),
    "commit(plane)": (lambda at, v: at.committed(plane=v), {"None"}),
    "Edit.apply": (lambda at, v: at.committed().apply(v), set()),
    "Edit.revert": (lambda at, v: at.committed().revert(v), set()),
    "Edit.from_mask(mask)": (lambda at, v: ns.Edit.from_mask(at.labels, v, 1), set()),
    "Wanted(names)": (
        lambda at, v: ns.Wanted(names=v),
        {"None", "text", "empty text", "a list of texts", "a dict", *NOTHING},
    ),
    "Wanted(min_area)": (lambda at, v: ns.Wanted(min_area=v), {"a number", "a huge number"}),
    "Wanted(min_score)": (lambda at, v: ns.Wanted(min_score=v), set()),
    "filtered(found)": (lambda at, v: ns.filtered(v, ns.Wanted()), set()),
    "Instance(mask)": (lambda at, v: ns.Instance(v, (0, 0, 5, 5), 0.5), set()),
    "Prediction(logits)": (lambda at, v: ns.Prediction(v, 0.5), {*ARRAYS, "floats", "all NaN"}),
    "segment_tiled(image)": (
        lambda at, v: ns.segment_tiled(at.model, v), {*IMAGES, "all NaN"},
    ),
    "segment_objects(model)": (lambda at, v: ns.segment_objects(v, at.image, [[20, 20]]), set()),
    "segment_objects(image)": (
        lambda at, v: ns.segment_objects(at.model, v, [[3, 3]]),
        {*IMAGES, "another image's embedding"},
    ),
    "segment_objects(prompts)": (
        lambda at, v: ns.segment_objects(at.model, at.image, v), NOTHING,
    ),
    "TiledModel(model)": (lambda at, v: ns.TiledModel(v), set()),
    "PlaneRun(model)": (lambda at, v: ns.PlaneRun(v, at.image), set()),
    "segment_tiled(out)": (lambda at, v: ns.segment_tiled(at.model, at.image, out=v), {"None"}),
    "propagate(model)": (
        lambda at, v: ns.propagate(v, np.stack([at.image] * 2), {0: at.labels}), set(),
    ),
    "propagate(volume)": (
        lambda at, v: ns.propagate(at.model, v, {0: at.labels}, method="copy"), {"channels first"},
    ),
    "propagate(seeds)": (
        lambda at, v: ns.propagate(at.model, np.stack([at.image] * 2), v, method="copy"), set(),
    ),
    "label_like(model)": (
        lambda at, v: ns.label_like(v, (at.image, at.labels), at.image), set(),
    ),
    "label_like(examples)": (lambda at, v: ns.label_like(at.model, v, at.image), set()),
    "label_like(targets)": (
        lambda at, v: ns.label_like(at.model, (at.image, at.labels), v),
        {*IMAGES, "an empty list", "another image's embedding"},
    ),
    "label_like(kind)": (
        lambda at, v: ns.label_like(at.model, (at.image, at.labels), at.image, v), set(),
    ),
    "teach(model)": (lambda at, v: list(ns.teach(v, (at.image, at.labels), steps=1)), set()),
    "teach(examples)": (lambda at, v: list(ns.teach(at.model, v, steps=1)), set()),
    "find(model)": (lambda at, v: list(ns.find(v, at.image, "nucleus")), set()),
    "find(sources)": (
        lambda at, v: list(ns.find(at.model, v, "nucleus")),
        {*IMAGES, "an empty list", "a stack", "channels first"},
    ),
    "find(words)": (lambda at, v: list(ns.find(at.model, at.image, v)), {"text"}),
    "plane_sources_of_array": (
        lambda at, v: list(ns.plane_sources_of_array(v)),
        {*IMAGES, "a stack", "channels first", "all NaN"},
    ),
    "plane_sources_of_files": (
        lambda at, v: list(ns.plane_sources_of_files(v)), {"an empty list", *NAMES},
    ),
    "teach_word(model)": (
        lambda at, v: ns.teach_word(v, "square", ns.Shown(at.image, at.mask)), set(),
    ),
    "teach_word(name)": (
        lambda at, v: ns.teach_word(at.model, v, ns.Shown(at.image, at.mask)), {"text"},
    ),
    "teach_word(shown)": (lambda at, v: ns.teach_word(at.model, "square", v), set()),
    "Shown(image)": (lambda at, v: ns.teach_word(at.model, "a", ns.Shown(v, at.mask)), {"floats"}),
    "Shown(labels)": (lambda at, v: ns.teach_word(at.model, "a", ns.Shown(at.image, v)), set()),
    "ConceptLibrary": (lambda at, v: ns.ConceptLibrary(v), NOTHING),
    "save_lesson(lesson)": (lambda at, v: ns.save_lesson("a.safetensors", at.model, v), set()),
    "load_lesson(path)": (lambda at, v: ns.load_lesson(v, at.model), set()),
    "plan_batch(kind)": (lambda at, v: ns.plan_batch(v, "slides", "labels"), set()),
    "plan_batch(inputs)": (
        lambda at, v: ns.plan_batch("segment", v, "labels"), {"an empty list", *NAMES},
    ),
    "plan_batch(options)": (lambda at, v: ns.plan_batch("segment", "slides", "labels", v), set()),
    "run_batch(tasks)": (lambda at, v: ns.run_batch(v, "labels"), NOTHING),
    "open_image": (lambda at, v: ns.open_image(v), set()),
    "read_labels": (lambda at, v: ns.read_labels(v), set()),
    "write_labels(path)": (lambda at, v: ns.write_labels(v, at.labels), set()),
    "write_labels(labels)": (
        lambda at, v: ns.write_labels("a.tif", v), {"another shape", "a stack", "channels first"},
    ),
    "write_labels(table)": (lambda at, v: ns.write_labels("a.tif", at.labels, table=v), {"None"}),
    "filtered(wanted)": (
        lambda at, v: ns.filtered(at.model.segment(at.embedding), v), set(),
    ),
}  # fmt: skip


@pytest.mark.parametrize("call", CALLS)
def test_what_cannot_be_meant_is_refused_with_a_remedy(call, at, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "slides").mkdir()
    ask, fine = CALLS[call]
    trouble = []
    for kind in WRONG:
        value = at.wrong(kind)
        try:
            given = ask(at, value)
        except ns.NapariSeemError as error:
            if not (";" in str(error) and len(str(error)) > 30):
                trouble.append(f"{kind}: no remedy in '{error}'")
        except Exception as error:  # noqa: BLE001  (whatever it is, it is reported)
            trouble.append(f"{kind}: {type(error).__name__}: {error}")
        else:
            if kind not in fine:
                trouble.append(f"{kind}: taken, giving {given!r:.80}")
    assert trouble == []
