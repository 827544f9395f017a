"""Fine-tune in the Models dock: what teaches, how it ends, and a person's own models."""

from __future__ import annotations

import threading
from shutil import rmtree

import numpy as np
import pytest
import torch
from discs import disc_image
from qtpy.QtCore import Qt
from skimage.io import imsave

import napari_seem as ns
from napari_seem.finetuning import FineTuningRun, ObjectScore
from napari_seem.finetuning import run as run_module
from napari_seem.models.compact.network import CompactConfig, CompactNetwork, ConvNorm
from napari_seem.models.files import own
from napari_seem.models.running.threads import IdleGate
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
BRIEF = 0.001
"""Minutes in which some steps are trained."""
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

    def build(spec, device, report):
        asked.append((spec.name, device))
        return Compact(network, ("disc", "stone"), "compact@little")

    monkeypatch.setattr(tuning, "build_model", build)
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
def dock(open_viewer, put_in, qtbot):
    """The Models dock, unfolded, on a stack of which two of three planes are labelled."""
    viewer = open_viewer()
    add_stack(viewer)
    dock = ModelsWidget(viewer, specs=())
    put_in(viewer, dock, "Models")
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
    dock.tune.panel.minutes.setDecimals(3)
    dock.tune.panel.minutes.setRange(BRIEF, LONG)
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
    parts = [(one, *(one.child(k) for k in range(one.childCount()))) for one in items]
    return [(one.text(0), one.text(1)) for part in parts for one in part]


def said(dock) -> str:
    return dock.tune.message.text()


def tuned(dock, qtbot) -> None:
    start(dock, BRIEF)
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


@pytest.mark.long
def test_a_model_is_really_trained_and_offered_only_where_it_is_better(dock, qtbot, little):
    dock.model_cache.use_device("cpu")
    start(dock, 0.01)
    assert dock.tune.panel.start.isHidden()
    assert not dock.tune.panel.stop.isHidden()
    finish(dock, qtbot)

    assert little == [("compact", "cpu")]
    assert len(dock.tune.panel.curve.values) >= 2
    text = dock.tune.panel.comparison.text()
    assert "2 objects that were held back" in text
    assert ("Not better" in text) == (dock.tune.found is None) == dock.tune.panel.use.isHidden()


def test_pixels_and_labels_of_other_dtypes_teach(open_viewer, qtbot, better):
    viewer = open_viewer()
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
    assert list(own.files()) == [DRAFT]  # until it is decided on

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


DRAFT = "compact: my-discs unfinished"


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
        start(dock, 0.1)

    dock.close()
    finish(dock, qtbot)

    assert list(own.files()) == [DRAFT]
    assert ns.load_model(DRAFT).name == DRAFT
    again = ModelsWidget(dock.viewer, specs=())
    assert "by a box 0.20 -> 0.90" in again.own.cards[DRAFT].facts.text()
    again.release()


def test_what_breaks_off_leaves_the_best_so_far(dock, qtbot, better, monkeypatch):
    def broken(run):
        raise MemoryError("no room is left")

    monkeypatch.setattr(FineTuningRun, "comparing", broken)

    tuned(dock, qtbot)

    assert "no room is left" in said(dock)
    assert f"'{DRAFT}'" in said(dock)
    assert list(own.files()) == list(dock.own.cards) == [DRAFT]
    monkeypatch.undo()


def test_a_full_disk_does_not_end_training(dock, qtbot, better, home):
    home.mkdir(exist_ok=True)
    (home / "models").write_text("no folder")

    tuned(dock, qtbot)

    assert dock.tune.found is not None
    (home / "models").unlink()


def test_a_model_that_nobody_decided_on_is_kept_when_the_dock_closes(dock, qtbot, better):
    tuned(dock, qtbot)

    dock.close()

    assert list(own.files()) == ["compact: my-discs"]


def test_images_that_are_removed_while_it_runs_still_teach(dock, qtbot, better):
    start(dock, BRIEF)
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
        start(dock, BRIEF)
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
        start(dock, BRIEF)
        finish(dock, qtbot)
        assert told in said(dock)
        assert not dock.tune.panel.start.isHidden()


def test_a_folder_of_labelled_images_teaches(open_viewer, qtbot, tmp_path, better):
    dock = ModelsWidget(open_viewer(), specs=())
    unfold(dock, qtbot)
    dock.tune.add_folder(tmp_path)
    assert "no image" in said(dock).lower()
    image, labels = disc_image()
    for number in range(2):
        imsave(tmp_path / f"{number}.png", image, check_contrast=False)
        imsave(tmp_path / f"{number}_labels.tif", labels.astype(np.uint8), check_contrast=False)

    dock.tune.add_folder(tmp_path)
    assert rows(dock) == [(tmp_path.name, "2 files")]
    tuned(dock, qtbot)

    assert dock.tune.found is not None
    assert "1 of 2 planes" in dock.tune.panel.comparison.text()
    dock.tune.discard()


def test_a_model_that_can_not_be_written_can_be_tried_again(dock, qtbot, better, home):
    tuned(dock, qtbot)
    rmtree(home / "models")
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
    start(dock, BRIEF)
    qtbot.waitUntil(gate.waiting.is_set, timeout=SECONDS)
    steps = dock.tune.tuning.steps
    assert steps.running

    gate.open("a turn")

    finish(dock, qtbot)
    assert dock.tune.found is not None
