"""Damage: files cut, flipped, spliced and lying, and what a reader makes of each."""

from __future__ import annotations

import io
import json
import os
import random
import resource
import shutil
import signal
import struct
import time
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from napari_seem.errors import NapariSeemError

SECONDS, ROOM = 5, 1 << 30
"""What a reader may take of time and of address space."""
EXTREMES: list[Any] = [
    None, "", "x", [], {}, [{}], [[]], -1, 0, 0.5, True, 10**13, -(10**13), 2**63, 10**400, 1e308,
    float("nan"), float("inf"), [10**6, 10**6], ["../../x"], "../../etc/passwd", "\0", "a" * 10_000,
    {"a": {"b": [1, 2, {"c": None}]}},
]  # fmt: skip
NUMBERS = [b"\0", b"\xff", b"\x7f", b"\x80", b"\x01", b"\x00\x00\x01"]


@dataclass(frozen=True)
class Target:
    """A reader of the project, and a whole file for it.

    Attributes
    ----------
    name : str
    make : callable
        Writes the file or folder into a folder, and returns its path.
    read : callable
        Reads a path wholly.
    """

    name: str
    make: Callable[[Path], Path]
    read: Callable[[Path], object]


@dataclass
class Tally:
    """What became of damaged files."""

    opened: int = 0
    refused: int = 0
    faults: Counter[str] = field(default_factory=Counter)

    def __str__(self) -> str:
        faults = [f"    {count} x {fault}" for fault, count in self.faults.most_common(12)]
        bad = sum(self.faults.values())
        return "\n".join([f"opened {self.opened}, refused {self.refused}, faults {bad}", *faults])


def torture(target: Target, folder: Path, count: int, seed: int = 0) -> Tally:
    """Damage a target's file in many ways and read each; `folder` must be empty."""
    rng, tally = random.Random(f"{target.name} {seed}"), Tally()
    (folder / "whole").mkdir()
    whole = target.make(folder / "whole")
    target.read(whole)  # what is not damaged must open
    place = folder / "damaged"
    for number in range(count):
        shutil.copytree(folder / "whole", place)
        path = place / whole.relative_to(folder / "whole")
        how = spoil(path, rng)
        note(tally, f"{how}", lambda path=path: target.read(path))
        if tally.faults and os.environ.get("KEEP_DAMAGED"):
            kept = Path(os.environ["KEEP_DAMAGED"]) / f"{target.name}-{number}-{len(tally.faults)}"
            shutil.copytree(place, kept, dirs_exist_ok=True)
        shutil.rmtree(place)
    return tally


def note(tally: Tally, how: str, read: Callable[[], object]) -> None:
    """Read, and count what came of it."""
    start = time.monotonic()
    try:
        with bounded():
            read()
    except NapariSeemError as error:
        if _blown(error):
            tally.faults[f"{how}: asked for too much memory: {_line(error)}"] += 1
        else:
            tally.refused += 1
    except TimeoutError:
        tally.faults[f"{how}: hangs"] += 1
    except Exception as error:  # noqa: BLE001 - any other error is the fault that is looked for
        tally.faults[f"{how}: {type(error).__module__}.{type(error).__name__}: {_line(error)}"] += 1
    else:
        tally.opened += 1
    if time.monotonic() - start > SECONDS + 1:
        tally.faults[f"{how}: took {time.monotonic() - start:.0f} s"] += 1


@contextmanager
def bounded(seconds: int = SECONDS, room: int = ROOM) -> Iterator[None]:
    """Raise TimeoutError and MemoryError where the code within takes more."""
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    former = signal.signal(signal.SIGALRM, _late)
    resource.setrlimit(resource.RLIMIT_AS, (used + room, hard))
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, former)
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


