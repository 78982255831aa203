"""Masks of objects as PNG bytes, one for each box: 0 outside, 1 inside, of the image's size.

Source: the Object Detection API's instance_segmentation.md ("PNG Instance Segmentation Masks").
"""

from __future__ import annotations

import io

import numpy as np
from PIL import Image

from shardsmith.dataset.images import opened
from shardsmith.dataset.shapes import from_mask, to_mask

MASK = "image/object/mask"


def mask_png(outline: str | None, width_px: int, height_px: int) -> bytes:
    """An object without an outline has an empty mask, as each box must have one."""
    empty = np.zeros((height_px, width_px), np.uint8)
    mask = to_mask(outline, width_px, height_px) if outline else empty
    stream = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(mask)).save(stream, "PNG", compress_level=6)
    return stream.getvalue()


def outline_of(png: bytes, image: bytes) -> str | None:
    """The RLE of a mask; None for an empty one.

    Raises:
        ValueError: it is no picture, or not of the image's stored size.
    """
    try:
        with opened(image) as picture:
            size = picture.size
        with opened(png) as mask:
            if mask.size != size:
                raise ValueError(f"a mask has {mask.size[0]} x {mask.size[1]} pixels, not the image's")
            pixels = np.asarray(mask.convert("L")) > 0
    except (OSError, SyntaxError) as error:
        raise ValueError(f"a mask does not open: {error}") from None
    return from_mask(pixels.astype(np.uint8)) if pixels.any() else None
