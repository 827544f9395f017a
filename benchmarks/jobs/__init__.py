"""Ten jobs of an annotator, done by raw mouse and key events: `python -m benchmarks jobs`.

Each job starts with a fresh napari window of 1366 x 768 pixels in a process of its own, with empty
settings and caches, and ends with a saved file that is compared with the truth and opened again.
The hand knows where the objects are; it sees what the window shows and nothing else.

What counts as one action:

- a click or a drag on the canvas, each click on a menu title or entry, on a button, or on a layer
  of the list; a choice in a combo box is two;
- a key;
- a field that is filled, with the click into it and the Enter after it; likewise a file name that
  is typed into a file dialog;
- a file (or several at once) dropped onto the window;
- scrolling a dock until a button is seen, and pressing Home when what is wanted lies outside the
  canvas;
- on the command line, a command.

*Seconds* are those of the whole job, *program* those between an action and the moment when the
program has nothing more to do; a hand that needs no time to aim makes up the rest with the pauses
that a job prescribes, and with judging.
"""

from __future__ import annotations

from .run import main

__all__ = ["main"]
