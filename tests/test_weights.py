"""Weights: downloaded with resume, verified, converted, and refused with a reason."""

from __future__ import annotations

import json
import os
import pickle
import shutil
from collections.abc import Iterator
from pathlib import Path

import certifi
import pytest
from files import full_disk
from website import DIGEST, PAGE, PAYLOAD, Site, serve

from napari_seem.errors import DownloadCancelled, FileTrouble, WeightsError
from napari_seem.models.files import tensor_files, weights
from napari_seem.models.files.weights import WeightsFile

torch = pytest.importorskip("torch")
from safetensors.torch import load_file, save_file  # noqa: E402


@pytest.fixture(scope="module", autouse=True)
def _few_certificates(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Know one authority: all of them take longer to read than all else, and none is needed."""
    end = "-----END CERTIFICATE-----\n"
    one = tmp_path_factory.mktemp("authorities") / "one.pem"
    one.write_text(certifi.contents().partition(end)[0] + end, encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(certifi, "where", lambda: str(one))
        patch.setenv("SSL_CERT_FILE", str(one))
        patch.setenv("SSL_CERT_DIR", str(one.parent))
        yield


def test_download_reports_progress_and_leaves_the_whole_file(site: Site, tmp_path: Path) -> None:
    seen: list[tuple[int, int | None]] = []
    path = weights.download(
        site.url,
        tmp_path / "new" / "model.safetensors",
        digest=DIGEST,
        size=len(PAYLOAD),
        progress=lambda done, total: seen.append((done, total)),
    )
    assert path.read_bytes() == PAYLOAD
    assert seen[-1] == (len(PAYLOAD), len(PAYLOAD))
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)
    assert list(path.parent.iterdir()) == [path]


def test_a_transfer_killed_half_way_is_resumed(site: Site, tmp_path: Path) -> None:
    target = tmp_path / "model.safetensors"
    site.break_after = 400_000
    with pytest.raises(WeightsError, match=r"broke off after 400000 of 1000003 bytes.*resumes"):
        weights.download(site.url, target, digest=DIGEST)
    assert not target.exists()
    site.break_after = None
    first: list[int] = []
    weights.download(site.url, target, digest=DIGEST, progress=lambda done, _: first.append(done))
    assert target.read_bytes() == PAYLOAD
    assert site.asked == [None, "bytes=400000-"]
    assert first[0] > 400_000


def test_a_server_without_ranges_starts_anew(site: Site, tmp_path: Path) -> None:
    target = tmp_path / "model.safetensors"
    target.with_name("model.safetensors.part").write_bytes(b"x" * 1000)
    site.ranges = False
    weights.download(site.url, target, digest=DIGEST)
    assert target.read_bytes() == PAYLOAD


def test_a_part_longer_than_the_file_starts_anew(site: Site, tmp_path: Path) -> None:
    target = tmp_path / "model.safetensors"
    target.with_name("model.safetensors.part").write_bytes(b"x" * (len(PAYLOAD) + 5))
    weights.download(site.url, target, digest=DIGEST)
    assert target.read_bytes() == PAYLOAD


def test_a_cancelled_download_keeps_its_part(site: Site, tmp_path: Path) -> None:
    target = tmp_path / "model.safetensors"
    with pytest.raises(DownloadCancelled, match="resumes from there"):
        weights.download(site.url, target, cancel=lambda: True)
    part = tmp_path / "model.safetensors.part"
    assert 0 < part.stat().st_size < len(PAYLOAD)
    weights.download(site.url, target, digest=DIGEST)
    assert target.read_bytes() == PAYLOAD
    assert not part.exists()


def test_a_part_of_another_version_is_not_gone_on_with(site: Site, tmp_path: Path) -> None:
    target = tmp_path / "model.safetensors"
    site.version, site.break_after = '"one"', 400_000
    with pytest.raises(WeightsError, match="broke off"):
        weights.download(site.url, target)
    site.break_after = None
    site.version, site.body = '"two"', PAYLOAD[::-1]
    weights.download(site.url, target)
    assert target.read_bytes() == PAYLOAD[::-1]
    assert site.asked == [None, "bytes=400000-"]
    assert list(tmp_path.iterdir()) == [target]


def test_a_part_of_the_same_version_is_gone_on_with(site: Site, tmp_path: Path) -> None:
    target = tmp_path / "model.safetensors"
    site.version, site.break_after = '"one"', 400_000
    with pytest.raises(WeightsError, match="broke off"):
        weights.download(site.url, target)
    site.break_after, first = None, []
    weights.download(site.url, target, progress=lambda done, _: first.append(done))
    assert first[0] > 400_000
    assert target.read_bytes() == PAYLOAD
    assert list(tmp_path.iterdir()) == [target]


@pytest.mark.parametrize("version", ["", 'W/"one"'])
def test_a_part_of_an_unknown_version_is_begun_anew(
    version: str, site: Site, tmp_path: Path
) -> None:
    site.version, target = version, tmp_path / "model.safetensors"
    target.with_name("model.safetensors.part").write_bytes(b"x" * 1000)
    weights.download(site.url, target)
    assert target.read_bytes() == PAYLOAD
    assert site.asked == [None]


def test_another_range_than_asked_is_not_appended(site: Site, tmp_path: Path) -> None:
    target = tmp_path / "model.safetensors"
    target.with_name("model.safetensors.part").write_bytes(PAYLOAD[:1000])
    site.starts_at = 7
    weights.download(site.url, target, digest=DIGEST)
    assert target.read_bytes() == PAYLOAD
    assert site.asked == ["bytes=1000-", None]


def test_a_link_at_the_part_is_not_written_through(site: Site, tmp_path: Path) -> None:
    target, precious = tmp_path / "model.safetensors", tmp_path / "precious"
    precious.write_bytes(b"mine")
    target.with_name("model.safetensors.part").symlink_to(precious)
    weights.download(site.url, target, digest=DIGEST)
    assert precious.read_bytes() == b"mine"
    assert target.read_bytes() == PAYLOAD
    assert not target.is_symlink()


def test_an_encrypted_address_leads_to_encrypted_ones_only(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serve(tls=tmp_path, monkeypatch=monkeypatch) as safe:
        safe.leads_to = site.url
        with pytest.raises(WeightsError, match="not encrypted"):
            weights.download(safe.url, tmp_path / "model.safetensors")
        assert site.asked == []
        safe.leads_to = ""
        weights.download(safe.url, tmp_path / "model.safetensors", digest=DIGEST)


def test_a_flipped_byte_is_rejected_and_leaves_nothing(site: Site, tmp_path: Path) -> None:
    site.body = PAYLOAD[:500] + bytes([PAYLOAD[500] ^ 1]) + PAYLOAD[501:]
    with pytest.raises(WeightsError, match=rf"damaged: sha256 .* expected {DIGEST}"):
        weights.download(site.url, tmp_path / "model.safetensors", digest=DIGEST)
    assert list(tmp_path.iterdir()) == []


def test_a_server_that_sends_more_than_expected_is_cut_off(site: Site, tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="offers 1000003 bytes where at most 1000"):
        weights.download(site.url, tmp_path / "model.safetensors", size=1000)


@pytest.mark.parametrize("url", ["file:///etc/hostname", "model.safetensors"])
def test_only_web_addresses_are_downloaded(url: str, tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="no web address"):
        weights.download(url, tmp_path / "model.safetensors")


def test_an_unreachable_server_names_address_and_place(tmp_path: Path) -> None:
    target = tmp_path / "model.safetensors"
    with pytest.raises(WeightsError, match=r"failed.*by hand") as caught:
        weights.download("http://127.0.0.1:9/model.safetensors", target)
    assert str(target) in str(caught.value)


@pytest.mark.parametrize("typed", [True, False])
@pytest.mark.parametrize("led", [True, False])
def test_a_page_instead_of_the_file_is_told_and_the_part_stays(
    typed: bool, led: bool, site: Site, tmp_path: Path
) -> None:
    target = tmp_path / "model.safetensors"
    site.version, site.break_after = '"one"', 400_000
    with pytest.raises(WeightsError, match="broke off"):
        weights.download(site.url, target)
    site.body, site.version, site.break_after = b"\n<!DOCTYPE html><p>Sign in", "", None
    site.content_type = "text/html; charset=utf-8" if typed else ""
    site.leads_to = f"/{PAGE}" if led else ""
    with pytest.raises(WeightsError, match=r"web page instead of the file.*HTTPS_PROXY") as caught:
        weights.download(site.url, target)
    assert str(target) in str(caught.value)
    site.body, site.version, site.content_type, site.leads_to = PAYLOAD, '"one"', "", ""
    weights.download(site.url, target)
    assert target.read_bytes() == PAYLOAD
    assert site.asked[-1] == "bytes=400000-"
    assert list(tmp_path.iterdir()) == [target]


def test_a_disk_that_fills_up_is_told_and_the_download_goes_on_later(
    site: Site, tmp_path: Path
) -> None:
    target = tmp_path / "model.safetensors"
    with (
        full_disk(300_000),
        pytest.raises(FileTrouble, match=r"gone on with.*Free some disk space"),
    ):
        weights.download(site.url, target, digest=DIGEST)
    assert [path.name for path in tmp_path.iterdir()] == ["model.safetensors.part"]
    weights.download(site.url, target, digest=DIGEST)
    assert site.asked[-1] == "bytes=300000-"
    assert target.read_bytes() == PAYLOAD


def test_a_disk_without_room_is_told_before_anything_is_written(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    left = shutil.disk_usage(tmp_path)._replace(free=500_000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: left)
    with pytest.raises(FileTrouble, match=r"needs 1 MB, and its disk has 0 MB left; free some"):
        weights.download(site.url, tmp_path / "model.safetensors", digest=DIGEST)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_can_not_be_made_names_the_variable(site: Site, tmp_path: Path) -> None:
    (tmp_path / "home").write_text("no folder")
    with pytest.raises(FileTrouble, match=f"no folder .*; .*{weights.HOME_VARIABLE}"):
        weights.download(site.url, tmp_path / "home" / "models" / "model.safetensors")


def test_missing_weights_say_what_to_put_where(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(weights.HOME_VARIABLE, str(tmp_path))
    file = WeightsFile("model.pt", url="https://example.org/model.pt")
    with pytest.raises(WeightsError) as caught:
        weights.find(file)
    assert "https://example.org/model.pt" in str(caught.value)
    assert str(tmp_path / "model.pt") in str(caught.value)


def test_fetch_downloads_once(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(weights.HOME_VARIABLE, str(tmp_path))
    file = WeightsFile("model.safetensors", url=site.url, digest=DIGEST, size=len(PAYLOAD))
    assert weights.fetch(file) == weights.fetch(file) == tmp_path / "model.safetensors"
    assert len(site.asked) == 1


def test_truncated_and_altered_files_are_told_apart(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    path.write_bytes(PAYLOAD[:-7])
    with pytest.raises(WeightsError, match="truncated: 999996 bytes where 1000003"):
        weights.verify(path, digest=DIGEST, size=len(PAYLOAD))
    path.write_bytes(PAYLOAD[:-1] + bytes([PAYLOAD[-1] ^ 128]))
    with pytest.raises(WeightsError, match="damaged"):
        weights.verify(path, digest=DIGEST, size=len(PAYLOAD))


def test_safetensors_are_loaded_after_their_shapes_are_checked(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    save_file({"a": torch.arange(6.0).reshape(2, 3), "b": torch.ones(2)}, path)
    assert tensor_files.shapes_of(path) == {"a": (2, 3), "b": (2,)}
    assert set(tensor_files.load(path)) == {"a", "b"}
    loaded = tensor_files.load(path, {"a": (2, 3)})
    assert set(loaded) == {"a"}
    assert loaded["a"][1, 2] == 5
    with pytest.raises(WeightsError, match=r"lacks key c"):
        tensor_files.load(path, {"c": (1,)})
    with pytest.raises(WeightsError, match=r"key a has shape \(2, 3\), expected \(3, 2\)"):
        tensor_files.load(path, {"a": (3, 2)})


def test_damaged_safetensors_are_named(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    save_file({"a": torch.zeros(100)}, path)
    whole = path.read_bytes()
    path.write_bytes(whole[:-100])
    with pytest.raises(WeightsError, match="truncated"):
        tensor_files.load(path)
    for damaged in (b"", whole[:20], b"GIF89a" + whole, pickle.dumps([1]), b"\x02" + bytes(9)):
        path.write_bytes(damaged)
        with pytest.raises(WeightsError, match="not a safetensors file"):
            tensor_files.load(path)


def test_a_checkpoint_is_converted_once(tmp_path: Path) -> None:
    path = tmp_path / "model.pt"
    base = torch.arange(4.0)
    torch.save({"a": base, "view": base[:2], "criterion.x": torch.ones(3)}, path)
    loaded = tensor_files.load(path, {"a": (4,), "view": (2,)})
    assert torch.equal(loaded["view"], base[:2])
    done = tmp_path / "model.safetensors"
    assert set(load_file(done)) == {"a", "view"}
    before = done.stat().st_mtime_ns
    tensor_files.load(path, {"a": (4,)})
    assert done.stat().st_mtime_ns == before


def test_a_full_disk_leaves_nothing_half_converted(tmp_path: Path) -> None:
    path = tmp_path / "model.pt"
    torch.save({"a": torch.ones(100_000)}, path)
    with full_disk(100_000), pytest.raises(FileTrouble, match="Free some disk space"):
        tensor_files.load(path)
    assert list(tmp_path.iterdir()) == [path]
    assert tensor_files.load(path)["a"].sum() == 100_000


def test_a_file_of_the_same_name_is_never_taken_for_the_converted_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(weights.HOME_VARIABLE, str(tmp_path / "cache"))
    own = tmp_path / "best.safetensors"
    save_file({"a": torch.tensor([3.0])}, own)
    before = own.read_bytes()
    torch.save({"a": torch.tensor([1.0])}, tmp_path / "best.pt")
    assert tensor_files.load(tmp_path / "best.pt")["a"] == 1
    assert own.read_bytes() == before
    own.unlink()
    for value, name in ((1, "best.pt"), (2, "best.pth"), (1, "best.pt")):
        torch.save({"a": torch.tensor([float(value)])}, tmp_path / name)
        assert tensor_files.load(tmp_path / name)["a"] == value


def test_read_only_folders_share_no_converted_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(weights.HOME_VARIABLE, str(tmp_path / "cache"))
    monkeypatch.setattr(os, "access", lambda *_: False)
    for value, folder in ((1, "one"), (2, "two"), (1, "one")):
        path = tmp_path / folder / "sam_vit_b.pt"
        if not path.exists():
            path.parent.mkdir()
            torch.save({"a": torch.tensor([float(value)])}, path)
        assert tensor_files.load(path)["a"] == value
        assert list(path.parent.iterdir()) == [path]
    assert not (tmp_path / "cache" / "sam_vit_b.safetensors").exists()  # that of a published one


def test_a_wrong_checkpoint_is_not_converted(tmp_path: Path) -> None:
    path = tmp_path / "model.pt"
    torch.save({"a": torch.zeros(4)}, path)
    with pytest.raises(WeightsError, match=r"model\.pt: key a has shape \(4,\), expected \(5,\)"):
        tensor_files.load(path, {"a": (5,)})
    assert list(tmp_path.iterdir()) == [path]


class Trap:
    """Would write a file if it were ever unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, ...]:
        return (Path.touch, (self.path,))


