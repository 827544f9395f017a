"""Objects in the making: one for each plane that a person began to work on."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from copy import copy
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from ....commands.models import KnownPlane, ModelCache
from ....embeddings import content_key
from ....models.context import Context, in_context_of
from ....planes import Plane
from ....session import Session
from ....sources.source import ImageInput, PlaneSource
from ....viewer.coordinates import spatial_shape
from ....viewer.drawing.shapes import Drawn
from ....viewer.model_input import ModelInput

if TYPE_CHECKING:
    from napari.layers import Image
    from napari.utils.events import Event

    from ....models.base import Embedding, Model
    from ....models.turns import Request
    from ....prompts import Prompt

ENDED = 1000
"""Ended sessions of an image that undo can bring back; a timeline has as many steps."""
ANSWERED = 8
"""Ended sessions that keep their answers, each some megabytes; others are answered anew."""


@dataclass(frozen=True)
class Question:
    """Which model is asked, and what it is given of the image."""

    model: str
    input: ModelInput


@dataclass(eq=False)
class PlaneSession:
    """The object in the making on one plane of one image.

    Attributes
    ----------
    image : Image
    plane : Plane
    question : Question
    known : KnownPlane
        The plane's pixels, and what is found out of them.
    session : Session
    drawn : dict
        How each prompt stands in the layers, by the prompt's identifier.
    label_id : int or None
        Id of the object that was picked up again; None for a new one.
    name : str
    context : Context or None
        What was accepted before this object was begun; None where that does not steer.
    displaced : PlaneSession or None
        What was begun in its place after it was committed, where undo brought it back.
    """

    image: Image
    plane: Plane
    question: Question
    known: KnownPlane
    session: Session
    drawn: dict[str, Drawn] = field(default_factory=dict)
    label_id: int | None = None
    name: str = ""
    context: Context | None = None
    displaced: PlaneSession | None = None

    def drawing(self) -> list[Drawn]:
        """The session's prompts as they stand in the layers."""
        return [self.drawn[prompt.uid] for prompt in self.session.prompts]

    def context_fields(self) -> dict[str, Any]:
        """What a `Commit` says of the context."""
        return {} if self.context is None else {"context": self.context.to_dict()}

    def remember(self, drawn: list[Drawn]) -> None:
        """Know how prompts stand in the layers."""
        self.drawn.update({one.prompt.uid: one for one in drawn})


class Resolver:
    """Gives the model and the embedding for the turns of a session, in any thread.

    Parameters
    ----------
    models : ModelCache
    model : str
    known : KnownPlane
    in_parts : bool
        A plane that is not encoded may be answered from the parts that turns look at.
    context : Context, optional
        What was accepted before.

    Attributes
    ----------
    used_parts : bool
        Whether an answer may differ from that on the whole plane.
    """

    def __init__(
        self, models: ModelCache, model: str, known: KnownPlane, in_parts: bool = True,
        context: Context | None = None,
    ) -> None:  # fmt: skip
        self._models, self._model, self._known, self._in_parts = models, model, known, in_parts
        self._context = context
        self.used_parts = False

    def __call__(self) -> tuple[Model, Embedding]:
        """Open the plane."""
        on_part = self._note_part if self._in_parts else None
        plane = self._models.open(self._model, self._known, on_part=on_part)
        if self._context is None:
            return plane.model, plane.embedding
        return in_context_of(plane.model, self._context), plane.embedding

    def _note_part(self) -> None:
        self.used_parts = True


def uses_parts(resolve: object) -> bool:
    """Whether what gives a session its model and embedding gave it parts of a plane."""
    return isinstance(resolve, Resolver) and resolve.used_parts


