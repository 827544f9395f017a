"""Fine-tuning by a person: what is held back, what is kept, and what comes of interruptions."""

from __future__ import annotations

import itertools
import json

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.torch import save_file
from scenes import WORDS, discs
from tuning_scene import QUICK, little_model

import napari_seem as ns
from napari_seem.errors import (
    FileTrouble,
    InvalidArgument,
    InvalidImage,
    InvalidLabels,
    InvalidName,
    InvalidPrompt,
    UnknownModel,
    WeightsError,
)  # fmt: skip
from napari_seem.finetuning import FineTuningRun, HeldOutFigures, ObjectScore
from napari_seem.finetuning import run as run_module
from napari_seem.finetuning.examples import divided, pieces_of
from napari_seem.sources.any_size import Compact

MINUTES = 3.0
"""Of a clock that moves on by some seconds whenever it is looked at."""


@pytest.fixture(scope="module")
def model() -> Compact:
    return little_model()


@pytest.fixture(autouse=True)
def _few_clicks(monkeypatch):
    monkeypatch.setattr(run_module, "MOST_CLICKS", 3)


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A folder of one's own models that is empty."""
    monkeypatch.setenv("NAPARI_SEEM_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def example(seed: int, **changes: int) -> tuple[np.ndarray, np.ndarray]:
    made = discs(seed, **changes)
    return made.image, made.instances


def begin(model, examples, **changes) -> FineTuningRun:
    clock = itertools.count(step=changes.pop("tick", 5)).__next__
    settings = {"minutes": MINUTES, "recipe": QUICK, "clock": clock} | changes
    return FineTuningRun(model, examples, **settings)


@pytest.fixture(scope="module")
def tuned(model):
    """A fine-tuning in which the first judgement after some training was the best."""
    figures = iter([0.2, 0.9, 0.5, *[0.4] * 99])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(run_module, "judging", lambda *_: iter([score(next(figures))] * 2))
        run = begin(model, [example(i) for i in range(5)], name="my-discs")
        for _ in run.steps():
            pass
        patch.setattr(run_module, "judging", lambda *_: iter([score(0.9), score(0.8)]))
        return run.result()


def score(value: float) -> ObjectScore:
    return ObjectScore((value,) * 10, value)


def test_a_fifth_of_the_images_is_held_back_whole():
    pieces = pieces_of([example(i) for i in range(10)], "instance")

    division = divided(pieces, seed=0)

    assert len(division.held) == 2
    assert len(division.learned) == 8
    assert not {id(p.image) for p in division.learned} & {id(h.image) for h in division.held}
    assert division.how == "2 of 10 images"


def test_more_images_are_held_back_where_they_have_few_objects():
    pieces = pieces_of([example(i, count=1) for i in range(10)], "instance")

    division = divided(pieces, seed=0)

    assert len(division.held) == 4
    assert division.how == "4 of 10 images"


def test_planes_of_one_stack_are_held_back_together():
    pieces = pieces_of([example(i) for i in range(6)], "instance", ["a", "a", "a", "b", "b", "b"])

    division = divided(pieces, seed=3)

    assert len(division.held) == 3
    assert len({piece.group for piece in division.learned}) == 1


def test_of_one_image_a_part_is_held_back():
    labels = np.zeros((100, 160), np.uint8)
    for number, left in enumerate(range(5, 150, 16), 1):
        labels[40:50, left : left + 10] = number
    image = np.random.default_rng(0).integers(0, 255, (100, 160)).astype(np.uint8)

    division = divided(pieces_of((image, labels), "instance"), seed=0)

    (learned,), (held,) = division.learned, division.held
    beyond = len(learned.image)
    assert beyond < 160
    assert len(held.ids) == 2
    for number in held.ids:
        assert not (held.objects == number)[:beyond].any()


def test_a_big_image_is_cut_into_pieces():
    labels = np.zeros((2100, 300), np.uint8)
    labels[10:40, 10:40], labels[2000:2040, 50:80] = 1, 2

    pieces = pieces_of((np.zeros((2100, 300, 3), np.uint8), labels), "instance")

    assert len(pieces) > 1
    assert max(max(piece.image.shape) for piece in pieces) < 2048


def test_no_more_is_taken_than_there_is_room_for(monkeypatch):
    monkeypatch.setattr("napari_seem.finetuning.examples.MOST_PIXELS", 3 * 64 * 64 + 5)
    given = [example(i, side=64, count=2) for i in range(9)]

    pieces = pieces_of(given, "instance")

    assert [piece.group for piece in pieces] == [0, 3, 6]
    assert len(pieces_of(given[:1], "instance")) == 1


def test_parts_of_a_class_are_objects():
    labels = np.zeros((64, 64), np.uint8)
    labels[5:15, 5:15] = labels[40:55, 40:55] = 7
    image = np.zeros((64, 64), np.uint8)

    assert pieces_of((image, labels), "semantic")[0].count == 2
    assert pieces_of((image, labels), "instance")[0].count == 1


def test_images_of_two_sizes_and_types_are_learned_from(model):
    small, big = example(0, side=60, count=3), example(1)
    floats = small[0].astype(np.float32) / 255, small[1].astype(np.int64)
    colours = np.repeat(big[0][..., None], 3, 2).astype(np.uint16) * 200, big[1] > 0

    run = begin(model, [floats, colours], kind="semantic", minutes=1.0)
    for _ in run.steps():
        pass

    assert len(run.curve) > 1


def test_the_best_weights_are_kept(tuned):
    assert [round(iou, 3) for _, iou in tuned.curve][:3] == [0.2, 0.9, 0.5]
    assert tuned.after.iou_at_1 == pytest.approx(0.85)
    assert tuned.provenance["best_at"] == round(tuned.curve[1][0], 2)
    assert tuned.improved


def test_the_best_so_far_is_at_hand_while_it_runs(model, monkeypatch):
    figures = iter([0.2, 0.9, *[0.1] * 99])
    monkeypatch.setattr(
        run_module, "judging", lambda *_: iter([score(v := next(figures)), score(v)])
    )
    run, best = begin(model, [example(i) for i in range(5)], name="my-discs"), []
    for report in run.steps():
        if report.iou is not None:
            best.append(run.so_far())
        if len(best) > 3:
            break

    assert best[0] is None
    assert best[-1].after.iou == pytest.approx(0.9)
    assert best[-1].before.noc_at_85 == 3  # of three clicks, as its own
    assert len({found.content[-10_000:] for found in best[1:]}) == 1


def test_weights_of_a_later_version_are_named(tuned, tmp_path):
    path = tuned.save(tmp_path / "mine.safetensors")
    with safe_open(path, "pt") as file:
        facts = file.metadata()
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    sizes = json.loads(facts["config"])

    save_file(tensors, path, facts | {"config": json.dumps(sizes | {"wings": 2})})
    with pytest.raises(WeightsError, match=r"later version \(.*from compact@little\).*'wings'"):
        ns.load_model("compact", weights=path)

    tensors.pop(next(iter(tensors)))
    save_file(tensors, path, facts)
    with pytest.raises(WeightsError, match=r"another version \(.*from compact@little\)"):
        ns.load_model("compact", weights=path)


def test_a_file_is_loaded_as_the_model(tuned, tmp_path):
    path = tuned.save(tmp_path / "mine.safetensors")

    loaded = ns.load_model("compact", weights=path)

    assert loaded.identity == tuned.model.identity
    assert loaded.name == "compact: my-discs"
    assert loaded.vocabulary() == WORDS
    with safe_open(path, "pt") as file:
        facts = json.loads(file.metadata()["provenance"])
    assert facts == tuned.provenance
    assert facts["from"]["identity"] == "compact@little"
    assert facts["images"] == 5


def test_an_installed_model_is_one_of_the_models(tuned, home):
    name = tuned.install()

    assert name == "compact: my-discs"
    assert ns.model_names()[-1] == name
    assert ns.load_model(name).identity == tuned.model.identity
    assert "0.20 -> 0.85" in ns.MODELS[name].description
    with pytest.raises(InvalidName, match="already"):
        tuned.install()
    tuned.install(replace=True)
    ns.remove_model(name)
    assert name not in ns.MODELS
    with pytest.raises(UnknownModel, match="install"):
        ns.load_model(name)


def test_a_shared_file_is_installed_under_its_name(tuned, home, tmp_path):
    path = tuned.save(tmp_path / "of a friend.safetensors")

    assert ns.install_model(path) == "compact: of a friend"
    path.write_bytes(b"nothing of use")
    with pytest.raises(WeightsError):
        ns.install_model(path, "other")
    assert not (home / "models" / "other.safetensors").exists()


def test_what_other_weights_encoded_is_refused(tuned, model):
    embedding = model.encode(example(0)[0])

    with pytest.raises(InvalidPrompt, match="encode the image again"):
        tuned.model.predict(embedding, [ns.Point(5, 5)])


def test_lessons_of_other_weights_are_refused(tuned, model):
    *_, last = ns.teach(model, example(0), steps=1)

    with pytest.raises(InvalidLabels, match="compact@little"):
        ns.label_like(tuned.model, last.lesson, example(1)[0])


def test_nothing_is_half_written(tuned, tmp_path):
    with pytest.raises(FileTrouble):
        tuned.save(tmp_path / "no folder" / "mine.safetensors")
    (tmp_path / "mine.safetensors").mkdir()
    with pytest.raises(FileTrouble):
        tuned.save(tmp_path / "mine.safetensors")

    assert [path.name for path in tmp_path.iterdir() if path.name != "home"] == ["mine.safetensors"]


def test_an_interruption_gives_the_best_so_far(model, monkeypatch):
    monkeypatch.setattr("napari_seem.training.recipe.TUNING", QUICK)

    def stop(report):
        if report.minutes > 0:
            raise KeyboardInterrupt

    found = ns.finetune(model, [example(i, count=2) for i in range(2)], minutes=0.05,
                        on_report=stop)  # fmt: skip

    assert len(found.curve) == 1
    assert not found.improved
    assert found.after == found.before


def test_an_interruption_before_all_gives_nothing(model, monkeypatch):
    def broken(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(run_module, "judging", broken)
    with pytest.raises(KeyboardInterrupt):
        ns.finetune(model, [example(0), example(1)])


def test_an_error_of_the_callers_is_passed_on(model):
    def progress(done, total, what):
        raise RuntimeError("closed")

    with pytest.raises(RuntimeError, match="closed"):
        ns.finetune(model, [example(0), example(1)], progress=progress)


def test_chance_is_no_improvement():
    same = HeldOutFigures((score(0.5), score(0.6), score(0.7)))
    other = HeldOutFigures((score(0.9), score(0.2), score(0.75)))
    better = HeldOutFigures((score(0.6), score(0.72), score(0.78)))

    assert not other.better_than(same)
    assert not same.better_than(same)
    assert better.better_than(same)
    assert not HeldOutFigures((score(0.9),)).better_than(HeldOutFigures((score(0.1),)))


BLANK = np.zeros((40, 40), np.uint8)
ONE = np.pad(np.ones((9, 9), np.uint8), 10)


@pytest.mark.parametrize(
    ("examples", "kind", "error"),
    [
        ([], InvalidLabels, "no example"),
        ((BLANK, BLANK), InvalidLabels, "no example has a labelled object"),
        ((ONE, ONE), InvalidLabels, "one object in all"),
        ((BLANK, ONE), InvalidLabels, "shape"),
        ((BLANK, BLANK.astype(float)), InvalidLabels, "not integers"),
        (("cells.tif", ONE), InvalidImage, "read it first"),
        ((np.zeros((9, 40, 40, 2)), ONE), InvalidImage, "one picture"),
    ],
)
def test_bad_examples_are_refused_at_once(model, examples, kind, error):
    with pytest.raises(kind, match=error):
        ns.finetune(model, [examples] if examples else examples)


def test_an_embedding_is_no_example(model):
    image, labels = example(0)

    with pytest.raises(InvalidImage, match="no pixels"):
        ns.finetune(model, ns.Example(model.encode(image), labels))


@pytest.mark.parametrize("wrong", ["compact", object()])
def test_other_models_are_refused(wrong):
    with pytest.raises(InvalidArgument, match="load"):
        ns.finetune(wrong, example(0))


@pytest.mark.parametrize("name", ["", "a/b", "..", "x" * 80, "a:b"])
def test_bad_names_are_refused(model, name):
    with pytest.raises(InvalidName):
        ns.finetune(model, example(0), name=name)


def test_what_was_trained_when_it_is_stopped_is_judged_too(model):
    run = begin(model, [example(i) for i in range(3)], minutes=1000.0)
    for report in run.steps():
        if report.doing == "train":
            break

    found = run.result()

    assert len(found.curve) == 2
    assert found.provenance["steps"] == 1
