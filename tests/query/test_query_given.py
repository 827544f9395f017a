"""What is searched and for what: in every form, and what is refused before anything is read."""

from __future__ import annotations

import copy
import logging
import pickle

import numpy as np
import pytest
from skimage.io import imsave

import napari_seem as ns
from napari_seem.errors import InvalidArgument, InvalidImage, InvalidPrompt, UnsupportedPrompt
from napari_seem.query import search


@pytest.fixture
def image(disc_image):
    return disc_image[0].astype(np.uint8)


@pytest.fixture
def path(tmp_path, image):
    imsave(tmp_path / "a.png", image, check_contrast=False)
    return tmp_path / "a.png"


def test_images_paths_and_planes_are_searched_alone_or_in_lists(disc_model, image, path):
    expected = [one.bbox for one in ns.find(disc_model, ns.plane_sources_of_array(image), "disc")]
    assert expected
    for sources in (image, [image], path, str(path), [str(path)], np.stack([image]),
                    ns.plane_sources_of_array(image)[0], ns.plane_sources_of_files(str(path)),
                    iter([path]), np.dstack([image] * 3), path.parent):  # fmt: skip
        assert [one.bbox for one in ns.find(disc_model, sources, "disc")] == expected
    for words in (["disc"], ("disc",), " disc "):
        assert [one.bbox for one in ns.find(disc_model, image, words)] == expected


@pytest.mark.parametrize(("sources", "said"), [
    (None, "NoneType"), (3, "a int"), ([None], "NoneType"), ([3], "a int"),
    (np.zeros((2, 2, 2, 99)), "give one of them"), (np.zeros((0, 9)), "give one of them"),
])  # fmt: skip
def test_what_can_t_be_searched_is_refused(disc_model, sources, said):
    with pytest.raises(InvalidImage, match=said):
        list(ns.find(disc_model, sources, "disc"))


@pytest.mark.parametrize(("words", "error"), [
    (None, InvalidArgument), (3, InvalidArgument), (["disc", None], InvalidArgument),
    ([], InvalidPrompt), ("", InvalidPrompt), ("  ", InvalidPrompt), ("x" * 101, InvalidPrompt),
])  # fmt: skip
def test_what_is_no_word_is_refused_at_once(disc_model, image, words, error):
    with pytest.raises(error, match=r"give one text|type one|at most"):
        ns.find(disc_model, image, words)


@pytest.mark.parametrize(("keywords", "said"), [
    ({"least": float("nan")}, "finite"), ({"least": 40}, "from 0 to 1"), ({"least": "1"}, "finite"),
    ({"cache": True}, "an EmbeddingCache"), ({"progress": 1}, "True for a bar"),
])  # fmt: skip
def test_options_that_can_t_be_meant_are_refused(disc_model, image, keywords, said):
    with pytest.raises(InvalidArgument, match=said):
        list(ns.find(disc_model, image, "disc", **keywords))


def test_what_is_no_model_for_words_is_refused(image):
    with pytest.raises(InvalidArgument, match="load_model"):
        ns.find("compact", image, "disc")

    class Wordless:
        name, identity, capabilities = "wordless", "wordless", frozenset()

        def encode(self, image): ...
        def predict(self, embedding, prompts, memory=None): ...
        def segment(self, embedding, names=None): ...
        def vocabulary(self): ...

    with pytest.raises(UnsupportedPrompt, match=r"can't take words; choose one of: .*compact"):
        ns.find(Wordless(), image, "disc")


@pytest.mark.parametrize(("keywords", "said"), [
    ({"axis": "z"}, "whole number"), ({"channels": "yes"}, "True or False"),
    ({"look": 3}, "look is"),
    ({"axis": 7}, "no axis 7"),
])  # fmt: skip
def test_planes_of_arrays_are_named_rightly(keywords, said):
    with pytest.raises((InvalidArgument, InvalidImage), match=said):
        ns.plane_sources_of_array(np.zeros((4, 9, 9)), **keywords)
    with pytest.raises(InvalidImage, match="can't be searched"):
        ns.plane_sources_of_array("a.tif")
    with pytest.raises(InvalidArgument, match="name of a file"):
        ns.plane_sources_of_files(None)


def test_one_bad_file_ends_no_search_and_is_told(disc_model, path, tmp_path, caplog):
    (tmp_path / "bad.tif").write_bytes(b"II*\0 nothing")
    files = [tmp_path / "bad.tif", path, tmp_path / "absent.tif"]
    with caplog.at_level(logging.WARNING, "napari_seem"):
        found = list(ns.find(disc_model, files, "disc"))

    assert found
    assert "bad.tif" in caplog.text
    assert "absent.tif" in caplog.text
    results = list(search(disc_model, files, "disc"))
    assert [bool(one.problem) for one in results] == [True, False, True]
    assert all(len(repr(one)) < 250 for one in results)
    with pytest.raises(InvalidImage, match=r"no plane could be searched.*absent\.tif"):
        list(ns.find(disc_model, files[::2], "disc"))


def test_progress_is_told_and_may_cancel(disc_model, image):
    class Enough(Exception):
        pass

    told = []

    def stop(*step):
        told.append(step)
        if step[0] == 2:
            raise Enough

    found = []
    with pytest.raises(Enough):
        found.extend(ns.find(disc_model, [image] * 4, "disc", progress=stop))
    assert found
    assert told == [(n, 4, "find") for n in range(3)]


def test_findings_are_values(disc_model, image):
    one, *_ = ns.find(disc_model, image, "disc")

    for other in (copy.copy(one), copy.deepcopy(one), pickle.loads(pickle.dumps(one))):
        assert other == one
        assert hash(other) == hash(one)
    np.testing.assert_array_equal(np.asarray(one), one.mask)
    assert repr(one).startswith("Finding('disc', score=")
    assert len(repr(one)) < 150
