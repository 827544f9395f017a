"""The looks of the Annotate dock: widgets in their places, and what they can be told to show."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import (
    QButtonGroup,
    QCheckBox,
    QFrame,
    QGridLayout,
    QLabel,
    QLineEdit,
    QPushButton,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)
from superqt import QLabeledDoubleSlider

from ...query.run import LONGEST_WORD
from ...viewer.drawing.tools import COLOURS
from .._shared.actions import ACTIONS
from .._shared.forms import WordButtons, form, row, set_tips
from .._shared.intensity_box import WindowBox
from .._shared.layer_box import image_and_labels
from .._shared.message import Message, keys_here
from .._shared.models.box import ModelBox
from .commits.classes import ClassBox
from .guide import HelpWindow
from .sessions.alternatives import AnswerButton

GO_ON = "Go on with this object"


class Panel(QWidget):
    """All widgets of the dock.

    Parameters
    ----------
    tools : mapping of str to (capability, tooltip)
    keys : mapping of str to str
        Key by action method, for the tooltips.

    Attributes
    ----------
    preparation : str
        What is done before a first click, shown where no turn is.
    """

    tool_chosen = Signal(str)
    suggested = Signal(str)

    def __init__(self, tools: Mapping[str, tuple[object, str]], keys: Mapping[str, str]) -> None:
        super().__init__()
        self._keys = keys
        self._help_window: HelpWindow | None = None
        self._tips = {tool: tip for tool, (_, tip) in tools.items()}
        self.image, self.labels = image_and_labels("new layer")
        self.channels = QCheckBox()
        self.channels.setToolTip("Give the model these layers as channels of one image")
        self.look = WindowBox()
        self.model = ModelBox()
        self._make_tools(list(tools))
        self._make_words()
        self._make_commit()
        self.status, self.message, self.help = QLabel(), Message(), QLabel()
        self.status.setWordWrap(True)
        self._guess = self.preparation = ""
        self.status.linkActivated.connect(lambda _: self.name.setText(self._guess))
        self._arrange()
        self.show_state(positive=True)
        self.show_channels(0)
        self.show_proposals(0, 0)
        self.show_tool("point")
        self._set_tips()

    def set_keys(self, keys: Mapping[str, str]) -> None:
        """Show other keys in tooltips and help."""
        self._keys = keys
        self._help_window = None
        self._set_tips()

    def key_of(self, method: str) -> str:
        """The key of an action."""
        return self._keys[method]

    def show_channels(self, count: int) -> None:
        """Offer to use further layers as channels, where there are any."""
        self.channels.setText(f"all {count} channels")
        self._form.setRowVisible(self.channels, count > 1)

    def show_undo(self, undo: str, redo: str) -> None:
        """Say on the buttons what they would undo and redo; "" for nothing."""
        for button, word, title in ((self.undo, "Undo", undo), (self.redo, "Redo", redo)):
            button.setText(f"{word} {_shortened(title)}".rstrip())
            button.setEnabled(bool(title))

    def show_tool(self, tool: str) -> None:
        """Mark a tool as the one that clicks are for, or with "" none."""
        self._tool_group.setExclusive(bool(tool))
        for name, button in self.tools.items():
            button.setChecked(name == tool)

    def allow_tool(self, tool: str, allowed: bool, others: Sequence[str]) -> None:
        """Enable a tool, or say which models have it."""
        self.tools[tool].setEnabled(allowed)
        tip = self._tip(f"use_{tool}", self._tips[tool])
        if not allowed:
            tip = f"This model takes no {tool} prompts. Models that do: {', '.join(others)}"
        set_tips([(self.tools[tool], tip)])

    def show_state(
        self, *, positive: bool, can_commit: bool = False, undo: str = "", redo: str = "",
        object_id: int | None = None, continued: str = "",
    ) -> None:  # fmt: skip
        """Show polarity and what can be done now."""
        for button, wanted in ((self.positive, positive), (self.negative, not positive)):
            button.blockSignals(True)
            button.setChecked(wanted)
            button.blockSignals(False)
        self.commit.setEnabled(can_commit)
        what = f"Add to {_shortened(continued, 24)}" if continued else "Commit object"
        self.commit.setText(f"Replace object {object_id}" if object_id else what)
        self.show_undo(undo, redo)

    def show_status(
        self, turn: int, ms: float, score: float, label: str | None, notes: Sequence[str] = ()
    ) -> None:
        """Show what the last turn was, what there is to say of it, and a guess to be clicked.

        `notes` that are empty are left out.
        """
        guess = f'<a style="color: #8ab4f8" href="name">{escape(label)}?</a>' if label else ""
        self._guess = label or ""
        facts = [f"turn {turn}", f"{ms:.0f} ms", f"score {score:.2f}", *notes, guess]
        self.status.setText(" · ".join(fact for fact in facts if fact))
        self.status.setToolTip("Click the model's guess to take it as the name" if label else "")

    def clear_status(self) -> None:
        """Show no turn, as there are no prompts, but what is prepared for the first one."""
        self.status.setText(self.preparation)
        self.status.setToolTip("")

    def place_teach_box(self, box: QWidget) -> None:
        """Put what asks for a taught word below the word field."""
        self._teach_place.addWidget(box)

    def show_proposals(self, offered: int, total: int) -> None:
        """Show how many proposals there are above the threshold."""
        for widget in (self.threshold, self.take_all):
            widget.setVisible(total > 0)
        self.take_all.setEnabled(offered > 0)
        self.take_all.setText(f"Accept {offered} of {total}")

    def show_suggestions(self, words: Sequence[str]) -> None:
        """Offer words as buttons."""
        self._suggestions.offer(words)

    def show_help(self, *_: object) -> None:
        """Open the keyboard map and a short guide; works offline."""
        if self._help_window is None:
            self._help_window = HelpWindow(self, self._keys)
        self._help_window.show()
        self._help_window.raise_()

    def chosen_id(self) -> int | None:
        """The id the person typed, or None for the next free one."""
        return self.label_id.value() or None

    def _make_tools(self, tools: list[str]) -> None:
        self.tools: dict[str, QPushButton] = {}
        self._tool_group = QButtonGroup(self)
        for tool in tools:
            button = _toggle(tool.capitalize())
            button.clicked.connect(lambda _=False, tool=tool: self.tool_chosen.emit(tool))
            self._tool_group.addButton(button)
            self.tools[tool] = button
        self.positive, self.negative = _toggle("+  object"), _toggle("\N{MINUS SIGN}  not object")
        for button, sign, text in ((self.positive, True, "white"), (self.negative, False, "black")):
            look = f"background: {COLOURS[sign]}; color: {text}"
            button.setStyleSheet(f"QPushButton:checked {{ {look} }}")
        self.hover = QCheckBox("hover")
        self.hover.setFocusPolicy(Qt.FocusPolicy.NoFocus)  # keys belong to the canvas
        self.answers = AnswerButton()
        signs = QButtonGroup(self)
        for button in (self.positive, self.negative):
            signs.addButton(button)

    def _make_words(self) -> None:
        self.word, self.find_word = QLineEdit(), QPushButton("Propose")
        self.teach = QPushButton("Teach word…")
        self.teach.setToolTip("Teach the model a word for marked objects, to find more of them")
        self.word.setPlaceholderText("a word, or empty")
        self.word.setMaxLength(LONGEST_WORD)
        self.word.setClearButtonEnabled(True)
        self.threshold = QLabeledDoubleSlider(Qt.Orientation.Horizontal)
        self.threshold.setRange(0, 1)
        self.threshold.setDecimals(2)
        self.threshold.setValue(0.45)
        self.threshold.setToolTip("Minimum score of the proposals that are offered")
        self.take_all = QPushButton("Accept")
        self.take_all.setToolTip("Write every offered proposal as an object of its own")
        self._suggestions = WordButtons()
        self._suggestions.chosen.connect(self.suggested)

    def show_continued(self, on: bool, title: str) -> None:
        """Show whether commits add to one object, and to which."""
        self.go_on.setChecked(on)
        self.go_on.setText(
            f"Going on with {_shortened(title or 'the next one', 24)}" if on else GO_ON
        )

    def _make_commit(self) -> None:
        self.name, self.label_id, self.classes = QLineEdit(), QSpinBox(), ClassBox()
        self.name.setPlaceholderText("name (optional)")
        self.name.setToolTip("Name of this object; if empty, it is called as its class")
        self.go_on, self.save = _toggle(GO_ON), QPushButton("Save")
        self.save.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.label_id.setRange(0, 2**31 - 1)
        self.label_id.setSpecialValueText("next free id")
        self.label_id.setToolTip("Id of the object in the labels layer")
        self.overwrite = QCheckBox("overwrite other objects")
        self.overwrite.setToolTip("Take pixels that belong to other objects; otherwise they stay")
        self.commit, self.clear = QPushButton("Commit object"), QPushButton("Clear")
        self.learn = QPushButton("Learn from the objects here")
        self.learn.setCheckable(True)
        self.learn.setToolTip(
            "Fit the model to the objects on this plane, so that first clicks on others of their "
            "kind do better; press again to undo it"
        )
        self.steer = QCheckBox("steer by accepted objects")
        self.steer.setToolTip(
            "Where a click leaves open what is meant, sizes (and looks, if the model reads them) "
            "of the objects accepted before, of the active class, weigh in"
        )
        self.undo, self.redo = QPushButton("Undo"), QPushButton("Redo")
        told = "Prompts, objects, strokes and names, the last one first"
        set_tips(((self.undo, f"{told} [Ctrl+Z]"), (self.redo, f"{told} [Ctrl+Shift+Z]")))

    def _arrange(self) -> None:
        column = QVBoxLayout(self)
        column.setContentsMargins(8, 8, 8, 8)
        column.setSpacing(6)
        self._form = form(
            ("Image", self.image), ("", self.channels), ("Intensity", self.look),
            ("Model", self.model), ("Write to", self.labels),
        )  # fmt: skip
        column.addLayout(self._form)
        column.addWidget(_rule())
        grid = QGridLayout()
        for number, button in enumerate(self.tools.values()):
            grid.addWidget(button, number // 3, number % 3)
        column.addLayout(grid)
        column.addLayout(row(self.positive, self.negative))
        column.addLayout(row(self.hover, self.answers))
        column.addWidget(_rule())
        column.addLayout(row(self.word, self.find_word, self.teach, stretch=0))
        self._teach_place = QVBoxLayout()
        column.addLayout(self._teach_place)
        column.addLayout(self._suggestions)
        column.addWidget(self.threshold)
        column.addWidget(self.take_all)
        column.addWidget(_rule())
        column.addLayout(row(QLabel("Class"), self.classes, stretch=1))
        column.addLayout(row(self.name, self.label_id, stretch=0))
        column.addWidget(self.overwrite)
        column.addLayout(row(self.commit, self.clear, stretch=0))
        column.addLayout(row(self.go_on, self.save, stretch=0))
        column.addLayout(row(self.undo, self.redo))
        column.addWidget(self.steer)
        column.addWidget(self.learn)
        self.extra = QVBoxLayout()
        column.addLayout(self.extra)
        self.help.setWordWrap(True)
        self.help.linkActivated.connect(self.show_help)
        column.addWidget(self.status)
        column.addWidget(self.message, 1)  # long messages take the room that is left
        column.addWidget(self.help)

    def _set_tips(self) -> None:
        """Write the keys into tooltips and help line."""
        for button in (self.positive, self.negative):
            button.setToolTip(self._tip("toggle_polarity", "Next prompt: on the object, or not"))
        tip = "Show the mask that a click would give, where the mouse is; nothing is written"
        self.hover.setToolTip(self._tip("toggle_hover", tip))
        tip = "Show the next answer to the same prompts; Shift and the wheel do so on the image"
        self.answers.setToolTip(self._tip("next_answer", tip))
        self.word.setToolTip(
            self._tip("use_word", "What to propose on this plane; every object, if empty")
        )
        self.commit.setToolTip(self._tip("commit", "Write the object into the labels layer"))
        self.clear.setToolTip(self._tip("clear", "Forget the prompts and the preview"))
        tip = "Class of the objects committed from now on; choose one, or type a new one"
        self.classes.setToolTip(self._tip("next_class", tip))
        tip = "Add what is committed next, on other planes and images, too, to the same object"
        self.go_on.setToolTip(self._tip("go_on", tip))
        tip = "Save the labels that are written to; the first time you are asked for a file"
        self.save.setToolTip(self._tip("save", tip))
        link = '<a style="color: #8ab4f8" href="help">Help</a>'
        self.help.setText(f"{link} · keys: {self._key_line()}")

    def _key_line(self) -> str:
        short = {"toggle_polarity": "+/\N{MINUS SIGN}", "commit": "commit", "clear": "clear"}
        return ", ".join(f"<b>{self._keys[method]}</b> {word}" for method, word in short.items())

    def _tip(self, method: str, text: str) -> str:
        known = {action.method for action in ACTIONS}
        return keys_here(f"{text} [{self._keys[method]}]" if method in known else text)


def _toggle(text: str) -> QPushButton:
    button = QPushButton(text)
    button.setCheckable(True)
    button.setFocusPolicy(Qt.FocusPolicy.NoFocus)  # keys belong to the canvas
    return button


def _rule() -> QFrame:
    line = QFrame()
    line.setFrameShape(QFrame.Shape.HLine)
    line.setStyleSheet("color: rgba(128, 128, 128, 90)")
    return line


def _shortened(text: str, longest: int = 16) -> str:
    """A text that fits on a button."""
    return text if len(text) <= longest else f"{text[: longest - 1]}\N{HORIZONTAL ELLIPSIS}"
