"""Label Studio's brush masks: run lengths of an RGBA image, bit by bit, or a PNG; no disk.

Source: brush.py of label-studio-sdk, whose encoding is that of the rle-pack package: 32 bits say how many values there
are, 5 how many bits a value has (less 1), four times 4 how many bits each of four kinds of length has (less 1). Then,
until all values are there: 1 bit for a run or single values, 2 for the kind of length, the length less 1, the values.
"""

from __future__ import annotations

import base64
import re
from typing import Any

import numpy as np

from shardsmith.dataset.images import opened
from shardsmith.dataset.shapes import OutlineError

_MAX_PIXELS = 1 << 28
_ALPHA = 3
_INSIDE = 128  # the SDK's threshold, of 255
_PNG = re.compile(r"data:image/\w+;base64,")


def decode(values: Any, width_px: int, height_px: int) -> np.ndarray:
    """(height, width) bool, of the alpha channel.

    Raises:
        OutlineError: the bytes are no such encoding, or one of another size.
    """
    if not 0 < width_px * height_px <= _MAX_PIXELS:
        raise OutlineError(f"its mask is {width_px} x {height_px} pixels")
    try:
        bits = _Bits(np.unpackbits(np.array(values, dtype=np.uint8)))
    except (TypeError, ValueError, OverflowError):
        raise OutlineError("its rle is not a list of bytes") from None
    count = bits.number(32)
    if count != width_px * height_px * 4:
        raise OutlineError(f"its rle has {count} values, and not 4 for each of {width_px} x {height_px} pixels")
    word = bits.number(5) + 1
    sizes = [bits.number(4) + 1 for _ in range(4)]
    if word > 8:
        raise OutlineError(f"its rle has values of {word} bits")
    pixels = np.zeros(count, np.uint8)
    at = 0
    while at < count:
        is_run = bits.number(1)
        end = min(at + 1 + bits.number(sizes[bits.number(2)]), count)
        pixels[at:end] = bits.number(word) if is_run else bits.words(end - at, word)
        at = end
    alpha = pixels.reshape(height_px, width_px, 4)[:, :, _ALPHA]
    return alpha >= _INSIDE if word == 8 else alpha > 0


def decode_png(url: Any) -> np.ndarray:
    """(height, width) bool, of a bitmask's data URL: what is neither black nor transparent.

    Raises:
        OutlineError: it is no image.
    """
    head = _PNG.match(url) if isinstance(url, str) else None
    if not head:
        raise OutlineError("its imageDataURL is no image")
    try:
        with opened(base64.b64decode(url[head.end() :], validate=True)) as image:
            pixels = np.asarray(image.convert("RGBA"))
    except (ValueError, OSError, SyntaxError) as error:
        raise OutlineError(f"its imageDataURL is no image: {str(error)[:80]}") from None
    return (pixels[:, :, :3].max(axis=2) > 0) & (pixels[:, :, _ALPHA] > 0)


class _Bits:
    """A stream of bits."""

    def __init__(self, bits: np.ndarray) -> None:
        self.bits = bits
        self.at = 0

    def _take(self, count: int) -> np.ndarray:
        part = self.bits[self.at : self.at + count]
        if len(part) < count:
            raise OutlineError("its rle is cut short")
        self.at += count
        return part

    def number(self, width: int) -> int:
        return int.from_bytes(np.packbits(self._padded(self._take(width), width)).tobytes(), "big")

    def words(self, count: int, width: int) -> np.ndarray:
        """Numbers of at most 8 bits each."""
        part = self._take(count * width).reshape(count, width)
        return np.packbits(np.pad(part, ((0, 0), (8 - width, 0))), axis=1)[:, 0]

    @staticmethod
    def _padded(part: np.ndarray, width: int) -> np.ndarray:
        return np.concatenate([np.zeros(-width % 8, np.uint8), part])
