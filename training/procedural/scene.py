"""Families of scenes. Each draws one picture (size, size, 3) in 0..1 with its instances."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from training.procedural.texture import (
    FloatArray,
    blob,
    camera,
    clouds,
    polygon,
    tree,
    weave,
)


@dataclass(frozen=True)
class Sample:
    """One made-up picture.

    `image` is uint8 (H, W, 3), `instances` uint16 (H, W) with 0 = background, `names` the class
    word per instance.
    """

    image: npt.NDArray[np.uint8]
    instances: npt.NDArray[np.uint16]
    names: dict[int, str]
    family: str


class Scene:
    """A picture under construction; later objects cover earlier ones."""

    def __init__(self, rng: np.random.Generator, size: int, background: FloatArray) -> None:
        self.rng, self.size = rng, size
        stacked = background if background.ndim == 3 else np.repeat(background[..., None], 3, 2)
        self.picture = stacked.astype(np.float32).copy()
        self.instances = np.zeros((size, size), np.uint16)
        self.names: dict[int, str] = {}

    def place(self) -> tuple[float, float]:
        """A random position."""
        return self.rng.uniform(0, self.size), self.rng.uniform(0, self.size)

    def add(
        self, inside: npt.NDArray[np.bool_], paint: npt.ArrayLike, name: str, cover: bool = True
    ) -> None:
        """Paint an object and number it; `paint` is a value, a colour or a picture."""
        if not cover:
            inside = inside & (self.instances == 0)
        if inside.sum() < 20:
            return
        paint = np.asarray(paint, np.float32)
        if paint.ndim == 2:
            paint = paint[..., None]
        self.picture[inside] = np.broadcast_to(paint, self.picture.shape)[inside]
        number = len(self.names) + 1
        self.instances[inside] = number
        self.names[number] = name


def colour(rng: np.random.Generator) -> FloatArray:
    """A random colour."""
    return rng.random(3).astype(np.float32)


def surface(rng: np.random.Generator, size: int) -> FloatArray:
    """A coloured textured surface (size, size, 3)."""
    first, second = colour(rng), colour(rng)
    kind = rng.integers(3)
    if kind == 0:
        mix = clouds(rng, size, rng.uniform(8, 120))
    elif kind == 1:
        mix = weave(rng, size) * rng.uniform(0.2, 1)
    else:
        mix = np.zeros((size, size), np.float32)
    return first + (second - first) * mix[..., None]


def nuclei(rng: np.random.Generator, size: int) -> Scene:
    """Fluorescent or stained nuclei: touching, dim beside bright, textured."""
    stained = rng.random() < 0.4
    if stained:
        tissue = np.array([0.92, 0.75, 0.85]) + 0.15 * (clouds(rng, size, 25)[..., None] - 0.5)
        scene = Scene(rng, size, tissue.astype(np.float32))
    else:
        scene = Scene(rng, size, 0.03 + 0.1 * clouds(rng, size, 80))
    radius = rng.uniform(5, 28)
    chromatin = clouds(rng, size, radius * 0.6)
    center = scene.place()
    for _ in range(int(np.clip(rng.uniform(0.1, 0.6) * (size / radius / 2) ** 2, 3, 90))):
        spread = rng.normal(0, radius * 1.2, 2)
        center = scene.place() if rng.random() < 0.6 else tuple(np.add(center, spread))
        inside = blob(rng, size, center, radius * rng.uniform(0.7, 1.3), 0.12)
        if stained:
            tint = np.array([0.4, 0.25, 0.6]) * rng.uniform(0.7, 1.3)
            paint = tint + 0.25 * (chromatin[..., None] - 0.5)
        else:
            paint = rng.uniform(0.2, 0.9) * (0.6 + 0.4 * chromatin)
        scene.add(inside, paint, "nucleus", cover=False)
    return scene


def cells(rng: np.random.Generator, size: int) -> Scene:
    """Cells in phase contrast: little contrast, a halo, processes."""
    scene = Scene(rng, size, 0.45 + 0.1 * clouds(rng, size, 10))
    radius = rng.uniform(12, 45)
    inner = clouds(rng, size, 7)
    for _ in range(int(rng.integers(3, 22))):
        inside = blob(rng, size, scene.place(), radius * rng.uniform(0.6, 1.2), 0.5, 4)
        halo = (ndimage.uniform_filter(inside.astype(np.float32), 5) > 0) & ~inside
        halo &= scene.instances == 0
        scene.picture[halo] += rng.uniform(0.1, 0.4)
        scene.add(inside, rng.uniform(0.25, 0.6) + 0.3 * (inner - 0.5), "cell", cover=False)
    return scene


def membranes(rng: np.random.Generator, size: int) -> Scene:
    """Packed cells or neurites divided by membranes, with organelles."""
    count = int(rng.integers(12, 90))
    seeds = rng.uniform(0, size, (count, 2))
    rows, cols = np.mgrid[:size, :size].astype(np.float32)
    warp = (np.stack([clouds(rng, size, 40), clouds(rng, size, 40)]) - 0.5) * rng.uniform(0, 50)
    points = np.stack([rows + warp[0], cols + warp[1]], -1).reshape(-1, 2)
    from scipy.spatial import cKDTree

    distance, index = cKDTree(seeds).query(points, k=2)
    gap = (distance[:, 1] - distance[:, 0]).reshape(size, size)
    region = index[:, 0].reshape(size, size)
    bright = rng.random() < 0.5
    wall = rng.uniform(1.2, 4)
    scene = Scene(rng, size, np.full((size, size), 0.9 if bright else 0.1, np.float32))
    shades, grain = rng.uniform(0.1, 0.5, count), clouds(rng, size, 6)
    for cell in range(count):
        inside = (region == cell) & (gap > wall)
        shade = shades[cell] if bright else 0.5 + shades[cell]
        scene.add(inside, shade + 0.2 * (grain - 0.5), "neuron body" if not bright else "cell")
    return scene


def rings(rng: np.random.Generator, size: int) -> Scene:
    """Axons in their sheaths: rings with a hole, each a thing of its own."""
    scene = Scene(rng, size, 0.5 + 0.3 * (clouds(rng, size, 12) - 0.5))
    radius = rng.uniform(8, 30)
    for _ in range(int(rng.integers(6, 50))):
        center, scale = scene.place(), radius * rng.uniform(0.5, 1.4)
        state = rng.bit_generator.state
        outer = blob(rng, size, center, scale, 0.15)
        rng.bit_generator.state = state
        inner = blob(rng, size, center, scale * 0.62, 0.15)
        if (scene.instances[outer] > 0).any():
            continue
        scene.add(outer & ~inner, 0.15, "myelin sheath")
        scene.add(inner, rng.uniform(0.5, 0.8), "axon")
    return scene


def organs(rng: np.random.Generator, size: int) -> Scene:
    """A body section: outline, nested organs of little contrast, bright bone, dark air."""
    scene = Scene(rng, size, np.full((size, size), 0.02, np.float32))
    middle = size / 2 + rng.normal(0, size * 0.04, 2)
    body = blob(rng, size, tuple(middle), size * rng.uniform(0.33, 0.46), 0.08, 1.5)
    fat = rng.uniform(0.15, 0.4)
    scene.add(body, fat + 0.05 * clouds(rng, size, 15), "body")
    flesh = ndimage.binary_erosion(body, iterations=int(rng.integers(3, 14)))
    base = fat + rng.uniform(0.08, 0.25)
    scene.picture[flesh] = base
    grain = 0.06 * (clouds(rng, size, 5) - 0.5)
    for _ in range(int(rng.integers(3, 12))):
        radius = size * rng.uniform(0.025, 0.17)
        at = middle + rng.normal(0, size * 0.14, 2)
        organ = blob(rng, size, tuple(at), radius, 0.3, 2.2) & flesh
        kind = rng.random()
        shade = base + rng.choice([-1, 1]) * rng.uniform(0.03, 0.2)
        shade = 0.05 if kind < 0.12 else 0.95 if kind > 0.9 else shade
        scene.add(organ, shade + grain, "organ")
    scene.picture += grain[..., None]
    return scene


def lesions(rng: np.random.Generator, size: int) -> Scene:
    """A soft-edged lesion on skin, mucosa or in an ultrasound field."""
    grain = clouds(rng, size, rng.uniform(6, 60))
    tone = np.array([0.8, 0.55, 0.45]) if rng.random() < 0.6 else np.full(3, 0.45)
    background = tone + rng.uniform(0.1, 0.5) * (grain[..., None] - 0.5)
    scene = Scene(rng, size, background.astype(np.float32))
    for _ in range(int(rng.integers(1, 4))):
        inside = blob(rng, size, scene.place(), size * rng.uniform(0.05, 0.22), 0.4, 2)
        depth = rng.uniform(0.15, 0.6) * (1 if rng.random() < 0.75 else -0.6)
        soft = ndimage.gaussian_filter(inside.astype(np.float32), rng.uniform(0.5, 5))
        scene.picture *= 1 - depth * soft[..., None]
        scene.add(inside, scene.picture.copy(), "skin lesion" if tone[0] > 0.5 else "lesion")
    return scene


def vessels(rng: np.random.Generator, size: int) -> Scene:
    """Thin trees: vessels, cracks, roots or rivers on any ground."""
    scene = Scene(rng, size, surface(rng, size) * 0.7 + 0.15)
    word = str(rng.choice(["retinal vessel", "crack", "river"]))
    for _ in range(int(rng.integers(1, 3))):
        inside = tree(rng, size, rng.uniform(0.8, 4.5))
        shift = rng.choice([-1, 1]) * rng.uniform(0.08, 0.5)
        scene.add(inside, np.clip(scene.picture + shift, 0, 1), word)
    return scene


def town(rng: np.random.Generator, size: int) -> Scene:
    """Seen from the air: roofs with a lit and a shaded side and their shadows, roads, trees."""
    ground = np.array([0.35, 0.42, 0.28]) * rng.uniform(0.7, 1.4)
    scene = Scene(rng, size, (ground + 0.25 * (clouds(rng, size, 20)[..., None] - 0.5)))
    rows, cols = np.mgrid[:size, :size].astype(np.float32)
    road = np.zeros((size, size), bool)
    for _ in range(int(rng.integers(1, 4))):
        angle, offset = (
            rng.choice([0, np.pi / 2]) + rng.normal(0, 0.2),
            rng.uniform(0.1, 0.9) * size,
        )
        line = np.cos(angle) * (rows - offset) + np.sin(angle) * (cols - offset)
        road |= np.abs(line) < rng.uniform(5, 16)
    scene.add(road, rng.uniform(0.35, 0.65) + 0.06 * weave(rng, size), "road")
    radius = rng.uniform(9, 30)
    sun = rng.normal(0, radius * 0.35, 2)
    for _ in range(int(rng.integers(4, 40))):
        roof = polygon(rng, size, scene.place(), radius * rng.uniform(0.6, 1.5))
        if not roof.any() or (scene.instances[roof] > 0).any():
            continue
        shade = ndimage.shift(roof.astype(np.uint8), sun, order=0) > 0
        scene.picture[shade & ~roof & (scene.instances == 0)] *= 0.45
        tint, turn = colour(rng) * 0.5 + 0.35, rng.uniform(0, np.pi)
        at = np.argwhere(roof).mean(0)
        lit = np.cos(turn) * (rows - at[0]) + np.sin(turn) * (cols - at[1]) > 0
        scene.add(roof, tint * np.where(lit, 1.1, rng.uniform(0.6, 1.1))[..., None], "building")
    for _ in range(int(rng.integers(0, 25))):
        crown = blob(rng, size, scene.place(), rng.uniform(4, 14), 0.35)
        leaves = np.array([0.15, 0.3, 0.1]) + 0.2 * clouds(rng, size, 5)[..., None]
        scene.add(crown, leaves, "tree", cover=False)
    return scene


def fields(rng: np.random.Generator, size: int) -> Scene:
    """Parcels with row textures, ponds, bare patches, panel arrays."""
    scene = Scene(rng, size, surface(rng, size) * 0.5 + 0.2)
    for _ in range(int(rng.integers(3, 14))):
        inside = polygon(rng, size, scene.place(), size * rng.uniform(0.06, 0.25))
        scene.add(inside, surface(rng, size) * 0.6 + 0.1, "field")
    if rng.random() < 0.6:
        patch = blob(rng, size, scene.place(), size * rng.uniform(0.06, 0.25), 0.5, 2.5)
        word, tint = [("water", (0.1, 0.2, 0.3)), ("landslide or debris flow", (0.6, 0.5, 0.4))][
            int(rng.integers(2))
        ]
        scene.add(patch, np.array(tint) + 0.1 * clouds(rng, size, 9)[..., None], word)
    return scene


def things(rng: np.random.Generator, size: int) -> Scene:
    """Textured things of one or several parts before a textured ground, hiding each other."""
    scene = Scene(rng, size, surface(rng, size))
    for _ in range(int(rng.integers(2, 9))):
        center, radius = scene.place(), size * np.exp(rng.uniform(np.log(0.04), np.log(0.3)))
        shape = blob if rng.random() < 0.7 else polygon
        inside = shape(rng, size, center, radius)
        paint = surface(rng, size)
        for _ in range(int(rng.integers(0, 4))):  # limbs and parts of other colours
            offset = rng.normal(0, radius * 0.8, 2)
            part = blob(rng, size, tuple(np.add(center, offset)), radius * rng.uniform(0.2, 0.7))
            if not (part & inside).any():
                continue
            inside = inside | part
            if rng.random() < 0.6:
                paint = np.where(part[..., None], surface(rng, size), paint)
        if rng.random() < 0.15:
            inside &= ~blob(rng, size, center, radius * 0.4)
        rows, cols = np.mgrid[:size, :size].astype(np.float32)
        turn = rng.uniform(0, 6.3)
        slope = (np.cos(turn) * (rows - center[0]) + np.sin(turn) * (cols - center[1])) / radius
        shadow = ndimage.shift(inside.astype(np.float32), rng.normal(0, radius * 0.15, 2), order=0)
        scene.picture *= 1 - 0.4 * ndimage.gaussian_filter(shadow, 3)[..., None]
        scene.add(inside, np.clip(paint * (1 + 0.25 * slope[..., None]), 0, 1), "thing")
    return scene


FAMILIES: dict[str, Callable[[np.random.Generator, int], Scene]] = {
    "nuclei": nuclei, "cells": cells, "membranes": membranes, "rings": rings, "organs": organs,
    "lesions": lesions, "vessels": vessels, "town": town, "fields": fields, "things": things,
}  # fmt: skip
SHARES = {"things": 3.0, "organs": 2.0, "town": 1.5}
UNNAMED = {"thing", "organ", "body", "field", "lesion"}
"""Words that tell shapes apart while drawing, but name nothing a person would ask for."""


def generate(rng: np.random.Generator, size: int = 320) -> Sample:
    """Draw one picture of a random family."""
    weights = np.array([SHARES.get(name, 1.0) for name in FAMILIES])
    family = str(rng.choice(list(FAMILIES), p=weights / weights.sum()))
    return draw(family, rng, size)


def draw(family: str, rng: np.random.Generator, size: int = 320) -> Sample:
    """Draw one picture of a family."""
    scene = FAMILIES[family](rng, size)
    gray = family in {"cells", "membranes", "rings", "organs"} or rng.random() < 0.15
    picture = scene.picture
    if gray:
        picture = np.repeat(picture.mean(2, keepdims=True), 3, 2)
    image = camera(rng, picture)
    visible = set(np.unique(scene.instances).tolist())
    names = {k: v for k, v in scene.names.items() if k in visible and v not in UNNAMED}
    return Sample(image, scene.instances, names, family)
