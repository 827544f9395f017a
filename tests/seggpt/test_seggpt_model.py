"""SegGPT behind the common door, with made-up weights."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from seggpt_recipe import made_up, made_up_network

import napari_seem as ns
from napari_seem.errors import InvalidLabels, InvalidPrompt, UnsupportedPrompt, WeightsError
from napari_seem.models.in_context import Example
from napari_seem.models.registry import model_spec
from napari_seem.models.seggpt import colours
from napari_seem.models.seggpt import model as seggpt
from napari_seem.models.seggpt.config import SMALL, VIT_L
from napari_seem.models.seggpt.network import SegGpt


@pytest.fixture(scope="module")
def model():
    return seggpt.SegGptModel(made_up_network(), "seggpt:small")


@pytest.fixture
def pictures(rng):
    """Four images of different shapes and dtypes with labels 2 and 9."""
    out = []
    for shape, kind in (((70, 90), np.uint8), ((64, 64, 3), np.uint16), ((120, 50), np.float32),
                        ((33, 47, 2), np.int16)):  # fmt: skip
        labels = np.zeros(shape[:2], int)
        labels[5:20, 8:30] = 2
        labels[22:30, 4:40] = 9
        out.append(((rng.random(shape) * 200).astype(kind), labels))
    return out


class Copycat(torch.nn.Module):
    """In the network's place: paints the target as the last example is painted."""

    def __init__(self, config):
        super().__init__()
        self.config = config
        self.nothing = torch.nn.Parameter(torch.zeros(1))
        self.seen, self.reads = [], []

    def look(self, images, target, kind):
        self.seen.append((images.shape, kind))
        return images

    def read(self, paintings, kind):
        self.reads.append(paintings.clone())
        return paintings

    def paint(self, pictures, paintings):
        return paintings[-1]


def copycat():
    network = Copycat(SMALL)
    return seggpt.SegGptModel(network, "seggpt:copycat"), network


def test_painted_colours_come_back_as_the_ids_they_stand_for(pictures):
    model, _ = copycat()
    image, labels = pictures[0]

    (found,) = ns.label_like(model, [(image, labels)], [image])

    assert set(np.unique(found.labels)) == {0, 2, 9}
    assert (found.labels == labels).mean() > 0.93
    assert found.confidence[labels == 2].mean() > 0.8


def test_masks_have_the_size_of_each_target(model, pictures):
    results = ns.label_like(model, pictures[:2], [image for image, _ in pictures])

    for found, (_, labels) in zip(results, pictures, strict=True):
        assert found.labels.shape == found.confidence.shape == labels.shape
        assert np.isfinite(found.confidence).all()
        assert set(np.unique(found.labels)) <= {0, 2, 9}


def test_draws_are_averaged_and_seeded(model, pictures):
    target = [pictures[1][0]]
    one = ns.label_like(model, pictures[:1], target, draws=3, seed=4)[0]
    again = ns.label_like(model, pictures[:1], target, draws=3, seed=4)[0]
    other = ns.label_like(model, pictures[:1], target, draws=1)[0]

    np.testing.assert_array_equal(one.confidence, again.confidence)
    assert (one.confidence != other.confidence).any()


def test_the_feature_ensemble_hands_every_example_over(pictures):
    model, network = copycat()
    ns.label_like(model, pictures[:3], [pictures[3][0]])

    assert network.seen[0][0] == (3, 3, 64, 64)


def test_paintings_are_read_once_and_images_seen_once_for_each_target(pictures):
    model, network = copycat()
    images = [image for image, _ in pictures]
    results = ns.label_like(model, pictures[:2], images, draws=3)

    assert len(network.reads) == 3  # of three draws, whatever the target
    assert len(network.seen) == len(results) == 4  # of four targets, whatever the colours


def test_a_kept_reading_changes_nothing(model, pictures):
    targets = [image for image, _ in pictures[:3]]
    together = ns.label_like(model, pictures[2:], targets, draws=2)

    for target, found in zip(targets, together, strict=True):
        (alone,) = ns.label_like(model, pictures[2:], [target], draws=2)
        np.testing.assert_array_equal(alone.confidence, found.confidence)