def test_a_checkpoint_never_runs_foreign_code(tmp_path: Path) -> None:
    path, sprung = tmp_path / "model.pt", tmp_path / "sprung"
    torch.save({"a": Trap(sprung)}, path)
    with pytest.raises(WeightsError, match="not opened"):
        tensor_files.load(path)
    assert not sprung.exists()


def test_damaged_checkpoints_are_named(tmp_path: Path) -> None:
    path = tmp_path / "model.pt"
    torch.save({"a": torch.zeros(1000)}, path)
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(WeightsError, match=r"truncated or damaged|not opened"):
        tensor_files.load(path)
    torch.save([1, 2], path)
    with pytest.raises(WeightsError, match="holds no tensors"):
        tensor_files.load(path)


def test_packaged_files_need_their_digest(tmp_path: Path) -> None:
    file = WeightsFile(str(tmp_path / "model.safetensors"))
    assert file.packaged
    assert file.located() is None
    with pytest.raises(WeightsError, match=r"packaged weights .* are missing"):
        weights.find(file)
    file.path.write_bytes(PAYLOAD)
    with pytest.raises(WeightsError, match="does not state sha256"):
        weights.find(file)
    file.path.with_suffix(".json").write_text(json.dumps({"sha256": DIGEST, "size": len(PAYLOAD)}))
    assert weights.find(file) == file.path
    file.path.write_bytes(PAYLOAD[::-1])
    with pytest.raises(WeightsError, match="damaged"):
        weights.find(file)
