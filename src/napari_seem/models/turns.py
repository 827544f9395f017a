"""Prompts answered turn by turn, with the memory of the answer that was chosen in each turn.

A choice is a number for each turn, 0 for the model's best answer; turns after the last choice take
the best one. Numbers count round and round, so that the next answer can be chosen before it is
known how many there are.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..prompts import Prompt
from .answers import Embedding, Prediction
from .base import Model

SAME = 0.8
"""Intersection over union from which two answers are one choice."""
Encoded = tuple[Model, Embedding]
Choices = tuple[int, ...]


def choice_at(choices: Sequence[int], count: int) -> int:
    """Return the number of the answer that counts in the turn of the first `count` prompts."""
    return choices[count - 1] if 0 < count <= len(choices) else 0


def with_choice(choices: Sequence[int], count: int, number: int) -> Choices:
    """Return choices with another answer to the first `count` prompts, and none after it."""
    before = tuple(choice_at(choices, turn) for turn in range(1, count))
    return shortest((*before, number))


def shortest(choices: Sequence[int]) -> Choices:
    """Return the same choices without zeros at the end."""
    last = max((turn for turn, number in enumerate(choices, 1) if number), default=0)
    return tuple(choices[:last])


def chosen_answer(best: Prediction, number: int) -> Prediction:
    """Return an answer by its number, decoded now where it was not; 0 is `best` itself."""
    if not number:
        return best
    answers = best.alternatives
    return answers[number % len(answers)]


@dataclass(frozen=True, eq=False)
class Turn:
    """A snapshot: all prompts at one time, the choices, and what the model made of them.

    Attributes
    ----------
    prompts : tuple of Prompt
    choices : tuple of int
        At most one for each prompt.
    best : Prediction or None
        The model's best answer to the prompts; None: not yet.
    """

    prompts: tuple[Prompt, ...] = ()
    choices: Choices = ()
    best: Prediction | None = None

    @property
    def number(self) -> int:
        """The number of the answer that counts."""
        number, known = choice_at(self.choices, len(self.prompts)), self.known
        return number % len(known) if known else number

    @property
    def known(self) -> tuple[Prediction, ...] | None:
        """All answers to the prompts, as far as that is known without decoding any."""
        return None if self.best is None else self.best.known_alternatives

    @property
    def prediction(self) -> Prediction | None:
        """The answer that counts; None: not yet."""
        if self.best is None or not self.number:
            return self.best
        return self.known[self.number] if self.known else None

    @property
    def before(self) -> Choices:
        """The choices of the turns before."""
        return shortest(self.choices[: max(len(self.prompts) - 1, 0)])

    def key(self) -> tuple[object, ...]:
        """What the answer that counts depends on."""
        return self.prompts, self.before, self.number

    def answers(self, prompts: Sequence[Prompt], choices: Sequence[int]) -> int:
        """How many of these prompts, the first ones, it has answered after the same choices."""
        count = len(self.prompts)
        if self.best is None or self.before != shortest(choices[: max(count - 1, 0)]):
            return 0
        return count if self.prompts == tuple(prompts[:count]) else 0

    def awaits(self, request: Request) -> bool:
        """Whether what a request gives is its answer."""
        asked = Turn(request.prompts, request.choices)
        same = (self.prompts, self.before) == (asked.prompts, asked.before)
        return self.prediction is None and same


def choices_kept(choices: Choices, before: Sequence[Prompt], after: Sequence[Prompt]) -> Choices:
    """Return the choices among answers to prompts that are the same after a step."""
    alike = [one == other for one, other in zip(before, after, strict=False)]
    return choices[: (*alike, False).index(False)]


def joined(steps: Sequence[Turn]) -> list[Turn]:
    """Return steps without those that ask for the same answer as the step before."""
    kept: list[Turn] = []
    for turn in steps:
        if not kept or kept[-1].key() != turn.key():
            kept.append(turn)
        elif kept[-1].known is None:
            kept[-1] = turn
    return kept


def step_title(before: Turn, after: Turn) -> str:
    """What a step did to the prompts, for people."""
    if before.prompts == after.prompts:
        return "answer"
    known = {prompt.uid for prompt in before.prompts}
    added = [prompt for prompt in after.prompts if prompt.uid not in known]
    if len(added) == 1:
        kind = type(added[0]).__name__.lower()
        return {"polygon": "lasso", "text": "word"}.get(kind, kind)
    return "prompts" if added else "prompt removed"


@dataclass(frozen=True, eq=False)
class Request:
    """Everything that the answer to the present prompts needs, frozen.

    Attributes
    ----------
    resolve : callable
        Gives model and embedding.
    prompts : tuple of Prompt
    choices : tuple of int
    known : int
        How many of the prompts, the first ones, were answered before.
    former : Prediction or None
        The best answer to those; None where nothing was answered.
    revision : int
        Of the session when it asked.
    """

    resolve: Callable[[], Encoded] = field(repr=False)
    prompts: tuple[Prompt, ...]
    choices: Choices
    known: int
    former: Prediction | None = field(repr=False)
    revision: int

    @property
    def memory(self) -> Any:
        """Of the answer that the next turn goes on from, as far as it is decoded."""
        former = Turn(self.prompts[: self.known], self.choices, self.former)
        answer = former.prediction or former.best
        return None if answer is None else answer.memory

    def run(self) -> Prediction:
        """Compute the turns that lack, and the answer that is chosen in the last.

        It is pure but for the first encoding, and safe in any thread.

        Returns
        -------
        Prediction
            The best answer to the prompts; its alternatives are worked out where another counts.
        """
        best, memory = self.former, None
        if best is not None:
            memory = chosen_answer(best, choice_at(self.choices, self.known)).memory
        if best is None or self.known < len(self.prompts):
            model, embedding = self.resolve()
            best = _best_in_turns(model, embedding, self.prompts, memory, self.known, self.choices)
        chosen_answer(best, choice_at(self.choices, len(self.prompts)))
        return best


def predict_in_turns(
    model: Model, embedding: Embedding, prompts: Sequence[Prompt], choices: Sequence[int] = ()
) -> Prediction:
    """Answer prompts one after another, each in a turn with the memory of the turn before.

    Parameters
    ----------
    model : Model
    embedding : Embedding
    prompts : sequence of Prompt
    choices : sequence of int
        The number of the answer that counts in each turn, 0 for the best.
    """
    best = _best_in_turns(model, embedding, prompts, None, 0, choices)
    return chosen_answer(best, choice_at(choices, len(prompts)))


def _best_in_turns(
    model: Model, embedding: Embedding, prompts: Sequence[Prompt], memory: object, known: int,
    choices: Sequence[int],
) -> Prediction:  # fmt: skip
    """Answer as `predict_in_turns`, after `known` turns; return the best answer of the last."""
    for count in range(known + 1, len(prompts)):
        if any(prompt.positive for prompt in prompts[:count]):  # otherwise nothing to remember
            best = model.predict(embedding, prompts[:count], memory)
            memory = chosen_answer(best, choice_at(choices, count)).memory
    return model.predict(embedding, prompts, memory)
