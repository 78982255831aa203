"""tf.train.Example as its bytes, without protobuf's objects, which would copy each image twice.

Keys stand in the order of their bytes, as in protobuf's deterministic serialisation. Sources: the encoding page of
Protocol Buffers' documentation; example.proto and feature.proto of TensorFlow.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

_FIRST, _SECOND = b"\x0a", b"\x12"  # a field of bytes: number 1, and number 2
_BYTES, _FLOATS, _INTS = b"\x0a", b"\x12", b"\x1a"  # the fields of a Feature
_ONE_BYTE = [bytes([number]) for number in range(128)]


def bytes_list(values: Iterable[bytes]) -> list[bytes]:
    """A Feature's pieces."""
    pieces = [piece for value in values for piece in (_FIRST + _varint(len(value)), value)]
    return [_BYTES + _varint(sum(map(len, pieces))), *pieces]


def float_list(values: Any) -> list[bytes]:
    """A Feature's pieces, as float32."""
    return _packed(_FLOATS, np.asarray(values, "<f4").tobytes())


def int64_list(values: Iterable[int]) -> list[bytes]:
    """A Feature's pieces."""
    return _packed(_INTS, b"".join(map(_varint, values)))


def _packed(field: bytes, data: bytes) -> list[bytes]:
    inside = _FIRST + _varint(len(data)) if data else b""
    return [field + _varint(len(inside) + len(data)) + inside, data]


def serialise(features: Mapping[str, list[bytes]]) -> bytes:
    """An Example of features, each as its pieces."""
    entries: list[bytes] = []
    for key in sorted(features):
        name, pieces = key.encode(), features[key]
        size = sum(map(len, pieces))
        head = _FIRST + _varint(len(name)) + name + _SECOND + _varint(size)
        entries += [_FIRST + _varint(len(head) + size) + head, *pieces]
    return b"".join([_FIRST + _varint(sum(map(len, entries))), *entries])


def _varint(number: int) -> bytes:
    if 0 <= number < 128:
        return _ONE_BYTE[number]
    number &= (1 << 64) - 1
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    out.append(number)
    return bytes(out)
