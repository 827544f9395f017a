"""The click bench: where the person clicks, how curves are counted, and the classical tools."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from discs import disc_image
from skimage.io import imsave

from benchmarks import classical, clicks, person, report
from benchmarks.datasets import find_sets, sample_objects
from benchmarks.records import Measured, read, write
from napari_seem.errors import InvalidImage, NapariSeemError, UnknownModel
from napari_seem.prompts import Box, Point, rasterize


@pytest.fixture
def collection(tmp_path):
    """A made-up collection: one instance set and one semantic set of two discs."""
    image, labels = disc_image()
    for kind, mask in (("instance", labels), ("semantic", labels > 0)):
        folder = tmp_path / "dev-eval" / "made" / kind
        (folder / "images").mkdir(parents=True)
        (folder / "masks").mkdir()
        items = {}
        for stem in ("a", "b"):
            imsave(folder / f"images/{stem}.png", image, check_contrast=False)
            imsave(folder / f"masks/{stem}.png", mask.astype(np.uint8), check_contrast=False)
            items[stem] = {"image": f"images/{stem}.png", "mask": f"masks/{stem}.png"}
        classes = {"*": "disc"} if kind == "instance" else {"1": "disc"}
        info = {"kind": kind, "classes": classes, "items": items}
        (folder / "set.json").write_text(json.dumps(info))
    return tmp_path


def test_first_click_is_the_innermost_pixel():
    mask = np.zeros((40, 60), bool)
    mask[10:21, 5:56] = True
    mask[10:31, 20:41] = True

    assert person.first_click(mask) == Point(20, 30)
    assert person.innermost(mask)[2] == 11


def test_next_click_goes_to_the_largest_error_with_its_sign():
    truth = np.zeros((30, 30), bool)
    truth[5:15, 5:15] = True
    missed = truth.copy()
    missed[5:15, 5:9] = False
    spilled = truth.copy()
    spilled[18:29, 18:29] = True

    assert person.next_click(truth, missed).positive
    assert not person.next_click(truth, spilled).positive
    assert person.next_click(truth, spilled) == Point(23, 23, positive=False)
    assert person.next_click(truth, truth) is None


def test_drawn_prompts_lie_where_the_object_is(rng):
    _, labels = disc_image()
    truth = labels == 1

    box = person.drawn_box(truth, rng)
    stroke = person.drawn_scribble(truth).mask
    lasso = person.drawn_lasso(truth).vertices

    assert isinstance(box, Box)
    assert abs(box.y0 - 20) <= 2
    assert abs(box.x1 - 33) <= 2
    assert stroke.any()
    assert not (stroke & ~truth).any()
    assert np.hypot(*(lasso - (32, 20)).T).min() > 11


@pytest.mark.parametrize("kind", ["hair", "all of the image", "speck"])
def test_every_object_can_be_outlined(kind):
    truth = np.zeros((90, 120), bool)
    if kind == "hair":
        truth[20:70, 40] = True
    elif kind == "speck":
        truth[3, 4] = True
    else:
        truth[:] = True

    outline = person.drawn_lasso(truth)

    around = rasterize(outline, truth.shape)
    assert (around & truth).sum() > 0.5 * truth.sum()


def test_curves_are_counted_to_the_first_click_that_reaches_the_goal():
    curve = [0.5, 0.86, 0.84, 0.92]

    assert report.clicks_needed(curve, 0.80) == 2
    assert report.clicks_needed(curve, 0.90) == 4
    assert report.clicks_needed(curve, 0.95) is None


def test_sets_are_read_by_object_and_split_into_components(collection):
    sets = find_sets(collection)

    assert [s.name for s in sets] == ["made/instance", "made/semantic"]
    for chosen in sets:
        found = list(sample_objects(chosen, seed=0, count=3))
        assert sum(len(ids) for _, ids in found) == 3
        assert set(found[0][0].names.values()) == {"disc"}
        assert len(np.unique(found[0][0].instances)) == 3


def test_a_perfect_model_gets_perfect_figures(collection, disc_model):
    protocol = clicks.Protocol(per_set=4, clicks=3)
    records = [
        r for s in find_sets(collection) for r in clicks.evaluate_set(disc_model, s, protocol)
    ]
    figures = report.summary(records)["overall"]["all sets"]

    assert figures["iou@1"] == 1
    assert figures["noc@90"] == 1
    assert figures["never@90"] == 0
    assert figures["word"] == figures["reference"] == figures["scribble"] == 1
    assert figures["score error"] == pytest.approx(0.1)


@pytest.mark.parametrize("name", ["random-walker", "watershed", "geodesic"])
def test_classical_tools_segment_a_clear_object(name):
    image, labels = disc_image()
    tool = classical.classical_model(name)
    embedding = tool.encode(image)

    by_click = tool.predict(embedding, [Point(32, 20), Point(32, 58, positive=False)]).mask
    by_box = tool.predict(embedding, [Box(18, 6, 46, 34)]).mask

    assert person.iou(by_click, labels == 1) > 0.8
    assert person.iou(by_box, labels == 1) > 0.8


def test_the_command_writes_tables_and_figures(collection, tmp_path, capsys):
    out = tmp_path / "figures.json"
    code = clicks.main(
        [str(collection), "--model", "watershed", "--per-set", "2", "--max-clicks", "2",
         "--json", str(out), "--table", str(tmp_path / "figures.md")]
    )  # fmt: skip

    assert code == 0
    protocol, models = read(out)
    assert (protocol.per_set, protocol.clicks) == (2, 2)
    assert len(models["watershed"].records) == 4
    text = (tmp_path / "figures.md").read_text()
    assert "| made | watershed | 4 |" in text
    assert f"watershed: {models['watershed'].conditions}" in text


def test_a_page_keeps_what_stands_beside_the_tables(collection, tmp_path):
    page = tmp_path / "page.md"
    page.write_text("# Mine\n<!-- nuclei: begin -->\nold\n<!-- nuclei: end -->\nkept\n")
    arguments = [str(collection), "--model", "watershed", "--per-set", "1", "--max-clicks", "1"]

    arguments += ["--clicks-only", "--table", str(page), "--mark", "nuclei"]
    clicks.main([*arguments, "--tables", "overall"])

    text = page.read_text()
    assert "| all sets | watershed | 2 |" in text
    assert "By domain" not in text
    assert "By size" not in text
    assert "old" not in text
    assert text.endswith("<!-- nuclei: end -->\nkept\n")


def test_a_model_is_set_beside_the_best_tool_of_each_domain(collection, tmp_path, capsys):
    out = tmp_path / "tool.json"
    arguments = [str(collection), "--per-set", "2", "--max-clicks", "1", "--clicks-only"]
    clicks.main([*arguments, "--model", "watershed", "--json", str(out)])
    protocol, models = read(out)
    records = [replace(record, curve=[1.0]) for record in models["watershed"].records]
    write(out, protocol, {"mine": Measured("elsewhere", records)})

    clicks.main([*arguments, "--model", "watershed", "--join", str(out)])

    assert "### mine beside the best classical tool" in capsys.readouterr().out
    with pytest.raises(NapariSeemError, match="another protocol"):
        clicks.main([*arguments, "--model", "watershed", "--seed", "1", "--join", str(out)])


def test_the_best_of_several_answers_counts_in_the_order_in_which_they_are_shown(disc_model):
    image, labels = disc_image()
    answer = disc_model.predict(disc_model.encode(image), [Point(32, 20)])
    nothing = replace(answer, logits=np.full_like(answer.logits, -1), others=None)
    first = replace(nothing, others=lambda: [nothing, answer, answer])

    assert clicks.best_answers(first, labels == 1) == [0, 0, 1]
    assert clicks.best_answers(answer, labels == 1) == [1, 1, 1]


def test_wrong_names_and_folders_are_reported(tmp_path):
    with pytest.raises(InvalidImage, match=r"set\.json"):
        find_sets(tmp_path)
    with pytest.raises(UnknownModel, match="random-walker"):
        classical.classical_model("magic-wand")


@pytest.mark.needs_shared
def test_the_shared_sets_are_read(shared_data):
    sets = find_sets(shared_data / "dev-eval" / "microscopy")
    picture, ids = next(sample_objects(sets[0], seed=0, count=4))

    assert len(sets) >= 8
    assert picture.image.shape[:2] == picture.instances.shape
    assert 0 < len(ids) <= 4
