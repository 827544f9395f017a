"""micro-sam's decoder: its weights by the authors' keys, its maps, and the objects of them."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
import xxhash
from skimage.draw import disk
from tiny_sams import AS_PUBLISHED, FIRST
from website import Site, serve

import napari_seem as ns
from napari_seem.errors import InvalidPrompt, WeightsError
from napari_seem.models import registry
from napari_seem.models.base import Embedding
from napari_seem.models.running.patience import patiently
from napari_seem.models.sam import sizes
from napari_seem.models.sam.decoder import InstanceDecoder, decoder_of
from napari_seem.models.sam.instances import middles_of, regions_of
from napari_seem.models.sam.model import SamModel

State = dict[str, torch.Tensor]

AUTHORS = json.loads((Path(__file__).parents[1] / "data/sam_decoder_keys.json").read_text())
KINDS = ["bilinear", "transposed"]
HERE = Path("vit_b_decoder.pt")


@pytest.fixture(params=[FIRST], ids=["sam"])
def tiny(request: pytest.FixtureRequest) -> sizes.SamSizes:
    """The sizes of a SAM: the decoder reads what its encoder gives."""
    return request.param


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep what is downloaded in a folder of the test."""
    monkeypatch.setenv("NAPARI_SEEM_HOME", str(tmp_path / "cache"))


def _state(kind: str = "bilinear") -> State:
    """Weights of the authors' keys and shapes, as small as trained ones."""
    return dict(_made_up(kind))


@cache
def _made_up(kind: str) -> State:
    chance = torch.Generator().manual_seed(0)
    state = {}
    for key, shape in AUTHORS[kind].items():
        if key.endswith("num_batches_tracked"):
            state[key] = torch.tensor(7)
        elif key.endswith("running_var"):
            state[key] = 0.5 + torch.rand(shape, generator=chance)
        else:
            state[key] = torch.randn(shape, generator=chance) / max(1, np.prod(shape[1:])) ** 0.5
    return state


def _by_hand(state: State, z12: torch.Tensor) -> torch.Tensor:
    """Follow the published list of layers, with torch's functions."""

    def larger(x: torch.Tensor, name: str) -> torch.Tensor:
        if f"{name}.block.weight" in state:
            return F.conv_transpose2d(
                x, state[f"{name}.block.weight"], state[f"{name}.block.bias"], stride=2
            )
        x = F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)
        return F.conv2d(x, state[f"{name}.conv.weight"], state[f"{name}.conv.bias"])

    def twice(x: torch.Tensor, name: str) -> torch.Tensor:
        for layer in (1, 4):
            weight = state[f"{name}.block.{layer}.weight"]
            bias = state[f"{name}.block.{layer}.bias"]
            x = F.relu(F.conv2d(F.instance_norm(x), weight, bias, padding=1))
        return x

    def deconv(x: torch.Tensor, name: str) -> torch.Tensor:
        x = larger(x, f"{name}.block.0")
        single = f"{name}.block.1.block"
        x = F.conv2d(x, state[f"{single}.weight"], state[f"{single}.bias"], padding=1)
        norm = (state[f"{name}.block.2.{what}"] for what in
                ("running_mean", "running_var", "weight", "bias"))  # fmt: skip
        return F.relu(F.batch_norm(x, *norm))

    z9 = deconv(z12, "deconv1")
    z6 = deconv(z9, "deconv2")
    z3 = deconv(z6, "deconv3")
    z0 = deconv(z3, "deconv4")
    x = twice(z12, "base")
    for step, (skip, middle) in enumerate(
        [(z9, slice(128, 384)), (z6, slice(64, 192)), (z3, slice(32, 96))]
    ):
        x = larger(x, f"decoder.samplers.{step}")
        x = twice(torch.cat([x, skip[:, middle]], 1), f"decoder.blocks.{step}")
    x = twice(torch.cat([larger(x, "deconv_out"), z0], 1), "decoder_head")
    return F.conv2d(x, state["out_conv.weight"], state["out_conv.bias"]).sigmoid()


@pytest.mark.parametrize("kind", KINDS)
def test_every_key_of_the_authors_is_used_once(kind: str) -> None:
    """The network built of a state dict takes just its weights, in their shapes, as a new one."""
    for decoder in (decoder_of(_state(kind), HERE), InstanceDecoder(kind == "transposed")):
        found = {key: list(tensor.shape) for key, tensor in decoder.state_dict().items()}
        assert found == AUTHORS[kind]


