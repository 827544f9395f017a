"""Checkpoints as their authors write them: downloaded, checked, converted once, loaded, asked."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import xxhash
from tiny_sams import SECOND
from website import Site

import napari_seem as ns
from napari_seem.errors import WeightsError
from napari_seem.models import registry
from napari_seem.models.sam.model import SamModel
from napari_seem.models.sam.network import build

State = dict[str, torch.Tensor]


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep what is downloaded in a folder of the test."""
    monkeypatch.setenv("NAPARI_SEEM_HOME", str(tmp_path / "cache"))


def _saved(content: object, path: Path) -> Path:
    torch.save(content, path)
    return path


def _under(prefix: str, state: State) -> State:
    return {f"{prefix}{key}": tensor for key, tensor in state.items()}


def test_a_download_is_checked_converted_once_and_asked(
    model: SamModel, checkpoint: State, image: np.ndarray, site: Site, tmp_path: Path
) -> None:
    """From a server to a mask: the same as of the network that the file was written from."""
    name = "micro-sam-vit-b-lm" if model.keeps_aspect else "sam2.1-tiny"
    content = checkpoint if model.keeps_aspect else {"model": checkpoint}
    site.body = _saved(content, tmp_path / "published.pt").read_bytes()
    spec = registry.model_spec(name)
    digest = f"xxh128:{xxhash.xxh128(site.body).hexdigest()}" if model.keeps_aspect else None
    weights = replace(spec.weights, url=site.url, digest=digest)
    path = registry.weight_files.fetch(weights)
    loaded = registry.build_model(replace(spec, weights=weights), "cpu")
    assert loaded.name == name
    prompts = [ns.Point(40, 90), ns.Box(20, 60, 90, 130)]
    found = loaded.predict(loaded.encode(image), prompts)
    np.testing.assert_allclose(
        found.logits, model.predict(model.encode(image), prompts).logits, atol=1e-4
    )
    path.unlink()  # what was converted is enough
    again = registry.build_model(replace(spec, weights=weights), "cpu")
    assert again.identity == loaded.identity


def test_a_file_of_ones_own_is_taken_as_its_trainer_wrote_it(
    model: SamModel, checkpoint: State, tmp_path: Path
) -> None:
    """The state dict may stand among other things, with a prefix before its keys."""
    kept = {"epoch": 3, "model_state": _under("module.sam.", checkpoint)}
    path = _saved(kept, tmp_path / "own.pt")
    loaded = ns.load_model("sam-vit-b", "cpu", path)
    assert loaded.identity.split("-")[-1] == model.identity.split("-")[-1]


def test_what_transformers_saved_is_taken_as_it_is(
    model: SamModel, image: np.ndarray, tmp_path: Path
) -> None:
    """By its own keys; SAM's frequencies are written once, and a trainer may put its own before."""
    model.network.save_pretrained(tmp_path)
    saved = tmp_path / "model.safetensors"
    halves = {key: tensor.half() for key, tensor in model.network.state_dict().items()}
    wrapped = _saved({"state_dict": _under("sam.", halves)}, tmp_path / "own.ckpt.pt")
    prompts = [ns.Point(40, 90)]
    expected = model.predict(model.encode(image), prompts).logits
    for path, within in ((saved, 1e-4), (wrapped, 0.5)):
        loaded = ns.load_model("sam-vit-b", "cpu", path)
        found = loaded.predict(loaded.encode(image), prompts).logits
        np.testing.assert_allclose(found, expected, atol=within)
        assert loaded.capabilities == model.capabilities
    assert ns.load_model("sam-vit-b", "cpu", tmp_path).identity[-8:] == model.identity[-8:]


