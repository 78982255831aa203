"""What decoding told of images, kept by their content: of a dataset with 1 % more, one image in a hundred is decoded.

A file of this machine alone: a digest that names the code, a record an image, and a sha256 of all that. One that is
damaged, or of other code, is as none. Images with something to tell (an error, odd colours) are not kept: they are few.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np
import pyarrow as pa

from shardsmith.dataset.workers import map_items
from shardsmith.pipeline.checks.copies import SIDE
from shardsmith.pipeline.checks.images import PIXELS_DIGITS, Decoded, Item, look
from shardsmith.pipeline.checks.prints import HASH_BYTES

LOOKS = Path(".dvc/tmp/shardsmith-looks")  # in a workspace
_DIGEST_BYTES = 32  # of a sha256: of the code, of an image and how it is looked at, of the file
_HEAD = np.dtype("<u8")  # the first bytes of an image's, by which it is found
_PRINT_BYTES = HASH_BYTES + SIDE * SIDE
_RECORD_BYTES = _DIGEST_BYTES + PIXELS_DIGITS + _PRINT_BYTES
_ROWS_AT_ONCE = 1024


@dataclass(frozen=True)
class Keeping:
    """Where it is kept; code: names the code that looks."""

    path: Path
    code: str


class _Kept:
    """The records of an earlier run."""

    def __init__(self, keeping: Keeping | None) -> None:
        heads: list[np.ndarray] = []
        self._file = _opened(keeping, heads) if keeping else None
        all_heads = np.concatenate([np.array([], _HEAD), *heads] if self._file else [np.array([], _HEAD)])
        self._order = np.argsort(all_heads, kind="stable")
        self._heads = all_heads[self._order]

    def get(self, key: bytes) -> Decoded | None:
        at = int(np.searchsorted(self._heads, np.frombuffer(key, _HEAD, 1)[0]))
        if self._file is None or at == len(self._heads):
            return None
        record = os.pread(self._file.fileno(), _RECORD_BYTES, _DIGEST_BYTES + int(self._order[at]) * _RECORD_BYTES)
        if not record.startswith(key):
            return None
        pixels, print_ = record[_DIGEST_BYTES:-_PRINT_BYTES], record[-_PRINT_BYTES:]
        return Decoded("", "", print_ if any(print_) else b"", pixels.decode())


def _opened(keeping: Keeping, heads: list[np.ndarray]) -> IO[bytes] | None:
    """The file where it is whole and of this code; `heads` gets those of its records."""
    try:
        file = keeping.path.open("rb")
    except OSError:
        return None
    digest = hashlib.sha256(named := _named(keeping))
    left = os.fstat(file.fileno()).st_size - 2 * _DIGEST_BYTES
    if left < 0 or left % _RECORD_BYTES or file.read(_DIGEST_BYTES) != named:
        return None
    while left and (data := file.read(min(left, _ROWS_AT_ONCE * _RECORD_BYTES))):
        digest.update(data)
        heads.append(
            np.frombuffer(data, np.uint8).reshape(-1, _RECORD_BYTES)[:, : _HEAD.itemsize].copy().view(_HEAD)[:, 0]
        )
        left -= len(data)
    return file if file.read() == digest.digest() else None


def _named(keeping: Keeping) -> bytes:
    return hashlib.sha256(keeping.code.encode()).digest()


def decode(images: pa.Table, keeping: Keeping | None = None) -> Iterator[Decoded]:
    """What `look` tells of each image, in order; what is kept is written anew once all are known."""
    kept = _Kept(keeping)
    known = [kept.get(key) is not None for key, _ in _items(images)]
    new = (item for (_, item), is_known in zip(_items(images), known, strict=True) if not is_known)
    seen = map_items(look, new, "validate", total=len(known) - sum(known))
    every = (
        (key, kept.get(key) if is_known else next(seen))
        for (key, _), is_known in zip(_items(images), known, strict=True)
    )
    if keeping is None:
        yield from (one for _, one in every if one)
        return
    part = keeping.path.with_name(f"{keeping.path.name}.part")
    part.parent.mkdir(parents=True, exist_ok=True)
    with part.open("wb") as file:
        digest = hashlib.sha256(named := _named(keeping))
        file.write(named)
        for key, one in every:
            assert one is not None
            if not (one.error or one.colours):
                record = key + one.pixels.encode().ljust(PIXELS_DIGITS) + one.fingerprint.ljust(_PRINT_BYTES, b"\0")
                digest.update(record)
                file.write(record)
            yield one
        file.write(digest.digest())
    part.replace(keeping.path)


def _items(images: pa.Table) -> Iterator[tuple[bytes, Item]]:
    """(the key of what is looked at, what `look` takes) of each image."""
    columns = images.select(["sha256", "path", "format", "orientation", "width", "height"])
    for batch in columns.to_batches(_ROWS_AT_ONCE):
        for sha256, path, *how, width, height in zip(*(column.to_pylist() for column in batch.columns), strict=True):
            key = hashlib.sha256(repr((sha256, *how, width, height)).encode()).digest()
            yield key, (path, *how, (width, height))
