"""One object in the making: its prompts, its turns, and the way back.

The state is a stack of snapshots of the prompts and choices, each with the prediction it led to, if
that has been computed. An answer depends on the prompts, their order and the choices alone: every
prompt is answered in a turn of its own, with the memory of the answer that counts in the turn
before, however the prompts came to stand there. A choice holds for as long as the prompts it was
made for stay the same, in the same order. Changing prompts is instant; computing is a pure function
of a frozen `Request`, so that it may run in any thread and be dropped when it is no longer wanted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from copy import copy
from dataclasses import replace
from typing import cast

import numpy as np

from .checks import whole_number
from .edits import Edit, check_labels
from .errors import InvalidArgument, InvalidLabels, InvalidPrompt
from .images import ArraySource
from .models.base import Embedding, Model, Prediction, check_model, check_owner
from .models.turns import (
    Choices,
    Encoded,
    Request,
    Turn,
    choices_kept,
    joined,
    shortest,
    step_title,
    with_choice,
)
from .notebook import as_html, outlined
from .planes import Plane, plane_of_labels
from .prompts import Prompt, check_prompts


class Session:
    """Segment one object, turn by turn.

    The same prompts in the same order, with the same choices, give the same answer, by whatever way
    they came to stand there: `add`, `remove`, `choose`, `undo`, `redo`, in another session, in a
    copy.

    Parameters
    ----------
    model : Model
    embedding : Embedding
        From `model.encode` of the image (or plane) that the prompts lie in.

    Raises
    ------
    InvalidPrompt
        The image itself is given, or an embedding of another model.

    Examples
    --------
    >>> import skimage.data, numpy as np, napari_seem as ns
    >>> model, image = ns.load_model("compact"), skimage.data.coins()[:160, :160]
    >>> session = ns.Session(model, model.encode(image))
    >>> _ = session.add(ns.Point(130, 120))
    >>> labels = np.zeros(image.shape, np.uint16)
    >>> edit = session.commit(1, labels)
    >>> edit.apply(labels)
    >>> int((labels == 1).sum()) == edit.written == edit.asked
    True
    """

    def __init__(self, model: Model, embedding: Embedding) -> None:
        check_owner(check_model(model).identity, embedding)
        self._begin(embedding.shape, lambda: (model, embedding))

    @classmethod
    def deferred(cls, shape: tuple[int, int], resolve: Callable[[], Encoded]) -> Session:
        """A session on an image that is encoded when the first turn is computed.

        Parameters
        ----------
        shape : (H, W)
            Of the image, so that prompts can be checked before.
        resolve : callable
            Gives model and embedding; called in the thread that computes, so it should cache.
        """
        session = cls.__new__(cls)
        session._begin(shape, resolve)
        return session

    def _begin(self, shape: tuple[int, int], resolve: Callable[[], Encoded]) -> None:
        self.shape = shape
        self.resolve = resolve
        self.revision = 0
        self._past: list[Turn] = [Turn()]
        self._future: list[Turn] = []

    @property
    def prompts(self) -> tuple[Prompt, ...]:
        """The prompts as they stand."""
        return self._past[-1].prompts

    @property
    def prediction(self) -> Prediction | None:
        """The answer to the present prompts that counts, or None where there is none (yet)."""
        return self._past[-1].prediction

    @property
    def best(self) -> Prediction | None:
        """The model's best answer to the present prompts, or None where there is none (yet)."""
        return self._past[-1].best

    @property
    def alternatives(self) -> tuple[Prediction, ...]:
        """All answers to the present prompts, the best first, computed now; () without prompts."""
        if not self.prompts:
            return ()
        self.compute()
        return () if self.best is None else self.best.alternatives

    @property
    def chosen(self) -> int:
        """The number of the answer that counts, 0 for the best."""
        return self._past[-1].number

    @property
    def choices(self) -> Choices:
        """The number of the answer that counts in each turn; turns that are left out take 0."""
        present, count = self._past[-1], len(self.prompts)
        return with_choice(present.choices, count, self.chosen) if count else ()

    @property
    def turn(self) -> int:
        """How many steps led here; 0 at the start."""
        return len(self._past) - 1

    @property
    def turns(self) -> tuple[int, ...]:
        """How many of the prompts each turn had that led to the answer, the first first."""
        return () if self.prediction is None else tuple(range(1, len(self.prompts) + 1))

    @property
    def can_undo(self) -> bool:
        """Whether there is a step to take back."""
        return len(self._past) > 1

    @property
    def undo_title(self) -> str:
        """What undo would take back, such as "point"; "" at the start."""
        return "" if len(self._past) < 2 else step_title(self._past[-2], self._past[-1])

    @property
    def redo_title(self) -> str:
        """What redo would bring back; "" for nothing."""
        return "" if not self._future else step_title(self._past[-1], self._future[-1])

    @property
    def can_redo(self) -> bool:
        """Whether a step that was taken back can be made again."""
        return bool(self._future)

    def add(self, prompt: Prompt) -> Prediction:
        """Add a prompt and answer it at once.

        Raises
        ------
        InvalidPrompt, UnsupportedPrompt, UnknownWord
            The session is then as it was before.
        """
        future = list(self._future)
        self.push(prompt)
        try:
            return self.compute()
        except BaseException:
            self._past.pop()
            self._future = future
            raise

    def remove(self, index: int) -> Prediction | None:
        """Take any one prompt back and answer the rest; None where none is left."""
        count = len(self.prompts)
        index = whole_number(index, "the number of a prompt")
        if not -count <= index < count:
            raise InvalidPrompt(
                f"there is no prompt number {index}; the session has {count}, give 0 to {count - 1}"
            )
        index %= count
        self._step(self.prompts[:index] + self.prompts[index + 1 :])
        return self.compute() if self.prompts else None

    def choose(self, number: int) -> Prediction:
        """Let another of the `alternatives` count; later turns go on from it.

        It is a step that `undo` takes back. It holds until one of the present prompts is removed or
        changed.

        Raises
        ------
        InvalidPrompt
            There is no such answer.
        """
        number, count = whole_number(number, "the number of an answer"), len(self.alternatives)
        if not 0 <= number < count:
            raise InvalidPrompt(
                f"there is no answer number {number}; "
                + (f"there are {count}, give 0 to {count - 1}" if count else "add a prompt first")
            )
        if number != self.chosen:
            self.replace(self.prompts, with_choice(self.choices, len(self.prompts), number))
        return self.compute()

    def undo(self) -> Prediction | None:
        """Go one step back; nothing happens at the start."""
        self.step_back()
        return self.compute() if self.prompts else None

    def redo(self) -> Prediction | None:
        """Make the step again that was taken back; nothing happens where there is none."""
        self.step_forward()
        return self.compute() if self.prompts else None

    def compute(self) -> Prediction:
        """The answer to the present prompts, computed where it is not known."""
        if self.prediction is None:
            request = self.request()
            self.deliver(request, request.run())
        assert self.prediction is not None
        return self.prediction

    def push(self, prompt: Prompt) -> None:
        """Add a prompt without answering it; raises `InvalidPrompt` and changes nothing."""
        check_prompts([prompt], self.shape)
        self._step((*self.prompts, prompt))

    def replace(self, prompts: tuple[Prompt, ...], choices: Choices | None = None) -> None:
        """Set all prompts in one step, such as after several were moved or deleted at once.

        Parameters
        ----------
        prompts : tuple of Prompt
        choices : tuple of int, optional
            The number of the answer that counts in each turn, 0 for the best; beyond the last
            answer they begin anew. By default those stay whose prompts do.
        """
        check_prompts(prompts, self.shape)
        self._step(tuple(prompts), choices)

    def step_back(self) -> None:
        """Undo without computing."""
        if self.can_undo:
            self._future.append(self._past.pop())
            self.revision += 1

    def step_forward(self) -> None:
        """Redo without computing."""
        if self.can_redo:
            self._past.append(self._future.pop())
            self.revision += 1

    def ask_anew(self, resolve: Callable[[], Encoded], *, same: bool = False) -> None:
        """Answer with another model or image from now on; every step of the prompts stays.

        Parameters
        ----------
        resolve : callable
            Gives model and embedding.
        same : bool
            Whether it gives the same model and image. Otherwise choices among former answers are
            dropped.
        """
        self.resolve = resolve
        for steps in (self._past, self._future):
            steps[:] = [Turn(turn.prompts, turn.choices if same else ()) for turn in steps]
        self._join_equal()
        self.revision += 1

    def request(self) -> Request:
        """Freeze what the answer to the present prompts needs.

        The turns before it need not be computed again where a step answered the first prompts.
        """
        choices = self._past[-1].choices
        former = self._answered(self.prompts, choices)
        return Request(
            self.resolve, self.prompts, choices, len(former.prompts), former.best, self.revision
        )

    def deliver(self, request: Request, best: Prediction) -> bool:
        """Store what a request gave; False where its prompts are no longer the present ones."""
        if request.resolve is self.resolve:
            for steps in (self._past, self._future):
                steps[:] = [replace(t, best=best) if t.awaits(request) else t for t in steps]
            if request.choices:
                self._join_equal()
        return request.revision == self.revision

    def commit(
        self, label_id: int, labels: ArraySource | None = None,
        offset: Sequence[int] | None = None, *,
        plane: Plane | None = None, overwrite: bool = False, replace: bool = False,
    ) -> Edit:  # fmt: skip
        """The edit that writes the object; the session goes on.

        Parameters
        ----------
        label_id : int
            The object's value.
        labels : integer array-like, optional
            What is there already; without it an empty array of the image's shape.
        offset : sequence of int, optional
            Where the plane's first pixel lies in labels of more axes, such as (z, 0, 0).
        plane : Plane, optional
            Instead of `offset`, of labels that the plane cuts along other axes.
        overwrite, replace
            As for `Edit.from_mask`.

        Returns
        -------
        Edit
            `asked` and `written` are the pixels of the object and those it gets; `kept` are those
            that stay with other objects, `taken` those it takes from them.

        Raises
        ------
        InvalidPrompt
            Where there is nothing to commit.
        InvalidLabels
            Where the labels cannot take the object, or have more axes and no plane is named.
        """
        prediction = self.prediction
        if prediction is None or prediction.bbox is None:
            raise InvalidPrompt("there is no object yet; add a prompt on it first")
        target = cast(ArraySource, np.zeros(self.shape, np.int32)) if labels is None else labels
        check_labels(target, label_id)
        where = plane_of_labels(target.shape, offset, plane)
        if offset is None and where.shape(target.shape) != self.shape:
            raise InvalidLabels(
                f"the plane has {where.shape(target.shape)} pixels in the labels and {self.shape} "
                "in the image; choose labels of the image's own size, or say where by offset"
            )
        # pixels that `replace` clears may lie anywhere
        mask, corner = (prediction.mask, (0, 0)) if replace else prediction.cut_out()
        start, block = where.place(mask, corner)
        if offset is not None:
            start = tuple(o + s for o, s in zip(offset, start, strict=True))
        return Edit.from_mask(target, block, label_id, start, overwrite=overwrite, replace=replace)

    def __copy__(self) -> Session:
        """Return a session that goes on from here on its own, with the same model."""
        new = Session.deferred(self.shape, self.resolve)
        new._past, new._future = list(self._past), list(self._future)
        new.revision = self.revision
        return new

    def __reduce__(self) -> str | tuple[object, ...]:
        raise InvalidArgument(
            "a session holds a model and is not pickled; send session.prompts and the embedding"
        )

    def __deepcopy__(self, memo: dict[int, object]) -> Session:
        return copy(self)

    def __repr__(self) -> str:
        counts = Counter(type(prompt).__name__.lower() for prompt in self.prompts)
        kinds = ", ".join(f"{count} {kind}" for kind, count in counts.items())
        answer = "" if self.prediction is None else f", {self.prediction!r}"
        return f"Session({self.shape[0]} x {self.shape[1]}, prompts: {kinds or 'none'}{answer})"

    def _repr_html_(self) -> str:
        rows = [{"prompt": n, "what": repr(p)} for n, p in enumerate(self.prompts)]
        answer = self.prediction
        shown = (None, []) if answer is None else (answer.picture, [answer.overview()])
        return as_html(repr(self), outlined(shown[0], self.shape, shown[1]), rows)

    def _step(self, prompts: tuple[Prompt, ...], choices: Choices | None = None) -> None:
        if choices is None:
            choices = choices_kept(self.choices, self.prompts, prompts)
        former = self._answered(prompts, choices)
        best = former.best if len(former.prompts) == len(prompts) else None
        self._past.append(Turn(prompts, shortest(choices[: len(prompts)]), best))
        self._future.clear()
        self.revision += 1

    def _answered(self, prompts: tuple[Prompt, ...], choices: Choices) -> Turn:
        """The step that answered most of these prompts, the first of them first."""
        steps = (Turn(), *self._past, *self._future)
        return max(steps, key=lambda turn: turn.answers(prompts, choices))

    def _join_equal(self) -> None:
        """Make one of steps that follow each other and ask for the same answer."""
        self._past = joined(self._past)
        self._future = joined([self._past[-1], *reversed(self._future)])[:0:-1]
