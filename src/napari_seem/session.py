"""One object in the making: its prompts, its turns, and the way back.

The state is a stack of snapshots of the prompts, each with the prediction it led to, if that has
been computed. Changing prompts is instant; computing is a pure function of a frozen `Request`, so
that it may run in any thread and be dropped when it is no longer wanted.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from .edits import Edit
from .errors import InvalidPrompt
from .models.base import Embedding, Model, Prediction, check_capabilities
from .models.registry import capabilities_by_model
from .prompts import Prompt, check_prompts


@dataclass(frozen=True, eq=False)
class Turn:
    """A snapshot: all prompts at one time, and what the model made of them (None: not yet).

    `after` is the turn whose memory it was told, if any.
    """

    prompts: tuple[Prompt, ...] = ()
    prediction: Prediction | None = None
    after: Turn | None = field(default=None, repr=False)


Encoded = tuple[Model, Embedding]


@dataclass(frozen=True, eq=False)
class Request:
    """Everything one turn needs, frozen."""

    resolve: Callable[[], Encoded] = field(repr=False)
    prompts: tuple[Prompt, ...]
    memory: Any = field(repr=False)
    revision: int
    after: Turn | None = field(default=None, repr=False)

    def run(self) -> Prediction:
        """Compute the turn; pure but for the first encoding, and safe in any thread."""
        model, embedding = self.resolve()
        check_capabilities(model, self.prompts, capabilities_by_model())
        return model.predict(embedding, self.prompts, self.memory)


class Session:
    """Segment one object, turn by turn.

    Parameters
    ----------
    model : Model
    embedding : Embedding
        From `model.encode` of the image (or plane) that the prompts lie in.

    Examples
    --------
    >>> session = Session(model, model.encode(image))            # doctest: +SKIP
    >>> session.add(Point(120, 80)).score                        # doctest: +SKIP
    0.87
    >>> session.add(Point(140, 95, positive=False)).mask.sum()   # doctest: +SKIP
    2310
    >>> session.commit(1).apply(labels)                          # doctest: +SKIP
    """

    def __init__(self, model: Model, embedding: Embedding) -> None:
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
        """The answer to the present prompts, or None where there is none (yet)."""
        return self._past[-1].prediction

    @property
    def turn(self) -> int:
        """How many steps led here; 0 at the start."""
        return len(self._past) - 1

    @property
    def turns(self) -> tuple[int, ...]:
        """How many of the present prompts each turn had that led to the answer, the first first.

        Turns that were taken back are left out: they had no part in it.
        """
        counts, turn = [], self._past[-1] if self.prediction is not None else None
        while turn is not None:
            counts.append(len(turn.prompts))
            turn = turn.after
        return tuple(reversed(counts))

    @property
    def can_undo(self) -> bool:
        """Whether there is a step to take back."""
        return len(self._past) > 1

    @property
    def undo_title(self) -> str:
        """What undo would take back, such as "point"; "" at the start."""
        return "" if len(self._past) < 2 else _step_title(self._past[-2], self._past[-1])

    @property
    def redo_title(self) -> str:
        """What redo would bring back; "" for nothing."""
        return "" if not self._future else _step_title(self._past[-1], self._future[-1])

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
        self.drop(index)
        return self.compute() if self.prompts else None

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
        if self.prediction is not None:
            return self.prediction
        request = self.request()
        prediction = request.run()
        self.deliver(request, prediction)
        return prediction

    def push(self, prompt: Prompt) -> None:
        """Add a prompt without answering it; raises `InvalidPrompt` and changes nothing."""
        check_prompts([prompt], self.shape)
        self._step(Turn((*self.prompts, prompt)))

    def drop(self, index: int) -> None:
        """Take prompt number `index` back without answering the rest."""
        count = len(self.prompts)
        if not -count <= index < count:
            raise InvalidPrompt(f"there is no prompt number {index}; the session has {count}")
        index %= count
        self._step(Turn(self.prompts[:index] + self.prompts[index + 1 :]))

    def replace(self, prompts: tuple[Prompt, ...]) -> None:
        """Set all prompts in one step, such as after several were moved or deleted at once."""
        check_prompts(prompts, self.shape)
        self._step(Turn(tuple(prompts)))

    def step_back(self) -> None:
        """Undo without computing."""
        if self.can_undo:
            self._future.append(self._past.pop())
            self.revision += 1

    def step_forward(self) -> None:
        """ReplayRunner without computing."""
        if self.can_redo:
            self._past.append(self._future.pop())
            self.revision += 1

    def ask_anew(self, resolve: Callable[[], Encoded]) -> None:
        """Answer with another model or image from now on; every step of the prompts stays."""
        self.resolve = resolve
        self._past = [Turn(turn.prompts) for turn in self._past]
        self._future = [Turn(turn.prompts) for turn in self._future]
        self.revision += 1

    def clear(self) -> None:
        """Forget prompts and turns."""
        self._past, self._future = [Turn()], []
        self.revision += 1

    def request(self) -> Request:
        """Freeze what the present turn needs.

        The memory is that of the latest earlier turn whose prompts are all still there and came
        first, so that a prompt taken back leaves no trace.
        """
        after = self._told_by()
        memory = None if after is None or after.prediction is None else after.prediction.memory
        return Request(self.resolve, self.prompts, memory, self.revision, after)

    def deliver(self, request: Request, prediction: Prediction) -> bool:
        """Store an answer where its prompts stand; False where they have changed meanwhile."""
        if request.revision != self.revision:
            return False
        self._past[-1] = replace(self._past[-1], prediction=prediction, after=request.after)
        return True

    def commit(
        self, label_id: int, labels: Any = None, offset: tuple[int, ...] | None = None,
        *, overwrite: bool = False, replace: bool = False,
    ) -> Edit:  # fmt: skip
        """The edit that writes the object; the session goes on.

        Parameters
        ----------
        label_id : int
            The object's value.
        labels : integer array-like, optional
            What is there already; without it an empty array of the image's shape.
        offset, overwrite, replace
            As for `Edit.from_mask`; `offset` places the object's plane in labels of more axes.

        Raises
        ------
        InvalidPrompt
            Where there is nothing to commit.
        InvalidLabels
            Where the labels cannot take the object.
        """
        prediction = self.prediction
        if prediction is None or prediction.bbox is None:
            raise InvalidPrompt("there is no object yet; add a prompt on it first")
        if labels is None:
            labels = np.zeros(self.shape, np.int32)
        start = offset or (0,) * np.ndim(labels)
        if replace:  # old pixels may lie anywhere
            mask = _in_axes(prediction.mask, np.ndim(labels))
        else:
            part, (y, x) = prediction.cut_out()
            mask = _in_axes(part, np.ndim(labels))
            start = (*start[:-2], start[-2] + y, start[-1] + x)
        return Edit.from_mask(labels, mask, label_id, start, overwrite=overwrite, replace=replace)

    def _step(self, turn: Turn) -> None:
        self._past.append(turn)
        self._future.clear()
        self.revision += 1

    def _told_by(self) -> Turn | None:
        present = self.prompts
        for turn in reversed(self._past[:-1]):
            count = len(turn.prompts)
            same = count <= len(present) and all(
                a is b for a, b in zip(turn.prompts, present[:count], strict=True)
            )
            if same and turn.prediction is not None:
                return turn
        return None


def _in_axes(mask: npt.NDArray[np.bool_], ndim: int) -> npt.NDArray[np.bool_]:
    """Return the plane's mask, bool (H, W), as the last two of `ndim` axes."""
    return mask.reshape((1,) * (ndim - 2) + mask.shape)


def _step_title(before: Turn, after: Turn) -> str:
    """What a step did to the prompts, for people."""
    known = {prompt.uid for prompt in before.prompts}
    added = [prompt for prompt in after.prompts if prompt.uid not in known]
    if len(added) == 1:
        kind = type(added[0]).__name__.lower()
        return {"polygon": "lasso", "text": "word"}.get(kind, kind)
    return "prompts" if added else "prompt removed"