class PlaneSessions:
    """Keeps what was begun, by image and plane, until its image goes.

    What was committed or cleared is kept for undo, so that nothing else need hold on to it.

    Parameters
    ----------
    models : ModelCache
    outdated : callable
        Called without arguments when an image has other pixels.
    context : callable
        Gives what was accepted before for an object that is begun on a plane of an image, or None.
    """

    def __init__(
        self, models: ModelCache, outdated: Callable[[], None],
        context: Callable[[Image, Plane], Context | None],
    ) -> None:  # fmt: skip
        self._models, self._outdated, self._context = models, outdated, context
        self._sessions: dict[Image, dict[Any, PlaneSession]] = {}
        self._ended: dict[Image, deque[PlaneSession]] = {}
        self._answered: deque[PlaneSession] = deque()
        self._inputs: dict[ModelInput, ImageInput] = {}
        self._planes: dict[tuple[ModelInput, Any], KnownPlane] = {}
        self._watched: set[Image] = set()

    def __iter__(self) -> Iterator[PlaneSession]:
        for by_plane in self._sessions.values():
            yield from by_plane.values()

    def at(self, image: Image, plane: Plane, question: Question) -> PlaneSession | None:
        """What was begun on a plane, to be answered by `question` from now on; or None."""
        found = self._sessions.get(image, {}).get(plane.key())
        if found is None:
            return None
        known = self.known(plane, question.input)
        if found.question != question or found.known is not known:
            found.question, found.known = question, known
            found.session.ask_anew(self._resolver(found))
        return found

    def begin(self, image: Image, plane: Plane, question: Question) -> PlaneSession:
        """What was begun on a plane; begun now where nothing was."""
        found = self.at(image, plane, question)
        if found is None:
            found = self._begun(image, plane, question)
            self._sessions.setdefault(image, {})[plane.key()] = found
        elif not found.session.prompts:
            self.steer(found)
        return found

    def steer(self, one: PlaneSession) -> None:
        """Let an object be steered by what is accepted now; its prompts are answered anew."""
        context = self._context(one.image, one.plane)
        if context != one.context:
            one.context = context
            one.session.ask_anew(self._resolver(one))

    def end(self, image: Image, plane: Plane) -> None:
        """End what was begun on a plane; who knows the session can put it back."""
        ended = self._sessions.get(image, {}).pop(plane.key(), None)
        if ended is None or not ended.session.prompts:
            return
        self._ended.setdefault(image, deque(maxlen=ENDED)).append(ended)
        self._answered.append(ended)
        if len(self._answered) > ANSWERED:
            old = self._answered.popleft()
            if old not in self and old not in self._answered:
                old.session.ask_anew(old.session.resolve, same=True)

    def put_back(self, one: PlaneSession) -> bool:
        """Bring a session back that was ended, where nothing else was begun on its plane.

        That of an image with another shape since then is not brought back.
        """
        if one.known.source.input.images[0].shape != spatial_shape(one.image):
            return False
        by_plane = self._sessions.setdefault(one.image, {})
        other = by_plane.get(one.plane.key())
        if other is not None and other.session.prompts:
            return False
        by_plane[one.plane.key()], one.displaced = one, other
        ended = self._ended.get(one.image)
        if ended is not None and one in ended:
            ended.remove(one)
        return True

    def put_away(self, one: PlaneSession) -> None:
        """End a session that was brought back; what stood in its place stands there again."""
        self.end(one.image, one.plane)
        if one.displaced is not None:
            self._sessions.setdefault(one.image, {})[one.plane.key()] = one.displaced

    def known(self, plane: Plane, given: ModelInput) -> KnownPlane:
        """A plane as a model is given it; the same object until the image's pixels change."""
        key = given, plane.key()
        if key not in self._planes:
            self._watch(given)
            if given not in self._inputs:
                self._inputs[given] = given.arrays()
            source = PlaneSource(self._inputs[given], plane, given.layers[0].name)
            self._planes[key] = KnownPlane(source)
        return self._planes[key]

    def request_with(
        self, prompt: Prompt, image: Image, plane: Plane, question: Question
    ) -> Request:
        """What would be asked if a prompt were added on a plane; nothing is begun or changed.

        Raises
        ------
        InvalidPrompt
            The prompt lies outside of the plane.
        """
        found = self.at(image, plane, question)
        if found is None or not found.session.prompts:
            session = self._begun(image, plane, question).session
        else:
            session = copy(found.session)
            if uses_parts(session.resolve):  # which a turn on an encoded plane settles first
                session.ask_anew(self._resolver(found, in_parts=False), same=True)
        session.push(prompt)
        return session.request()

    def is_encoded(self, one: PlaneSession) -> bool:
        """Whether the next turn needs no encoding."""
        return self._models.is_encoded(one.question.model, one.known, one.session.request())

    def settle(self, one: PlaneSession) -> bool:
        """Let answers from parts of a plane be given anew, from all of it; False for no such.

        So an object is written as its prompts lead to it, whenever they were made.
        """
        if not uses_parts(one.session.resolve):
            return False
        one.session.ask_anew(self._resolver(one, in_parts=False), same=True)
        return True

    def forget(self, image: Image) -> None:
        """Forget everything begun on an image."""
        self._sessions.pop(image, None)
        self._ended.pop(image, None)
        self._answered = deque(one for one in self._answered if one.image is not image)
        self.forget_pixels(image)
        if image in self._watched:
            self._watched.discard(image)
            image.events.data.disconnect(self._on_data)

    def close(self) -> None:
        """Forget everything."""
        for image in list(self._watched):
            self.forget(image)
        self._sessions.clear()
        self._ended.clear()
        self._answered.clear()

    def _begun(self, image: Image, plane: Plane, question: Question) -> PlaneSession:
        """An object that nobody has given prompts for."""
        known, context = self.known(plane, question.input), self._context(image, plane)
        resolve = Resolver(self._models, question.model, known, context=context)
        session = Session.deferred(known.source.shape, resolve)
        return PlaneSession(image, plane, question, known, session, context=context)

    def _resolver(self, one: PlaneSession, in_parts: bool = True) -> Resolver:
        return Resolver(self._models, one.question.model, one.known, in_parts, one.context)

    def _watch(self, given: ModelInput) -> None:
        for layer in given.layers:
            if layer not in self._watched:
                self._watched.add(layer)
                layer.events.data.connect(self._on_data)

    def _on_data(self, event: Event) -> None:
        self.forget_pixels(event.source)
        self._outdated()

    def forget_pixels(self, image: Image) -> None:
        """Read the image's planes anew from now on, and answer what was asked about them."""
        self._planes = {k: v for k, v in self._planes.items() if image not in k[0].layers}
        self._inputs = {k: v for k, v in self._inputs.items() if image not in k.layers}

    def has_changed(self, image: Image, plane: Plane) -> bool:
        """Whether a plane that was encoded was changed in place: one of an array in memory."""
        known = [
            one for (given, key), one in self._planes.items()
            if image in given.layers and key == plane.key() and one.content
            and all(type(source.array) is np.ndarray for source in one.source.input.images)
        ]  # fmt: skip
        return any(content_key(one.source.read()) != one.content for one in known)
