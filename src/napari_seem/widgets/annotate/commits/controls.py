"""The part of the Annotate dock about commits: class, name, id, going on, and saving."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from ..._shared.forms import on_click, without_arguments
from ...menus.files import save

if TYPE_CHECKING:
    from napari.layers import Labels

    from ..annotator import Annotator
    from ..panel import Panel


class Committing:
    """Lets a person write objects, say what they are, and save them.

    Parameters
    ----------
    annotator : Annotator
    panel : Panel

    Attributes
    ----------
    own_save : (Labels, callable) or None
        Labels that are saved by what the callable does, which gives the file.
    """

    def __init__(self, annotator: Annotator, panel: Panel) -> None:
        self._annotator, self._panel = annotator, panel
        self.own_save: tuple[Labels, Callable[[], object]] | None = None
        on_click(((panel.commit, self.commit), (panel.save, self.save)))
        panel.name.returnPressed.connect(without_arguments(self.commit))
        panel.go_on.clicked.connect(self.go_on)
        panel.classes.chosen.connect(self.choose_class)
        annotator.classes.changed.connect(self._on_classes)
        annotator.commits.changed.connect(self._on_continued)
        self._on_classes()

    def commit(self) -> int | None:
        """Write the object; gives its id, or None where it is not written, or not yet."""
        panel = self._panel
        pressed = self._annotator.commits.press(panel.name.text().strip(), panel.chosen_id())
        if pressed is None:
            return None
        panel.name.clearFocus()
        panel.label_id.setValue(0)
        panel.name.clear()
        return pressed.label_id if pressed.state == "written" else None

    def choose_class(self, name: str) -> None:
        """Let what is committed belong to a class from now on; "" for none."""
        with self._annotator.reporting():
            self._annotator.classes.choose(name)

    def go_on(self, wanted: bool | None = None) -> None:
        """Add what is committed to the object committed last, or end that; None: the other."""
        commits = self._annotator.commits
        commits.go_on(commits.continued is None if wanted is None else wanted)

    def save(self) -> None:
        """Save the labels that are written to, once no commit waits any more."""
        self._annotator.commits.when_written(self._save)

    def _save(self) -> None:
        annotator, own = self._annotator, self.own_save
        if annotator.labels is None:
            annotator.say("there are no labels yet; commit an object first", error=True)
        elif own is not None and own[0] is annotator.labels:
            annotator.say(f"'{annotator.labels.name}' is saved to {own[1]()}")
        else:
            save(annotator.labels, annotator.image, annotator.say)

    def _on_classes(self) -> None:
        classes, commits = self._annotator.classes, self._annotator.commits
        if commits.title and commits.continued and classes.active != commits.continued.concept:
            commits.go_on(False)  # the object that was gone on with is of another class
        self._panel.classes.offer(classes.names, classes.colours, classes.active)

    def _on_continued(self) -> None:
        commits = self._annotator.commits
        self._panel.show_continued(commits.continued is not None, commits.title)
        self._annotator.changed.emit()
