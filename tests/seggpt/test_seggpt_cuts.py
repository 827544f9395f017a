"""What SegGPT leaves out changes nothing: against all tokens of all canvases, layer by layer."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from seggpt_recipe import made_up_network
from torch import Tensor

from napari_seem.models.seggpt.config import SMALL
from napari_seem.models.seggpt.network import Layer, SegGpt


@pytest.fixture(scope="module")
def network() -> SegGpt:
    return made_up_network()


def in_full(
    network: SegGpt, images: Tensor, paintings: Tensor, target: Tensor, kind: str
) -> Tensor:
    """All canvases, painted without leaving anything out: (N, 3, 2 S, S)."""
    embeddings, encoder = network.model.embeddings, network.model.encoder
    count, (rows, columns) = len(images), SMALL.grid
    shape = count + 1, rows * columns // 2, SMALL.hidden
    sets = []
    for tokens in (
        embeddings.pictures(images, target, kind),
        embeddings.paintings(paintings, kind),
    ):
        halves = tokens.view(shape)
        sets.append(torch.cat([halves[:-1], halves[-1:].expand_as(halves[:-1])], 1))
    tokens, taps = torch.cat(sets).unflatten(1, (rows, columns)), []
    for number, layer in enumerate(encoder.layers):
        merged = number > SMALL.merged_after
        attended = attention(layer, layer.layernorm_before(tokens))
        halves = attended.view(1 if merged else 2, count, 2, rows // 2, columns, -1)
        halves[:, :, 1] = halves[:, :, 1].mean(1, keepdim=True)
        tokens = tokens + attended
        tokens = tokens + layer.mlp(layer.layernorm_after(tokens))
        if number == SMALL.merged_after:
            tokens = tokens.view(2, count, rows, columns, -1).mean(0)
        if number in SMALL.taps:
            taps.append(encoder.layernorm(tokens))
    decoder, patch = network.decoder, SMALL.patch
    cells = decoder.decoder_embed(torch.cat(taps, -1)).view(count, rows, columns, patch, patch, -1)
    pixels = cells.permute(0, 5, 1, 3, 2, 4).reshape(count, -1, rows * patch, columns * patch)
    head = decoder.decoder_pred
    normal = head.layernorm(head.conv(pixels).permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
    return head.head(F.gelu(normal))


def attention(layer: Layer, x: Tensor) -> Tensor:
    """Attend with the bias of every pair of tokens: (N, rows, columns, C)."""
    rows, columns = x.shape[1:3]
    ours = layer.attention
    query, key, value = (
        part.unflatten(-1, (ours.heads, -1)).flatten(1, 2).transpose(1, 2)
        for part in ours.qkv(x).chunk(3, -1)
    )
    row, column = (at.flatten() for at in torch.meshgrid(torch.arange(rows), torch.arange(columns),
                                                         indexing="ij"))  # fmt: skip
    vertical = ours.rel_pos_h[row[:, None] - row[None] + rows - 1]  # (P, P, width)
    horizontal = ours.rel_pos_w[column[:, None] - column[None] + columns - 1]
    bias = torch.einsum("nhqd,qkd->nhqk", query, vertical + horizontal)
    scores = query @ key.mT / query.shape[-1] ** 0.5 + bias
    seen = scores.softmax(-1) @ value
    return ours.proj(seen.transpose(1, 2).reshape(x.shape))


@pytest.mark.parametrize("kind", ["instance", "semantic"])
@pytest.mark.parametrize("count", [1, 2, 3])
def test_the_target_is_painted_as_by_the_whole(network: SegGpt, count: int, kind: str) -> None:
    torch.manual_seed(count)
    images, paintings = torch.randn(count, 3, 64, 64), torch.randn(count, 3, 64, 64)
    target = torch.randn(1, 3, 64, 64)
    with torch.inference_mode():
        whole = in_full(network, images, paintings, target, kind)[0, :, 64:]
        painted = network(images, paintings, target, kind)
    torch.testing.assert_close(painted, whole, atol=5e-6, rtol=0)


def test_gradients_reach_the_prompt_as_without_memory_that_is_used_again(network: SegGpt) -> None:
    torch.manual_seed(0)
    images, paintings, target = torch.randn(3, 1, 3, 64, 64).requires_grad_().unbind(0)
    painted = network(images, paintings, target, "semantic")
    whole = in_full(network, images, paintings, target, "semantic")[0, :, 64:]
    for ours, known in zip(
        torch.autograd.grad(painted.square().sum(), (images, paintings), retain_graph=True),
        torch.autograd.grad(whole.square().sum(), (images, paintings)),
        strict=True,
    ):
        torch.testing.assert_close(ours, known, atol=1e-3, rtol=1e-3)


def test_the_last_layer_computes_what_the_head_sees(network: SegGpt) -> None:
    seen = []
    hooks = [
        layer.mlp.register_forward_hook(lambda _, inputs, out: seen.append(len(inputs[0])))
        for layer in network.model.encoder.layers
    ]
    half = SMALL.grid[0] * SMALL.grid[1] // 2
    with torch.inference_mode():
        network(
            torch.randn(3, 3, 64, 64),
            torch.randn(3, 3, 64, 64),
            torch.randn(1, 3, 64, 64),
            "semantic",
        )
    for hook in hooks:
        hook.remove()
    apart = SMALL.merged_after + 1
    assert seen[: 2 * apart] == [4 * half] * 2 * apart  # three examples, and the target once
    assert seen[-1] == 3 * SMALL.grid[1] + half
    assert len(seen) == SMALL.layers + apart
