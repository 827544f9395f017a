"""The docks' setting: a cluster encodes, masks are decoded here."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from napari.settings import get_plugin_settings
from npe2 import PluginManifest

import napari_seem
from napari_seem.commands.models import ModelCache
from napari_seem.embeddings import EmbeddingCache
from napari_seem.widgets._shared.models.cache import connection_of
from napari_seem.widgets._shared.preferences import read_preferences
from napari_seem.widgets.annotate.dock import AnnotateWidget

distributed = pytest.importorskip("distributed")


@pytest.fixture
def page(plugin_settings, npe2pm):
    """The plugin's page in napari's preferences."""
    manifest = Path(napari_seem.__file__).with_name("napari.yaml")
    npe2pm.register(PluginManifest.from_file(manifest))
    return get_plugin_settings("napari-seem").annotate


@pytest.mark.parametrize(("fields", "said"), [
    ({"scheduler": "tcp://10.0.0.7:8786"}, "not encrypted"),
    ({"scheduler": "somewhere"}, "not the address"),
    ({"scheduler": "tls://10.0.0.7:8786", "tls_ca": "ca.pem"}, "one is missing"),
])  # fmt: skip
def test_what_is_wrong_is_told_and_images_are_encoded_here(page, fields, said):
    page.update(fields)
    preferences = read_preferences()
    assert said in preferences.complaints[0]
    assert connection_of(preferences) is None


@pytest.mark.long
def test_a_click_is_answered_with_what_a_cluster_encoded(page, make_napari_viewer, monkeypatch,
                                                         settle, discs, qtbot):  # fmt: skip
    with distributed.LocalCluster(
        n_workers=1, threads_per_worker=1, processes=True, host="127.0.0.1", dashboard_address=None
    ) as here:
        page.scheduler = here.scheduler_address
        connection = connection_of(read_preferences())
        model_cache = ModelCache(None, EmbeddingCache(1 << 28), "cpu", connection)
        viewer = make_napari_viewer()
        image, truth = discs
        viewer.add_image(image, name="discs")
        monkeypatch.setattr(
            "napari_seem.widgets.annotate.dock.model_cache_of", lambda _: model_cache
        )
        dock = AnnotateWidget(viewer)
        try:
            middle = np.argwhere(truth == 1).mean(0).round()
            dock.annotator.prompt_layers.points.add(middle)
            qtbot.waitUntil(lambda: not dock.annotator.runner.busy, timeout=120_000)
            found = dock.annotator.preview.values() > 0
            assert (found & (truth == 1)).sum() / (found | (truth == 1)).sum() > 0.7
            assert len(model_cache.cache) == 1
            monkeypatch.setattr(model_cache.model("compact"), "_connection", None)
            dock.annotator.prompt_layers.points.add(middle + 1)  # needs no cluster any more
            settle(dock)
            assert dock.annotator.prediction is not None
        finally:
            dock.release()
            connection.close()
