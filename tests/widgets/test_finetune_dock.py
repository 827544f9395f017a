"""Fine-tune in the Models dock: what teaches, how it ends, and a person's own models."""

from __future__ import annotations

import threading

import numpy as np
import pytest
import torch
from discs import disc_image
from napari.utils.notifications import notification_manager
from qtpy.QtCore import Qt
from skimage.io import imsave

import napari_seem as ns
from napari_seem.errors import InvalidName
from napari_seem.finetuning import FineTuning, ObjectScore
from napari_seem.finetuning import run as run_module
from napari_seem.models import own
from napari_seem.models.compact.network import CompactConfig, CompactNetwork, ConvNorm
from napari_seem.models.threads import IdleGate
from napari_seem.sources.any_size import Compact
from napari_seem.training import Phase, Recipe
from napari_seem.training import recipe as recipes
from napari_seem.widgets.annotate.dock import AnnotateWidget
from napari_seem.widgets.models import tuning
from napari_seem.widgets.models.dock import ModelsWidget

SMALLEST = Recipe(
    (Phase(1.0, crop=32, grid=32, batch=2),),
    objects=1, corrections=(1.0,), rate=1e-3, warm_up=1, statistics=False,
)  # fmt: skip
LONG = 60.0
"""Minutes that no test waits for."""
SECONDS = 300_000
"""Milliseconds that are waited at most."""


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("NAPARI_SEEM_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture(autouse=True)
def little(monkeypatch):
    """A little network and the smallest recipe stand for the shipped model and its recipe."""
    torch.manual_seed(0)
    config = CompactConfig(
        widths=(8, 16, 24), depths=(0, 0, 1), decoder_widths=(16, 24), evidence=41,
        vocabulary=2, centre=1, context=1, geodesic_grid=32,
    )  # fmt: skip
    network = CompactNetwork(config).eval().requires_grad_(False)
    for module in network.modules():
        if isinstance(module, ConvNorm):
            module.fuse()
    asked = []

    def load(name, device="auto"):
        asked.append((name, device))
        return Compact(network, ("disc", "stone"), "compact@little")

    monkeypatch.setattr(tuning, "load_model", load)
    monkeypatch.setattr(recipes, "TUNING", SMALLEST)
    return asked


@pytest.fixture
def better(monkeypatch):
    """Held-out objects that are segmented badly at first and well from then on."""
    calls = iter([0.2] + [0.9] * 999)

    def judging(model, held, clicks, seed):
        value = next(calls)
        yield from (ObjectScore((value,) * clicks, value) for one in held for _ in one.ids)

    monkeypatch.setattr(run_module, "judging", judging)


@pytest.fixture
def dock(make_napari_viewer, qtbot):
    """The Models dock, unfolded, on a stack of which two of three planes are labelled."""
    viewer = make_napari_viewer()
    add_stack(viewer)
    dock = ModelsWidget(viewer, specs=())
    viewer.window.add_dock_widget(dock, name="Models")
    unfold(dock, qtbot)
    dock.tune.panel.name.setText("my-discs")
    yield dock
    dock.release()
    qtbot.waitUntil(lambda: not dock.tune.tuning.running, timeout=SECONDS)


def add_stack(viewer, dtype=np.uint8, ids=np.int32) -> None:
    image, labels = disc_image()
    viewer.add_image(np.stack([image] * 3).astype(dtype), name="discs")
    viewer.add_labels(np.stack([labels, 0 * labels, labels]).astype(ids), name="by hand")


def unfold(dock, qtbot) -> None:
    dock.unfold.setChecked(True)
    counted(dock, qtbot)


def counted(dock, qtbot) -> None:
    qtbot.waitUntil(lambda: not dock.tune.labelled.steps.running, timeout=SECONDS)


def start(dock, minutes: float) -> None:
    dock.tune.panel.minutes.setValue(minutes)
    dock.tune.panel.start.click()


def finish(dock, qtbot) -> None:
    qtbot.waitUntil(lambda: not dock.tune.tuning.running, timeout=SECONDS)


def rows(dock) -> list[tuple[str, str]]:
    tree = dock.tune.panel.tree
    items = [tree.topLevelItem(k) for k in range(tree.topLevelItemCount())]
    every = [
        part for one in items for part in (one, *(one.child(k) for k in range(one.childCount())))
    ]
    return [(one.text(0), one.text(1)) for one in every]


def said(dock) -> str:
    return dock.tune.message.text()


def tuned(dock, qtbot) -> None:
    start(dock, 0.1)
    finish(dock, qtbot)


def test_layers_are_listed_with_their_labelled_planes(dock):
    assert rows(dock) == [("by hand on discs", "4 on 2 planes"), ("plane 0", "2"), ("plane 2", "2")]


def test_what_is_labelled_later_is_found_and_ticks_stay(dock, qtbot):
    tree = dock.tune.panel.tree
    tree.topLevelItem(0).child(1).setCheckState(0, Qt.CheckState.Unchecked)
    dock.viewer.layers["by hand"].data[1, 5:15, 5:15] = 7

    dock.tune.panel.look.click()
    counted(dock, qtbot)

    assert rows(dock)[0] == ("by hand on discs", "5 on 3 planes")
    assert [one.plane.index[0] for one in tree.chosen()[0].planes] == [0, 1]


def test_a_model_is_really_trained_and_offered_only_where_it_is_better(dock, qtbot, little):
    dock.model_cache.use_device("cpu")
    start(dock, 0.2)
    assert dock.tune.panel.start.isHidden()
    assert not dock.tune.panel.stop.isHidden()

    finish(dock, qtbot)

    assert little == [("compact", "cpu")]
    assert len(dock.tune.panel.curve.values) >= 2
    text = dock.tune.panel.comparison.text()
    assert "2 objects that were held back" in text
    assert ("Not better" in text) == (dock.tune.found is None) == dock.tune.panel.use.isHidden()


def test_pixels_and_labels_of_other_dtypes_teach(make_napari_viewer, qtbot, better):
    viewer = make_napari_viewer()
    add_stack(viewer, np.uint16, np.int64)
    add_stack(viewer, np.float32, np.uint8)
    dock = ModelsWidget(viewer, specs=())
    unfold(dock, qtbot)

    tuned(dock, qtbot)

    assert dock.tune.found.provenance["objects"] == 8
    dock.tune.discard()


def test_a_better_model_is_kept_and_every_dock_offers_it(dock, qtbot, better, home):
    annotate = AnnotateWidget(dock.viewer)
    tuned(dock, qtbot)
    assert "<b>Better</b>" in dock.tune.panel.comparison.text()
    assert "0.20" in dock.tune.panel.comparison.text()

    dock.tune.panel.use.click()

    name = "compact: my-discs"
    assert said(dock) == f"'{name}' is in the lists of models of all docks now."
    assert annotate.panel.model.findText(name) > 0
    assert "by a box 0.20 -> 0.90, clicks to .85 10.0 -> 1.0" in dock.own.cards[name].facts.text()
    assert (home / "models" / "my-discs.safetensors").is_file()
    assert ns.load_model(name).name == name
    assert dock.tune.panel.use.isHidden()
    annotate.release()


def test_a_discarded_model_leaves_nothing(dock, qtbot, better):
    tuned(dock, qtbot)

    dock.tune.panel.discard.click()

    assert own.files() == {}
    assert dock.tune.panel.comparison.isHidden()
    assert dock.tune.panel.start.isEnabled()


def test_stopping_compares_the_best_so_far(dock, qtbot, better):
    with qtbot.waitSignal(dock.tune.tuning.reported, timeout=SECONDS, check_params_cb=trains):
        start(dock, LONG)

    dock.tune.panel.stop.click()
    finish(dock, qtbot)

    assert "held back" in dock.tune.panel.comparison.text()


def trains(report) -> bool:
    return report.doing == "train"


def test_cancelling_keeps_nothing(dock, qtbot, better):
    with qtbot.waitSignal(dock.tune.tuning.reported, timeout=SECONDS, check_params_cb=trains):
        start(dock, LONG)

    dock.tune.tuning.cancel()
    finish(dock, qtbot)

    assert said(dock) == "Cancelled; nothing is kept."
    assert own.files() == {}
    assert dock.tune.found is None


def test_a_dock_that_is_closed_keeps_what_is_better(dock, qtbot, better):
    with qtbot.waitSignal(
        dock.tune.tuning.reported, timeout=SECONDS, check_params_cb=lambda one: one.iou == 0.9
    ):
        start(dock, 0.5)

    dock.close()

    qtbot.waitUntil(lambda: list(own.files()) == ["compact: my-discs"], timeout=SECONDS)


def test_a_model_that_nobody_decided_on_is_kept_when_the_dock_closes(dock, qtbot, better):
    tuned(dock, qtbot)

    dock.close()

    assert list(own.files()) == ["compact: my-discs"]


def test_images_that_are_removed_while_it_runs_still_teach(dock, qtbot, better):
    start(dock, 0.1)
    dock.viewer.layers.clear()

    finish(dock, qtbot)

    assert dock.tune.found is not None


def test_only_what_is_ticked_teaches(dock, qtbot, monkeypatch):
    asked = []
    monkeypatch.setattr(dock.tune.tuning, "start", asked.append)
    dock.tune.panel.tree.topLevelItem(0).child(0).setCheckState(0, Qt.CheckState.Unchecked)

    dock.tune.panel.start.click()

    ((pairs, groups),) = [request.examples() for request in asked]
    assert [image.shape for image, _ in pairs] == [(64, 80)]
    assert len(groups) == 1


def test_planes_beyond_the_room_are_left_out_and_it_is_said(dock, monkeypatch):
    asked = []
    monkeypatch.setattr(dock.tune.tuning, "start", asked.append)
    monkeypatch.setattr("napari_seem.widgets.models.finetune.MOST_PIXELS", 64 * 80)

    dock.tune.panel.start.click()

    assert len(asked[0].parts) == 1
    assert "1 of 2 planes of 'by hand on discs'" in said(dock)


def test_what_can_not_be_learned_from_is_said(dock, qtbot):
    own.install(b"other", "taken")
    for name, told in (("a/b", "can't be called"), ("", "can't be called"), ("taken", "already")):
        dock.tune.panel.name.setText(name)
        start(dock, 0.1)
        assert told in said(dock)
    dock.tune.panel.name.setText("my-discs")
    one = np.zeros((3, 64, 80), np.int32)
    one[0, 10:30, 10:30] = 1
    for data, told in (
        (one, "There is one object in all"),
        (0 * one, "Nothing labelled is ticked"),
    ):
        dock.viewer.layers["by hand"].data = data
        dock.tune.panel.look.click()
        counted(dock, qtbot)
        start(dock, 0.1)
        finish(dock, qtbot)
        assert told in said(dock)
        assert not dock.tune.panel.start.isHidden()


def test_a_folder_of_labelled_images_teaches(make_napari_viewer, qtbot, tmp_path, better):
    dock = ModelsWidget(make_napari_viewer(), specs=())
    unfold(dock, qtbot)
    dock.tune.add_folder(tmp_path)
    assert "no image" in said(dock).lower()
    image, labels = disc_image()
    for number in range(2):
        imsave(tmp_path / f"{number}.png", image, check_contrast=False)
        imsave(tmp_path / f"{number}_labels.png", labels.astype(np.uint8), check_contrast=False)

    dock.tune.add_folder(tmp_path)
    assert rows(dock) == [(tmp_path.name, "2 files")]
    tuned(dock, qtbot)

    assert dock.tune.found is not None
    assert "1 of 2 planes" in dock.tune.panel.comparison.text()
    dock.tune.discard()


def test_a_model_that_can_not_be_written_can_be_tried_again(dock, qtbot, better, home):
    tuned(dock, qtbot)
    home.mkdir(exist_ok=True)
    (home / "models").write_text("no folder")

    dock.tune.panel.use.click()
    assert "models" in said(dock)
    assert dock.tune.found is not None

    (home / "models").unlink()
    dock.tune.panel.use.click()
    assert list(own.files()) == ["compact: my-discs"]


class CountingGate(IdleGate):
    """Tells how often somebody stood before it while it was shut."""

    def __init__(self) -> None:
        super().__init__(rest=0.0)
        self.waiting = threading.Event()

    def wait(self, seconds, *, rest=True):
        passed = super().wait(seconds, rest=rest)
        if not passed:
            self.waiting.set()
        return passed


def test_training_waits_while_a_person_does(dock, qtbot, better, monkeypatch):
    monkeypatch.setattr(tuning, "LONGEST_PAUSE", 1000.0)
    gate = dock.tune.tuning._gate = CountingGate()
    gate.shut("a turn")
    start(dock, 0.1)
    qtbot.waitUntil(gate.waiting.is_set, timeout=SECONDS)
    steps = dock.tune.tuning.steps
    assert steps.running

    gate.open("a turn")

    finish(dock, qtbot)
    assert dock.tune.found is not None


@pytest.fixture
def mine(dock, qtbot, better) -> FineTuning:
    """A model of one's own, installed."""
    tuned(dock, qtbot)
    found = dock.tune.found
    dock.tune.panel.use.click()
    return found


def test_own_models_are_renamed_shared_and_removed(dock, mine, tmp_path):
    dock.own.rename("compact: my-discs", "stones 2")
    assert list(own.files()) == list(dock.own.cards) == ["compact: stones 2"]
    assert ns.load_model("compact: stones 2").name == "compact: stones 2"

    dock.own.share("compact: stones 2", tmp_path / "for you")
    assert (tmp_path / "for you.safetensors").read_bytes() == mine.content

    dock.own.remove("compact: stones 2", sure=True)
    assert own.files() == dock.own.cards == {}


def test_a_model_of_others_is_taken_in_under_a_free_name(dock, mine, qtbot, tmp_path):
    mine.save(tmp_path / "my-discs.safetensors")

    dock.own.add(tmp_path / "my-discs.safetensors")

    qtbot.waitUntil(lambda: "compact: my-discs 2" in dock.own.cards, timeout=SECONDS)


def test_a_file_that_is_no_model_is_refused(dock, qtbot, tmp_path):
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


def test_a_dock_that_uses_a_removed_model_goes_back_to_the_shipped_one(dock, mine):
    annotate = AnnotateWidget(dock.viewer)
    annotate.panel.model.setCurrentText("compact: my-discs")
    assert annotate.annotator.model_name == "compact: my-discs"

    dock.own.remove("compact: my-discs", sure=True)

    assert annotate.annotator.model_name == annotate.panel.model.currentText() == "compact"
    annotate.release()


def test_a_name_that_is_taken_is_no_new_name(dock, mine, home):
    own.install(b"other", "stones")

    with pytest.raises(InvalidName, match="already"):
        own.rename("compact: my-discs", "stones")

    (home / "models" / "my-discs.safetensors").unlink()
    with pytest.raises(InvalidName, match="no model"):
        own.rename("compact: my-discs", "pebbles")
