"""Images small enough for a page: decoded no larger than needed, and as WebP of so many bytes at most."""

from __future__ import annotations

import base64
import hashlib
import io
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image as PilImage

from shardsmith.dataset.errors import StageError
from shardsmith.dataset.images import decode
from shardsmith.dataset.manifest import Image
from shardsmith.dataset.workers import map_items

BUDGET = 2_400_000  # bytes of all pictures, before base64 makes them a third larger
_MOST = 80_000
_QUALITY = 62
_METHOD = 2  # libwebp's effort: 4 takes 2.4 times as long for 6 % fewer bytes
_BYTES_A_PIXEL = 0.11  # of a photo at that quality
_LEAST_PX = 24


@dataclass(frozen=True)
class Thumbnail:
    """
    uri: a data URI.
    width, height: of the picture, in pixels.
    """

    uri: str
    width: int
    height: int


@dataclass(frozen=True)
class _Wanted:
    path: str
    sha256: str
    size_px: tuple[int, int]
    bytes: int


def shrink(images: Sequence[Image]) -> Iterator[Thumbnail]:
    """A picture of each image, upright, in order; together they take about BUDGET at most.

    Raises:
        StageError: a file is gone, is not the one in the manifest, or does not decode.
    """
    most = min(_MOST, BUDGET // max(len(images), 1))
    return map_items(_shrink, list(_wanted(images, most)), "report: pictures", chunk=4)


def _wanted(images: Iterable[Image], most: int) -> Iterator[_Wanted]:
    for image in images:
        yield _Wanted(image.path, image.sha256, (image.width or 1, image.height or 1), most)


def _shrink(wanted: _Wanted) -> Thumbnail:
    width, height = wanted.size_px
    scale = min(1.0, math.sqrt(wanted.bytes / _BYTES_A_PIXEL / (width * height)))
    picture = PilImage.fromarray(_read(wanted, scale))
    while True:
        size = _scaled(width, height, scale)
        stream = io.BytesIO()
        small = picture.resize(size, PilImage.Resampling.LANCZOS, reducing_gap=2.0)
        small.save(stream, "WEBP", quality=_QUALITY, method=_METHOD)
        data = stream.getvalue()
        if len(data) <= wanted.bytes or max(size) <= _LEAST_PX:
            return Thumbnail(f"data:image/webp;base64,{base64.b64encode(data).decode()}", *size)
        scale *= 0.9 * math.sqrt(wanted.bytes / len(data))


def _scaled(width: int, height: int, scale: float) -> tuple[int, int]:
    """At most 2,000 pixels a side, however long and thin the image."""
    scale = min(scale, 2000 / max(width, height))
    return max(1, round(width * scale)), max(1, round(height * scale))


def _read(wanted: _Wanted, scale: float) -> np.ndarray:
    try:
        data = Path(wanted.path).read_bytes()
    except FileNotFoundError:
        raise StageError(f"{wanted.path}: the image is gone since it was ingested; run dvc repro") from None
    if hashlib.sha256(data).hexdigest() != wanted.sha256:
        raise StageError(f"{wanted.path}: the image changed since it was ingested; run dvc repro")
    try:
        return decode(data, _scaled(*wanted.size_px, scale))
    except ValueError as error:
        raise StageError(f"{wanted.path}: it does not decode ({error}); replace the image file") from None