@pytest.mark.parametrize("kind", KINDS)
def test_its_maps_are_those_of_the_published_layers(kind: str) -> None:
    """The same weights and encoded image give the same three maps."""
    state = {key: tensor.double() for key, tensor in _state(kind).items()}
    encoded = torch.randn((1, 256, 4, 3), generator=torch.Generator().manual_seed(1)).double()
    before = encoded.clone()
    with torch.inference_mode():
        found = decoder_of(state, HERE)(encoded)
        expected = _by_hand(state, encoded)
    assert found.shape == (1, 3, 64, 48)
    assert float(expected.std()) > 0.05
    torch.testing.assert_close(found, expected, atol=1e-9, rtol=0)
    assert torch.equal(encoded, before)


def test_what_is_no_decoder_says_why() -> None:
    """Of another family, with skip connections, other maps, other layers."""
    further = {"deconv1.block.0.norm.weight": torch.zeros(3)}
    skips = {"deconv2.0.block.1.block.weight": torch.zeros(3)}
    four = {"out_conv.weight": torch.zeros(4, 64, 1, 1)}
    wide = {"base.block.1.weight": torch.zeros(512, 768, 3, 3)}
    lacking = {key: tensor for key, tensor in _state().items() if not key.startswith("deconv_out")}
    cases: list[tuple[State, str]] = [
        ({"image_encoder.pos_embed": torch.zeros(3)}, "holds no decoder of micro-sam"),
        (_state() | skips, "UNETR with skip connections"),
        (_state() | four, r"out_conv.weight has shape \(4, 64, 1, 1\), expected \(3, 64"),
        (_state() | wide, r"base.block.1.weight has shape \(512, 768"),
        (_state() | further, "1 weights more than a decoder"),
        (lacking, r"lacks key deconv_out"),
    ]
    for state, why in cases:
        with pytest.raises(WeightsError, match=why):
            decoder_of(state, HERE)


def _published(model: State, decoder: State, folder: Path) -> list[bytes]:
    for name, state in (("encoder", model), ("decoder", decoder)):
        torch.save(state, folder / name)
    return [(folder / name).read_bytes() for name in ("encoder", "decoder")]


