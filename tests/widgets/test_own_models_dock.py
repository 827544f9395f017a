"""A person's own models in the Models dock: renamed, shared, removed, and those of others."""

from __future__ import annotations

import pytest
import torch
from napari.utils.notifications import notification_manager

import napari_seem as ns
from napari_seem.errors import InvalidName
from napari_seem.finetuning import FineTuning, HeldOutFigures, ObjectScore
from napari_seem.models.compact.network import CompactConfig, CompactNetwork
from napari_seem.models.files import own
from napari_seem.training.state import export
from napari_seem.widgets.annotate.dock import AnnotateWidget
from napari_seem.widgets.models.dock import ModelsWidget
from napari_seem.widgets.models.finetune_panel import FineTunePanel

SECONDS = 60_000
"""Milliseconds that are waited at most."""


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("NAPARI_SEEM_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def mine(home, tmp_path) -> bytes:
    """The weights of a little model of one's own, installed."""
    torch.manual_seed(0)
    config = CompactConfig(
        widths=(8, 16, 24), depths=(0, 0, 1), decoder_widths=(16, 24), evidence=41, vocabulary=2,
        centre=1, context=1, geodesic_grid=32,
    )  # fmt: skip
    path = tmp_path / "my-discs.safetensors"
    export(CompactNetwork(config).eval(), ("disc", "stone"), path)
    own.install(path.read_bytes(), "my-discs")
    return path.read_bytes()


@pytest.fixture
def dock(home, open_viewer):
    dock = ModelsWidget(open_viewer(), specs=())
    yield dock
    dock.release()


def test_own_models_are_renamed_shared_and_removed(mine, dock, tmp_path):
    dock.own.rename("compact: my-discs", "stones 2")
    assert list(own.files()) == list(dock.own.cards) == ["compact: stones 2"]
    assert ns.load_model("compact: stones 2").name == "compact: stones 2"

    dock.own.share("compact: stones 2", tmp_path / "for you")
    assert (tmp_path / "for you.safetensors").read_bytes() == mine

    dock.own.remove("compact: stones 2", sure=True)
    assert own.files() == dock.own.cards == {}


def test_a_model_of_others_is_taken_in_under_a_free_name(mine, dock, home, qtbot, tmp_path):
    (tmp_path / "my-discs.safetensors").write_bytes(mine)

    dock.own.add(tmp_path / "my-discs.safetensors")

    qtbot.waitUntil(lambda: "compact: my-discs 2" in dock.own.cards, timeout=SECONDS)


def test_a_file_that_is_no_model_is_refused(dock, home, qtbot, tmp_path):
    (tmp_path / "wrong.safetensors").write_bytes(b"\x02\x00\x00\x00\x00\x00\x00\x00{}")
    messages = []

    def note(one):
        messages.append(one.message)

    notification_manager.notification_ready.connect(note)
    dock.own.add(tmp_path / "wrong.safetensors")
    qtbot.waitUntil(lambda: bool(messages), timeout=SECONDS)
    notification_manager.notification_ready.disconnect(note)

    assert "wrong.safetensors" in messages[0]
    assert own.files() == {}


def test_a_dock_that_uses_a_removed_model_goes_back_to_the_shipped_one(mine, dock):
    annotate = AnnotateWidget(dock.viewer)
    annotate.panel.model.setCurrentText("compact: my-discs")
    assert annotate.annotator.model_name == "compact: my-discs"

    dock.own.remove("compact: my-discs", sure=True)

    assert annotate.annotator.model_name == annotate.panel.model.currentText() == "compact"
    annotate.release()


def test_a_name_that_is_taken_is_no_new_name(mine, dock, home):
    own.install(b"other", "stones")

    with pytest.raises(InvalidName, match="already"):
        own.rename("compact: my-discs", "stones")

    (home / "models" / "my-discs.safetensors").unlink()
    with pytest.raises(InvalidName, match="no model"):
        own.rename("compact: my-discs", "pebbles")


@pytest.mark.parametrize(
    ("after", "words", "offered"),
    [((0.5, 0.6), "<b>Better</b> on 2", True), ((0.9, 0.3), "to rule out chance", True),
     ((0.1, 0.5), "<b>Not better</b>", False)],
)  # fmt: skip
def test_what_is_better_on_average_is_offered_and_doubt_is_said(qtbot, after, words, offered):
    before, then = (
        HeldOutFigures(tuple(ObjectScore((value,) * 10, value) for value in values))
        for values in ((0.3, 0.4), after)
    )
    panel = FineTunePanel()
    qtbot.addWidget(panel)
    facts = {"held_out": {"how": "2 of 10 images"}}

    panel.show_result(FineTuning("mine", ns.load_model("compact"), before, then, (), facts, b""))

    assert words in panel.comparison.text()
    assert panel.use.isHidden() != offered
