"""The Models dock: what is listed, downloads that stop and go on, files, device and memory."""

from __future__ import annotations

import shutil
import threading
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import pytest
from napari.utils.notifications import notification_manager
from qtpy.QtCore import Qt
from qtpy.QtGui import QGuiApplication
from website import DIGEST, PAYLOAD, Site

from napari_seem.commands.models import KnownPlane, ModelCache
from napari_seem.embeddings import EmbeddingCache, EmbeddingStore
from napari_seem.errors import WeightsError
from napari_seem.models import registry
from napari_seem.models.files import weights
from napari_seem.models.files.weights import WeightsFile, find
from napari_seem.models.registry import MODELS
from napari_seem.sources.source import source_of_array
from napari_seem.widgets._shared.background.progress import ProgressRow
from napari_seem.widgets._shared.models.cache import model_cache_of
from napari_seem.widgets._shared.preferences import MEGABYTE, Preferences
from napari_seem.widgets.annotate.dock import AnnotateWidget
from napari_seem.widgets.models import disk_row
from napari_seem.widgets.models.dock import ModelsWidget


@contextmanager
def caught():
    """The messages that napari showed meanwhile."""
    messages: list[str] = []

    def keep(note):
        messages.append(note.message)

    notification_manager.notification_ready.connect(keep)
    try:
        yield messages
    finally:
        notification_manager.notification_ready.disconnect(keep)


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("NAPARI_SEEM_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def spec(site: Site):
    return replace(
        MODELS["seem-focal-t"],
        weights=WeightsFile("far.safetensors", url=site.url, digest=DIGEST, size=len(PAYLOAD)),
        extras=(),
    )


@pytest.fixture
def dock(open_viewer, put_in, spec, qtbot):
    held = threading.Event()
    held.set()

    def fetch(name, progress, cancel):
        def slow(done, total):
            progress(done, total)
            assert held.wait(10)

        return weights.fetch(spec.weights, progress=slow, cancel=cancel)

    viewer = open_viewer()
    dock = ModelsWidget(viewer, specs=(MODELS["compact"], spec), fetch=fetch)
    dock.held = held
    put_in(viewer, dock, "Models")
    yield dock
    held.set()
    dock.transfer.cancel()
    qtbot.waitUntil(lambda: not dock.transfer.running, timeout=10_000)


def test_every_model_tells_prompts_size_licence_and_place(open_viewer, home):
    dock = ModelsWidget(open_viewer())
    assert set(dock.cards) == set(MODELS)
    for name, card in dock.cards.items():
        assert MODELS[name].licence in card.weights.text()
        assert " MB" in card.weights.text()
    compact, seem = dock.cards["compact"], dock.cards["seem-focal-l"]
    assert "inside the package" in compact.weights.text()
    assert compact.download.isHidden()
    assert compact.choose.isHidden()
    assert "points (positive and negative)" in seem.facts.text()
    assert "words" in seem.facts.text()
    assert "not here yet, about 1,370 MB" in seem.weights.text()
    shown = seem.weights.text().replace("\N{ZERO WIDTH SPACE}", "")
    assert str(home / "seem_focall_v1.pt") in shown
    seem.copy_path.click()
    assert QGuiApplication.clipboard().text() == str(home / "seem_focall_v1.pt")
    assert not seem.download.isHidden()


def test_a_second_file_comes_along_and_can_be_had_later(open_viewer, home):
    """micro-sam's decoder: named with its size, downloaded with the model, or after it."""
    spec = MODELS["micro-sam-vit-b-lm"]
    dock = ModelsWidget(open_viewer(), specs=(MODELS["compact"], MODELS["sam-vit-b"], spec))
    card = dock.cards[spec.name]
    assert "With its decoder for Everything, 39 MB more" in card.weights.text()
    assert "decoder" not in dock.cards["sam-vit-b"].weights.text()
    spec.weights.path.parent.mkdir(parents=True)
    spec.weights.path.write_bytes(b"weights")
    card.refresh()
    assert card.download.text() == "Download its decoder"
    assert not card.download.isHidden()
    shown = card.weights.text().replace("\N{ZERO WIDTH SPACE}", "")
    assert f"not here yet: 39 MB; put <a style='color: #8ab4f8' href='{spec.decoder.url}'>" in shown
    assert str(spec.decoder.path) in shown
    spec.decoder.path.write_bytes(b"weights")
    card.refresh()
    assert card.download.isHidden()
    assert card.weights.text().endswith("With its decoder for Everything.")


def test_a_model_tells_size_licence_and_whose_figures_before_a_download(open_viewer):
    viewer = open_viewer()
    card = ModelsWidget(viewer).cards["micro-sam-vit-b-lm"]
    facts = card.facts.text()
    assert "94 M parameters, 375 MB to download" in facts
    assert "As published: mean SA on LIVECell .402" in facts
    assert "(Archit et al.)" in facts
    assert "lassos, scribbles, masks" in facts
    assert "Licence CC-BY-4.0" in card.weights.text()
    assert "CC-BY-4.0" in card.download.toolTip()
    box = AnnotateWidget(viewer).panel.model
    tip = box.itemData(box.findText("sam2.1-tiny"), Qt.ItemDataRole.ToolTipRole)
    assert "39 M parameters" in tip
    assert "Licence Apache-2.0; not downloaded yet" in tip


@pytest.mark.parametrize("trouble", ["page", "full", "folder"])
def test_trouble_of_a_download_is_told_and_the_dock_stays_usable(
    trouble, dock, spec, site, qtbot, home, monkeypatch
):
    card = dock.cards[spec.name]
    usage = shutil.disk_usage(home.parent)
    if trouble == "page":
        site.content_type = "text/html"
    elif trouble == "full":
        monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=10))
    else:
        home.write_text("no folder")
    told = {"page": "web page instead", "full": "free some disk", "folder": "NAPARI_SEEM_HOME"}
    with caught() as messages:
        card.download.click()
        row = next(r for r in dock.findChildren(ProgressRow) if not r.isHidden())
        qtbot.waitUntil(lambda: not dock.transfer.running)
    assert any(told[trouble] in message for message in messages)
    assert not any("Traceback" in message for message in messages)
    assert row.isHidden()
    assert not card.download.isHidden()
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    site.content_type = ""
    if trouble == "folder":
        home.unlink()
    card.download.click()
    qtbot.waitUntil(lambda: not dock.transfer.running)
    assert (home / "far.safetensors").read_bytes() == PAYLOAD


