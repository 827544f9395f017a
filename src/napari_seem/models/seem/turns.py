"""SEEM's rule sets: who attends to whom in one turn, and which query is the answer.

Groups that do not attend to each other can be left out exactly: a turn with strokes needs neither
the object queries nor any class (section 8 of the paper's supplement; the three published variants
of the decoder are called demo, v0 and v1).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from .decoder import SCALES, Features, QueryDecoder, Rows
from .strokes import Strokes
from .text_encoder import unit

QUERIES_PER_OBJECT = 3
"""Number of object queries from which v1 starts each object."""
RIVALS = 3
"""Most queries that are kept beside the chosen one."""


@dataclass(frozen=True, eq=False)
class ChosenQuery:
    """One chosen query.

    Attributes
    ----------
    logits : Tensor (H / 4, W / 4)
        Mask logits at stride 4; the next turn's memory.
    row : Tensor (1, C)
        The query itself; `Decoder.class_logits` names it.
    index : int
        Its number in its group.
    rivals : Tensor (N, C)
        The next queries that fit the prompts, the best first.
    """

    logits: Tensor
    row: Tensor
    index: int
    rivals: Tensor


@dataclass(frozen=True, eq=False)
class Sentence:
    """An encoded sentence.

    Attributes
    ----------
    tokens : Tensor (N, C)
        From start to end.
    embedding : Tensor (C,)
    """

    tokens: Tensor
    embedding: Tensor

    def rows(self, attends_to: tuple[str, ...]) -> Rows:
        """Return the tokens as a group that does not attend to the image."""
        return Rows(self.tokens, self.tokens, attends_to, sees_image=False)


def object_queries(decoder: QueryDecoder, features: Features) -> Tensor:
    """Run all object queries through the decoder: (Q, C), for the whole image, without a prompt."""
    queries = _queries(decoder, attends_to=("objects",))
    return decoder.run(features, {"objects": queries}, {})["objects"]


def mask_logits(decoder: QueryDecoder, features: Features, rows: Tensor) -> Tensor:
    """Compute the mask logits (N, H / 4, W / 4) of rows (N, C)."""
    logits = decoder.mask_embedding(rows) @ features.mask_features.mT  # (N, P)
    return logits.unflatten(1, features.sizes[SCALES])


def strokes_turn(
    decoder: QueryDecoder,
    features: Features,
    objects: Sequence[Strokes],
    memories: Sequence[Tensor] | None = None,
    *,
    rules: str = "v1",
    alike: bool = False,
) -> list[ChosenQuery]:
    """Answer one turn for several objects at once, by their strokes (rule sets v1 and v0).

    Parameters
    ----------
    decoder : QueryDecoder
    features : Features
    objects : sequence of Strokes
        One for each object; each with a positive prompt.
    memories : sequence of Tensor (H / 4, W / 4), or None
        The logits of the previous turn, one for each object.
    rules : 'v1' or 'v0'
        In v1 the objects share the memory tokens and each has a few queries; in v0 each has all.
    alike : bool
        Start every object from the queries of the first, as it would start alone.
    """
    rows: dict[str, Rows] = {}
    tokens_of = memory_tokens(decoder.spatial_featured.num_embeddings, len(objects), rules)
    for k, share in enumerate(tokens_of):
        attends_to: tuple[str, ...] = (f"queries {k}", f"tokens {k}")
        if memories is not None:
            attends_to += (f"memories {k}",)
            rows[f"memories {k}"] = Rows(
                decoder.spatial_featured.weight[share],
                decoder.spatial_embed.weight[share],
                attends_to=(f"memories {k}",),
                inside=_inside(features, memories[k]),
            )
        rows[f"queries {k}"] = _queries(
            decoder, attends_to, None if rules == "v0" else 0 if alike else k
        )
    tokens = {f"tokens {k}": strokes.tokens for k, strokes in enumerate(objects)}
    done = decoder.run(features, rows, tokens)
    return [
        _answer(decoder, features, done[f"queries {k}"], mask_like=strokes.embedding)
        for k, strokes in enumerate(objects)
    ]


def text_turn(
    decoder: QueryDecoder, features: Features, sentence: Sentence
) -> tuple[ChosenQuery, Tensor]:
    """Find the one region that a sentence names (text grounding of v0 and v1).

    Returns
    -------
    answer : ChosenQuery
    queries : Tensor (Q, C)
        All queries after the last layer.
    """
    rows = {
        "queries": _queries(decoder, attends_to=("queries", "text")),
        "text": sentence.rows(attends_to=("queries", "text")),
    }
    done = decoder.run(features, rows, {})
    queries = done["queries"]
    return _answer(decoder, features, queries, named=sentence.embedding), queries


def mixed_turn(
    decoder: QueryDecoder,
    features: Features,
    strokes: Strokes | None = None,
    sentence: Sentence | None = None,
    reference: Strokes | None = None,
) -> ChosenQuery:
    """Answer one turn for one object by any mix of prompts (rule set demo).

    All prompts steer the queries. The query is chosen by the strokes if there are any, else by the
    reference region, else by the sentence.
    """
    given = {"text": sentence, "strokes": strokes, "reference": reference}
    attends_to = ("queries", *(name for name, prompt in given.items() if prompt is not None))
    rows = {"queries": _queries(decoder, attends_to)}
    if sentence is not None:
        rows["text"] = sentence.rows(attends_to=("queries", "text"))
    tokens = {
        name: prompt.tokens
        for name, prompt in (("strokes", strokes), ("reference", reference))
        if prompt is not None
    }
    queries = decoder.run(features, rows, tokens)["queries"]
    for prompt in (strokes, reference):
        if prompt is not None and prompt.embedding is not None:
            return _answer(decoder, features, queries, mask_like=prompt.embedding)
    named = sentence.embedding if sentence is not None else None
    return _answer(decoder, features, queries, named=named)


def _answer(
    decoder: QueryDecoder,
    features: Features,
    queries: Tensor,
    *,
    mask_like: Tensor | None = None,
    named: Tensor | None = None,
) -> ChosenQuery:
    """Choose the query of `queries` (Q, C) nearest to a mask embedding (C,) or a sentence (C,)."""
    if mask_like is not None:
        likeness = decoder.mask_embedding(queries) @ mask_like
    elif named is not None:
        likeness = unit(decoder.class_embedding(queries)) @ unit(named)
    else:
        raise ValueError("nothing chooses a query: no positive stroke, no reference, no sentence")
    order = likeness.argsort(descending=True, stable=True)
    row, rivals = queries[order[:1]], queries[order[1 : 1 + RIVALS]]
    return ChosenQuery(mask_logits(decoder, features, row)[0], row, int(order[0]), rivals)


def _queries(decoder: QueryDecoder, attends_to: tuple[str, ...], k: int | None = None) -> Rows:
    """Return all object queries, or the few that object `k` starts from."""
    rows = torch.arange(decoder.query_feat.num_embeddings)
    if k is not None:
        rows = rows.roll(-k * QUERIES_PER_OBJECT)[:QUERIES_PER_OBJECT]
    return Rows(decoder.query_feat.weight[rows], decoder.query_embed.weight[rows], attends_to)


def memory_tokens(memories: int, objects: int, rules: str = "v1") -> list[list[int]]:
    """Return the indices of the memory tokens that belong to each of several objects.

    In v1 token `i` belongs to object ``i * objects // memories``, so that every token is used for
    every number of objects; of more objects than tokens, neighbours share one. In v0 each object
    has all of them.
    """
    if rules == "v0":
        return [list(range(memories))] * objects
    owners = [i * objects // memories for i in range(memories)]
    own = [[i for i, owner in enumerate(owners) if owner == k] for k in range(objects)]
    return [tokens or [k * memories // objects] for k, tokens in enumerate(own)]


def _inside(features: Features, logits: Tensor) -> tuple[Tensor, ...]:
    """Return where the mask of logits (H / 4, W / 4) lies on each scale: bool (P_s,) each."""
    return tuple(
        F.interpolate(logits[None, None], size=size, mode="bilinear").flatten() >= 0
        for size in features.sizes[:SCALES]
    )
