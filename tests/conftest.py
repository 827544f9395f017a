"""What several test modules share: seeds, the shared images, a small real model."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from discs import DiscModel
from discs import disc_image as make_discs
from files import series_maker, some_objects
from website import serve

ROOT = Path(__file__).resolve().parents[1]
SHARED = ROOT.parent / "shared" / "data"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if SHARED.is_dir():
        return
    absent = pytest.mark.skip(reason=f"no shared images at {SHARED}")
    for item in items:
        if item.get_closest_marker("needs_shared") or "shared_data" in item.fixturenames:
            item.add_marker(absent)


@pytest.fixture(autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """What tests keep on disk does not go to the person's own folders."""
    monkeypatch.setenv("NAPARI_SEEM_LABELS", str(tmp_path_factory.mktemp("kept")))
    monkeypatch.setenv("NAPARI_SEEM_CACHE", str(tmp_path_factory.mktemp("embeddings")))
    monkeypatch.setenv("NAPARI_SEEM_LOGS", str(tmp_path_factory.mktemp("logs")))
    words = tmp_path_factory.mktemp("words") / "concepts.zip"
    monkeypatch.setenv("NAPARI_SEEM_LIBRARY", str(words))


@pytest.fixture(autouse=True)
def _quick_collections(request: pytest.FixtureRequest) -> Iterator[None]:
    """Let the collections around viewers pass over what outlived earlier ones.

    napari collects garbage several times a viewer; through a million objects of earlier tests that
    took longer than the tests.
    """
    yield
    if "make_napari_viewer" in request.fixturenames:
        gc.freeze()


@pytest.fixture
def shared_data() -> Path:
    """The folder of real images with masks; tests that ask for it are skipped without it."""
    return SHARED


@pytest.fixture
def rng() -> np.random.Generator:
    """Random numbers, the same in every run."""
    return np.random.default_rng(0)


@pytest.fixture
def disc_model() -> DiscModel:
    """A model that answers every prompt exactly on `disc_image`; counts its encodes."""
    return DiscModel()


@pytest.fixture
def disc_image() -> tuple[np.ndarray, np.ndarray]:
    """(image, labels): two bright discs on dark ground."""
    return make_discs()


@pytest.fixture
def site():
    """A web site that serves `website.PAYLOAD`, and can break off."""
    with serve() as site:
        yield site


@pytest.fixture
def table():
    """Names and scores of `files.some_labels`."""
    return some_objects()


@pytest.fixture
def make_series(tmp_path):
    """Write CT slices: `make_series(places_mm)` gives the folder of a DICOM series."""
    return series_maker(tmp_path)
