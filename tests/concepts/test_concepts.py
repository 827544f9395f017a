"""Words taught by marked objects, their libraries, and what a model makes of them."""

from __future__ import annotations

import json
import zipfile
from dataclasses import replace

import numpy as np
import pytest
from scipy import ndimage

import napari_seem as ns
from napari_seem.concepts.examples import Crop
from napari_seem.concepts.files import FORMAT, LISTING
from napari_seem.errors import (
    ConceptTrouble,
    FileTrouble,
    InvalidLabels,
    InvalidPrompt,
    SameName,
    UnknownWord,
    UnsupportedPrompt,
)

STRIPED, FLAT = 1, 2


def picture(seed: int, size: int = 192) -> tuple[np.ndarray, np.ndarray]:
    """Striped discs (ids from 1) and flat discs (ids from 101) on dark noise; gray."""
    rng = np.random.default_rng(seed)
    rows, cols = np.mgrid[:size, :size]
    labels = np.zeros((size, size), np.int32)
    image = np.full((size, size), 40.0)
    for number in range(8):
        y, x = 24 + 48 * (number // 4) + 96 * (number % 4 // 2), 24 + 48 * (number % 4)
        disc = np.hypot(rows - y - rng.uniform(-4, 4), cols - x - rng.uniform(-4, 4)) < 15
        striped = (number + seed) % 2 == 0
        labels[disc] = number + (1 if striped else 101)
        image[disc] = 140 + 90 * np.sign(np.sin(rows[disc] * 1.2)) * striped
    image += rng.normal(0, 6, image.shape)
    return np.clip(image, 0, 255).astype(np.uint8), labels


def striped(labels: np.ndarray, count: int = 9) -> np.ndarray:
    """Only the striped discs, at most so many."""
    ids = [i for i in np.unique(labels) if 0 < i < 100][:count]
    return np.where(np.isin(labels, ids), labels, 0)


def overlap(a: np.ndarray, b: np.ndarray) -> float:
    return float((a & b).sum() / (a | b).sum())


@pytest.fixture(scope="module")
def model():
    return ns.load_model("compact", device="cpu")


@pytest.fixture(scope="module")
def first():
    return picture(0)


@pytest.fixture(scope="module")
def second():
    return picture(1)


@pytest.fixture(scope="module")
def taught(model, first):
    image, labels = first
    shown = ns.Shown(image, striped(labels, 2), labels > 100, "first.tif")
    return ns.teach_word(model, "zebra drop", [shown], ["Striped"])


@pytest.fixture(scope="module")
def knowing(model, taught):
    return model.with_words(ns.ConceptLibrary((taught,)))


def test_a_taught_word_finds_its_kind_in_another_image(knowing, second):
    image, labels = second
    embedding = knowing.encode(image)

    found = knowing.predict(embedding, [ns.Text("zebra drops")])
    apart = knowing.segment(embedding, ["striped"])

    assert overlap(found.mask, striped(labels) > 0) > 0.6
    assert found.label == "zebra drop"
    hits = [np.bincount(labels[i.full_mask(labels.shape)]).argmax() for i in apart.instances]
    assert {i for i in np.unique(striped(labels)) if i} <= set(hits)
    assert {i.label for i in apart.instances} == {"zebra drop"}
    assert apart.names == ("zebra drop",)
    assert apart.semantic is not None
    assert np.array_equal(np.unique(apart.semantic), [0, 1])


def test_a_taught_word_and_a_click_go_together(knowing, second):
    image, labels = second
    one = int(np.unique(striped(labels))[1])
    y, x = ndimage.center_of_mass(labels == one)

    found = knowing.predict(knowing.encode(image), [ns.Text("zebra drop"), ns.Point(y, x)])

    assert overlap(found.mask, labels == one) > 0.75
    assert found.label == "zebra drop"


def test_what_is_clicked_is_named_by_a_taught_word(knowing, model, first):
    image, labels = first
    one = int(np.unique(striped(labels))[1])
    click = [ns.Point(*ndimage.center_of_mass(labels == one))]
    embedding = knowing.encode(image)

    assert knowing.predict(embedding, click).label == "zebra drop"
    assert model.predict(embedding, click).label != "zebra drop"
    assert "zebra drop" in {i.label for i in knowing.segment(embedding).instances}


def test_negative_prompts_take_their_part_of_a_taught_word(knowing, second):
    image, labels = second
    one = int(np.unique(striped(labels))[1])
    y, x = ndimage.center_of_mass(labels == one)
    embedding = knowing.encode(image)

    less = knowing.predict(embedding, [ns.Text("striped"), ns.Point(y, x, positive=False)])

    assert not (less.mask & (labels == one)).any()
    assert less.mask.any()


def test_words_of_the_training_are_as_before(model, knowing, second):
    embedding = model.encode(second[0])

    for ask in ([ns.Text("Nuclei")], [ns.Text("cell nucleus"), ns.Point(24, 24)]):
        before, after = (m.predict(embedding, ask) for m in (model, knowing))
        np.testing.assert_array_equal(before.logits, after.logits)
    assert knowing.vocabulary() == (*model.vocabulary(), "zebra drop")
    assert "zebra drop" not in model.vocabulary()
    with pytest.raises(UnknownWord, match="zebra drop"):
        knowing.predict(embedding, [ns.Text("zebra drip")])


def test_taught_and_trained_words_are_found_together(knowing, second):
    found = knowing.segment(knowing.encode(second[0]), ["nucleus", "zebra drop"])

    assert found.names == ("nucleus", "zebra drop")
    areas = sum(i.area for i in found.instances)
    assert (found.labels > 0).sum() == areas  # nothing is two things


def test_a_library_comes_back_from_its_file(model, taught, second, tmp_path):
    library = ns.ConceptLibrary((taught,))
    library.save(tmp_path / "words.zip")
    back = ns.ConceptLibrary.load(tmp_path / "words.zip")

    assert back.names == ("zebra drop",)
    again = back["STRIPED"]
    assert (again.model, again.made, again.synonyms) == (
        model.identity, taught.made, ("Striped",),
    )  # fmt: skip
    assert again.examples[0].source == "first.tif"
    assert again.examples[0].objects == 2
    np.testing.assert_array_equal(again.examples[0].image, taught.examples[0].image)
    embedding = model.encode(second[0])
    one, other = (
        model.with_words(lib).predict(embedding, [ns.Text("striped")]).logits
        for lib in (library, back)
    )
    np.testing.assert_allclose(one, other, atol=1e-3)
    assert [p.name for p in tmp_path.iterdir()] == ["words.zip"]


def test_a_library_is_small_and_shared_arrays_are_kept_once(taught, tmp_path):
    ns.ConceptLibrary((taught,)).save(tmp_path / "one.zip")
    twins = ns.ConceptLibrary((taught, replace(taught, name="other", synonyms=())))
    twins.save(tmp_path / "two.zip")

    one, two = ((tmp_path / f"{n}.zip").stat().st_size for n in ("one", "two"))
    assert one < 1_000_000
    assert two - one < 5_000


def test_two_words_of_one_name_are_asked_about(model, taught, second):
    image, labels = second
    library = ns.ConceptLibrary((taught,))
    shown = ns.Shown(image, striped(labels, 1), source="second.tif")
    twin = ns.teach_word(model, "Zebra  Drop", [shown])

    with pytest.raises(SameName, match="replace, rename, join"):
        library.added(twin)
    assert library.added(twin, "replace").concepts == (twin,)
    assert library.added(twin, "rename").names == ("zebra drop", "Zebra Drop 2")
    with pytest.raises(ConceptTrouble, match="give the model"):
        library.added(twin, "join")
    joined = library.added(twin, "join", model)
    assert joined.names == ("zebra drop",)
    assert joined["striped"].objects == 3
    assert [crop.source for crop in joined.concepts[0].examples] == ["first.tif", "second.tif"]
    with pytest.raises(SameName):
        library.renamed("zebra drop", "striped").added(twin).renamed("Zebra Drop", "STRIPED")


def test_libraries_are_merged_renamed_and_emptied(taught):
    library = ns.ConceptLibrary((taught,))
    other = ns.ConceptLibrary((replace(taught, name="other", synonyms=()),))

    both = library.merged(other)

    assert both.names == ("zebra drop", "other")
    assert both.merged(other).names == both.names  # the same word twice is one
    assert both.removed("other").names == ("zebra drop",)
    assert both.renamed("other", "else").names == ("zebra drop", "else")
    with pytest.raises(ConceptTrouble, match="it is empty"):
        ns.ConceptLibrary()["other"]


def test_an_empty_library_changes_nothing(model, tmp_path):
    ns.ConceptLibrary().save(tmp_path / "none.zip")
    knowing = model.with_words(ns.ConceptLibrary.load(tmp_path / "none.zip"))

    assert knowing.vocabulary() == model.vocabulary()


def test_a_library_of_another_model_is_taught_anew_or_refused(model, taught, second):
    foreign = replace(taught, model="compact@000000000000")
    image, labels = second
    embedding = model.encode(image)

    again = model.with_words(ns.ConceptLibrary((foreign,)))
    assert overlap(again.predict(embedding, [ns.Text("striped")]).mask, striped(labels) > 0) > 0.6

    bare = replace(foreign, examples=tuple(
        replace(crop, image=None, labels=None, others=None) for crop in foreign.examples
    ))  # fmt: skip
    with pytest.raises(ConceptTrouble, match=r"compact@000000000000.*not kept"):
        model.with_words(ns.ConceptLibrary((bare,)))
    usable, reasons = ns.ConceptLibrary((bare, replace(taught, name="b", synonyms=()))).usable_by(
        model
    )
    assert usable.names == ("b",)
    assert "zebra drop" in reasons[0]


def test_a_word_taught_on_gray_refuses_colour(knowing, model, second):
    image, _ = second
    colour = np.stack([image, image[::-1], image[:, ::-1]], -1)

    with pytest.raises(InvalidPrompt, match="taught on images of 1 channel, this one shows 3"):
        knowing.predict(knowing.encode(colour), [ns.Text("striped")])
    with pytest.raises(InvalidPrompt, match="3 channels"):
        knowing.segment(knowing.encode(colour), ["striped"])
    as_rgb = np.repeat(image[..., None], 3, 2)  # gray, however it is stored
    assert knowing.predict(knowing.encode(as_rgb), [ns.Text("striped")]).mask.any()


@pytest.mark.parametrize(
    ("name", "reason"),
    [("x" * 500, "500 letters"), ("  ", "needs a name"), ("a\x00b", "can't be shown")],
)
def test_odd_names_are_refused(model, first, name, reason):
    shown = ns.Shown(first[0], striped(first[1], 1))
    with pytest.raises(ConceptTrouble, match=reason):
        ns.teach_word(model, name, [shown])


def test_a_word_of_500_letters_is_no_word(model, first):
    with pytest.raises(UnknownWord, match=r"x{60}'"):
        model.predict(model.encode(first[0]), [ns.Text("x" * 500)])


def test_examples_that_say_nothing_are_refused(model, first):
    image, labels = first
    with pytest.raises(InvalidLabels, match="no example"):
        ns.teach_word(model, "a", [])
    with pytest.raises(InvalidLabels, match="no example has a label"):
        ns.teach_word(model, "a", [ns.Shown(image, np.zeros_like(labels))])
    with pytest.raises(InvalidLabels, match="own grid"):
        ns.teach_word(model, "a", [ns.Shown(image, labels[1:])])
    with pytest.raises(InvalidLabels, match="not integers"):
        ns.teach_word(model, "a", [ns.Shown(image, labels.astype(float))])


def test_models_that_cant_be_taught_say_so(disc_model, first, taught):
    with pytest.raises(UnsupportedPrompt, match=r"'disc' can't be taught words; .*compact"):
        ns.teach_word(disc_model, "a", [ns.Shown(*first)])
    with pytest.raises(UnsupportedPrompt):
        taught.word_for(disc_model)


@pytest.mark.parametrize("damage", ["no zip", "cut", "no listing", "newer", "absent", "pickled"])
def test_files_that_are_no_library_are_refused(taught, tmp_path, damage):
    path = tmp_path / "words.zip"
    ns.ConceptLibrary((taught,)).save(path)
    whole = path.read_bytes()
    with zipfile.ZipFile(path) as file:
        members = {name: file.read(name) for name in file.namelist()}
    if damage == "no zip":
        path.write_bytes(b"hello")
    elif damage == "cut":
        path.write_bytes(whole[: len(whole) // 2])
    elif damage == "absent":
        path.unlink()
    else:
        if damage == "no listing":
            members.pop(LISTING)
        elif damage == "newer":
            listing = json.loads(members[LISTING]) | {"format": FORMAT[:-1] + "9"}
            members[LISTING] = json.dumps(listing).encode()
        else:
            bad = tmp_path / "bad.npy"
            np.save(bad, np.array([{}], object), allow_pickle=True)
            name = next(name for name in members if name.endswith(".npy"))
            members[name] = bad.read_bytes()
        with zipfile.ZipFile(path, "w") as file:
            for name, content in members.items():
                file.writestr(name, content)

    with pytest.raises(FileTrouble, match=r"words\.zip"):
        ns.ConceptLibrary.load(path)


def test_a_library_that_cant_be_written_leaves_the_old_one(taught, tmp_path):
    path = tmp_path / "words.zip"
    ns.ConceptLibrary((taught,)).save(path)
    before = path.read_bytes()
    unreadable = Crop("f", "s", {"look": object()}, 1)

    with pytest.raises(TypeError):
        ns.ConceptLibrary((replace(taught, examples=(unreadable,)),)).save(path)
    assert path.read_bytes() == before
    (tmp_path / "file").write_text("")
    with pytest.raises(FileTrouble):
        ns.ConceptLibrary((taught,)).save(tmp_path / "file" / "words.zip")


def test_of_a_wide_example_the_marked_parts_are_kept(model):
    image, labels = picture(2)
    wide = np.pad(image, ((0, 0), (0, 1200)), mode="edge")
    far = np.pad(striped(labels, 1), ((0, 0), (0, 1200)))
    far[100:120, 1300:1320] = 99

    concept = ns.teach_word(model, "a", [ns.Shown(wide, far)])
    bare = ns.teach_word(model, "a", [ns.Shown(wide, far)], keep_examples=False)

    assert [crop.objects for crop in concept.examples] == [1, 1]
    assert all(crop.labels.max() == 1 for crop in concept.examples)
    assert max(max(crop.labels.shape) for crop in concept.examples) < 400
    assert concept.at_hand
    assert not bare.at_hand
    assert bare.objects == 2


def test_a_big_image_teaches_by_its_marked_parts(model, second):
    image, labels = picture(0)
    big = np.tile(image, (11, 11))
    marks = np.zeros(big.shape, np.int32)
    marks[1536:1728, 960:1152] = striped(labels)

    concept = ns.teach_word(model, "striped", [ns.Shown(big, marks)])

    knowing = model.with_words(ns.ConceptLibrary((concept,)))
    found = knowing.predict(knowing.encode(second[0]), [ns.Text("striped")])
    assert overlap(found.mask, striped(second[1]) > 0) > 0.5
