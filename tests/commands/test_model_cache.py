"""Models are loaded once, in any thread, without holding up others."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from discs import DiscModel

from napari_seem.commands.models import KnownPlane, ModelCache
from napari_seem.embeddings import EmbeddingCache
from napari_seem.sources.source import source_of_array


class Loading:
    """A loader that is held until it is let go."""

    def __init__(self) -> None:
        self.models, self.began, self.go = [], threading.Semaphore(0), threading.Event()

    def __call__(self, name):
        self.began.release()
        assert self.go.wait(20)
        self.models.append(DiscModel())
        return self.models[-1]


@pytest.fixture
def loading():
    return Loading()


@pytest.fixture
def models(loading):
    return ModelCache(loading, EmbeddingCache())


def test_threads_load_a_model_once(models, loading):
    loading.go.set()
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(models.model, ["compact"] * 4))
    assert len(loading.models) == 1
    assert all(model is found[0] for model in found)


def test_others_go_on_while_a_model_is_loaded(models, loading):
    with ThreadPoolExecutor(1) as pool:
        loaded = pool.submit(models.model, "compact")
        assert loading.began.acquire(timeout=20)
        other = DiscModel()
        models.put("other", other)  # neither of these waits
        assert models.model("other") is other
        models.forget("other")
        models.use_device("cuda:7")
        loading.go.set()
        loaded.result()


def test_a_model_forgotten_while_it_is_loaded_is_loaded_anew(models, loading, disc_image):
    plane, cache = KnownPlane(source_of_array(disc_image[0])), models.cache
    with ThreadPoolExecutor(1) as pool:
        opened = pool.submit(models.open, "compact", plane)
        assert loading.began.acquire(timeout=20)
        models.use_device("cuda:7")
        loading.go.set()
        model = opened.result().model

    assert len(loading.models) == 2
    assert model is models.loaded("compact")
    assert models.cache is not cache  # what was begun before goes to the former one


def test_what_other_models_encoded_stays_where_one_is_loaded_anew(models, loading, disc_image):
    loading.go.set()
    source = source_of_array(disc_image[0])
    models.open("compact", KnownPlane(source))
    models.forget("other")
    models.open("compact", KnownPlane(source))
    assert loading.models[0].encoded == 1


def test_an_embedding_of_a_forgotten_model_is_not_kept(models, loading, disc_image):
    loading.go.set()
    began, go = threading.Event(), threading.Event()
    model, plane = models.model("compact"), KnownPlane(source_of_array(disc_image[0]))
    encode = model.encode

    def held(image):
        began.set()
        assert go.wait(20)
        return encode(image)

    model.encode = held
    with ThreadPoolExecutor(1) as pool:
        opened = pool.submit(models.open, "compact", plane)
        assert began.wait(20)
        models.use_device("cuda:7")
        go.set()
        opened.result()

    assert len(models.cache) == 0


def test_a_load_that_failed_is_tried_again():
    answers = [OSError("no library"), DiscModel()]

    def load(name):
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    models = ModelCache(load, EmbeddingCache())
    with pytest.raises(OSError, match="no library"):
        models.model("compact")
    assert isinstance(models.model("compact"), DiscModel)