def test_the_spatial_ensemble_tiles_the_examples_into_one_picture(pictures):
    model, network = copycat()
    ns.label_like(model, pictures[:3], [pictures[3][0]], ensemble="spatial")

    assert network.seen[0][0] == (1, 3, 64, 64)
    (painting,) = network.reads
    tiles = [painting[0, :, y : y + 32, x : x + 32] for y in (0, 32) for x in (0, 32)]
    assert not torch.equal(tiles[0], tiles[1])
    torch.testing.assert_close(tiles[2], tiles[3])  # the last example fills the empty place


def test_objects_of_one_kind_are_numbered(pictures):
    model, network = copycat()
    image = pictures[0][0]
    objects = np.zeros((70, 90), int)
    objects[10:30, 10:30], objects[40:60, 50:75] = 4, 8

    (found,) = ns.label_like(model, [(image, objects)], [image], "instance")

    assert network.seen[0][1] == "instance"
    assert found.labels.max() == 2
    assert len(np.unique(found.labels[objects == 4])) <= 2


def test_more_classes_than_colours_are_refused_with_the_number(model):
    image = np.zeros((80, 80), np.uint8)
    labels = np.arange(6400).reshape(80, 80) // 100

    with pytest.raises(InvalidLabels, match="63 classes, but there are only 26 distinct"):
        ns.label_like(model, [(image, labels)], [image])


def test_colours_differ_by_half_a_channel_at_least():
    every = colours.palette(26)
    gaps = torch.cdist(every, every) + 9 * torch.eye(27)

    assert gaps.min() >= 0.5
    assert torch.cdist(*[colours.palette(7)] * 2).add(9 * torch.eye(8)).min() >= 1


def test_bfloat16_labels_alike(model, pictures):
    half = seggpt.SegGptModel(made_up_network(), "seggpt:half", bfloat16=True)
    exact = ns.label_like(model, pictures[:2], [pictures[2][0]])[0]
    rough = ns.label_like(half, pictures[:2], [pictures[2][0]])[0]

    assert (exact.labels == rough.labels).mean() > 0.97
    assert abs(exact.confidence - rough.confidence).mean() < 0.02


def test_prompts_and_foreign_embeddings_are_refused(model, pictures):
    embedding = model.encode(pictures[0][0])

    with pytest.raises(UnsupportedPrompt, match=r"compact"):
        model.predict(embedding, [ns.Point(3, 3)])
    with pytest.raises(UnsupportedPrompt, match="label_like"):
        model.segment(embedding)
    stranger = ns.Embedding("else", (70, 90), {"image": torch.zeros(3, 64, 64)})
    with pytest.raises(InvalidPrompt, match="encode the image again"):
        model.learn([Example(stranger, pictures[0][1])])


def test_it_is_carried_through_stacks_like_any_model(rng):
    model, _ = copycat()
    volume = (rng.random((5, 64, 64)) * 255).astype(np.uint8)
    seed = np.zeros((64, 64), int)
    seed[20:44, 20:44] = 3

    work = ns.propagate(model, volume, {0: seed})

    assert set(work.results) == set(range(5))
    assert (work.labels[4] == 3).sum() > 0.7 * (seed == 3).sum()


def test_the_published_file_is_checked_key_by_key(tmp_path):
    state = {key: made_up(key, tuple(t.shape)) for key, t in SegGpt(SMALL).state_dict().items()}
    path = tmp_path / "model.safetensors"
    save_file(state, path)
    assert seggpt.build(path, config=SMALL).vocabulary() == ()

    removed = next(key for key in state if "qkv" in key)
    save_file({key: t for key, t in state.items() if key != removed}, path)
    with pytest.raises(WeightsError, match="qkv"):
        seggpt.build(path, config=SMALL)


def test_the_large_model_has_the_published_parameters():
    with torch.device("meta"):
        network = SegGpt(VIT_L)
    assert len(network.state_dict()) == 354
    assert 370e6 < sum(p.numel() for p in network.parameters()) < 371e6
    spec = model_spec("seggpt-vit-l")
    assert spec.weights.url.startswith("https://huggingface.co/BAAI/seggpt-vit-large/")
