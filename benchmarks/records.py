"""What the click bench measured of each object, and the files that keep it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from napari_seem.errors import NapariSeemError


@dataclass(frozen=True)
class Protocol:
    """How much is asked: objects a set and a size, clicks an object, the seed of every choice."""

    per_set: int = 24
    clicks: int = 20
    seed: int = 0
    extras: bool = True
    by_size: int = 0


@dataclass
class Record:
    """What one model did with one object.

    Attributes
    ----------
    set_name, image, number
        Which object it is.
    other_source : bool
        Whether no image of the set's source was trained on.
    side : float
        Square root of the object's area in pixels.
    sizes : tuple of str
        Classes of `benchmarks.sizes` that the object stands for.
    by_size : bool
        Whether the object was drawn for its size.
    curve, scores : list of float
        IoU after each click, and the model's own estimate of it. Once the mask is perfect it
        stays so.
    best : list of float
        The best IoU of the first one, two and three answers to the first click.
    single : dict of str to float
        IoU by kind of prompt.
    seconds : float
        Of a turn, on average.
    """

    set_name: str
    other_source: bool
    image: str = ""
    number: int = 0
    side: float = 0.0
    sizes: tuple[str, ...] = ()
    by_size: bool = False
    curve: list[float] = field(default_factory=list)
    scores: list[float] = field(default_factory=list)
    best: list[float] = field(default_factory=list)
    single: dict[str, float] = field(default_factory=dict)
    seconds: float = 0.0

    @property
    def key(self) -> tuple[str, str, int, bool]:
        """What tells the object from all others of a run."""
        return self.set_name, self.image, self.number, self.by_size


@dataclass(frozen=True)
class Measured:
    """The records of one model, and what they were measured with."""

    conditions: str
    records: list[Record]


def write(path: Path, protocol: Protocol, models: Mapping[str, Measured]) -> None:
    """Write what was measured of each model as JSON."""
    rows = {
        name: {"measured": one.conditions, "objects": [asdict(record) for record in one.records]}
        for name, one in models.items()
    }
    path.write_text(json.dumps({"protocol": asdict(protocol), "models": rows}), encoding="utf-8")


def read(path: Path) -> tuple[Protocol, dict[str, Measured]]:
    """Read what `write` wrote.

    Raises
    ------
    NapariSeemError
        Where the file is none of those.
    """
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        models = {
            name: Measured(one["measured"], list(_records(one["objects"])))
            for name, one in found["models"].items()
        }
        return Protocol(**found["protocol"]), models
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise NapariSeemError(
            f"'{path}' was not written by `python -m benchmarks clicks DIR --json` of this "
            f"version ({error!r}); measure again"
        ) from error


def _records(rows: Sequence[dict[str, object]]) -> Iterator[Record]:
    for row in rows:
        record = Record(**row)  # type: ignore[arg-type]
        record.sizes = tuple(record.sizes)
        yield record
