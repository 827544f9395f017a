"""Bytes of a web address appended to a part of a file, of one version of it only."""

from __future__ import annotations

import itertools
import os
import re
import shutil
import ssl
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.client import HTTPException, HTTPMessage, HTTPResponse
from pathlib import Path
from typing import IO
from urllib.parse import urlsplit
from urllib.request import HTTPSHandler

from ...errors import DownloadCancelled, FileTrouble, WeightsError
from .tensor_files import MAX_BYTES, ROOM

Progress = Callable[[int, int | None], object]
"""Called with (bytes on disk, bytes in all, or None if the server does not state them)."""
Cancel = Callable[[], bool]

CHUNK = 2**17
TIMEOUT = 30.0
VERSION_BYTES = 1024
"""Longest name of a version that is kept."""
PAGE = re.compile(rb"\s*<(!doctype html|html)\b", re.IGNORECASE)
"""How a web page begins; no file of weights does."""


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows redirects, but from an encrypted address to encrypted ones only."""

    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: HTTPMessage,
        newurl: str,
    ) -> urllib.request.Request | None:  # fmt: skip
        scheme = urlsplit(newurl).scheme
        if scheme not in ("http", "https") or (req.type == "https" and scheme != "https"):
            raise WeightsError(
                f"{req.full_url} leads to {newurl}, which is not encrypted; nothing was taken "
                "from there"
            )
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def target_of(part: Path) -> Path:
    """Return the file that a part becomes."""
    return part.with_suffix("")


def version_of(part: Path) -> Path:
    """Return the file beside a part that names the version it is of."""
    return part.with_name(part.name + ".version")


def drop(part: Path) -> None:
    """Delete a part, and the name of its version."""
    part.unlink(missing_ok=True)
    version_of(part).unlink(missing_ok=True)


def transfer(
    url: str, part: Path, size: int | None, progress: Progress | None, cancel: Cancel | None, *,
    verified: bool,
) -> int | None:  # fmt: skip
    """Append what is lacking to `part`; return the total size in bytes if the server states it.

    A part is gone on with where the server has the version that it was begun with, or where what
    comes of it is `verified` by a digest; else it is begun anew.
    """
    if part.is_symlink() or version_of(part).is_symlink():  # somebody else's
        drop(part)
    version = _version(part)
    have = part.stat().st_size if part.is_file() and (version or verified) else 0
    with reaching(url, part):
        response, have = _open(url, have, version)
    with response:
        blocks = _blocks(response, url, part)
        first = next(blocks, b"")
        total, bound = _total(response, have, size), MAX_BYTES if size is None else size
        _check_answer(response, b"" if have else first, url, part)
        if total is not None and total > bound:
            raise WeightsError(f"{url} offers {total} bytes where at most {bound} are expected")
        _check_room(part, (total or have) - have)
        if not have:
            drop(part)
            _keep_version(part, response.headers.get("ETag", ""))
        with _appending(part) as stream:
            for block in itertools.chain([first], blocks):
                have += len(block)
                if have > bound:
                    raise WeightsError(f"{url} sends more than the {bound} bytes expected")
                stream.write(block)
                if progress is not None:
                    progress(have, total)
                if cancel is not None and cancel():
                    raise DownloadCancelled(
                        f"the download of {url} was stopped after {have} bytes; "
                        "downloading again resumes from there"
                    )
    return total


@contextmanager
def reaching(url: str, part: Path) -> Iterator[None]:
    """Turn what the network raises into a `WeightsError` that says what can be done."""
    try:
        yield
    except (OSError, HTTPException, ValueError) as error:
        raise WeightsError(
            f"downloading {url} failed ({error}); check the network and try again (it resumes "
            f"where it stopped), or put the file at {target_of(part)} by hand"
        ) from error


def _total(response: HTTPResponse, have: int, size: int | None) -> int | None:
    """Return the bytes of the whole file, as the server or else the publisher states them."""
    length = str(response.headers.get("Content-Length", ""))
    return have + int(length) if length.isdecimal() else size


def _blocks(response: HTTPResponse, url: str, part: Path) -> Iterator[bytes]:
    """Return what a server sends, block by block."""
    while True:
        with reaching(url, part):
            block = response.read(CHUNK)
        if not block:
            return
        yield block


def _check_answer(response: HTTPResponse, beginning: bytes, url: str, part: Path) -> None:
    """Raise `WeightsError` for a web page, told by its type or by what it begins with."""
    if response.headers.get_content_type() == "text/html" or PAGE.match(beginning):
        raise WeightsError(
            f"{url} was answered with a web page instead of the file: a proxy or the sign-in page "
            "of this network stands between; open the address in a browser first, or set "
            f"HTTPS_PROXY, or get the file elsewhere and put it at {target_of(part)}"
        )


def _check_room(part: Path, lacking: int) -> None:
    """Raise `FileTrouble` where the disk has no room for what is lacking."""
    free = shutil.disk_usage(part.parent).free
    if lacking > free:
        raise FileTrouble(
            f"'{target_of(part)}' needs {lacking / 1e6:,.0f} MB, and its disk has "
            f"{free / 1e6:,.0f} MB left; {ROOM}"
        )


def _open(url: str, have: int, version: str) -> tuple[HTTPResponse, int]:
    """Return the server's answer, and how many bytes of the part it goes on after."""
    opener = urllib.request.build_opener(_Redirects(), HTTPSHandler(context=_certificates()))
    try:
        response = opener.open(_request(url, have, version), timeout=TIMEOUT)
    except urllib.error.HTTPError as error:
        if error.code != 416 or not have:
            raise
        # nothing lies beyond what is here: the part is whole, or of another file
        return _open(url, 0, "")
    start = _start(response)
    if start == have or start == 0:
        return response, start
    response.close()
    if not have:
        raise WeightsError(f"{url} sends another part of the file than was asked for; try again")
    return _open(url, 0, "")


def _certificates() -> ssl.SSLContext:
    """Trust whom the system trusts, and whom browsers do: python.org's Python on a Mac has none."""
    import certifi

    context = ssl.create_default_context()
    context.load_verify_locations(certifi.where())
    return context


def _start(response: HTTPResponse) -> int:
    """Return where the bytes of an answer begin in the file; -1 where it does not say."""
    if response.status != 206:
        return 0
    found = re.match(r"bytes (\d+)-", response.headers.get("Content-Range", ""))
    return int(found[1]) if found else -1


def _request(url: str, start: int, version: str) -> urllib.request.Request:
    headers = {"User-Agent": "napari-seem"}
    if start:
        headers["Range"] = f"bytes={start}-"
        if version:
            headers["If-Range"] = version
    return urllib.request.Request(url, headers=headers)


def _version(part: Path) -> str:
    """Return the name of the version that a part is of; "" where nobody knows."""
    path = version_of(part)
    if not path.is_file() or path.stat().st_size > VERSION_BYTES:
        return ""
    text = path.read_text(encoding="latin-1")
    return text if re.fullmatch(r'"[\x21\x23-\x7e]*"', text) else ""


def _keep_version(part: Path, version: str) -> None:
    if version.startswith('"') and len(version) <= VERSION_BYTES:  # weak ones name no bytes
        with _appending(version_of(part)) as file:
            file.write(version.encode("latin-1", "replace"))


def _appending(path: Path) -> IO[bytes]:
    """Open a file to append to; a link is not followed."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    flags |= getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
    return os.fdopen(os.open(path, flags, 0o666), "ab")
