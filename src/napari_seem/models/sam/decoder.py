"""micro-sam's decoder of an encoded image: where objects are, and how far their centres and rims.

The layers are those of torch_em's UNETR without skip connections (Archit et al., Segment Anything
for Microscopy, Nature Methods 2025), under the names that its authors' state dicts have.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...errors import WeightsError
from ..files import tensor_files
from ..running.patience import checkpoint

CHANNELS = 256
"""Of the encoded image."""
WIDTHS = (512, 256, 128, 64)
"""Channels at 2, 4, 8 and 16 times the cells of the encoded image."""
MAPS = 3


class _Bilinear(nn.Module):
    """Twice as many cells, by interpolation.

    The convolution is of single cells: after it or before it, interpolation gives the same.
    """

    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(before, after, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Turn maps (1, C, h, w) into (1, D, 2 h, 2 w)."""
        return F.interpolate(self.conv(x), scale_factor=2, mode="bilinear")


class _Transposed(nn.Module):
    """Twice as many cells, by a transposed convolution."""

    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        self.block = nn.ConvTranspose2d(before, after, 2, stride=2)

    def forward(self, x: Tensor) -> Tensor:
        """Turn maps (1, C, h, w) into (1, D, 2 h, 2 w)."""
        return self.block(x)


class _Single(nn.Module):
    """A convolution, under the name that the authors' wrapper gives it."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.block = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """Convolve maps (1, C, h, w)."""
        return self.block(x)


class _Block(nn.Module):
    """Layers in a row."""

    def __init__(self, *layers: nn.Module) -> None:
        super().__init__()
        self.block = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        """Pass maps (1, C, h, w) through the layers."""
        return self.block(x)


class _Normalised(nn.Module):
    """Instance normalisation without weights, in place: the maps are large."""

    def forward(self, x: Tensor) -> Tensor:
        """Give each of the maps (1, C, h, w) the mean 0 and the deviation 1."""
        variance, mean = torch.var_mean(x, (2, 3), correction=0, keepdim=True)
        return x.sub_(mean).mul_(variance.add_(1e-5).rsqrt_())


def _convolved(before: int, after: int) -> _Block:
    """Return two convolutions, each of normalised maps."""
    return _Block(
        _Normalised(), nn.Conv2d(before, after, 3, padding=1), nn.ReLU(inplace=True),
        _Normalised(), nn.Conv2d(after, after, 3, padding=1), nn.ReLU(inplace=True),
    )  # fmt: skip


class _Merged(nn.Module):
    """Coarse maps joined with finer and finer ones."""

    def __init__(self, larger: type[_Bilinear] | type[_Transposed]) -> None:
        super().__init__()
        steps = list(pairwise(WIDTHS))
        self.blocks = nn.ModuleList(_convolved(before, after) for before, after in steps)
        self.samplers = nn.ModuleList(larger(before, after) for before, after in steps)

    def forward(self, x: Tensor, finer: list[Tensor]) -> Tensor:
        """Join maps (1, C, h, w) with `finer`, each of which is twice as large as that before."""
        for block, sampler, other in zip(self.blocks, self.samplers, finer, strict=True):
            x = sampler(x)
            aside = (other.shape[1] - x.shape[1]) // 2  # the authors join the middle channels only
            x = block(torch.cat([x, other[:, aside : aside + x.shape[1]]], 1))
        return x


class InstanceDecoder(nn.Module):
    """Three maps of an encoded image, of which its objects are made.

    Parameters
    ----------
    transposed : bool
        Whether maps grow by transposed convolutions rather than by interpolation.
    """

    def __init__(self, transposed: bool = False) -> None:
        super().__init__()
        larger = _Transposed if transposed else _Bilinear
        widths = (CHANNELS, *WIDTHS)
        for number, (before, after) in enumerate(zip(widths, WIDTHS, strict=False), 1):
            layers = larger(before, after), _Single(after), nn.BatchNorm2d(after)
            self.add_module(f"deconv{number}", _Block(*layers, nn.ReLU(inplace=True)))
        self.base = _convolved(CHANNELS, WIDTHS[0])
        self.decoder = _Merged(larger)
        self.deconv_out = larger(WIDTHS[-1], WIDTHS[-1])
        self.decoder_head = _convolved(2 * WIDTHS[-1], WIDTHS[-1])
        self.out_conv = nn.Conv2d(WIDTHS[-1], MAPS, 1)
        for module in self.modules():
            if isinstance(module, (_Bilinear, _Transposed, nn.Conv2d)):
                module.register_forward_pre_hook(lambda *_: checkpoint())

    def forward(self, encoded: Tensor) -> Tensor:
        """Return the maps of an encoded image.

        Parameters
        ----------
        encoded : float32 (1, 256, h, w)

        Returns
        -------
        float32 (1, 3, 16 * h, 16 * w)
            Values 0..1: whether there is an object; how far its centre is; how far from its rim a
            place is, 0 in its middle and 1 at the rim.
        """
        finer = [encoded]
        for number in range(1, len(WIDTHS) + 1):
            finer.append(self.get_submodule(f"deconv{number}")(finer[-1]))
        x = self.decoder(self.base(encoded.clone()), finer[1:-1])
        x = torch.cat([self.deconv_out(x), finer.pop()], 1)
        return torch.sigmoid(self.out_conv(self.decoder_head(x)))


def find_decoder(
    path: Path, given: Path | None = None, device: str = "cpu"
) -> InstanceDecoder | None:
    """Load the decoder that belongs to a SAM.

    Parameters
    ----------
    path : Path
        Weights of the SAM. The decoder is in the same file, as torch_em writes it; or beside it,
        in a file whose name ends with "_decoder": `vit_b_lm.pt` and `vit_b_lm_decoder.pt`.
    given : Path, optional
        Where else it may be.
    device : str

    Returns
    -------
    InstanceDecoder
        None where there is none.

    Raises
    ------
    WeightsError
        There is one, but it can't be read, is damaged, or has other layers.
    """
    if inside := tensor_files.load_second(path, device):
        return decoder_of(inside, path)
    found = tensor_files.decoder_beside(path) or given
    if found is None:
        return None
    second = tensor_files.load_second(found, device)
    return decoder_of(second or tensor_files.load(found, device=device), found)


def decoder_of(state: Mapping[str, Tensor], path: Path) -> InstanceDecoder:
    """Build a decoder of the authors' state dict.

    Parameters
    ----------
    state : mapping of str to tensor of any shape
        With or without the encoder's weights, which are left out.
    path : Path
        Of its file, for messages.

    Raises
    ------
    WeightsError
        It is no decoder of micro-sam, or one with skip connections or further weights.
    """
    own = {key: tensor for key, tensor in state.items() if not key.startswith("encoder.")}
    if "out_conv.weight" not in own:
        raise WeightsError(
            f"{path} holds no decoder of micro-sam; give the file that is published beside its "
            "SAM (vit_b_decoder.pt, ...), or move this one away to do without"
        )
    if any(key.startswith("deconv2.0.") for key in own):
        raise WeightsError(
            f"{path} holds a UNETR with skip connections, which needs the inner layers of its "
            "encoder; choose a decoder that was trained by micro-sam, or move this one away"
        )
    with torch.device("meta"):
        decoder = InstanceDecoder("decoder.samplers.0.block.weight" in own)
    expected = {key: tuple(tensor.shape) for key, tensor in decoder.state_dict().items()}
    tensor_files.check_shapes({key: tuple(t.shape) for key, t in own.items()}, expected, path)
    if further := sorted(set(own) - set(expected)):
        raise WeightsError(
            f"{path} has {len(further)} weights more than a decoder of micro-sam ({further[0]}, "
            "...); choose the published file, or move this one away to do without"
        )
    decoder.load_state_dict(own, assign=True)
    return decoder.eval().requires_grad_(False)
