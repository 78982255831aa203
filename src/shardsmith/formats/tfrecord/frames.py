"""How a TFRecord file frames its records: length, checksum of the length, record, checksum of the record.

Source: tensorflow/core/lib/io/record_writer.cc and record_reader.cc.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from struct import pack, unpack

import google_crc32c

_MASK = 0xA282EAD8
_HEADER = 12
_GZIP, _ZLIB = b"\x1f\x8b", b"\x78"


def frame(record: bytes) -> tuple[bytes, bytes, bytes]:
    """A record as TFRecord frames it: length and its checksum, the record, its checksum."""
    length = pack("<Q", len(record))
    return length + _masked_crc(length), record, _masked_crc(record)


def _masked_crc(data: bytes) -> bytes:
    crc = google_crc32c.value(data)
    return pack("<I", ((crc >> 15 | crc << 17) + _MASK) & 0xFFFFFFFF)


def begins_with_frame(path: Path) -> bool:
    with path.open("rb") as stream:
        header = stream.read(_HEADER)
    return len(header) == _HEADER and _masked_crc(header[:8]) == header[8:]


def read_frames(path: Path) -> Iterator[tuple[bytes, str]]:
    """(record, "") of each one, or (b"", what is wrong with it); after a broken length nothing more can be found."""
    with path.open("rb") as stream:
        left = os.fstat(stream.fileno()).st_size
        while left:
            header = stream.read(_HEADER)
            left -= _HEADER
            if len(header) < _HEADER:
                yield b"", f"the file is cut off: it ends after {len(header)} bytes of the record's length"
                return
            if _masked_crc(header[:8]) != header[8:]:
                yield (
                    b"",
                    "its length is damaged (checksum); the records after it cannot be found" + _compressed(header),
                )
                return
            (length,) = unpack("<Q", header[:8])
            if length + 4 > left:
                yield b"", f"the file is cut off: the record has {length} bytes, and {max(0, left - 4)} are there"
                return
            record, checksum = stream.read(length), stream.read(4)
            left -= length + 4
            yield (record, "") if _masked_crc(record) == checksum else (b"", "it is damaged (checksum)")


def _compressed(header: bytes) -> str:
    return "; the file seems to be compressed: unpack it first" if header.startswith((_GZIP, _ZLIB)) else ""
