"""A small web site on this machine whose transfers can break off, for tests of downloads."""

from __future__ import annotations

import hashlib
import re
import shutil
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

PAYLOAD = np.random.default_rng(0).bytes(1_000_003)
DIGEST = hashlib.sha256(PAYLOAD).hexdigest()
PAGE = "sign-in.html"
"""Where a captive network may lead to, on the site itself."""


@dataclass
class Site:
    """A small web site with Range support that can break off its transfers.

    `leads_to` is an address to which it sends everybody, or `PAGE`.
    """

    body: bytes = PAYLOAD
    break_after: int | None = None
    ranges: bool = True
    version: str = ""
    leads_to: str = ""
    content_type: str = ""
    starts_at: int | None = None
    asked: list[str | None] = field(default_factory=list)
    url: str = ""

    def headers(self) -> list[tuple[str, str]]:
        """What it tells of its file."""
        told = [("ETag", self.version), ("Content-Type", self.content_type)]
        return [(name, value) for name, value in told if value]


@contextmanager
def serve(tls: Path | None = None, monkeypatch: pytest.MonkeyPatch | None = None) -> Iterator[Site]:
    """The site, on this machine; encrypted where a folder for its certificate is given."""
    site = Site()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            wanted = self.headers.get("Range")
            site.asked.append(wanted)
            match = re.fullmatch(r"bytes=(\d+)-", wanted or "") if site.ranges else None
            if self.headers.get("If-Range") not in (None, site.version):
                match = None
            start = int(match[1]) if match else 0
            if site.leads_to and self.path != f"/{PAGE}":
                self.send_response(302)
                self.send_header("Location", site.leads_to)
                self.end_headers()
                return
            if match and start >= len(site.body):
                self.send_error(416)
                return
            self.send_response(206 if match else 200)
            self.send_header("Content-Length", str(len(site.body) - start))
            if match:
                first = start if site.starts_at is None else site.starts_at
                whole = len(site.body)
                self.send_header("Content-Range", f"bytes {first}-{whole - 1}/{whole}")
            for name, value in site.headers():
                self.send_header(name, value)
            self.end_headers()
            stop = len(site.body) if site.break_after is None else start + site.break_after
            with suppress(ConnectionError):  # the other side stopped listening
                self.wfile.write(site.body[start:stop])

        def log_message(self, *args: object) -> None:
            del args

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    if tls is not None and monkeypatch is not None:
        if shutil.which("openssl") is None:
            pytest.skip("there is no openssl to make a certificate")
        cert, key = tls / "cert.pem", tls / "key.pem"
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out",
             cert, "-days", "2", "-subj", "/CN=localhost", "-addext",
             "subjectAltName=DNS:localhost"], capture_output=True, check=True,
        )  # fmt: skip
        monkeypatch.setenv("SSL_CERT_FILE", str(cert))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(cert, key)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    address = "http://127.0.0.1" if tls is None else "https://localhost"
    site.url = f"{address}:{server.server_port}/model.safetensors"
    yield site
    server.shutdown()
    server.server_close()
    thread.join()