def spoil(path: Path, rng: random.Random) -> str:
    """Damage a file, or one file of a folder; returns how."""
    files = [path] if path.is_file() else sorted(p for p in path.rglob("*") if p.is_file())
    if path.is_file() and rng.random() < 0.3:  # what lies beside counts too
        files = sorted(p for p in path.parent.rglob("*") if p.is_file())
    file = rng.choice(files)
    content = file.read_bytes()
    ways: list[tuple[str, Callable[[bytes, random.Random], bytes]]] = [
        ("cut", _cut), ("flipped", _flipped), ("flipped", _flipped), ("head flipped", _head),
        ("head flipped", _head), ("head lies", _lie), ("head lies", _lie), ("spliced", _spliced),
        ("zeroed", _zeroed), ("grown", _grown),
    ]  # fmt: skip
    if _as_json(content) is not None:
        ways += [("json changed", _json)] * 10
    elif content.startswith(b"PK"):
        ways += [("member damaged", _member)] * 6
    elif _safetensors(content) is not None:
        ways += [("header changed", _tensors)] * 6
    elif content[:64].isascii() and b"\n" in content:
        ways += [("line changed", _line_changed)] * 6
    how, way = rng.choice(ways)
    file.write_bytes(way(content, rng))
    return how


def hostile(path: Path) -> Iterator[tuple[str, Callable[[], None]]]:
    """Yield what may lie at a file's place instead of the file, and how it gets there."""

    def clear() -> None:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)

    def put(make: Callable[[], object]) -> Callable[[], None]:
        def put_there() -> None:
            clear()
            make()

        return put_there

    yield "nothing in it", put(lambda: path.write_bytes(b""))
    yield "named pipe", put(lambda: os.mkfifo(path))
    yield "folder", put(path.mkdir)
    yield "link to itself", put(lambda: path.symlink_to(path))
    yield "endless device", put(lambda: path.symlink_to("/dev/zero"))
    yield "gone", put(lambda: path.symlink_to("/nowhere/at/all"))
    yield "nested JSON", put(lambda: path.write_bytes(b"[" * 200_000))
    yield "nested mapping", put(lambda: path.write_bytes(b'{"a":' * 200_000))
    yield "gigabytes of nothing", put(lambda: _sparse(path, 20 << 30))
    yield "no text", put(lambda: path.write_bytes(bytes(range(256)) * 40))
    yield "long line", put(lambda: path.write_bytes(b"x" * (4 << 20)))


def nested(depth: int) -> Any:
    """Return lists in lists."""
    value: list[Any] = []
    for _ in range(depth):
        value = [value]
    return value


def _sparse(path: Path, size: int) -> None:
    with path.open("wb") as file:
        file.truncate(size)


def _late(*_: object) -> None:
    raise TimeoutError


def _blown(error: BaseException | None) -> bool:
    """Whether memory ran out on the way to an error."""
    while error is not None:
        if isinstance(error, MemoryError) or "llocate " in str(error):
            return True
        error = error.__cause__ or error.__context__
    return False


def _line(error: BaseException) -> str:
    return (str(error).splitlines() or [""])[0][:90]


def _cut(content: bytes, rng: random.Random) -> bytes:
    return content[: rng.randrange(len(content))] if content else content


def _flipped(content: bytes, rng: random.Random, end: int | None = None) -> bytes:
    data = bytearray(content)
    for _ in range(rng.choice([1, 3, 10, 30]) if data else 0):
        data[rng.randrange(min(len(data), end or len(data)))] ^= 1 << rng.randrange(8)
    return bytes(data)


def _head(content: bytes, rng: random.Random) -> bytes:
    return _flipped(content, rng, rng.choice([16, 64, 512]))


def _lie(content: bytes, rng: random.Random) -> bytes:
    """Put an extreme number somewhere in the first kilobyte."""
    data, wide = bytearray(content), rng.choice([1, 2, 4, 8])
    number = (rng.choice(NUMBERS) * 8)[:wide]
    at = rng.randrange(max(1, min(len(data), 1024) - wide))
    data[at : at + wide] = number
    return bytes(data)


def _spliced(content: bytes, rng: random.Random) -> bytes:
    size = rng.choice([1, 4, 64, 512])
    one, other = (rng.randrange(max(1, len(content) - size)) for _ in range(2))
    return content[:one] + content[other : other + size] + content[one + size :]