def test_a_download_can_be_stopped_and_goes_on(dock, spec, site, qtbot, home):
    card = dock.cards[spec.name]
    dock.held.clear()
    card.download.click()
    row = next(r for r in dock.findChildren(ProgressRow) if not r.isHidden())
    qtbot.waitUntil(lambda: not row.isHidden() and row.bar.value() > 0)
    assert row.bar.format().endswith(" of 1.0 MB")
    row.cancel.click()
    dock.held.set()
    qtbot.waitUntil(lambda: not dock.transfer.running)
    part = home / "far.safetensors.part"
    assert 0 < part.stat().st_size < len(PAYLOAD)
    assert card.download.text() == "Go on downloading"

    card.download.click()
    qtbot.waitUntil(lambda: not dock.transfer.running)
    assert (home / "far.safetensors").read_bytes() == PAYLOAD
    assert site.asked[-1] is not None  # it asked for the rest only
    assert card.download.isHidden()
    assert "1.0 MB" in card.weights.text()


def test_a_failed_download_says_why_and_can_be_tried_again(dock, spec, site, qtbot, home):
    site.break_after = 200_000
    with caught() as messages:
        dock.cards[spec.name].download.click()
        qtbot.waitUntil(lambda: not dock.transfer.running)
    assert any("resumes" in message for message in messages)
    site.break_after = None
    dock.cards[spec.name].download.click()
    qtbot.waitUntil(lambda: not dock.transfer.running)
    assert (home / "far.safetensors").read_bytes() == PAYLOAD


def test_a_file_of_another_model_is_refused_and_nothing_changes(dock, spec, tmp_path, qtbot):
    wrong = tmp_path / "wrong.safetensors"
    wrong.write_bytes(b"\x02\x00\x00\x00\x00\x00\x00\x00{}")
    card = dock.cards[spec.name]
    with caught() as messages:
        dock.choose_file(spec.name, wrong)
        qtbot.waitUntil(card.isEnabled, timeout=20_000)
    assert any("lacks key" in message for message in messages)
    assert MODELS[spec.name].weights.located() is None