def test_what_transformers_saved_of_sam_2_1_for_single_images(
    tmp_path: Path,
) -> None:
    """A `Sam2Model` has no memory; one with weights inside it that are not SAM's is refused."""
    single = build(replace(SECOND, memory=False))
    single.save_pretrained(tmp_path)
    loaded = ns.load_model("sam2.1-tiny", "cpu", tmp_path / "model.safetensors")
    assert ns.Capability.PROPAGATE not in loaded.capabilities
    state = single.state_dict()
    state["mask_decoder.own.weight"] = torch.zeros(3)
    with pytest.raises(WeightsError, match=r"inside its parts \(mask_decoder\.own\.weight"):
        ns.load_model("sam2.1-tiny", "cpu", _saved(state, tmp_path / "changed.pt"))
    older = build(SECOND).state_dict()
    del older["occlusion_spatial_embedding_parameter"]
    with pytest.raises(WeightsError, match=r"SAM 2\.0; its successor"):
        ns.load_model("sam2.1-tiny", "cpu", _saved(older, tmp_path / "older.pt"))


def test_files_that_can_not_be_used_say_why(checkpoint: State, tmp_path: Path) -> None:
    """Truncated, of another family, changed inside, and with code in them."""
    whole = _saved(checkpoint, tmp_path / "whole.pt").read_bytes()
    (tmp_path / "cut.pt").write_bytes(whole[: len(whole) // 2])
    trunk = "image_encoder.trunk" if "maskmem_tpos_enc" in checkpoint else "image_encoder"
    changed = checkpoint | {f"{trunk}.blocks.0.own.weight": torch.zeros(3)}
    lacking = {key: t for key, t in checkpoint.items() if "iou_prediction_head" not in key}
    cases = {
        tmp_path / "cut.pt": "truncated or damaged",
        _saved(changed, tmp_path / "changed.pt"): rf"inside its parts \({trunk}\.blocks\.0\.own",
        _saved(lacking, tmp_path / "lacking.pt"): r"lacks key mask_decoder\.iou_prediction_head",
        _saved({"code": Path("x")}, tmp_path / "code.pt"): r"foreign code.*model\.state_dict",
        _saved({"backbone.stem.weight": torch.zeros(2)}, tmp_path / "other.pt"): "no SAM",
        _saved([torch.zeros(2)], tmp_path / "list.pt"): "holds no tensors by name",
    }
    for path, why in cases.items():
        with pytest.raises(WeightsError, match=why) as caught:
            ns.load_model("sam-vit-b", "cpu", path)
        assert path.name in str(caught.value)


def test_parts_of_ones_own_beside_the_network_are_left_out_by_name(
    model: SamModel, checkpoint: State, tmp_path: Path
) -> None:
    """A fine-tune with heads beside SAM answers as SAM does, and its reader is told."""
    heads = {"classifier.weight": torch.zeros(3), "decoder.out.bias": torch.ones(2)}
    path = _saved({"state_dict": _under("model.", checkpoint) | heads}, tmp_path / "further.pt")
    with pytest.warns(UserWarning, match=r"further\.pt: 2 .* left out: classifier, decoder"):
        loaded = ns.load_model("sam-vit-b", "cpu", path)
    assert loaded.identity.split("-")[-1] == model.identity.split("-")[-1]


def test_a_download_with_another_digest_is_deleted(site: Site) -> None:
    """The name of SAM's file holds the beginning of its sha256, micro-sam's is an xxh128."""
    for name in ("sam-vit-b", "micro-sam-vit-b-lm"):
        weights = replace(registry.model_spec(name).weights, url=site.url)
        with pytest.raises(WeightsError, match="not the published one and was deleted"):
            registry.weight_files.fetch(weights)
        assert not weights.path.exists()


def test_an_answer_that_is_a_page_is_no_checkpoint(site: Site) -> None:
    """A proxy that answers with HTML is told from weights, also where nobody knows their digest."""
    site.body = b"<!DOCTYPE html><html><body>Please sign in</body></html>"
    weights = replace(registry.model_spec("sam2.1-tiny").weights, url=site.url)
    with pytest.raises(WeightsError, match="web page instead of the file"):
        registry.weight_files.fetch(weights)
    assert weights.located() is None
