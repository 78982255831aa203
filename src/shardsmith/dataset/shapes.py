"""Outlines as the manifest holds them: COCO polygons [[x, y, ...], ...], or RLE {"size": [h, w], "counts": str}.

Source: maskApi.c of the COCO API: run lengths go down the columns, zeros first, and their compressed form is a string.
"""

from __future__ import annotations

import json
from typing import Any

import numpy as np
from pycocotools import mask as rle_tools

from shardsmith.dataset.boxes import upright_boxes

Box = tuple[float, float, float, float]
_MAX_PIXELS = 1 << 31
_FARTHEST_PX = 1e7  # pycocotools walks a polygon's edges pixel by pixel, however long
_NUMBERS = {int, float}
_compact = json.JSONEncoder(separators=(",", ":")).encode


class OutlineError(ValueError):
    """Why an outline cannot be read."""


def parse_outline(segmentation: Any) -> str | None:
    """The `segmentation` column of what COCO JSON holds there; None for none, also for polygons without a point.

    Raises:
        OutlineError: it is neither polygons nor run lengths.
    """
    if not segmentation:
        return None
    if isinstance(segmentation, dict):
        return _compact(_compressed(segmentation))
    if not isinstance(segmentation, list):
        raise OutlineError(f"its segmentation is a {type(segmentation).__name__}")
    polygons = [segmentation] if type(segmentation[0]) in _NUMBERS else [each for each in segmentation if each != []]
    if not polygons:
        return None
    for number, polygon in enumerate(polygons, start=1):
        _check_polygon(polygon, number)
    return _compact(polygons)


def _check_polygon(polygon: Any, number: int) -> None:
    if not isinstance(polygon, list) or not set(map(type, polygon)) <= _NUMBERS:
        raise OutlineError(f"polygon {number} is not a list of numbers")
    if len(polygon) % 2:
        raise OutlineError(f"polygon {number} has an odd count of numbers: {len(polygon)}")
    if len(polygon) < 6:
        raise OutlineError(f"polygon {number} has {len(polygon) // 2} points; 3 are the least")
    lowest, highest = min(polygon), max(polygon)
    if not (-_FARTHEST_PX < lowest <= highest < _FARTHEST_PX) or not abs(sum(polygon)) >= 0:  # NaN is never
        raise OutlineError(f"polygon {number} has a number that is no place on an image")


def _compressed(rle: dict[str, Any]) -> dict[str, Any]:
    size, counts = rle.get("size"), rle.get("counts")
    if not (isinstance(size, list) and len(size) == 2 and all(type(side) is int and side > 0 for side in size)):
        raise OutlineError(f"its RLE has no size [height, width]: {str(size)[:60]}")
    height, width = size
    if height * width >= _MAX_PIXELS:
        raise OutlineError(f"its RLE says {height} x {width} pixels")
    if isinstance(counts, str):
        lengths = _run_lengths(counts)
    elif isinstance(counts, list) and set(map(type, counts)) <= {int}:
        lengths = np.array(counts, dtype=object)
    else:
        raise OutlineError("its RLE has no counts, as a string or as whole numbers")
    if len(lengths) and min(lengths) < 0:
        raise OutlineError("its RLE has a negative run length")
    if (total := int(sum(lengths.tolist()))) != height * width:
        raise OutlineError(f"its RLE's runs cover {total} pixels, its size {height} x {width} has {height * width}")
    if isinstance(counts, list):
        counts = rle_tools.frPyObjects({"size": size, "counts": counts}, height, width)["counts"].decode("ascii")
    return {"size": size, "counts": counts}


def _run_lengths(counts: str) -> np.ndarray:
    """The run lengths of a compressed RLE, checked: pycocotools reads past the end of a broken one.

    Each is a little-endian group of 5-bit digits with a flag for "more follow"; from the fourth on, the difference
    to the length two before it.
    """
    try:
        digits = np.frombuffer(counts.encode("ascii"), np.uint8).astype(np.int64) - 48
    except UnicodeEncodeError:
        raise OutlineError("its RLE's counts have a character that RLE does not have") from None
    if len(digits) and (digits.min() < 0 or digits.max() > 63):
        raise OutlineError("its RLE's counts have a character that RLE does not have")
    last = np.flatnonzero(digits & 32 == 0)
    if len(digits) == 0 or last[-1:].tolist() != [len(digits) - 1]:
        raise OutlineError("its RLE's counts are cut short")
    first = np.concatenate([[0], last[:-1] + 1])
    width = last - first + 1
    if width.max() > 7:
        raise OutlineError("its RLE's counts have a number that is too large")
    shift = 5 * (np.arange(len(digits)) - np.repeat(first, width))
    values = np.add.reduceat((digits & 31) << shift, first)
    values -= np.where(digits[last] & 16, 1 << (5 * width), 0)
    values[1::2] = np.cumsum(values[1::2])
    values[2::2] = np.cumsum(values[2::2])
    return values


def rle_size_px(outline: str) -> tuple[int, int] | None:
    """(width, height) of an RLE; None for polygons."""
    if not outline.startswith("{"):
        return None
    height, width = json.loads(outline)["size"]
    return width, height


def box_around(outline: str) -> Box | None:
    """xmin, ymin, xmax, ymax; None for an RLE without a pixel."""
    content = json.loads(outline)
    if isinstance(content, dict):
        x, y, width, height = rle_tools.toBbox(content).tolist()
        return (x, y, x + width, y + height) if width and height else None
    xs = [x for polygon in content for x in polygon[::2]]
    ys = [y for polygon in content for y in polygon[1::2]]
    return float(min(xs)), float(min(ys)), float(max(xs)), float(max(ys))


def to_mask(outline: str, width_px: int, height_px: int) -> np.ndarray:
    """(height, width) uint8, 1 inside. An RLE must have that size."""
    content = json.loads(outline)
    if isinstance(content, dict):
        return rle_tools.decode(content)
    return rle_tools.decode(rle_tools.merge(rle_tools.frPyObjects(content, height_px, width_px)))


def from_mask(mask: np.ndarray) -> str:
    """The RLE of a mask (height, width), 0 outside."""
    rle = rle_tools.encode(np.asfortranarray(mask, dtype=np.uint8))
    content = {"size": [int(side) for side in rle["size"]], "counts": rle["counts"].decode("ascii")}
    return _compact(content)


def area_px(outline: str, width_px: int, height_px: int) -> float:
    """The pixels inside: COCO's `area`."""
    content = json.loads(outline)
    if isinstance(content, list):
        content = rle_tools.merge(rle_tools.frPyObjects(content, height_px, width_px))
    return float(rle_tools.area(content))


def upright_outline(outline: str, orientation: int, width_px: int, height_px: int) -> str:
    """An outline drawn on the stored pixels, as it lies on the displayed image, whose size is given.

    Source: EXIF 2.32, tag 0x0112.
    """
    content = json.loads(outline)
    if isinstance(content, list):
        return _compact([_upright_points(polygon, orientation, width_px, height_px) for polygon in content])
    mask = rle_tools.decode(content)
    if orientation >= 5:
        mask = mask.T
    if orientation in (2, 3, 6, 7):
        mask = mask[:, ::-1]
    if orientation in (3, 4, 7, 8):
        mask = mask[::-1]
    return from_mask(mask)


def _upright_points(polygon: list[float], orientation: int, width_px: int, height_px: int) -> list[float]:
    points = np.array(polygon, float).reshape(-1, 2)
    return upright_boxes(np.hstack([points, points]), orientation, width_px, height_px)[:, :2].ravel().tolist()
