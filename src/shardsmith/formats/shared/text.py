"""The text of a raw file: UTF-8 (with or without a byte order mark), or UTF-16 with one."""

from __future__ import annotations

import codecs
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from shardsmith.dataset.errors import RawDataError


def encoding_of(data: bytes) -> str:
    return "utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"


@contextmanager
def opened(path: Path, file: str) -> Iterator[Callable[[int], str]]:
    """A function that gives so many characters, or fewer; "" at the end.

    Args:
        file: its name, for errors.

    Raises:
        RawDataError: it is in another encoding.
    """
    with path.open("rb") as stream:
        decoder = codecs.getincrementaldecoder(encoding_of(stream.peek(2)))()

        def read(size: int) -> str:
            text, data = "", b"-"
            while data and not text:
                start = stream.tell() - len(decoder.getstate()[0])
                data = stream.read(size)
                try:
                    text = decoder.decode(data, final=not data)
                except UnicodeDecodeError as error:
                    at = f"{error.reason} at byte {start + error.start}"
                    raise RawDataError(f"{file}: not UTF-8 ({at}); save it as UTF-8") from None
            return text

        yield read
