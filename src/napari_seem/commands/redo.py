"""What models did, done by them again: from the image, the prompts and the labels of that time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from ..embeddings import content_key, identity_of
from ..errors import (
    InvalidImage,
    InvalidLabels,
    InvalidPrompt,
    LogTrouble,
    UnknownWord,
    UnsupportedPrompt,
)
from ..intensity import IntensityWindow, read_shown, shown_levels
from ..labels.log import Event
from ..labels.patches import unpack_ids
from ..labels.provenance import plane_from_dict, prompts_from_dict
from ..models.base import Instance, Segmentation
from ..models.filters import Wanted
from ..planes import Plane
from ..propagation import PlaneResult, Propagation
from ..sources import PlanePixels, PlaneRun, TiledModel, WholePlane, instances_of, is_big

Ints = npt.NDArray[Any]
Loader = Callable[[str], Any]
Pictures = Callable[[dict[str, Any]], Any]
Made = tuple[Ints | None, str]
"""A plane of labels as it is made now, or None: the stored one has to do; and why, if not plain."""
REFUSALS = (InvalidImage, InvalidLabels, InvalidPrompt, UnknownWord, UnsupportedPrompt)


Placed = tuple[npt.NDArray[np.bool_], tuple[int, int]]
"""A cut-out mask, and where (y, x) its corner lies in the plane."""
Shown = list[list[Any]]
"""What a model was shown, as `shown_levels` gives it."""


@dataclass(frozen=True, eq=False)
class PlaneStack:
    """Planes of what a model was shown along one axis, read as `stack[k, :, :]`."""

    shown: Shown = field(repr=False)
    plane: Plane
    axis: int

    @property
    def shape(self) -> tuple[int, ...]:
        """Planes, height, width and, for colour, channels."""
        shape = self.shown[0][0].shape
        channels = (int(n) for n in shape[len(self.plane.index) :])
        return int(shape[self.axis]), *self.plane.shape(shape), *channels

    def at(self, number: int) -> Plane:
        """A plane of the stack, in the image's array."""
        index = tuple(number if i == self.axis else at for i, at in enumerate(self.plane.index))
        return replace(self.plane, index=index)

    def __getitem__(self, where: Any) -> npt.NDArray[Any]:
        return read_shown(self.shown, self.at(int(where[0])))


