"""Many objects in one call: masks as one by one, overlaps that are told, clear refusals."""

from __future__ import annotations

import pickle

import numpy as np
import pandas as pd
import pytest
from discs import DiscModel, disc_image

import napari_seem as ns
from napari_seem.errors import (
    FileTrouble,
    InvalidArgument,
    InvalidImage,
    InvalidPrompt,
    NapariSeemError,
    UnknownWord,
    UnsupportedPrompt,
)
from napari_seem.models.base import BatchPredictor

CENTRES = [[32.0, 20.0], [32.0, 58.0]]


@pytest.fixture(scope="module")
def compact():
    return ns.load_model("compact", device="cpu")


@pytest.fixture(scope="module")
def scene():
    """A gray image (300, 300) of 16 bright discs of many sizes, and their centres (16, 2)."""
    rng = np.random.default_rng(3)
    image = rng.normal(60, 10, (300, 300))
    rows, cols = np.mgrid[:300, :300]
    centres = np.stack(np.meshgrid([40, 112, 184, 256], [40, 112, 184, 256]), -1).reshape(-1, 2)
    for (y, x), radius in zip(centres, rng.uniform(6, 32, len(centres)), strict=True):
        image[(rows - y) ** 2 + (cols - x) ** 2 < radius**2] += 90
    return np.clip(image, 0, 255).astype(np.uint8), centres


@pytest.fixture(scope="module")
def embedding(compact, scene):
    return compact.encode(scene[0])


def mixed_prompts(centres):
    """Clicks, several clicks, boxes, strokes and lassos; one kind after the other."""
    out = []
    for number, (y, x) in enumerate(centres.tolist()):
        stroke = np.zeros((300, 300), bool)
        stroke[y - 1 : y + 2, x - 5 : x + 5] = True
        out.append([
            [ns.Point(y, x)],
            [ns.Point(y, x), ns.Point(y + 2, x), ns.Point(min(y + 36, 299), x, positive=False)],
            [ns.Box(y - 30, x - 30, y + 30, x + 30)],
            [ns.Scribble(stroke)],
            [ns.Polygon([[y - 28, x], [y, x + 28], [y + 28, x], [y, x - 28]])],
        ][number % 5])  # fmt: skip
    return out


def test_objects_together_have_the_masks_that_they_have_alone(compact, embedding, scene):
    objects = mixed_prompts(scene[1])

    together = list(compact.predict_many(embedding, objects))

    assert isinstance(compact, BatchPredictor)
    assert len(together) == len(objects)
    for prediction, prompts in zip(together, objects, strict=True):
        expected = compact.predict(embedding, prompts)
        differing = (prediction.mask != expected.mask).sum()
        assert differing <= 0.001 * expected.mask.sum()
        assert prediction.score == pytest.approx(expected.score, abs=1e-3)
        assert prediction.label == expected.label
        inside = expected.mask & prediction.mask
        np.testing.assert_allclose(
            prediction.logits[inside], expected.logits[inside], atol=0.1, rtol=0.05
        )


def test_words_and_clicks_are_answered_together_too(compact, embedding, scene):
    objects = [[ns.Point(40, 40), ns.Text("nucleus")], [ns.Point(112, 40)], [ns.Text("nucleus")]]

    together = list(compact.predict_many(embedding, objects))

    for prediction, prompts in zip(together, objects, strict=True):
        expected = compact.predict(embedding, prompts)
        assert (prediction.mask != expected.mask).sum() <= 0.001 * max(1, expected.mask.sum())


def test_predictions_together_keep_only_their_own_pixels(compact, embedding, scene):
    (prediction,) = compact.predict_many(embedding, [[ns.Point(*scene[1][5])]])

    y0, x0, y1, x1 = prediction.bbox
    assert prediction.values.shape == (y1 - y0, x1 - x0)
    assert prediction.memory is None


def test_coordinates_become_labels_numbered_by_row(compact, embedding, scene):
    objects = ns.segment_objects(compact, embedding, scene[1])

    assert objects.labels.dtype == np.int32
    assert objects.labels[scene[1][:, 0], scene[1][:, 1]].tolist() == list(range(1, 17))
    assert objects.table["id"].tolist() == list(range(1, 17))
    areas = np.bincount(objects.labels.ravel(), minlength=17)[1:]
    assert objects.table["area"].tolist() == areas.tolist()
    for row in objects.table.itertuples():
        rows, cols = np.nonzero(objects.labels == row.id)
        box = (rows.min(), cols.min(), rows.max() + 1, cols.max() + 1)
        assert (row.y0, row.x0, row.y1, row.x1) == box
    assert repr(objects) == "Objects(300 x 300, 16 objects)"


