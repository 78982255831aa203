"""Masks of objects as PNG bytes, one for each box: 0 outside, 1 inside, of the image's size.

Source: the Object Detection API's instance_segmentation.md ("PNG Instance Segmentation Masks").
"""

from __future__ import annotations

import io

import numpy as np
from PIL import Image
from pycocotools import mask as rle_tools

from shardsmith.dataset.images import opened
from shardsmith.dataset.shapes import from_mask, run_lengths, to_run_lengths

MASK = "image/object/mask"


_ZERO_AND_ONE = bytes([0, 0, 0, 1, 1, 1])  # a palette: a bit a pixel, which every decoder gives as 0 or 1
_RUNS = 3  # zlib's Z_RLE


def mask_png(outline: str | None, width_px: int, height_px: int) -> bytes:
    """An object without an outline has an empty mask, as each box must have one."""
    mask = np.zeros((height_px, width_px), np.uint8)
    if outline:
        _draw(mask, outline)
    image = Image.frombuffer("P", (width_px, height_px), mask, "raw", "P", 0, 1)
    image.putpalette(_ZERO_AND_ONE)
    stream = io.BytesIO()
    image.save(stream, "PNG", compress_level=1, compress_type=_RUNS)
    return stream.getvalue()


def _draw(mask: np.ndarray, outline: str) -> None:
    """Set a mask of zeros (height, width) to 1 inside; but the columns of the object, nothing is decoded."""
    height = len(mask)
    rle = to_run_lengths(outline, mask.shape[1], height)
    left, top, width, tall = (int(side) for side in rle_tools.toBbox(rle))
    ends = (np.cumsum(run_lengths(rle["counts"])) - left * height).clip(0, width * height)
    inside = np.repeat(np.arange(len(ends)) % 2 == 1, np.diff(ends, prepend=0))
    mask[top : top + tall, left : left + width] = inside.reshape(width, height).T[top : top + tall]


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