class ReplayRunner:
    """Does events again that models had a part in.

    Parameters
    ----------
    loader : callable
        Gives a model by name.
    pictures : callable or None
        Gives the array of an image as a log tells it.
    """

    def __init__(self, loader: Loader, pictures: Pictures | None) -> None:
        self._load, self._pictures = loader, pictures
        self._models: dict[str, Any] = {}
        self._told: dict[int, dict[str, Any]] = {}
        self._arrays: dict[int, Any] = {}
        self._runs: dict[str, Propagation] = {}
        self._results: dict[str, dict[int, PlaneResult]] = {}
        self._orders: dict[str, Event] = {}
        self._lessons: dict[str, tuple[Any, Any]] = {}
        self._makers: dict[str, Callable[[Event, Ints], Ints]] = {
            "committed": self._committed, "found": self._found, "carried": self._carried,
            "labelled_like": self._labelled_like,
        }  # fmt: skip

    def prepare(self, event: Event, labels: Ints) -> None:
        """Take up what an event says of images, runs and examples; `labels` are from before."""
        kind = event["event"]
        if kind == "image":
            self._told[event["id"]] = event
        elif kind == "propagating" and "stored" not in event:
            self._propagating(event, labels)
        elif kind == "accepted" and event["run"] in self._runs:
            self._accepted(event, labels)
        elif kind == "learning" and "stored" not in event:
            self._learning(event)

    def plane(self, event: Event, labels: Ints) -> Made:
        """The plane that an event changed, as it comes out now.

        Raises
        ------
        LogTrouble
            The image or the weights are others, or the event says too little.
        """
        make = self._makers.get(event["event"])
        if make is None:
            return None, ""
        if "stored" in event:
            return None, str(event["stored"])
        try:
            return make(event, labels), ""
        except _Stored as reason:
            return None, str(reason)
        except (KeyError, TypeError, IndexError) as error:
            raise LogTrouble(
                f"event {event['n']} ({event['event']}) lacks something ({error!r}); the log is "
                "damaged; --without-models takes the stored pixels"
            ) from None
        except LogTrouble as error:
            raise LogTrouble(f"event {event['n']} ({event['event']}): {error}") from None
        except REFUSALS as error:
            return plane_from_dict(event["plane"]).read(labels).copy(), f"refused now: {error}"

    def _committed(self, event: Event, labels: Ints) -> Ints:
        prompts = prompts_from_dict(event["prompts"])
        if prompts is None:
            raise _Stored("a prompt lies in another image")
        model, embedding = self._encoded(event)
        memory, prediction = None, None
        for count in event["turns"]:
            prediction = model.predict(embedding, prompts[:count], memory)
            memory = prediction.memory
        if prediction is None:
            raise KeyError("turns")
        mask, corner = prediction.cut_out()
        return _written(event, labels, [(mask, corner)])

    def _found(self, event: Event, labels: Ints) -> Ints:
        if event.get("whole"):
            return self._found_in_frames(event, labels)
        model, embedding = self._encoded(event)
        more = {} if event.get("area") is None else {"area": tuple(event["area"])}
        found: Segmentation = model.segment(embedding, event["words"], **more)
        return _written(event, labels, _chosen(event, found.instances))

    def _found_in_frames(self, event: Event, labels: Ints) -> Ints:
        """Everything on a plane too big for one pass."""
        pixels = PlanePixels(self._shown(event), self._plane(event))
        work = PlaneRun(self._model(event["model"]), pixels, event["words"])
        for _ in work.run():
            pass
        if event["ids"] is None:
            wanted = Wanted(**event["filters"])
            kept = [o.label_id for o in work.objects if wanted.admits(o.area, o.score, o.name)]
            return np.where(np.isin(work.labels, kept), work.labels, 0)
        whole = WholePlane(work.labels, work.objects, work.vocabulary)
        return _written(event, labels, _chosen(event, instances_of(whole)))

    def _carried(self, event: Event, labels: Ints) -> Ints:
        run, index = event["run"], int(event["index"])
        if run not in self._runs:
            raise _Stored("its run can't be done again")
        if event["model"] is not None:
            self._model(event["model"])  # its weights are known only now
        results = self._results[run]
        for result in self._runs[run].run():
            results[result.index] = result
            if result.index == index:
                break
        if index not in results:
            raise _Stored("the plane is not done now; another one came first")
        only = self._orders[run]["only"]
        present = plane_from_dict(event["plane"]).read(labels).astype(np.int64)
        wanted = results[index].labels
        if only is None:
            return wanted
        free = (present == 0) | (present == only)
        return np.where(free, np.where(wanted == only, only, 0), present)

    def _labelled_like(self, event: Event, labels: Ints) -> Ints:
        if event["run"] not in self._lessons:
            raise _Stored("what the model was taught is not in the record")
        model, lesson = self._lessons[event["run"]]
        made: Ints = model.label(lesson, model.encode(self._pixels(event))).labels
        return made

    def _propagating(self, event: Event, labels: Ints) -> None:
        run, only = event["run"], event["only"]
        self._orders[run] = event

        def present(k: int) -> Ints:
            values = replace(stack.at(k), channels=False).read(labels).astype(np.int32)
            return values if only is None else np.where(values == only, values, 0)

        stack = PlaneStack(self._shown(event), self._plane(event), event["axis"])
        if not event["resumes"]:
            model = self._model(event["model"]) if event["model"] else None
            self._runs[run] = Propagation(
                model, stack, {k: present(k) for k in event["seeds"]}, method=event["method"],
                within=tuple(event["within"]), find_new=event["find_new"],
                stop_below=event["stop_below"],
            )  # fmt: skip
            self._results[run] = {}
        elif run in self._runs:
            for k in event["corrected"]:
                self._runs[run].correct(k, present(k))
            self._runs[run].limit(tuple(event["within"]))

    def _accepted(self, event: Event, labels: Ints) -> None:
        work, index = self._runs[event["run"]], int(event["index"])
        order = self._orders[event["run"]]
        if event["corrected"]:
            values = plane_from_dict(event["plane"]).read(labels).astype(np.int32)
            only = order["only"]
            work.correct(index, values if only is None else np.where(values == only, values, 0))
        elif index in work.results:
            work.accept(index)

    def _learning(self, event: Event) -> None:
        from ..in_context import encoded_examples

        model = self._model(event["model"])
        pairs = [(self._pixels(one), unpack_ids(one["labels"])) for one in event["examples"]]
        lesson = model.learn(
            encoded_examples(model, pairs, None), event["kind"], **event.get("options", {})
        )
        self._lessons[event["run"]] = model, lesson

    def _encoded(self, event: Event) -> tuple[Any, Any]:
        """Model and embedding of the plane that an event tells of."""
        model = self._model(event["model"])
        shown, plane = self._shown(event), self._plane(event)
        if is_big(plane.shape(shown[0][0].shape)):
            tiled = TiledModel(model)
            return tiled, tiled.encode(PlanePixels(shown, plane))
        return model, model.encode(self._pixels(event))

    def _pixels(self, event: Event) -> npt.NDArray[Any]:
        """What a model was shown, checked by its content."""
        pixels = read_shown(self._shown(event), self._plane(event))
        if event.get("content") and content_key(pixels) != event["content"]:
            raise LogTrouble(
                "the image's pixels on this plane are not those that the model was shown; give the "
                "image that was worked on, unchanged"
            )
        return pixels

    def _shown(self, event: Event) -> Shown:
        arrays = [self._image(number) for number in event["images"]]
        colours = [bool(self._told[number]["colours"]) for number in event["images"]]
        looks = [
            IntensityWindow.from_dict(told).resolved(array, colour)
            for told, array, colour in zip(event["looks"], arrays, colours, strict=True)
        ]
        return shown_levels([[a] for a in arrays], looks, colours, bool(event.get("index")))

    def _plane(self, event: Event) -> Plane:
        return plane_from_dict(event["plane"], bool(self._told[event["images"][0]]["colours"]))

    def _image(self, number: int) -> Any:
        if number not in self._arrays:
            if self._pictures is None:
                raise LogTrouble(
                    "the image is needed to do again what models did; give it with --image, or "
                    "replay with --without-models"
                )
            self._arrays[number] = self._pictures(self._told[number])
        return self._arrays[number]

    def _model(self, told: dict[str, Any]) -> Any:
        name = told["name"]
        if name not in self._models:
            self._models[name] = self._load(name)
        model = self._models[name]
        if told.get("identity", identity_of(model)) != identity_of(model):
            raise LogTrouble(
                f"model '{name}' has the weights '{identity_of(model)}', the record was made with "
                f"'{told['identity']}'; install those, or replay with --without-models"
            )
        return model


class _Stored(Exception):
    """Why the stored pixels have to do."""


def _chosen(event: Event, found: Sequence[Instance]) -> list[Placed]:
    """The objects that were taken of all that were found: by their numbers, or by filters."""
    if event["numbers"] is None:
        wanted = Wanted(**event["filters"])
        chosen = [instance for instance in found if wanted.holds(instance)]
    else:
        chosen = [found[number - 1] for number in event["numbers"]]
    return [(one.mask, (one.bbox[0], one.bbox[1])) for one in chosen]


def _written(event: Event, labels: Ints, masks: Sequence[Placed]) -> Ints:
    """The event's plane with masks written as the docks write them."""
    plane = plane_from_dict(event["plane"])
    out = plane.read(labels).copy()
    ids = event["ids"] or range(1, len(masks) + 1)
    for (mask, (y, x)), label_id in zip(masks, ids, strict=True):
        part = out[y : y + mask.shape[0], x : x + mask.shape[1]]
        free = mask if event["overwrite"] else mask & ((part == 0) | (part == label_id))
        if event["replaces"]:
            out[out == label_id] = 0
        part[free] = label_id
    return out