def test_every_form_of_the_same_clicks_gives_the_same_objects(disc_model, tmp_path):
    image = disc_image()[0]
    path = tmp_path / "clicks.csv"
    frame = pd.DataFrame(CENTRES, columns=["y", "x"])
    frame.to_csv(path, index=False)
    napari = tmp_path / "points.csv"
    frame.set_axis(["axis-0", "axis-1"], axis=1).to_csv(napari, index_label="index")
    german = tmp_path / "semicolons.csv"
    german.write_text("\ufeffY; X\n32;20\n\n32;58\n")
    forms = [
        np.array(CENTRES), CENTRES, [ns.Point(*at) for at in CENTRES],
        [[ns.Point(*at)] for at in CENTRES], frame, path, str(path), napari, german,
    ]  # fmt: skip

    first, *others = [ns.segment_objects(disc_model, image, form) for form in forms]

    assert (first.table["area"] > 50).all()
    assert all(other == first for other in others)


def test_one_prompt_alone_is_one_object(disc_model):
    image = disc_image()[0]

    one = ns.segment_objects(disc_model, image, ns.Point(32, 20))

    assert len(one) == 1
    assert one == ns.segment_objects(disc_model, image, (32, 20))
    assert "1 object)" in repr(one)


def test_no_prompts_are_no_objects(disc_model):
    for none in ([], np.empty((0, 2)), pd.DataFrame({"y": [], "x": []})):
        objects = ns.segment_objects(disc_model, disc_image()[0], none)

        assert len(objects) == 0
        assert len(objects.table) == 0
        assert not objects.labels.any()


def test_rows_of_one_object_are_its_prompts(disc_model):
    table = pd.DataFrame({
        "object": ["a", "b", "a"], "kind": ["point", "box", "point"],
        "y": [32, None, 5], "x": [20, None, 60], "positive": [1, None, 0],
        "y0": [None, 18, None], "x0": [None, 44, None], "y1": [None, 46, None],
        "x1": [None, 72, None], "name": ["left", "", "left"],
    })  # fmt: skip

    objects = ns.segment_objects(disc_model, disc_image()[0], table)

    assert objects.table["prompts"].tolist() == [2, 1]
    assert objects.table["name"].tolist() == ["left", "disc"]
    assert (objects.table["area"] > 50).all()


class Squares(DiscModel):
    """Answers a click at (y, x) with a square of 20 pixels; the score falls from left to right."""

    def predict(self, embedding, prompts, memory=None):
        y, x = round(prompts[0].y), round(prompts[0].x)
        logits = np.full(embedding.shape, -1.0, np.float32)
        logits[max(0, y - 10) : y + 10, max(0, x - 10) : x + 10] = 1
        return ns.Prediction(logits, 1 - x / 100)


@pytest.mark.parametrize(
    ("overlap", "areas", "winners"),
    [
        ("score", [300, 400, 200], [(2,), (), (1,)]),
        ("first", [400, 300, 200], [(), (1,), (1,)]),
        ("last", [100, 400, 400], [(2, 3), (), ()]),
    ],
)
def test_overlaps_are_settled_and_told(overlap, areas, winners):
    clicks = [[30, 30], [30, 15], [30, 40]]  # columns 20 to 40, 5 to 25 and 30 to 50 of 20 rows

    objects = ns.segment_objects(Squares(), np.eye(60), clicks, overlap=overlap)

    assert objects.table["area"].tolist() == areas
    assert objects.table["asked"].tolist() == [400] * 3
    assert objects.table["lost"].tolist() == [400 - area for area in areas]
    assert objects.table["to"].tolist() == winners
    assert np.bincount(objects.labels.ravel())[1:].tolist() == areas
    assert [one.area for one in objects.instances] == [400] * 3


def test_an_object_without_pixels_keeps_its_row_and_tells_why():
    clicks = [[30, 30], [30, 30], [30, 60]]

    objects = ns.segment_objects(Squares(), np.eye(80), clicks, min_score=0.5)

    assert objects.table["id"].tolist() == [1, 2, 3]
    assert objects.table["area"].tolist() == [400, 0, 0]
    assert "other objects" in objects.table["note"][1]
    assert "score is below 0.5" in objects.table["note"][2]
    assert repr(objects) == "Objects(80 x 80, 3 objects, 2 without pixels)"


def test_objects_behave_as_a_value(disc_model):
    objects = ns.segment_objects(disc_model, disc_image()[0], CENTRES)
    copy = np.array(objects)
    copy[0, 0] = 9

    assert pickle.loads(pickle.dumps(objects)) == objects
    assert objects != ns.segment_objects(disc_model, disc_image()[0], CENTRES[:1])
    np.testing.assert_array_equal(np.asarray(objects), objects.labels)
    assert objects.labels[0, 0] == 0
    with pytest.raises(ValueError, match="read-only"):
        objects.labels[0, 0] = 1
    with pytest.raises(TypeError):
        hash(objects)


