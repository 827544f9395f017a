"""Work in real windows that are killed: `python recovery_child.py FOLDER SEED KILLS STEPS SHOWN`.

One process loads napari, and a child of it does the work each time. The first comes to its end, and
what it has after each step is written to `states.pickle`; the others do the same steps, note in the
file `N.steps` how far they came, and are killed at random moments. The logs of the N-th lie in `N`.
"""

from __future__ import annotations

import os
import pickle
import random
import signal
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

NAMES = ("alpha", "beta", "gamma")
COLOURS = ("#102030", "#a0b0c0", "#ff8800")


class Worker:
    """A person with the Annotate dock who clicks, commits, paints, renames and undoes."""

    def __init__(self, seed: int, shown: bool) -> None:
        import napari
        from discs import DiscModel, disc_image

        from napari_seem.widgets.annotate.dock import AnnotateWidget

        self.dice = random.Random(seed)
        self.viewer = napari.Viewer(show=shown)
        image, self.truth = disc_image()
        self.viewer.add_image(image, name="discs", scale=(2, 0.5), units=("um", "um"))
        self.own = self.viewer.add_labels(
            np.zeros(image.shape, np.uint8), name="by brush", scale=(2, 0.5), units=("um", "um")
        )
        self.dock = AnnotateWidget(self.viewer, loader=lambda name: DiscModel())
        self.viewer.window.add_dock_widget(self.dock, name="Annotate")
        self.annotator = self.dock.annotator
        self.settle()

    def settle(self) -> None:
        """Let everything that was begun come to its end."""
        from qtpy.QtWidgets import QApplication

        QApplication.processEvents()
        while self.annotator.runner.busy or self.annotator.prompt_log.changed:
            QApplication.processEvents()
            time.sleep(0.001)
        QApplication.processEvents()

    def step(self) -> None:
        """Do one thing or another."""
        steps = [self.click, self.commit, self.commit, self.paint, self.brush, self.rename,
                 self.recolour, self.undo, self.redo]  # fmt: skip
        self.dice.choice(steps)()
        self.settle()

    def click(self) -> None:
        """A prompt that may stay unfinished."""
        at = np.argwhere(self.truth == self.dice.randint(1, 2)).mean(0).round()
        self.annotator.prompt_layers.points.add(at + self.dice.randint(-3, 3))

    def commit(self) -> None:
        """A prompt, and its object."""
        self.click()
        self.settle()
        self.annotator.overwrite = True
        self.annotator.classes.choose(self.dice.choice(NAMES))
        self.dock.commit()

    def paint(self) -> None:
        """A stroke of napari's brush on the labels of the dock."""
        if self.annotator.labels is not None:
            self._stroke(self.annotator.labels)

    def brush(self) -> None:
        """A stroke of napari's brush on labels that no dock knows."""
        self._stroke(self.own)

    def rename(self) -> None:
        """An object gets a name."""
        from napari_seem.labels.plans import rename_object
        from napari_seem.viewer.documents import document_of

        if self.annotator.labels is not None:
            document = document_of(self.annotator.labels)
            ids = [label_id for label_id, _ in document.table.items()]
            if ids:
                name = f"{self.dice.choice(NAMES)} {self.dice.randint(1, 99)}"
                document.apply(rename_object(document.table, self.dice.choice(ids), name))

    def recolour(self) -> None:
        """A class gets a colour."""
        from napari_seem.labels.plans import recolour
        from napari_seem.viewer.documents import document_of

        if self.annotator.labels is not None:
            plan = recolour([self.dice.choice(NAMES)], self.dice.choice(COLOURS))
            document_of(self.annotator.labels).apply(plan)

    def undo(self) -> None:
        """Take back whatever was done last."""
        self.annotator.undo()

    def redo(self) -> None:
        """Do it again."""
        self.annotator.redo()

    def state(self) -> dict[str, Any]:
        """All that must come back."""
        work = self.annotator.work
        prompts = () if work is None else work.session.prompts
        found: dict[str, Any] = {"prompts": [(p.y, p.x, p.positive) for p in prompts]}
        for layer in (self.own, self.annotator.labels):
            if layer is not None:
                found[layer.name] = state_of_layer(layer)
        return found

    def _stroke(self, layer: Any) -> None:
        layer.brush_size = self.dice.randint(2, 9)
        y, x = self.dice.randint(0, 63), self.dice.randint(0, 79)
        with layer.block_history():
            for k in range(3):
                layer.paint((min(y + 2 * k, 63), x), self.dice.randint(1, 5))


def state_of_layer(layer: Any) -> dict[str, Any]:
    """Pixels, names and colours of a Labels layer."""
    from napari_seem.viewer.label_layers.features import table_of
    from napari_seem.viewer.label_layers.palette import palette_of

    rows = {i: (record.name, record.class_name) for i, record in table_of(layer).items()}
    return {
        "pixels": np.array(layer.data), "rows": rows, "colours": dict(palette_of(layer).colours),
    }  # fmt: skip


def work(folder: Path, seed: int, number: int, steps: int, shown: bool) -> None:
    """Do all steps; the first time, keep the states."""
    os.environ["NAPARI_SEEM_LOGS"] = str(folder / str(number))
    worker, states = Worker(seed, shown), []
    with (folder / f"{number}.steps").open("a", buffering=1) as done:
        done.write("0\n")
        for step in range(1, steps + 1):
            if number == 0:
                states.append(worker.state())
            worker.step()
            done.write(f"{step}\n")
    if number == 0:
        (folder / "states.pickle").write_bytes(pickle.dumps([*states, worker.state()]))


def main(folder: Path, seed: int, kills: int, steps: int, shown: bool) -> None:
    """Do the work once, then kill it so often."""
    import napari  # noqa: F401
    import torch

    from napari_seem.widgets.annotate import dock  # noqa: F401

    torch.set_num_threads(1)
    dice, spent = random.Random(seed), 0.0
    for number in range(kills + 1):
        pid = os.fork()
        if not pid:
            try:
                work(folder, seed, number, steps, shown)
            finally:
                os._exit(0)
        while not (folder / f"{number}.steps").exists():
            time.sleep(0.01)
        begun = time.perf_counter()
        if number:
            time.sleep(dice.uniform(0.05, 1) * spent)
            os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        spent = spent or time.perf_counter() - begun


if __name__ == "__main__":
    main(Path(sys.argv[1]), *(int(one) for one in sys.argv[2:5]), sys.argv[5] == "shown")