def _zeroed(content: bytes, rng: random.Random) -> bytes:
    size = rng.choice([4, 64, 512])
    at = rng.randrange(max(1, len(content) - size))
    return content[:at] + bytes(min(size, len(content) - at)) + content[at + size :]


def _grown(content: bytes, rng: random.Random) -> bytes:
    at = rng.choice([0, len(content), rng.randrange(len(content) + 1)])
    return content[:at] + rng.randbytes(rng.choice([1, 8, 300])) + content[at:]


def _as_json(content: bytes) -> Any:
    if content[:1] not in b"{[" or len(content) > 1 << 20:
        return None
    try:
        return json.loads(content)
    except ValueError:
        return None


def _json(content: bytes, rng: random.Random) -> bytes:
    document = json.loads(content)
    for _ in range(rng.choice([1, 1, 1, 3])):
        document = _changed(document, rng)
    return json.dumps(document).encode()


def _changed(value: Any, rng: random.Random) -> Any:
    """Return JSON in which one value, anywhere, is another or absent."""
    if not value or not isinstance(value, (dict, list)) or rng.random() < 0.15:
        return nested(900) if rng.random() < 0.03 else rng.choice(EXTREMES)
    key: Any = rng.choice(list(value)) if isinstance(value, dict) else rng.randrange(len(value))
    out: Any = value.copy()
    if rng.random() < 0.1:
        del out[key]
    elif rng.random() < 0.05 and isinstance(out, dict):
        out["x"] = out.pop(key)
    else:
        out[key] = _changed(value[key], rng)
    return out


def _line_changed(content: bytes, rng: random.Random) -> bytes:
    """Change a line of a text: its JSON, its words, or its place."""
    lines = content.split(b"\n")
    at = rng.randrange(len(lines))
    if _as_json(lines[at]) is not None and rng.random() < 0.8:
        lines[at] = _json(lines[at], rng)
    elif rng.random() < 0.5:
        lines.insert(rng.randrange(len(lines)), lines.pop(at))
    else:
        words = lines[at].replace(b",", b" , ").split()
        words.insert(rng.randrange(len(words) + 1), str(rng.choice(EXTREMES)).encode())
        lines[at] = b" ".join(words)
    return b"\n".join(lines)


def _member(content: bytes, rng: random.Random) -> bytes:
    """Damage a member of a zip, and pack it again, so that its checksum is right."""
    with zipfile.ZipFile(io.BytesIO(content)) as old:
        members = [(entry, old.read(entry)) for entry in old.infolist()]
    at, out = rng.randrange(len(members)), io.BytesIO()
    with zipfile.ZipFile(out, "w") as new:
        for number, (entry, inside) in enumerate(members):
            name = entry.filename
            if number == at:
                if rng.random() < 0.15:
                    continue
                if rng.random() < 0.15:
                    name = rng.choice(["../../evil", "/tmp/evil", "x" * 300, name.upper(), "\n"])
                way = _json if _as_json(inside) is not None else rng.choice(
                    [_cut, _flipped, _head, _lie, _grown])  # fmt: skip
                inside = way(inside, rng)
            new.writestr(zipfile.ZipInfo(name), inside, entry.compress_type)
    return out.getvalue()


def _safetensors(content: bytes) -> int | None:
    """Return the length of a safetensors header."""
    length = struct.unpack("<Q", content[:8])[0] if len(content) > 8 else 0
    return length if 2 <= length < len(content) and content[8:9] == b"{" else None


def _tensors(content: bytes, rng: random.Random) -> bytes:
    length = _safetensors(content) or 0
    header, rest = json.loads(content[8 : 8 + length]), content[8 + length :]
    about = header.get("__metadata__", {})
    if about and rng.random() < 0.5:  # values that are JSON themselves
        key = rng.choice(list(about))
        known = _as_json(about[key].encode())
        about[key] = json.dumps(rng.choice(EXTREMES) if known is None else _changed(known, rng))
    else:
        header = _changed(header, rng)
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + rest