BAD_ROWS = [
    ("y,x\n32,20\n200,20\n", InvalidPrompt, "line 3 of 'bad.csv': .*outside.*click inside"),
    ("y,x\n32,20\nnan,20\n", InvalidPrompt, "line 3 .*outside"),
    ("y,x\n32,20\nten,20\n", InvalidPrompt, "line 3 .*y is 'ten'; give a number"),
    ("y,x\n32,20\n\n,20\n", InvalidPrompt, "line 4 .*no y"),
    ("y,x,positive\n32,20,1\n32,20,maybe\n", InvalidPrompt, "positive is 'maybe'; give 1 or 0"),
    ("y,x,positive\n32,20,1\n32,20,0\n", InvalidPrompt, "line 3 .*no prompt is positive"),
    ("y,x,kind\n32,20,\n32,20,star\n", InvalidPrompt, "star.*point, box, text"),
    ("y,x,name\n32,20,\n,,cell\n", InvalidPrompt, "no coordinates; fill in"),
    ("y,x,text\n32,20,\n,,dics\n", UnknownWord, "line 3 .*'dics' is no word"),
    ("y,x,object,name\n32,20,,\n32,20,1,a\n33,20,1,b\n", InvalidPrompt, "line 4 .*'a' and 'b'"),
]


@pytest.mark.parametrize(("text", "error", "message"), BAD_ROWS)
def test_a_bad_row_is_named_or_left_out(disc_model, tmp_path, text, error, message):
    path = tmp_path / "bad.csv"
    path.write_text(text)

    with pytest.raises(error, match=message) as caught:
        ns.segment_objects(disc_model, disc_image()[0], path)
    objects = ns.segment_objects(disc_model, disc_image()[0], path, errors="skip")

    assert getattr(caught.value, "nearest", ("disc",)) == ("disc",)
    assert objects.table["area"][0] > 50
    assert objects.table["area"][1] == 0
    assert objects.table["note"].tolist() == ["", str(caught.value)]
    assert objects.table["score"].isna().tolist() == [False, True]


IMAGE = disc_image()[0]
WRONG = {
    "no model": ({"model": None}, InvalidArgument, "load_model"),
    "a model's name": ({"model": "compact"}, InvalidArgument, "load_model"),
    "no image": ({"image": None}, InvalidImage, None),
    "a path as image": ({"image": "cells.tif"}, InvalidImage, None),
    "a stack": ({"image": np.zeros((2, 3, 4, 5))}, InvalidImage, None),
    "no prompts": ({"prompts": None}, InvalidArgument, "coordinates"),
    "a number": ({"prompts": 3}, InvalidArgument, "coordinates"),
    "three columns": ({"prompts": np.zeros((5, 3))}, InvalidArgument, r"\(5, 3\)"),
    "a stack of points": ({"prompts": np.zeros((5, 2, 2))}, InvalidArgument, "shape"),
    "ragged rows": ({"prompts": [[1, 2], [3, 4, 5]]}, InvalidArgument, "several lengths"),
    "texts": ({"prompts": ["nucleus", "cell"]}, InvalidArgument, "coordinates"),
    "bools": ({"prompts": np.ones((4, 2), bool)}, InvalidArgument, "bool"),
    "complex": ({"prompts": np.ones((4, 2)) * 1j}, InvalidArgument, "complex"),
    "nan": ({"prompts": [[20, 20], [np.nan, 3]]}, InvalidPrompt, "row 1: .*outside"),
    "infinite": ({"prompts": [[20, np.inf]]}, InvalidPrompt, "row 0: .*outside"),
    "huge": ({"prompts": [[1e300, 20]]}, InvalidPrompt, "row 0: .*outside"),
    "an empty box": ({"prompts": [[5, 5, 5, 9]]}, InvalidPrompt, "row 0: .*no pixel"),
    "a box of nan": ({"prompts": [[5, 5, np.nan, 9]]}, InvalidPrompt, "row 0: .*not a number"),
    "an object of nothing": ({"prompts": [ns.Point(20, 20), []]}, InvalidArgument, "object 1: "),
    "not a prompt": ({"prompts": [ns.Point(20, 20), 5]}, InvalidArgument, "object 1: 5 is not"),
    "another's mask": (
        {"prompts": [ns.Mask(np.ones((3, 3), bool))]}, InvalidPrompt, "object 0: .*shape"),
    "a missing file": ({"prompts": "nowhere.csv"}, FileTrouble, "nowhere.csv"),
    "a column that is nearly one": (
        {"prompts": pd.DataFrame({"y": [32], "x": [20], "positve": [0]})}, InvalidArgument,
        "is it 'positive'"),
    "missing columns": (
        {"prompts": pd.DataFrame({"y": [1], "name": ["a"]})}, InvalidArgument, "needs y and x"),
    "a column twice": (
        {"prompts": pd.DataFrame([[1, 1, 1]], columns=["y", "x", "X"])}, InvalidArgument,
        "twice"),
    "several images": (
        {"prompts": pd.DataFrame({"y": [1, 2], "x": [1, 2], "image": ["a", "b"]})},
        InvalidArgument, "2 images"),
    "too few names": ({"names": ["a"]}, InvalidArgument, "1 for 2 objects"),
    "one name": ({"names": "ab"}, InvalidArgument, "a list with one for each"),
    "an overlap": ({"overlap": "best"}, InvalidArgument, "score, first, last"),
    "errors": ({"errors": "ignore"}, InvalidArgument, "raise, skip"),
    "a score": ({"min_score": np.nan}, InvalidArgument, "min_score is"),
    "a score as text": ({"min_score": "high"}, InvalidArgument, "min_score is"),
    "progress": ({"progress": 3}, InvalidArgument, "True for a bar"),
    "another's embedding": (
        {"image": ns.Embedding("seem", (64, 64), {})}, InvalidPrompt, "'seem'"),
}  # fmt: skip


