"""Mask PNGs for the tests."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image as PilImage

from shardsmith.formats.masks.classes import voc_colour


def mask(*areas: tuple[int, tuple[int, int, int, int]], mode: str = "L", size: tuple[int, int] = (32, 24)) -> bytes:
    """A PNG with a value in each box (xmin ymin xmax ymax); in mode RGB, values are r << 16 | g << 8 | b."""
    values = np.zeros(size[::-1], np.int64)
    for value, (left, top, right, bottom) in areas:
        values[top:bottom, left:right] = value
    if mode == "RGB":
        image = PilImage.fromarray(np.stack([values >> 16, values >> 8 & 255, values & 255], -1).astype(np.uint8))
    else:
        image = PilImage.fromarray(values.astype(np.uint16 if mode == "I;16" else np.uint8))
    if mode == "P":
        image = PilImage.frombytes("P", size, values.astype(np.uint8).tobytes())
        image.putpalette([at for value in range(256) for at in voc_colour(value).to_bytes(3, "big")])
    stream = io.BytesIO()
    image.save(stream, "PNG")
    return stream.getvalue()
