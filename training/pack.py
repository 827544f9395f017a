"""Pack pictures small enough to travel: `python -m training.pack OUT --data ../shared/data/train`.

Writes OUT/part-0.tar, part-1.tar, ..., each with JPEG images, PNG ids and an index.json. Every
part has its share of the pictures of every set. Reading them needs Pillow and numpy only.
"""

from __future__ import annotations

import argparse
import io
import json
import tarfile
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from napari_seem.training import Picture
from training.corpus import read_pool, read_real, shrunk

MIB = 2**20
INDEX = "index.json"


@dataclass(frozen=True)
class Packed:
    """One picture as it lies in a pack: encoded files, and a row of the index."""

    image: bytes
    ids: bytes
    facts: dict[str, Any]


def write_packs(
    pictures: Iterable[Picture], out: Path, parts: int, quality: int, most: float
) -> list[Path]:
    """Write pictures into tar files, in turn within each group.

    Parameters
    ----------
    pictures : iterable of Picture
    out : Path
        A folder.
    parts : int
    quality : int
        Of the JPEG images, 1 to 95.
    most : float
        Largest size of a part in MiB.

    Raises
    ------
    ValueError
        Where a part gets larger; nothing is written then.
    """
    shares: list[list[Packed]] = [[] for _ in range(parts)]
    turns: dict[str, int] = {}
    for picture in pictures:
        # sets begin with different parts, so that those of few pictures are spread, too
        turn = turns.setdefault(picture.group, len(turns))
        turns[picture.group] += 1
        shares[turn % parts].append(packed(picture, quality))
    contents = [_tar(share) for share in shares]
    largest = max(len(content) for content in contents)
    if largest > most * MIB:
        raise ValueError(
            f"the largest of {parts} parts would have {largest / MIB:.1f} MiB, more than "
            f"{most:g}; lower --longest or --quality, leave sets out with --without, or give "
            "more --parts"
        )
    out.mkdir(parents=True, exist_ok=True)
    files = [out / f"part-{number}.tar" for number in range(parts)]
    for file, content in zip(files, contents, strict=True):
        file.write_bytes(content)
    return files


def read_pack(
    files: Sequence[Path], without: Collection[str] = (), longest: int | None = None
) -> Iterator[Picture]:
    """Yield the pictures of packs; see `corpus.read_real` for the options.

    Raises
    ------
    ValueError
        Where a file is no pack.
    """
    for file in files:
        try:
            with tarfile.open(file) as tar:
                for picture in _read_tar(tar):
                    if picture.group not in without:
                        yield picture if longest is None else shrunk(picture, longest)
        except (tarfile.TarError, KeyError, OSError) as error:
            raise ValueError(
                f"'{file}' is no pack of pictures ({error}); give what python -m training.pack "
                "wrote"
            ) from error


def packed(picture: Picture, quality: int) -> Packed:
    """Encode one picture; its ids are numbered anew without gaps, so that 8 bits often do."""
    before, numbers = np.unique(picture.instances, return_inverse=True)
    ids = numbers.reshape(picture.instances.shape) + int(before[0] != 0)
    number_of = {int(old): new for new, old in enumerate(before[before > 0], 1)}
    ids = ids.astype(np.uint8 if ids.max() < 256 else np.uint16)
    names = {number_of[old]: word for old, word in picture.names.items() if old in number_of}
    facts = {"group": picture.group, "names": names, "partial": picture.partial}
    return Packed(_encoded(picture.image, "JPEG", quality=quality), _encoded(ids, "PNG"), facts)


def _encoded(array: npt.NDArray[Any], kind: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(array).save(buffer, kind, optimize=True, **options)
    return buffer.getvalue()


def _tar(share: list[Packed]) -> bytes:
    rows, files = [], {}
    for number, item in enumerate(share):
        image, ids = f"images/{number:05d}.jpg", f"ids/{number:05d}.png"
        files |= {image: item.image, ids: item.ids}
        rows.append({"image": image, "ids": ids, **item.facts})
    index = json.dumps({"pictures": rows}).encode()
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, content in {INDEX: index, **files}.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


def _read_tar(tar: tarfile.TarFile) -> Iterator[Picture]:
    def content(name: str) -> io.BytesIO:
        file = tar.extractfile(name)
        assert file is not None
        return io.BytesIO(file.read())

    for row in json.loads(content(INDEX).read())["pictures"]:
        with Image.open(content(row["image"])) as image, Image.open(content(row["ids"])) as ids:
            yield Picture(
                np.asarray(image), np.asarray(ids).astype(np.uint16),
                {int(key): word for key, word in row["names"].items()},
                row["group"], row["partial"],
            )  # fmt: skip


def main() -> None:
    """Pack what the arguments ask for, and say how large it got."""
    options = _parse()
    pictures = chain(
        read_real(options.data, options.without, options.longest),
        read_pool(options.pool, options.longest),
    )
    try:
        files = write_packs(pictures, options.out, options.parts, options.quality, options.most)
    except ValueError as error:
        raise SystemExit(str(error)) from error
    for file in files:
        print(f"{file}: {file.stat().st_size / MIB:.1f} MiB")


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path, help="folder for the parts")
    parser.add_argument("--data", type=Path, default=Path("../shared/data/train"))
    parser.add_argument("--pool", type=Path, nargs="*", default=[], help="procedural pools")
    parser.add_argument("--without", nargs="*", default=[], help="sets to leave out")
    parser.add_argument("--longest", type=int, default=400, help="longest side in pixels")
    parser.add_argument("--quality", type=int, default=72, help="of the JPEG images")
    parser.add_argument("--parts", type=int, default=2)
    parser.add_argument("--most", type=float, default=42,
                        help="largest size of a part in MiB: 64 less the checkout")  # fmt: skip
    return parser.parse_args()


if __name__ == "__main__":
    main()