@pytest.mark.parametrize("what", WRONG)
def test_what_cant_be_meant_is_refused(what, disc_model):
    changes, error, message = WRONG[what]
    given = {"model": disc_model, "image": IMAGE, "prompts": CENTRES} | changes

    with pytest.raises(error, match=message) as caught:
        ns.segment_objects(**given)

    assert isinstance(caught.value, NapariSeemError)


def test_a_model_is_not_given_prompts_that_it_cant_take(disc_model, monkeypatch):
    monkeypatch.setattr(disc_model, "capabilities", frozenset({ns.Capability.POINT}))

    with pytest.raises(UnsupportedPrompt, match="row 0: model 'disc' takes no box"):
        ns.segment_objects(disc_model, IMAGE, [[5, 5, 30, 30]])


def test_files_that_are_no_tables_are_refused(disc_model, tmp_path):
    for content, error in [
        (b"", InvalidArgument), (b"y,x\n1,2,3\n", FileTrouble), (b"\xff\xfe\x00", FileTrouble),
    ]:  # fmt: skip
        path = tmp_path / "odd.csv"
        path.write_bytes(content)
        with pytest.raises(error, match=r"odd\.csv"):
            ns.segment_objects(disc_model, IMAGE, path)


def test_progress_is_told_object_by_object_and_can_cancel(disc_model):
    seen = []
    ns.segment_objects(disc_model, IMAGE, CENTRES, progress=lambda *told: seen.append(told))

    def stop(done, total, what):
        if done:
            raise KeyboardInterrupt

    assert seen == [(done, 2, "segment objects") for done in (0, 1, 2)]
    with pytest.raises(KeyboardInterrupt):
        ns.segment_objects(disc_model, IMAGE, CENTRES, progress=stop)


def test_big_images_are_worked_on_in_parts(disc_model):
    image = np.zeros((2100, 300), np.uint8)
    image[100:140, 100:140] = image[1900:1950, 200:240] = 200

    objects = ns.segment_objects(disc_model, image, [[120, 120], [1920, 220]])

    np.testing.assert_array_equal(objects.labels > 0, image > 0)
    assert objects.labels[1920, 220] == 2
    assert disc_model.encoded >= 2  # frames, not the whole


def test_an_object_of_a_thousand_needs_only_its_own_pixels(compact, embedding, scene):
    centres = np.repeat(scene[1][:4], 10, 0)

    objects = ns.segment_objects(compact, embedding, centres)

    kept = sum(one.mask.nbytes for one in objects.instances)
    assert kept < objects.labels.nbytes
    assert (objects.table["area"] > 0).sum() == 4  # the same clicks again get no pixel


def test_other_columns_are_passed_over(disc_model):
    table = pd.DataFrame({"label": [7], "y": [32], "centroid-0": [1.5], "x": [20]})

    found = ns.segment_objects(disc_model, disc_image()[0], table)

    assert found == ns.segment_objects(disc_model, disc_image()[0], [[32, 20]])


def test_names_and_scores_are_written_with_the_labels(disc_model, tmp_path):
    found = ns.segment_objects(
        disc_model, disc_image()[0], [[32, 20], [32, 58]], names=["one", None]
    )
    ns.write_labels(tmp_path / "a.tif", found)

    labels, objects = ns.read_labels(tmp_path / "a.tif")

    assert np.array_equal(labels, found.labels)
    assert objects[1].name == "one"
    assert objects[2].score == pytest.approx(found.table["score"][1])


def test_masked_coordinates_are_refused(disc_model):
    rows = np.ma.masked_array([[32, 20], [32, 58]], mask=[[0, 0], [1, 1]])

    with pytest.raises(InvalidArgument, match="masked"):
        ns.segment_objects(disc_model, disc_image()[0], rows)
