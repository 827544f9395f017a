"""What several test modules share: seeds, the shared images, a small real model."""

from __future__ import annotations

import ctypes
import gc
import os
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from functools import cache
from itertools import chain, count, repeat
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from once import quicken_napari, quicken_vispy
from screen import has_display, open_screen

if TYPE_CHECKING:  # else the process that only hands out tests would load torch
    from discs import DiscModel
    from napari import Viewer
    from pytestqt.qtbot import QtBot

ROOT = Path(__file__).resolve().parents[1]
SHARED = ROOT.parent / "shared" / "data"

BEGIN_WITH = {
    "test_adapt", "test_adaptation", "test_big_images", "test_cli_big", "test_cli_many",
    "test_cluster", "test_cluster_setting", "test_commands", "test_demo", "test_embedding_store",
    "test_examples", "test_finetune_bench", "test_finetune_dock", "test_geometry",
    "test_in_context_big", "test_jobs", "test_journal", "test_killed_on_disk",
    "test_labels_on_disk", "test_latency", "test_lazy_levels", "test_learner", "test_lineage",
    "test_measures", "test_mouse", "test_objects_bench", "test_one_gpu", "test_package",
    "test_programs", "test_record_stacks", "test_recovery", "test_replay_command", "test_resume",
    "test_run", "test_sam_files", "test_scale", "test_seem_parity", "test_stack_benches",
    "test_stack_ends", "test_teach_words", "test_teaching", "test_tiling", "test_tiling_compact",
    "test_tiling_whole", "test_together", "test_train_command",
}  # fmt: skip
"""Modules that take long for how few tests they have: begun last, one process would wait."""

os.environ["NAPARI_CONFIG"] = ""  # else every viewer writes the person's own settings


def pytest_configure(config: pytest.Config) -> None:
    """Give each process of a parallel run a screen of its own, and any run one where there is none.

    On a shared one a window of one process takes the mouse and the focus of another's.
    """
    hands_out = bool(config.getoption("numprocesses", None))
    if hasattr(config, "workerinput") or not (hands_out or has_display()):
        screen = open_screen()
        if screen is not None:
            config.add_cleanup(screen.communicate)  # ends its input, and so the screen


def give_memory_back() -> None:
    """Let the system have what was freed; glibc keeps it where small pieces lie in between."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None) if os.name == "posix" else None
    if trim is not None:
        trim(0)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    absent = pytest.mark.skip(reason=f"no shared images at {SHARED}")
    unsliced = pytest.mark.skip(reason="only a window slices layers asynchronously")
    for item in items:
        shared = item.get_closest_marker("needs_shared") or "shared_data" in item.fixturenames
        if shared and not SHARED.is_dir():
            item.add_marker(absent)
        if item.get_closest_marker("needs_slices") and os.environ.get("NAPARI_ASYNC") == "1":
            item.add_marker(unsliced)
    tests = Counter(item.path for item in items)
    items.sort(key=lambda item: (item.path.stem not in BEGIN_WITH, -tests[item.path]))


def pytest_collection_finish() -> None:
    gc.freeze()


def delete_windows() -> None:
    """Let Qt delete what is marked for it; without an event loop of its own it would wait."""
    if "qtpy.QtWidgets" in sys.modules:
        from qtpy.QtCore import QCoreApplication, QEvent

        if QCoreApplication.instance() is not None:
            QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete.value)


def pytest_runtest_setup() -> None:
    if "napari.utils.events" in sys.modules:
        quicken_napari()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item, nextitem: pytest.Item | None) -> Iterator[None]:
    """Free what a test leaves behind, and let later collections pass over what libraries keep.

    Few objects may hold large arrays, so that Python would not collect them for long. And napari
    collects several times a viewer: through the million objects of the libraries that took longer
    than the tests, and so did what a viewer never gives back. Only here has pytest let go of the
    test's own objects.
    """
    done = yield
    if "napari.utils" in sys.modules:
        from napari.utils import resize_dask_cache

        resize_dask_cache().cache.clear()  # it keeps planes up to a quarter of all memory
    delete_windows()
    gc.collect()
    last = nextitem is None or nextitem.path != item.path  # the module's fixtures are gone as well
    if last or "napari._qt" in sys.modules:
        gc.freeze()
    give_memory_back()
    return done


@pytest.fixture(scope="session", autouse=True)
def _manifests() -> Iterator[None]:
    """Read the manifests of plugins once a process instead of with every viewer."""
    from npe2 import PluginManifest

    read = PluginManifest.discover
    found = cache(lambda paths: list(read(paths)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(PluginManifest, "discover", lambda paths=(): iter(found(tuple(paths))))
        yield


@pytest.fixture(scope="session")
def _kept(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder that does not exist yet, one a test."""
    above = tmp_path_factory.mktemp("kept")
    return (above / str(number) for number in count())


