"""A cluster does the same work; only encrypted lines leave this machine."""

from __future__ import annotations

import gc

import numpy as np
import pytest
import tifffile

import napari_seem as ns
from napari_seem.batch import plan, run
from napari_seem.embeddings import remote as elsewhere
from napari_seem.embeddings.cluster import Certificates, Connection, check_address, cluster, connect
from napari_seem.embeddings.remote import RemoteEncoder
from napari_seem.errors import ClusterTrouble
from napari_seem.images import to_rgb
from napari_seem.io.files import read_labels

distributed = pytest.importorskip("distributed")


@pytest.mark.parametrize("address", [
    "tls://10.0.0.7:8786", "tls://host.example:8786", "tcp://127.0.0.1:8786", "tcp://localhost:1",
    "tcp://[::1]:8786",
])  # fmt: skip
def test_safe_addresses(address):
    check_address(address)


@pytest.mark.parametrize(("address", "said"), [
    ("tcp://10.0.0.7:8786", "not encrypted"), ("tcp://host.example:8786", "not encrypted"),
    ("host:8786", "not the address"), ("http://host", "not the address"),
    ("local:many", "names no number"),
])  # fmt: skip
def test_open_lines_and_nonsense_are_refused(address, said):
    with pytest.raises(ClusterTrouble, match=said), cluster(address):
        pass


def test_certificates_are_asked_for_and_checked(tmp_path):
    with pytest.raises(ClusterTrouble, match="--tls-ca"):
        connect("tls://127.0.0.1:1")
    absent = tmp_path / "ca.pem"
    with pytest.raises(ClusterTrouble, match=r"no certificate file.*ca\.pem"):
        connect("tls://127.0.0.1:1", Certificates(absent, absent, absent))


def test_nobody_answers(monkeypatch):
    monkeypatch.setattr("napari_seem.embeddings.cluster.WAIT", 0.2)
    with pytest.raises(ClusterTrouble, match="no scheduler answers"):
        connect("tcp://127.0.0.1:1")


@pytest.fixture(scope="module")
def encrypted(tmp_path_factory):
    """A scheduler with one worker behind certificates made for the occasion."""
    pytest.importorskip("cryptography")
    security, folder = distributed.Security.temporary(), tmp_path_factory.mktemp("keys")
    files = {}
    for name, attribute in (("ca", "tls_ca_file"), ("cert", "tls_client_cert"),
                            ("key", "tls_client_key")):  # fmt: skip
        files[name] = folder / f"{name}.pem"
        files[name].write_text(getattr(security, attribute))
    with distributed.LocalCluster(
        n_workers=1, threads_per_worker=1, processes=True, host="127.0.0.1", security=security,
        protocol="tls://", dashboard_address=None,
    ) as here:  # fmt: skip
        yield here.scheduler_address, Certificates(**files)


def test_processes_here_take_work_from_nobody_else():
    pytest.importorskip("cryptography")
    with cluster("local:1") as client:
        address = client.scheduler.address
        assert address.startswith("tls://127.0.0.1")
        assert client.submit(sum, [1, 2]).result(timeout=20) == 3
        plain, own = address.replace("tls", "tcp"), distributed.Security.temporary()
        for place, keys in ((address, None), (address, own), (plain, None)):
            with pytest.raises((OSError, TimeoutError, TypeError)):
                distributed.Client(place, timeout=0.5, set_as_default=False, security=keys)
            gc.collect()  # as in `connect`


@pytest.mark.long
def test_work_on_an_encrypted_cluster_is_the_work_done_here(encrypted, tmp_path, disc_image):
    address, certificates = encrypted
    assert address.startswith("tls://")
    image, _ = disc_image
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    for number in range(2):
        tifffile.imwrite(pictures / f"p{number}.tif", np.rot90(image, number))
    (pictures / "bad.tif").write_bytes(b"II*\0 nothing")
    here, there = tmp_path / "here", tmp_path / "there"
    run(plan("segment", [pictures], here, {}), here)
    with cluster(address, certificates) as client:
        report = run(plan("segment", [pictures], there, {}), there, client=client)
        assert [outcome.task.source.name for outcome in report.failed] == ["bad.tif"]
        assert len(report.done) == 2
        for name in ("p0_labels.tif", "p1_labels.tif"):
            np.testing.assert_array_equal(read_labels(there / name)[0], read_labels(here / name)[0])


def test_a_cluster_encodes_and_masks_are_decoded_here(encrypted, disc_image):
    connection, (image, _) = Connection(*encrypted), disc_image
    model = ns.load_model("compact")
    far = RemoteEncoder(model, connection)
    embedding = far.encode(image)
    near = model.encode(image)
    assert embedding.model == near.model
    prompt = [ns.Point(*np.argwhere(image > image.mean())[0].tolist())]
    np.testing.assert_array_equal(
        far.predict(embedding, prompt).logits, model.predict(near, prompt).logits
    )
    far._model = type("Other", (), {"name": "compact", "identity": "other weights"})()
    with pytest.raises(ClusterTrouble, match="same weights everywhere"):
        far.encode(image)
    connection.close()


def test_parts_of_big_planes_are_encoded_there_too(encrypted, disc_image):
    connection = Connection(*encrypted)
    model, seen = ns.load_model("compact"), to_rgb(disc_image[0])
    far = RemoteEncoder(model, connection)
    there, here = far.encode_part(seen[:80], seen), model.encode_part(seen[:80], seen)
    prompt = [ns.Point(40, 40)]
    np.testing.assert_array_equal(
        far.predict(there, prompt).logits, model.predict(here, prompt).logits
    )
    connection.close()


def test_a_broken_line_is_opened_again(encrypted, disc_image):
    connection = Connection(*encrypted)
    first = connection.client()
    assert connection.client() is first
    first.close()
    far = RemoteEncoder(ns.load_model("compact"), connection)
    assert far.encode(disc_image[0]).shape == disc_image[0].shape[:2]
    assert connection.client() is not first
    connection.close()


def test_a_cluster_that_does_not_answer_is_told_of(encrypted, disc_image, monkeypatch):
    monkeypatch.setattr(elsewhere, "PATIENCE", 0.01)
    connection = Connection(*encrypted)
    far = RemoteEncoder(ns.load_model("compact"), connection)
    takes_longer = np.kron(disc_image[0], np.ones((8, 8), np.uint8))
    with pytest.raises(ClusterTrouble, match="empty its address in the preferences"):
        far.encode(takes_longer)
    connection.close()
