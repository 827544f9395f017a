"""A small web site on this machine whose transfers can break off, for tests of downloads."""

from __future__ import annotations

import hashlib
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np

PAYLOAD = np.random.default_rng(0).bytes(1_000_003)
DIGEST = hashlib.sha256(PAYLOAD).hexdigest()


@dataclass
class Site:
    """A small web site with Range support that can break off its transfers."""

    body: bytes = PAYLOAD
    break_after: int | None = None
    ranges: bool = True
    asked: list[str | None] = field(default_factory=list)
    url: str = ""


@contextmanager
def serve() -> Iterator[Site]:
    """The site, on this machine."""
    site = Site()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            wanted = self.headers.get("Range")
            site.asked.append(wanted)
            match = re.fullmatch(r"bytes=(\d+)-", wanted or "") if site.ranges else None
            start = int(match[1]) if match else 0
            if match and start >= len(site.body):
                self.send_error(416)
                return
            self.send_response(206 if match else 200)
            self.send_header("Content-Length", str(len(site.body) - start))
            self.end_headers()
            stop = len(site.body) if site.break_after is None else start + site.break_after
            with suppress(ConnectionError):  # the other side stopped listening
                self.wfile.write(site.body[start:stop])

        def log_message(self, *args: object) -> None:
            del args

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    site.url = f"http://127.0.0.1:{server.server_port}/model.safetensors"
    yield site
    server.shutdown()
    server.server_close()
    thread.join()