def test_both_files_are_downloaded_converted_loaded_and_used(
    model: SamModel, checkpoint: State, image: np.ndarray, site: Site, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """From a server to objects, by the weights that were published."""
    spec, state = registry.model_spec("micro-sam-vit-b-lm"), _state()
    state["out_conv.bias"] = torch.tensor([-0.4, -3.0, -3.0])  # some of the random maps are objects
    assert spec.decoder is not None
    site.body, second = _published(checkpoint, state, tmp_path)
    with serve() as other:
        other.body = second
        digests = (f"xxh128:{xxhash.xxh128(body).hexdigest()}" for body in (site.body, second))
        spec = replace(
            spec, weights=replace(spec.weights, url=site.url, digest=next(digests)),
            decoder=replace(spec.decoder, url=other.url, digest=next(digests)),
        )  # fmt: skip
        monkeypatch.setattr(registry, "model_spec", lambda _: spec)
        seen: list[str] = []
        registry.download_model("it", lambda done, total, what: seen.append(what))
    assert not spec.lacks_decoder
    licence = "(CC-BY-4.0)"
    assert set(seen) == {f"download it {licence}", f"download the decoder of it {licence}"}
    registry.build_model(spec, "cpu")
    spec.decoder.path.unlink()  # what was converted is enough
    spec.weights.path.unlink()
    loaded = registry.build_model(spec, "cpu")
    for key, tensor in loaded.decoder.state_dict().items():
        assert torch.equal(tensor, state[key])
    embedding = loaded.encode(image)
    found = loaded.segment(embedding, prompted=False)
    with pytest.raises(TypeError, match="threshold"):
        loaded.segment(embedding, threshold=0.5)
    with pytest.raises(InvalidPrompt, match=r"prompted can't be chosen .* 2048 pixels"):
        loaded.segment(loaded.encode(np.zeros((2100, 300), np.uint8)), prompted=False)
    assert found.shape == (150, 220)
    assert 0.1 < (found.labels > 0).mean() < 0.95


@pytest.mark.parametrize("where", ["inside", "beside", "in micro-sam's cache"])
def test_a_decoder_of_ones_own_is_found(
    model: SamModel, checkpoint: State, tmp_path: Path, where: str
) -> None:
    """In the checkpoint of torch_em, or beside the SAM under its name."""
    path = tmp_path / ("vit_b_lm" if where == "in micro-sam's cache" else "own.pt")
    inside = {f"sam.{key}": tensor for key, tensor in checkpoint.items()}
    if where == "inside":
        torch.save({"model_state": inside, "decoder_state": _state(), "epoch": 3}, path)
    else:
        torch.save(checkpoint, path)
        torch.save(_state(), path.with_name(f"{path.stem}_decoder{path.suffix}"))
    for _ in range(2):  # written anew, and read from what was converted
        loaded = ns.load_model("sam-vit-b", "cpu", path)
        assert loaded.identity.split("-")[-1] == model.identity.split("-")[-1]
        weight = loaded.decoder.out_conv.weight
        torch.testing.assert_close(weight, _state()["out_conv.weight"])
        assert loaded.finds_by.startswith("decoder-")
        assert loaded.finds_by != f"decoder-{0:08x}"
    assert model.finds_by == "grid"
    assert ns.load_model("micro-sam-vit-b-lm", "cpu", path).decoder is not None


def test_a_bad_second_file_is_named(checkpoint: State, tmp_path: Path) -> None:
    """Truncated, a page, and the SAM itself again; without it the model loads."""
    torch.save(checkpoint, tmp_path / "own.pt")
    second = tmp_path / "own_decoder.pt"
    assert ns.load_model("sam-vit-b", "cpu", tmp_path / "own.pt").decoder is None
    torch.save(_state(), second)
    whole = second.read_bytes()
    for body, why in (
        (whole[: len(whole) // 2], "truncated or damaged"),
        (b"<!DOCTYPE html><html></html>", "own_decoder.pt"),
        ((tmp_path / "own.pt").read_bytes(), "holds no decoder"),
    ):
        second.write_bytes(body)
        with pytest.raises(WeightsError, match=why):
            ns.load_model("sam-vit-b", "cpu", tmp_path / "own.pt")
        converted = {path.name for path in tmp_path.glob("*.safetensors")}
        assert converted == {"own.safetensors"} | (
            {"own_decoder.safetensors"} if why == "holds no decoder" else set()
        )


def test_a_published_decoder_of_another_encoder_is_refused(
    checkpoint: State, tmp_path: Path
) -> None:
    """All decoders have one shape: they are told by their digest."""
    spec = registry.model_spec("micro-sam-vit-b-lm")
    assert spec.decoder is not None
    spec.weights.path.parent.mkdir(parents=True)
    torch.save(checkpoint, spec.weights.path)
    torch.save(_state(), spec.decoder.path)
    spec = replace(spec, weights=replace(spec.weights, digest=None))
    with pytest.raises(WeightsError, match=r"vit_b_lm_decoder\.pt is damaged"):
        registry.build_model(spec, "cpu")


def test_a_failed_download_of_the_decoder_leaves_the_model(
    checkpoint: State, site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A page in place of the decoder is deleted; the SAM is there, and loads without."""
    spec = registry.model_spec("micro-sam-vit-b-lm")
    assert spec.decoder is not None
    site.body = _published(checkpoint, {}, tmp_path)[0]
    with serve() as other:
        other.body = b"<!DOCTYPE html><html><body>Please sign in</body></html>"
        spec = replace(
            spec, weights=replace(spec.weights, url=site.url, digest=None),
            decoder=replace(spec.decoder, url=other.url),
        )  # fmt: skip
        monkeypatch.setattr(registry, "model_spec", lambda _: spec)
        with pytest.raises(WeightsError, match="web page instead of the file"):
            registry.download_model("it")
    assert spec.installed
    assert spec.lacks_decoder
    assert registry.build_model(spec, "cpu").decoder is None


DISCS = [((40, 60), 20), ((40, 104), 24), ((120, 180), 14)]
"""Two of them touch."""


def _scene(shape: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Labels of the discs (H, W), and the maps (3, H, W) that tell of them."""
    labels = np.zeros(shape, int)
    maps = np.zeros((3, *shape), np.float32)
    maps[1:] = 1
    for number, (place, radius) in enumerate(DISCS, 1):
        rows, cols = disk(place, radius + 0.5, shape=shape)
        labels[rows, cols] = number
        away = np.hypot(rows - place[0], cols - place[1]) / radius
        maps[0, rows, cols] = 1
        maps[1:, rows, cols] = away
    return labels, maps


def _seen(model: SamModel, shape: tuple[int, int]) -> Embedding:
    """A plane as the model gives it to its decoders, where both are told what to answer."""
    return Embedding(model.identity, shape, {"level.0": torch.zeros(1, 256, 64, 64)})


def test_known_maps_give_known_objects() -> None:
    """Touching discs are cut apart, and each has its middle."""
    labels, maps = _scene((150, 220))
    regions, seeds = regions_of(maps)
    assert regions.max() == seeds.max() == len(DISCS)
    for number, (place, _) in enumerate(DISCS, 1):
        found = regions == regions[place]
        shared = (found & (labels == number)).sum() / (found | (labels == number)).sum()
        assert shared > 0.97
    middles = sorted(map(tuple, middles_of(seeds)))
    assert np.abs(np.array(middles) - sorted(place for place, _ in DISCS)).max() <= 1
    nothing = np.stack([np.zeros((9, 7), np.float32), *np.ones((2, 9, 7), np.float32)])
    empty, seeds = regions_of(nothing)
    assert empty.max() == 0
    assert middles_of(seeds).shape == (0, 2)


@AS_PUBLISHED
@pytest.mark.parametrize("shape", [(150, 220), (400, 210), (64, 1500)])
@pytest.mark.parametrize("prompted", [True, False])
def test_objects_lie_where_the_decoder_says(
    model: SamModel, side: int, shape: tuple[int, int], prompted: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """Known maps in the square, padded as SAM pads, give objects at their place in the image."""
    scale = side / max(shape)
    rows, cols = (round(length * scale) for length in shape)
    _, maps = _scene((shape[0], shape[1]))
    square = torch.full((3, side, side), 0.5)
    square[:, :rows, :cols] = F.interpolate(torch.tensor(maps)[None], (rows, cols))[0]
    decoder = decoder_of(_state(), HERE)
    monkeypatch.setattr(decoder, "forward", lambda encoded: square[None])
    monkeypatch.setattr(model, "decoder", decoder)
    asked: list[tuple[float, float]] = []

    def decode(_: object, turns: list, several: bool) -> tuple[torch.Tensor, torch.Tensor]:
        assert not several
        masks = torch.full((len(turns), 1, 256, 256), -9.0)
        for mask, turn in zip(masks[:, 0], turns, strict=True):
            x, y = ((turn.points[0] + 0.5) / scale - 0.5).tolist()
            asked.append((y, x))
            rows, cols = torch.meshgrid(torch.arange(256.0), torch.arange(256.0), indexing="ij")
            away = torch.hypot(
                (rows + 0.5) * 4 / scale - 0.5 - y, (cols + 0.5) * 4 / scale - 0.5 - x
            )
            mask[:] = 12 - away
        return masks, torch.linspace(0.9, 0.8, len(turns))[:, None]

    monkeypatch.setattr(model, "decode", decode)
    found = model.segment(_seen(model, shape), prompted=prompted)
    inside = [place for place, _ in DISCS if place[0] < shape[0] - 14]
    centres = [np.argwhere(one.full_mask(shape)).mean(0) for one in found.instances]
    centres.sort(key=lambda place: place[1])
    np.testing.assert_allclose(centres, inside, atol=2.5)
    assert len(asked) == (len(inside) if prompted else 0)
    scores = [one.score for one in found.instances]
    assert scores == sorted(scores, reverse=True)
    assert all(one.area > 300 for one in found.instances)


@AS_PUBLISHED
def test_of_two_clicks_on_one_object_the_better_stays(
    model: SamModel, side: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An object of which better ones cover a fifth is dropped; a lesser one keeps its free part."""
    decoder = decoder_of(_state(), HERE)
    _, maps = _scene((150, 220))
    square = torch.ones((3, side, side))
    height = round(side * 150 / 220)
    square[:, :height] = F.interpolate(torch.tensor(maps)[None], (height, side))[0]
    monkeypatch.setattr(decoder, "forward", lambda encoded: square[None])
    monkeypatch.setattr(model, "decoder", decoder)
    spans = [slice(100, 140), slice(104, 144), slice(136, 180)]

    def decode(_: object, turns: list, several: bool) -> tuple[torch.Tensor, torch.Tensor]:
        masks = torch.full((len(turns), 1, 256, 256), -9.0)
        for mask, span in zip(masks[:, 0], spans, strict=True):
            mask[40:80, span] = 9.0
        return masks, torch.tensor([[0.9], [0.8], [0.7]])

    monkeypatch.setattr(model, "decode", decode)
    found = model.segment(_seen(model, (150, 220)))
    assert [round(one.score, 1) for one in found.instances] == [0.9, 0.7]
    first, second = (one.full_mask((150, 220)) for one in found.instances)
    assert not (first & second).any()
    assert second.any(0).sum() == pytest.approx((180 - 140) * 220 / 256, abs=2)


def test_it_can_be_stopped_and_embeddings_of_others_are_refused(
    model: SamModel, image: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its layers let a person's turn go first, and end where they are told to."""
    monkeypatch.setattr(model, "decoder", decoder_of(_state(), HERE))
    embedding = model.encode(image)
    called: list[int] = []

    def leave() -> None:
        called.append(1)
        if len(called) == 5:
            raise InvalidPrompt("left")

    with pytest.raises(InvalidPrompt, match="left"), patiently(leave):
        model.segment(embedding)
    with pytest.raises(InvalidPrompt, match="was made by"):
        model.segment(replace(embedding, model="another"))