@pytest.fixture(scope="session")
def rods() -> tuple[Any, Any]:
    """Two rods through 12 planes, 1 and 2: (volume, labels)."""
    rng = np.random.default_rng(2)
    labels = np.zeros((12, 48, 48), np.int32)
    labels[:, 8:18, 8:18] = 1
    labels[:, 28:40, 26:38] = 2
    grey = np.where(labels == 1, 190, np.where(labels == 2, 150, 60))
    return np.clip(grey + rng.normal(0, 6, labels.shape), 0, 255).astype(np.uint8), labels


@pytest.fixture(autouse=True)
def _own_cache(_kept: Iterator[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """What tests keep on disk does not go to the person's own folders."""
    own = next(_kept)
    own.mkdir()
    for name, within in (
        ("LABELS", "labels"), ("CACHE", "cache"), ("LOGS", "logs"), ("LIBRARY", "concepts.zip"),
    ):  # fmt: skip
        monkeypatch.setenv(f"NAPARI_SEEM_{name}", str(own / within))


@pytest.fixture
def make_napari_viewer(
    make_napari_viewer: Callable[..., Viewer],
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Callable[..., Viewer]]:
    """napari's own, of whose viewers nothing is left when they are closed.

    A window keeps each worker it has had, and the worker's signals keep the window, its layers and
    docks: Python does not see that they hold nothing but each other.
    """
    from napari._qt.widgets import qt_welcome
    from napari._vispy.canvas import VispyCanvas

    quicken_vispy()
    windows = []
    # it looks its shortcuts up anew for each of the 98 that a viewer binds, though it is not shown
    monkeypatch.setattr(qt_welcome.QtWelcomeWidget, "refresh", lambda *_: None, raising=False)

    def make(*args: Any, **options: Any) -> Viewer:
        viewer = make_napari_viewer(*args, **options)
        windows.append(viewer.window)
        return viewer

    yield make
    # what it draws anew once the layers are gone, nobody sees, and it collects garbage for it
    monkeypatch.setattr(VispyCanvas, "_clean_and_update_scenegraph", lambda _: None, raising=False)
    for window in windows:
        window._task_status_manager._tasks.clear()


@pytest.fixture
def qtbot(qtbot: QtBot) -> QtBot:
    """pytest-qt's own, that looks each millisecond at first whether what it waits for is there.

    It would look each ten, and most answers need one or two.
    """
    until, wait = qtbot.waitUntil, qtbot.wait

    def wait_until(callback: Callable[[], bool | None], *, timeout: int = 5000) -> None:
        pauses = chain(repeat(1, 20), repeat(10))
        qtbot.wait = lambda _: wait(next(pauses))
        try:
            until(callback, timeout=timeout)
        finally:
            qtbot.wait = wait

    qtbot.waitUntil = wait_until
    return qtbot


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
    from discs import DiscModel

    return DiscModel()


@pytest.fixture
def disc_image() -> tuple[np.ndarray, np.ndarray]:
    """(image, labels): two bright discs on dark ground."""
    from discs import disc_image

    return disc_image()


@pytest.fixture
def site():
    """A web site that serves `website.PAYLOAD`, and can break off."""
    from website import serve

    with serve() as site:
        yield site


@pytest.fixture
def table():
    """Names and scores of `files.some_labels`."""
    from files import some_objects

    return some_objects()


@pytest.fixture
def make_series(tmp_path):
    """Write CT slices: `make_series(places_mm)` gives the folder of a DICOM series."""
    from files import series_maker

    return series_maker(tmp_path)


@pytest.fixture
def small_frames(monkeypatch):
    """Divide planes of more than 512 pixels into frames of 256, a fourth of what they are else.

    What is tested of frames is the same in a sixteenth of the pixels.
    """
    from napari_seem.sources import frames

    monkeypatch.setattr(frames, "SIDE", 256)
    monkeypatch.setattr(frames, "WHOLE", 512)
