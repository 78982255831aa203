"""The annotations of an image as one picture of numbers, in which a later one lies above an earlier one; and as PNG.

Source: the VOC2012 development kit for the palette, and for 255, the value of pixels that nobody has said.
"""

from __future__ import annotations

import io
import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from PIL import Image as PilImage
from pycocotools import mask as rle_tools

from shardsmith.dataset.errors import StageError
from shardsmith.dataset.label_map import LabelMap
from shardsmith.dataset.manifest import Annotation, Manifest
from shardsmith.dataset.shapes import to_mask, to_run_lengths
from shardsmith.formats.masks.classes import VOID, voc_colour
from shardsmith.formats.shapes.placement import Size, corners

_PALETTE = b"".join(voc_colour(value).to_bytes(3, "big") for value in range(256))


def draw(rows: Sequence[Annotation], size_px: Size) -> np.ndarray:
    """(height, width): the number, from 1, of the annotation that a pixel shows; 0 for none with an outline."""
    numbers = np.zeros(size_px[::-1], np.int32)
    for number, row in enumerate(rows, start=1):
        if row.segmentation:
            numbers[to_mask(row.segmentation, *size_px) != 0] = number
    return numbers


def as_values(numbers: np.ndarray, values: Sequence[int], rows: Iterable[Annotation]) -> np.ndarray:
    """(height, width) uint8: each annotation's value; what lies in a box without an outline is void, else 0."""
    drawn = np.array([0, *values], np.uint8)[numbers]
    for row in rows:
        if row.xmin is not None and not row.segmentation:
            left, top, right, bottom = corners(row)
            inside = np.s_[max(0, math.floor(top)) : math.ceil(bottom), max(0, math.floor(left)) : math.ceil(right)]
            drawn[inside][numbers[inside] == 0] = VOID
    return drawn


def palette_png(values: np.ndarray) -> bytes:
    """Values (height, width) uint8 in VOC's colours."""
    height, width = values.shape
    image = PilImage.frombytes("P", (width, height), values.tobytes())
    image.putpalette(_PALETTE)
    stream = io.BytesIO()
    image.save(stream, "PNG")
    return stream.getvalue()


def check_ids(label_map: LabelMap, format_name: str) -> None:
    """
    Raises:
        StageError: an id does not fit into 8 bits, of which 255 is void.
    """
    for name, number in label_map.ids.items():
        if number >= VOID:
            raise StageError(
                f"{format_name}: class {name!r} has the id {number}, and a mask has values up to {VOID - 1}; "
                "choose coco_panoptic or coco"
            )


def name_hidden(manifest: Manifest, by_class: bool) -> list[tuple[str, str]]:
    """How many pixels lie under a later annotation, as a loss and its reason; none where no two overlap.

    Args:
        by_class: whether those of one class are one area.
    """
    pixels = images = 0
    for image, rows in manifest.pairs():
        areas: dict[object, list[dict[str, Any]]] = {}
        for number, row in enumerate(rows):
            if row.segmentation:
                rle = to_run_lengths(row.segmentation, image.width or 0, image.height or 0)
                areas.setdefault(row.label if by_class else number, []).append(rle)
        if len(areas) > 1:
            merged = [rle_tools.merge(of_one) for of_one in areas.values()]
            hidden = int(rle_tools.area(merged).sum() - rle_tools.area(rle_tools.merge(merged)))
            pixels, images = pixels + hidden, images + bool(hidden)
    if not pixels:
        return []
    value = f"{pixels:,} pixels under other annotations on {images:,} images"
    return [(value, "a pixel has one value: the later annotation's")]
