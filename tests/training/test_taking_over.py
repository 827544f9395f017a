"""A training that begins with weights of the first generation begins with what they know."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file
from scenes import seeded

from napari_seem.models.compact import network as networks
from napari_seem.models.compact.network import CompactConfig, CompactNetwork
from napari_seem.models.compact.prompt_maps.evidence import WindowPrompts, gather, strokes
from napari_seem.training.state import export, take_over

WORDS = tuple(f"word {number}" for number in range(6))
FIRST = CompactConfig(vocabulary=len(WORDS))


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    """Weights of the first generation."""
    seeded(4)
    network, path = CompactNetwork(FIRST), tmp_path_factory.mktemp("weights")
    network.encoder.coarse_head.bias.data += 1  # to differ from fresh ones
    export(network, WORDS, path / "first.safetensors")
    return path / "first.safetensors"


@pytest.fixture(scope="module")
def given(file):
    """The network of that file, and its words."""
    network = CompactNetwork(FIRST)
    network.load_state_dict(load_file(file), strict=False)
    return network.eval(), WORDS


@pytest.fixture(scope="module")
def begun(file, given):
    """A network of the second generation that took the weights over, and its words."""
    _, known = given
    words = [known[5], "a word of its own", known[2]]
    seeded(0)
    network = CompactNetwork(CompactConfig.second_generation(len(words))).eval()
    fresh = {name: value.clone() for name, value in network.state_dict().items()}
    taken = take_over(network, file, words)
    return network, words, fresh, taken


def test_every_tensor_finds_its_place(given, begun):
    network, taken = given[0], begun[3]

    expected = [n for n in network.state_dict() if not n.endswith("num_batches_tracked")]
    assert taken == len(expected)


def test_the_encoder_sees_the_same(given, begun):
    seeded(1)
    image = torch.randn(1, 3, 64, 96)

    with torch.no_grad():
        old, new = (network.encoder(image) for network in (given[0], begun[0]))

    before = given[0].config.coarse_channels
    assert torch.allclose(new[0][:, :before], old[0], atol=1e-4)
    assert torch.allclose(new[1], old[1], atol=1e-4)
    assert new[0].shape[1] == before + 1


def test_the_decoder_answers_the_same_whatever_the_new_evidence_says(given, begun):
    old, new = given[0], begun[0]
    seeded(2)
    fine = torch.randn(2, old.config.fine_channels, 64, 64)
    features = torch.randn(2, old.config.widths[1], 32, 32)
    evidence = torch.randn(2, new.config.evidence, 32, 32)
    drawn = torch.rand(2, 3, 64, 64)

    with torch.no_grad():
        expected = old.decoder(features, evidence[:, : old.config.evidence], fine, drawn)
        found = new.decoder(features, evidence, fine, drawn)

    for mine, theirs in zip(found, expected, strict=True):
        assert torch.allclose(mine, theirs, atol=1e-4)


def test_the_evidence_begins_with_what_the_network_knew(given, begun):
    old, new = given[0], begun[0]
    seeded(3)
    coarse, fine = torch.randn(1, new.config.coarse_channels, 32, 32), torch.randn(1, 28, 64, 64)
    prompts = WindowPrompts.blank(1, new.config, 64)
    prompts.maps[:, 0, 20:30, 20:30] = 1
    same_paths = replace(old.config, geodesic_grid=new.config.geodesic_grid)

    expected = gather(coarse[:, : old.config.coarse_channels], fine, prompts, same_paths)
    found = gather(coarse, fine, prompts, new.config)

    assert torch.allclose(found[:, : old.config.evidence], expected, atol=1e-5)
    assert strokes(prompts).shape == (1, 3, 64, 64)


def test_word_vectors_go_by_their_words(given, begun):
    old, known = given
    new, words, fresh, _ = begun

    for row, word in enumerate(words):
        source = known.index(word) if word in known else None
        vector = fresh["words"][row] if source is None else old.words[source]
        bias = fresh["word_bias"][row] if source is None else old.word_bias[source]
        assert torch.equal(new.words[row], vector)
        assert torch.equal(new.word_bias[row], bias)


def test_new_outputs_keep_their_own_beginning(begun):
    new, _, fresh, _ = begun
    head = new.encoder.coarse_head

    assert torch.equal(head.weight[-1], fresh["encoder.coarse_head.weight"][-1])
    assert torch.equal(head.bias[-1], fresh["encoder.coarse_head.bias"][-1])
    assert head.weight[-1].any()
    size = new.config.coarse_slices["size"].start - new.config.widths[1]
    assert head.bias[size] == 6.0


def test_what_was_exported_is_taken_over_as_it_was(begun, tmp_path):
    network, words, _, _ = begun
    export(network, words, tmp_path / "weights.safetensors")
    seeded(9)
    other = CompactNetwork(network.config)

    take_over(other, tmp_path / "weights.safetensors", words)

    for name, value in network.state_dict().items():
        if value.dtype.is_floating_point:
            assert torch.allclose(other.state_dict()[name], value, atol=1e-3, rtol=1e-3), name


def test_a_fresh_network_begins_with_objects_of_some_size():
    config = CompactConfig.second_generation(2)
    head = networks.CompactNetwork(config).encoder.coarse_head

    assert head.bias[config.coarse_slices["size"].start - config.widths[1]] == 5.0
    assert (head.bias == 5.0).sum() == 1