def test_a_chosen_file_is_found_from_then_on(monkeypatch, tmp_path):
    mine = tmp_path / "usb" / "seem_focalt_v1.pt"
    mine.parent.mkdir()
    mine.write_bytes(b"weights")
    monkeypatch.setattr(registry, "build_model", lambda spec, device, path: path)
    registry.check_file("seem-focal-t", mine)
    registry.remember_file("seem-focal-t", mine)
    assert MODELS["seem-focal-t"].weights.located() == mine
    assert MODELS["seem-focal-l"].weights.located() is None
    published = MODELS["seem-focal-t"].weights.path
    published.write_bytes(b"published")
    assert MODELS["seem-focal-t"].weights.located() == mine  # it was chosen, whatever else is here
    registry.remember_file("seem-focal-t", published)
    assert MODELS["seem-focal-t"].weights.located() == published
    registry.remember_file("seem-focal-t", mine)
    mine.unlink()
    with pytest.warns(UserWarning, match=r"usb.*which is gone; .* takes its place"):
        assert find(MODELS["seem-focal-t"].weights, model="seem-focal-t") == published
    published.unlink()
    with pytest.raises(WeightsError, match=r"read from .*usb.*gone, and .*--download seem-focal-t"):
        find(MODELS["seem-focal-t"].weights, model="seem-focal-t")


def test_docks_take_up_what_was_downloaded(dock, spec, qtbot, monkeypatch):
    monkeypatch.setitem(registry.MODELS._specs, spec.name, spec)
    annotate = AnnotateWidget(dock.viewer)
    box, forgotten = annotate.panel.model, []
    dock.model_cache.forgotten.connect(lambda: forgotten.append(True))

    def shown(role):
        return box.itemData(box.findText(spec.name), role)

    assert "not downloaded yet" in shown(Qt.ItemDataRole.ToolTipRole)
    assert shown(Qt.ItemDataRole.FontRole).italic()
    dock.cards[spec.name].download.click()
    qtbot.waitUntil(lambda: not dock.transfer.running)
    assert "on this machine" in shown(Qt.ItemDataRole.ToolTipRole)
    assert not shown(Qt.ItemDataRole.FontRole).italic()
    assert forgotten
    annotate.release()


def test_docks_of_one_viewer_share_models_and_memory(open_viewer, disc_model):
    viewer = open_viewer()
    viewer.add_image(np.zeros((64, 64), np.float32))
    annotate = AnnotateWidget(viewer)
    dock = ModelsWidget(viewer)
    assert annotate.annotator.model_cache is dock.model_cache is model_cache_of(viewer)
    annotate.release()


def test_clearing_the_memory_and_changing_the_device_forget_what_was_encoded(
    open_viewer, disc_model, disc_image, monkeypatch
):
    monkeypatch.setattr("napari_seem.widgets.models.dock.plugin_page", lambda: None)
    loaded = []
    model_cache = ModelCache(lambda name: loaded.append(name) or disc_model, EmbeddingCache())
    dock = ModelsWidget(open_viewer(), model_cache)
    known = KnownPlane(source_of_array(disc_image[0]))

    def resolve():
        return model_cache.open("compact", known)

    resolve()
    dock.refresh_cache()
    assert dock.cache.text().startswith("1 encoded")
    dock.clear_cache.click()
    assert dock.cache.text().startswith("0 encoded")
    resolve()
    assert (loaded, disc_model.encoded) == (["compact"], 2)
    dock.device.setCurrentText("cpu")
    dock.device.textActivated.emit("cpu")
    assert model_cache.device == "cpu"
    resolve()
    assert (loaded, disc_model.encoded) == (["compact", "compact"], 3)


def test_the_disk_use_is_shown_and_can_be_cleared(
    open_viewer, disc_model, disc_image, tmp_path, qtbot
):
    store = EmbeddingStore(tmp_path / "kept", 3 * MEGABYTE)
    model_cache = ModelCache(lambda name: disc_model, EmbeddingCache(store=store))
    dock = ModelsWidget(open_viewer(), model_cache)
    model_cache.open("compact", KnownPlane(source_of_array(disc_image[0])))
    store.flush()
    dock.disk.refresh()
    qtbot.waitUntil(lambda: dock.disk.text.text() == "1 encoded images on disk: 0 of 3 MB")
    dock.clear_cache.click()
    assert store.usage().images == 1

    dock.disk.clear.click()

    qtbot.waitUntil(lambda: dock.disk.text.text().startswith("0 encoded"))
    assert store.usage() == (0, 0)


def test_that_nothing_is_kept_on_disk_is_told_with_its_reason(open_viewer, monkeypatch):
    dock = ModelsWidget(open_viewer(), ModelCache(None, EmbeddingCache()))
    assert "napari-seem[zarr]" in dock.disk.text.text()
    assert not dock.disk.clear.isEnabled()

    monkeypatch.setattr(disk_row, "read_preferences", lambda: Preferences(keep_on_disk=False))
    dock = ModelsWidget(open_viewer(), ModelCache(None, EmbeddingCache()))
    assert "switched off" in dock.disk.text.text()
