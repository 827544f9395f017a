"""One model in the Models dock: what it is, where its weights are, and how to get them."""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path

from qtpy.QtCore import Qt, Signal
from qtpy.QtGui import QGuiApplication
from qtpy.QtWidgets import QFrame, QHBoxLayout, QLabel, QPushButton, QVBoxLayout

from ...models.files import own
from ...models.files.weights import WeightsFile
from ...models.registry import ModelSpec
from ...models.specs import DECODER_MEGABYTES
from .._shared.forms import on_click, row
from .._shared.models.facts import facts_of

MEGABYTE = 1e6
LINK = "#8ab4f8"


class ModelCard(QFrame):
    """Shows a model; says what the person wants done about its weights.

    Attributes
    ----------
    wanted, file_wanted : Signal(str)
        Carry the model's name: download it, use a file of one's own.
    """

    wanted = Signal(str)
    file_wanted = Signal(str)

    def __init__(self, spec: ModelSpec) -> None:
        super().__init__()
        self.spec = spec
        self.setFrameShape(QFrame.Shape.StyledPanel)
        self.title = _text(f"<b>{spec.title}</b> <code>{spec.name}</code>")
        self.facts = _text("<br>".join(facts_of(spec)))
        self.weights = _text("")
        self.download = QPushButton("Download")
        self.download.setToolTip(f"Licence of the weights: {spec.licence}. Cite {spec.citation}")
        self.choose = QPushButton("Use a file…")
        self.choose.setToolTip("Use a file of weights that is already on this machine")
        self.copy_path = QPushButton("Copy path")
        self.copy_path.setToolTip("Copy the path of the weights, or the path to put them at")
        self.download.clicked.connect(lambda: self.wanted.emit(spec.name))
        self.choose.clicked.connect(lambda: self.file_wanted.emit(spec.name))
        self.copy_path.clicked.connect(self._copy_path)
        self.column, buttons = QVBoxLayout(self), QHBoxLayout()
        for button in (self.download, self.choose, self.copy_path):
            buttons.addWidget(button)
        buttons.addStretch(1)
        for label in (self.title, self.facts, self.weights):
            self.column.addWidget(label)
        self.column.addLayout(buttons)
        self.refresh()

    def refresh(self) -> None:
        """Look where the weights are now."""
        file = self.spec.weights
        path = file.located()
        self.download.setVisible(path is None or self.spec.lacks_decoder)
        self.choose.setVisible(not file.packaged)
        self.copy_path.setVisible(not file.packaged)
        part = file.path.with_name(file.path.name + ".part")
        what = "Download" if path is None else "Download its decoder"
        self.download.setText("Go on downloading" if part.exists() else what)
        licence = f"Licence {self.spec.licence}."
        if path is not None:
            size = f"{path.stat().st_size / MEGABYTE:,.1f} MB"
            where = "inside the package" if file.packaged else f"at {_breakable(path)}"
            self.weights.setText(f"Weights: {size}, {where}. {licence}{self._about_decoder()}")
            return
        size = f", about {self.spec.megabytes:,} MB" if self.spec.megabytes else ""
        self.weights.setText(
            f"Weights: not here yet{size}. {licence} Without a network, get "
            f"{_link(file)} elsewhere and "
            f"put it at {_breakable(file.path)}, or choose the file.{self._about_decoder()}"
        )

    def _about_decoder(self) -> str:
        """Say that a second file for Everything comes along, or is here, or may be had."""
        decoder = self.spec.decoder
        if decoder is None:
            return ""
        if not self.spec.lacks_decoder:
            return "<br>With its decoder for Everything."
        if not self.spec.installed:
            return f"<br>With its decoder for Everything, {DECODER_MEGABYTES} MB more."
        return (
            f"<br>Its decoder for Everything is not here yet: {DECODER_MEGABYTES} MB; put "
            f"{_link(decoder)} at {_breakable(decoder.path)}, or download it."
        )

    def show_running(self) -> None:
        """Offer nothing while the weights are downloaded."""
        self.download.hide()
        self.choose.hide()

    def _copy_path(self) -> None:
        clipboard = QGuiApplication.clipboard()
        if clipboard is not None:
            clipboard.setText(str(self.spec.weights.located() or self.spec.weights.path))


class OwnCard(ModelCard):
    """A fine-tuned model that a person keeps; says what they want done with it.

    Attributes
    ----------
    rename_wanted, share_wanted, remove_wanted : Signal(str)
        Carry the model's name.
    """

    rename_wanted = Signal(str)
    share_wanted = Signal(str)
    remove_wanted = Signal(str)

    def __init__(self, spec: ModelSpec) -> None:
        super().__init__(spec)
        self.facts.setText(f"{spec.description}{_made(spec)}")
        self.rename, self.share = QPushButton("Rename…"), QPushButton("Share…")
        self.remove = QPushButton("Remove…")
        self.share.setToolTip("Save the weights as one file, for other people and machines")
        wanted = (
            (self.rename, self.rename_wanted), (self.share, self.share_wanted),
            (self.remove, self.remove_wanted),
        )  # fmt: skip
        on_click((button, partial(signal.emit, spec.name)) for button, signal in wanted)
        self.column.addLayout(row(self.rename, self.share, self.remove))

    def refresh(self) -> None:
        """Look whether the weights are still there."""
        super().refresh()
        self.download.hide()
        self.choose.hide()


def _made(spec: ModelSpec) -> str:
    """When and from what a fine-tuned model was made, and the figures, as rich text."""
    facts = own.provenance(spec.weights.path)
    try:
        made, begun = facts["made"][:10], facts["from"]
        before, after = facts["before"], facts["after"]
        return (
            f"<br>Made on {made} in {facts['minutes']:g} min from {begun['name']} "
            f"({begun['sha256'][:8]}). {facts['held_out']['objects']} objects were held back "
            f"({facts['held_out']['how']}): by a box {before['box']:.2f} -> {after['box']:.2f}, "
            f"clicks to .85 {before['noc_at_85']:.1f} -> {after['noc_at_85']:.1f}."
        )
    except (KeyError, TypeError, ValueError):
        return ""


def _link(file: WeightsFile) -> str:
    return f"<a style='color: {LINK}' href='{file.url}'>{_breakable(file.filename)}</a>"


def _breakable(path: Path | str) -> str:
    """A path that a narrow dock can break into lines (not to be copied from there)."""
    return re.sub(r"([/\\_])", "\\1\N{ZERO WIDTH SPACE}", str(path))


def _text(words: str) -> QLabel:
    label = QLabel(words)
    label.setWordWrap(True)
    label.setMinimumWidth(1)
    label.setOpenExternalLinks(True)
    label.setTextInteractionFlags(
        Qt.TextInteractionFlag.TextSelectableByMouse | Qt.TextInteractionFlag.LinksAccessibleByMouse
    )
    return label
