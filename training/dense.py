"""Dense supervision of the encoder: everything in a crop teaches at once."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from napari_seem.models.compact.network import CompactNetwork
from training.crops import Crop

DEPTH_STEPS = 24
PIXELS_PER_CROP = 512


def boundary_target(instances: Tensor) -> Tensor:
    """Where ids change: (B, H, W) int -> (B, H / 2, W / 2) in {0, 1}."""
    ids = instances.float()[:, None]
    top, bottom = F.max_pool2d(ids, 3, 1, 1), -F.max_pool2d(-ids, 3, 1, 1)
    real = (-F.max_pool2d(-ids, 3, 1, 1) >= 0).float()  # no border against the padding
    return F.max_pool2d((top != bottom).float() * real, 2)[:, 0]


def relative_depth(instances: Tensor) -> Tensor:
    """Depth inside each instance over that instance's largest: (B, h, w) int -> (B, h, w) 0..1."""
    ids = instances.float()[:, None]
    edge = (F.max_pool2d(ids, 3, 1, 1) != ids) | (-F.max_pool2d(-ids, 3, 1, 1) != ids)
    inside = ((ids > 0) & ~edge).float()
    depth = (ids > 0).float() * 0.5
    for _ in range(DEPTH_STEPS):
        depth = depth + inside
        inside = -F.max_pool2d(-inside, 3, 1, 1)
    deepest = depth.new_zeros(len(ids), int(instances.max()) + 1)
    index = instances.clamp(min=0).flatten(1)
    deepest.scatter_reduce_(1, index, depth.flatten(1), "amax")
    return depth[:, 0] / torch.gather(deepest, 1, index).view_as(depth[:, 0]).clamp(min=0.5)


def dense_losses(
    network: CompactNetwork, coarse: Tensor, fine: Tensor, crops: list[Crop]
) -> dict[str, Tensor]:
    """Losses of every dense head.

    Parameters
    ----------
    coarse, fine : encoder outputs for the batch
    crops : the batch

    Returns
    -------
    dict of scalar tensors
    """
    at, fine_at = network.config.coarse_slices, network.config.fine_slices
    instances = torch.stack([crop.instances for crop in crops])
    small = instances[:, 2::4, 2::4]
    valid = (small >= 0).float()
    losses = {"boundary": _boundary_loss(fine[:, fine_at["boundary"]], instances)}
    depth = relative_depth(small)
    losses["distance"] = _masked_bce(coarse[:, at["distance"]][:, 0], depth, valid)
    labelled = valid.new_tensor([0.0 if crop.partial else 1.0 for crop in crops])[:, None, None]
    foreground = (small > 0).float()
    sure = valid * torch.maximum(labelled, foreground)
    losses["foreground"] = _masked_bce(coarse[:, at["foreground"]][:, 0], foreground, sure)
    losses["size"] = _size_loss(coarse[:, at["size"]][:, 0], small, crops)
    losses["instance"] = _instance_loss(network, coarse[:, at["instance"]], small)
    losses["semantic"] = _semantic_loss(network, coarse[:, at["semantic"]], small, crops)
    return losses


def _masked_bce(logits: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    loss = F.binary_cross_entropy_with_logits(logits.float(), target, reduction="none")
    return (loss * weight).sum() / weight.sum().clamp(min=1)


def _boundary_loss(logits: Tensor, instances: Tensor) -> Tensor:
    target = boundary_target(instances)
    valid = (instances[:, ::2, ::2] >= 0).float()
    return _masked_bce(logits[:, 0], target, valid * (1 + 3 * target))


def _size_loss(predicted: Tensor, small: Tensor, crops: list[Crop]) -> Tensor:
    target = torch.stack(
        [torch.log2(crop.areas.clamp(min=1))[ids.clamp(min=0)] / 2
         for crop, ids in zip(crops, small, strict=True)]
    )  # fmt: skip
    inside = (small > 0).float()
    loss = F.smooth_l1_loss(predicted.float(), target, reduction="none", beta=0.5)
    return (loss * inside).sum() / inside.sum().clamp(min=1)


def _instance_loss(network: CompactNetwork, embedding: Tensor, small: Tensor) -> Tensor:
    """Cross-entropy of each pixel against the mean embeddings of the crop's own instances."""
    scale = network.temperature[0].exp()
    total, count = embedding.new_zeros((), dtype=torch.float32), 0
    for pixels, ids in zip(embedding.float(), small, strict=True):
        flat, index = pixels.flatten(1).T, ids.flatten()  # (h*w, D), (h*w,)
        flat, index = flat[index >= 0], index[index >= 0]
        present, index = torch.unique(index, return_inverse=True)
        if len(present) < 2:
            continue
        sums = flat.new_zeros(len(present), flat.shape[1]).index_add(0, index, flat)
        means = F.normalize(sums, dim=1)
        # every instance counts alike, however small
        picks = torch.multinomial(
            1 / torch.bincount(index)[index].float(), min(PIXELS_PER_CROP, len(index))
        )
        total = total + F.cross_entropy(scale * flat[picks] @ means.T, index[picks])
        count += 1
    return total / max(count, 1)


def _semantic_loss(
    network: CompactNetwork, embedding: Tensor, small: Tensor, crops: list[Crop]
) -> Tensor:
    """Which of all words a named pixel is, and which annotated words every pixel is not."""
    words = F.normalize(network.words, dim=1)
    scale = network.temperature[1].exp()
    total, count = embedding.new_zeros((), dtype=torch.float32), 0
    for crop, pixels, ids in zip(crops, embedding.float(), small, strict=True):
        if not len(crop.annotated):
            continue
        classes = torch.where(ids > 0, crop.classes[ids.clamp(min=0)], -1).flatten()
        usable = (ids.flatten() >= 0) & ((classes >= 0) | (not crop.partial))
        picks = _balanced(classes, usable)
        if not len(picks):
            continue
        logits = scale * pixels.flatten(1).T[picks] @ words.T + network.word_bias  # (P, V)
        target = classes[picks]
        named = target >= 0
        if named.any():
            total = total + F.cross_entropy(logits[named], target[named])
        one_hot = (target[:, None] == crop.annotated[None]).float()
        binary = F.binary_cross_entropy_with_logits(logits[:, crop.annotated], one_hot)
        total, count = total + 2 * binary, count + 1
    return total / max(count, 1)


def _balanced(classes: Tensor, usable: Tensor) -> Tensor:
    """Indices of at most PIXELS_PER_CROP usable pixels, classes in equal shares."""
    if not usable.any():
        return classes.new_zeros(0)
    frequency = torch.bincount(classes[usable] + 1).float()
    weight = torch.where(
        usable, 1 / frequency.clamp(min=1)[(classes + 1).clamp(max=len(frequency) - 1)], 0.0
    )
    count = min(PIXELS_PER_CROP, int(usable.sum()))
    return torch.multinomial(weight, count)
