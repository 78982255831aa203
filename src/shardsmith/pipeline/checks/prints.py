"""The fingerprints of all images: hashes in memory, thumbnails, of a kilobyte each, in a file."""

from __future__ import annotations

import os
from collections.abc import Iterable

import numpy as np

from shardsmith.dataset.tables.rows import scratch_file
from shardsmith.pipeline.checks.copies import SIDE

HASH_BYTES = 32
_THUMBNAIL_BYTES = SIDE * SIDE
_SPARSE = 4  # rows that lie so many times apart are read one by one


class Fingerprints:
    """Those of similar.py, by row."""

    def __init__(self, prints: Iterable[bytes] = ()) -> None:
        self._hashes = bytearray()
        self._is_there = bytearray()
        self.thumbnails = Thumbnails()
        for one in prints:
            self.add(one)

    def __len__(self) -> int:
        return len(self._is_there)

    def add(self, print_: bytes) -> None:
        """The next image's; b"" for one too plain to have any."""
        self._is_there.append(bool(print_))
        self._hashes += print_[:HASH_BYTES] or bytes(HASH_BYTES)
        self.thumbnails.add(print_[HASH_BYTES:] or bytes(_THUMBNAIL_BYTES))

    @property
    def is_there(self) -> np.ndarray:
        """(n,) bool."""
        return np.frombuffer(self._is_there, bool)

    @property
    def hashes(self) -> np.ndarray:
        """(n, HASH_BYTES) uint8."""
        return np.frombuffer(self._hashes, np.uint8).reshape(-1, HASH_BYTES)


class Thumbnails:
    """(n, SIDE, SIDE) uint8 that is on disk."""

    def __init__(self) -> None:
        self._file = scratch_file()
        self._count = 0

    def add(self, thumbnail: bytes) -> None:
        self._file.write(thumbnail)
        self._count += 1

    def __getitem__(self, rows: np.ndarray) -> np.ndarray:
        """Some of them, in memory."""
        if not len(rows):
            return np.empty((0, SIDE, SIDE), np.uint8)
        self._file.flush()
        first, last = int(rows.min()), int(rows.max()) + 1
        if last - first <= _SPARSE * len(rows):
            return self._read(first, last)[rows - first]
        return np.concatenate([self._read(row, row + 1) for row in rows.tolist()])

    def _read(self, first: int, last: int) -> np.ndarray:
        size, place = (last - first) * _THUMBNAIL_BYTES, first * _THUMBNAIL_BYTES
        return np.frombuffer(os.pread(self._file.fileno(), size, place), np.uint8).reshape(-1, SIDE, SIDE)


class Chosen:
    """Some of the thumbnails, as if they were all."""

    def __init__(self, thumbnails: Thumbnails | np.ndarray, rows: np.ndarray) -> None:
        self._thumbnails, self._rows = thumbnails, rows

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, rows: np.ndarray) -> np.ndarray:
        return self._thumbnails[self._rows[rows]]
