"""Connections to dask.distributed clusters; encrypted unless they stay on this machine."""

from __future__ import annotations

import gc
import ipaddress
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from .. import __version__
from ..errors import ClusterTrouble
from ..io.extras import need

if TYPE_CHECKING:
    from distributed import Client

WAIT = 20
"""Seconds to wait for a scheduler."""


@dataclass(frozen=True)
class Certificates:
    """PEM files of an encrypted connection, all three needed, as dask.distributed names them."""

    ca: Path
    cert: Path
    key: Path

    def check(self) -> None:
        """Raise `ClusterTrouble` if a file is absent."""
        absent = [str(path) for path in (self.ca, self.cert, self.key) if not path.is_file()]
        if absent:
            raise ClusterTrouble(f"there is no certificate file {', '.join(absent)}")


@contextmanager
def cluster(address: str, certificates: Certificates | None = None) -> Iterator[Client]:
    """Connect to a cluster; the client is closed at the end.

    Parameters
    ----------
    address : str
        "tls://host:port"; "tcp://..." of this machine only; or "local:N" for N processes here.
    certificates : Certificates, optional
        Needed with tls, unless dask's own configuration names them.

    Raises
    ------
    ClusterTrouble
        No scheduler answers, an unencrypted connection to another machine, certificates that are
        absent or refused, or workers of another version.
    """
    distributed = need("distributed")
    if address.startswith("local:"):
        count = _count(address)
        # others on this machine reach the port, too, but have no key that was made for this run
        need("cryptography")
        keys = distributed.Security.temporary()
        with (
            distributed.LocalCluster(
                n_workers=count, threads_per_worker=1, processes=True, host="127.0.0.1",
                protocol="tls", security=keys, dashboard_address=None,
            ) as here,
            distributed.Client(here) as client,
        ):  # fmt: skip
            yield client
        return
    client = connect(address, certificates)
    try:
        check_version(client)
        yield client
    finally:
        client.close()


def connect(address: str, certificates: Certificates | None = None) -> Client:
    """Connect to a scheduler; see `cluster`."""
    distributed = need("distributed")
    check_address(address)
    options: dict[str, Any] = {}
    if address.startswith("tls://"):
        if certificates is not None:
            certificates.check()
            options["security"] = distributed.Security(
                tls_ca_file=str(certificates.ca), tls_client_cert=str(certificates.cert),
                tls_client_key=str(certificates.key), require_encryption=True,
            )  # fmt: skip
        elif not need("dask.config").get("distributed.comm.tls.ca-file", None):
            raise ClusterTrouble(
                f"'{address}' is encrypted; give --tls-ca, --tls-cert and --tls-key, or name them "
                "in dask's configuration"
            )
    gc.collect()  # a client that failed closes itself then; while another is made, that would hang
    try:
        return distributed.Client(address, timeout=WAIT, set_as_default=False, **options)
    except (OSError, TimeoutError, ValueError, TypeError) as error:
        raise ClusterTrouble(
            f"no scheduler answers at '{address}' ({error}); see that it runs, that the address "
            "and the certificates are right"
        ) from error


class Connection:
    """A connection to a scheduler that is opened when it is first needed, and again after it broke.

    Parameters
    ----------
    address : str
        As of `connect`.
    certificates : Certificates, optional
    """

    def __init__(self, address: str, certificates: Certificates | None = None) -> None:
        self.address, self._certificates = address, certificates
        self._client: Client | None = None
        self._lock = threading.Lock()

    def client(self) -> Client:
        """Return the client; safe in any thread.

        Raises
        ------
        ClusterTrouble
            As `cluster`.
        """
        with self._lock:
            if self._client is not None and self._client.status != "running":
                self._close()
            if self._client is None:
                client = connect(self.address, self._certificates)
                try:
                    check_version(client)
                except BaseException:
                    client.close()
                    raise
                self._client = client
            return self._client

    def close(self) -> None:
        """Close the connection; the next `client` opens it again."""
        with self._lock:
            self._close()

    def _close(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            client.close()


def check_address(address: str) -> None:
    """Raise `ClusterTrouble` unless an address is encrypted, or of this machine.

    A scheduler runs what it receives, and its answers are unpickled here: anybody who listens on an
    unencrypted connection could run anything.
    """
    parts = urlsplit(address)
    if parts.scheme not in ("tls", "tcp") or not parts.hostname:
        raise ClusterTrouble(
            f"'{address}' is not the address of a scheduler; write tls://host:8786, or local:2"
        )
    if parts.scheme == "tcp" and not _is_loopback(parts.hostname):
        raise ClusterTrouble(
            f"'{address}' is another machine and the connection is not encrypted; start the "
            "scheduler with certificates and use tls://, or reach it by an SSH tunnel as "
            "tcp://127.0.0.1:port"
        )


def check_version(client: Client) -> None:
    """Raise `ClusterTrouble` if no worker answers, or one runs another version."""
    if not client.scheduler_info()["workers"]:
        raise ClusterTrouble("the scheduler has no worker; start some, then try again")
    for worker, version in client.run(_own_version).items():
        if version != __version__:
            raise ClusterTrouble(
                f"the worker {worker} runs napari-seem {version}, here it is {__version__}; "
                "install the same version everywhere"
            )


def _own_version() -> str:
    return __version__


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _count(address: str) -> int:
    text = address.removeprefix("local:")
    if not text.isdigit() or not 1 <= int(text) <= 256:
        raise ClusterTrouble(f"'{address}' names no number of processes; write local:2")
    return int(text)
