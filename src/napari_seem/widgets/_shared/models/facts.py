"""What is known of a model before it is loaded, in the words that docks show."""

from __future__ import annotations

from ....models.base import Capability
from ....models.registry import ModelSpec

_WORDS = {
    Capability.POINT: "points", Capability.BOX: "boxes", Capability.POLYGON: "lassos",
    Capability.SCRIBBLE: "scribbles", Capability.MASK: "masks", Capability.TEXT: "words",
    Capability.REFERENCE: "references", Capability.EVERYTHING: "the whole image",
    Capability.IN_CONTEXT: "labelled examples", Capability.PROPAGATE: "labelled planes of a stack",
}  # fmt: skip


def facts_of(spec: ModelSpec) -> list[str]:
    """What a model is for, what it takes, its size, and figures of its authors, for people."""
    facts = [spec.description, f"Takes: {_prompts_of(spec)}."]
    if spec.size:
        facts.append(f"Size: {spec.size}.")
    if spec.published:
        facts.append(f"As published: {spec.published}.")
    return facts


def _prompts_of(spec: ModelSpec) -> str:
    """What a model takes, for people."""
    words = [word for capability, word in _WORDS.items() if capability in spec.capabilities]
    if Capability.NEGATIVE in spec.capabilities:
        words[0] += " (positive and negative)"
    return ", ".join(words)


def tip_of(spec: ModelSpec) -> str:
    """The same with licence and place, as rich text for a list of models."""
    where = "on this machine" if spec.installed else "not downloaded yet (Models dock)"
    return "<br>".join([*facts_of(spec), f"Licence {spec.licence}; {where}."])
