"""Ask a model for many objects of one image."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from ..checks import check_choice, real_number
from ..errors import NapariSeemError
from ..images import ArraySource, as_picture, to_rgb
from ..models.base import (
    BatchPredictor,
    Embedding,
    Instance,
    Model,
    Prediction,
    check_model,
    check_owner,
)
from ..models.turns import predict_in_turns
from ..progress import Progress, reporting
from ..prompts import Reference, Text
from ..sources.frames import is_big
from ..sources.tiled import TiledEmbedding, TiledModel
from .prompted import Prompted
from .result import OVERLAPS, Objects, arranged
from .wanted import prompted_objects

if TYPE_CHECKING:
    from .wanted import PromptsLike

ERRORS = ("raise", "skip")


def segment_objects(
    model: Model, image: ArraySource | Embedding, prompts: PromptsLike, *,
    names: Sequence[str | None] | None = None, overlap: str = "score", min_score: float = 0.0,
    errors: str = "raise", channels: int | None = None,
    progress: bool | Progress | None = None,
) -> Objects:  # fmt: skip
    """Segment many objects of one image, each by prompts of its own.

    Each object gets the mask that a `Session` with its prompts gives. Models that can answer
    several objects at once do so for those of one prompt.

    Parameters
    ----------
    model : Model
    image : (H, W) or (H, W, C) array of any real dtype, or Embedding
        Images of more than 2,048 pixels along a side are worked on in parts. An embedding is one
        of this model's `encode`.
    prompts : array-like, prompts, pandas.DataFrame, str or PathLike
        - numbers (N, 2): a click (row, column) on each object, or (N, 4): a box (y0, x0, y1, x1)
          around each, in pixels;
        - a list with a prompt, or a list of prompts, for each object;
        - a table, or the path of a CSV file, of one prompt a row: columns y and x, or y0, x0, y1
          and x1, or text (a word); optional are object (rows with the same value are prompts of
          one object), positive (1 or 0), kind (point, box or text), name (of the object) and
          image. The points of a napari layer, saved as CSV, are such a file.
    names : sequence of str, optional
        The name of each object.
    overlap : "score", "first" or "last"
        Which of two objects gets the pixels of both: the one with the higher score, the one that
        was asked for first, or last.
    min_score : float
        Objects with a lower score, 0..1, get no pixels.
    errors : "raise" or "skip"
        What to do about prompts that can't be used: raise an error that names the row, or leave
        the object without pixels and write the reason into the table.
    channels : int, optional
        Axis of the image's channels, where it is not a short last one.
    progress : bool or callable, optional
        True shows a bar; a callable gets objects done, objects in all and what is done. An
        exception that it raises ends the work.

    Returns
    -------
    Objects
        A label image, in which the objects are numbered as they were asked for, and a table.

    Raises
    ------
    InvalidArgument
        An argument, or a column of a table, that can't be meant.
    InvalidPrompt, UnsupportedPrompt, UnknownWord
        A prompt outside the image, or one that the model can't take; with `errors="raise"`.
    InvalidImage
        The array is no image.
    FileTrouble
        The CSV file can't be read.

    Examples
    --------
    >>> import numpy as np
    >>> from napari_seem import load_model, segment_objects
    >>> image = np.zeros((96, 96), np.uint8)
    >>> image[10:40, 10:40] = image[50:80, 40:85] = 200
    >>> objects = segment_objects(load_model("compact"), image, [[25, 25], [65, 60]])
    >>> objects
    Objects(96 x 96, 2 objects)
    >>> objects.labels[[25, 65], [25, 60]]
    array([1, 2], dtype=int32)
    >>> bool((objects.table["area"] > 500).all())
    True
    """
    check_model(model)
    check_choice(overlap, OVERLAPS, "overlap")
    check_choice(errors, ERRORS, "errors")
    min_score = real_number(min_score, "min_score", 0.0, 1.0)
    asked = prompted_objects(prompts, names)
    model, embedding = _encoded(model, image, channels)
    asked = [one.checked(model, embedding.shape) for one in asked]
    if errors == "raise":
        _raise_first(asked)
    instances = [Instance(np.zeros((0, 0), bool), (0, 0, 0, 0), 0.0)] * len(asked)
    with reporting(progress, len(asked), "segment objects") as report:
        for done, (index, answer) in enumerate(_answers(model, embedding, asked), 1):
            if isinstance(answer, NapariSeemError):
                asked[index] = asked[index].failed(answer)
                if errors == "raise":
                    _raise_first(asked)
            else:
                instances[index] = _instance(answer)
            report(done)
    return arranged(embedding.shape, asked, instances, overlap, min_score).on(embedding.picture)


def _encoded(
    model: Model, image: ArraySource | Embedding, channels: int | None
) -> tuple[Model, Embedding]:
    """Return an image encoded, or the embedding that was given, and the model that answers on it.

    `image` is an array (H, W) or (H, W, C), or an embedding.
    """
    if isinstance(image, Embedding):
        embedding = check_owner(model.identity, image)
    else:
        picture = as_picture(image, channels)
        if is_big(picture.shape):
            embedding = TiledModel(model).encode(picture)
        else:
            plain = channels is None
            embedding = model.encode(picture if plain else to_rgb(image, channels=channels))
    if isinstance(embedding, TiledEmbedding) and not isinstance(model, TiledModel):
        return TiledModel(model, embedding.frames), embedding
    return model, embedding


def _raise_first(asked: Sequence[Prompted]) -> None:
    for one in asked:
        if one.error is not None:
            raise one.error


def _answers(
    model: Model, embedding: Embedding, asked: Sequence[Prompted]
) -> Iterator[tuple[int, Prediction | NapariSeemError]]:
    """Yield the index of each object and its answer, of those that have no error.

    A word or a reference may fail at the model, and several prompts take as many turns: both are
    asked for on their own.
    """
    able = [index for index, one in enumerate(asked) if one.error is None]
    alone = [index for index in able if not _is_plain(asked[index])]
    if isinstance(model, BatchPredictor):
        together = [index for index in able if _is_plain(asked[index])]
        objects = [asked[index].prompts for index in together]
        yield from zip(together, model.predict_many(embedding, objects), strict=True)
    else:
        alone = able
    for index in alone:
        try:
            yield index, predict_in_turns(model, embedding, asked[index].prompts)
        except NapariSeemError as error:
            yield index, error


def _is_plain(one: Prompted) -> bool:
    return len(one.prompts) == 1 and not isinstance(one.prompts[0], (Text, Reference))


def _instance(answer: Prediction) -> Instance:
    """Return an answer's own pixels and score, without the rest of the image."""
    mask, _ = answer.cut_out()
    return Instance(mask.copy(), answer.bbox or (0, 0, 0, 0), answer.score, answer.label)
