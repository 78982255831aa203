"""What people draw -> the box around it in float pixels, and its outline as the manifest holds it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from pycocotools import mask as rle_tools

from shardsmith.dataset.shapes import OutlineError, box_around, from_mask, parse_outline
from shardsmith.formats.shared.placement import Box, Size

Point = tuple[float, float]
Shape = tuple[Box, str | None]  # the box, and the outline; None for a box that is its own outline
_FARTHEST_PX = 1e7
_LEAST_POINTS = 48  # of an ellipse
_MOST_POINTS = 720
_OFF_PX = 0.2  # how far the straight lines between an ellipse's points may lie inside it


def finite(value: Any, name: str = "a coordinate") -> float:
    """
    Raises:
        OutlineError: it is no number, or no place on an image.
    """
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise OutlineError(f"{name} is {str(value)[:40]!r}, no number")
    if not -_FARTHEST_PX < value < _FARTHEST_PX:
        raise OutlineError(f"{name} is {str(value)[:40]}, no place on an image")
    return float(value)


def sized_box(x: Any, y: Any, width: Any, height: Any) -> Shape:
    """A box by its corner and size."""
    left, top = finite(x, "x"), finite(y, "y")
    return (left, top, left + finite(width, "the width"), top + finite(height, "the height")), None


def ellipse(x: float, y: float, radius_x: float, radius_y: float, angle: float = 0.0) -> Shape:
    """An ellipse around (x, y), turned clockwise by an angle in radians: its exact box, and a polygon of it.

    Raises:
        OutlineError: it has no area.
    """
    if not (radius_x > 0 and radius_y > 0):
        raise OutlineError(f"it is an ellipse with the radii {radius_x:g} and {radius_y:g}")
    largest = max(radius_x, radius_y)
    needed = math.pi / math.acos(max(0.0, 1 - _OFF_PX / largest)) if largest > _OFF_PX else 0
    count = min(_MOST_POINTS, max(_LEAST_POINTS, 4 * math.ceil(needed / 4)))
    cos, sin = math.cos(angle), math.sin(angle)
    points = []
    for step in range(count):
        along = radius_x * math.cos(2 * math.pi * step / count)
        across = radius_y * math.sin(2 * math.pi * step / count)
        points += [round(x + along * cos - across * sin, 3), round(y + along * sin + across * cos, 3)]
    half_width, half_height = math.hypot(radius_x * cos, radius_y * sin), math.hypot(radius_x * sin, radius_y * cos)
    return (x - half_width, y - half_height, x + half_width, y + half_height), parse_outline([points])


def turned_box(x: float, y: float, width: float, height: float, angle: float) -> Shape:
    """A box around the centre (x, y), turned clockwise by an angle in radians; its corners are the outline."""
    cos, sin = math.cos(angle), math.sin(angle)
    halves = [(-width / 2, -height / 2), (width / 2, -height / 2), (width / 2, height / 2), (-width / 2, height / 2)]
    return rings([[(x + along * cos - across * sin, y + along * sin + across * cos) for along, across in halves]], None)


def points_of(pairs: Any) -> list[Point]:
    """The points of a list of `{"x": 1, "y": 2}` or `[1, 2]`.

    Raises:
        OutlineError: it is no such list.
    """
    if not isinstance(pairs, list):
        raise OutlineError("its points are no list")
    points = []
    for number, pair in enumerate(pairs, start=1):
        x, y = (pair.get("x"), pair.get("y")) if isinstance(pair, dict) else _two(pair, number)
        points.append((finite(x, f"x of point {number}"), finite(y, f"y of point {number}")))
    return points


def _two(pair: Any, number: int) -> Sequence[Any]:
    if not isinstance(pair, list) or len(pair) != 2:
        raise OutlineError(f"point {number} is not two numbers")
    return pair


def rings(closed: Sequence[Sequence[Point]], size_px: Size | None) -> Shape:
    """An area by its closed lines. A line within another is a hole (the even-odd rule): then it comes out as an RLE.

    Args:
        size_px: (width, height) of the pixels it is drawn on; None: holes are filled.

    Raises:
        OutlineError: a line has fewer than three points.
    """
    flat = [[at for point in ring for at in point] for ring in closed]
    outline = parse_outline(flat)
    if outline is None:
        raise OutlineError("it has no points")
    around = box_around(outline)
    if around is None:
        raise OutlineError("it has no points")
    if size_px and _overlap([box_around(parse_outline([ring]) or "") for ring in flat]):
        width, height = size_px
        inside = np.zeros((height, width), np.uint8)
        for ring in flat:
            inside ^= rle_tools.decode(rle_tools.merge(rle_tools.frPyObjects([ring], height, width)))
        outline = from_mask(inside)
    return around, outline


def _overlap(boxes: Sequence[Box | None]) -> bool:
    known = [box for box in boxes if box]
    return any(
        one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]
        for number, one in enumerate(known)
        for other in known[:number]
    )


def run_lengths(rle: Any) -> Shape:
    """COCO's run lengths, {"size": [height, width], "counts"}.

    Raises:
        OutlineError: they are none, or have no pixel.
    """
    if not isinstance(rle, dict):
        raise OutlineError("its mask is no run lengths (RLE)")
    return _masked(parse_outline(rle))


def mask(inside: np.ndarray) -> Shape:
    """A mask (height, width) of the whole image, 0 outside.

    Raises:
        OutlineError: it has no pixel.
    """
    return _masked(from_mask(inside))


def _masked(outline: str | None) -> Shape:
    around = box_around(outline) if outline else None
    if around is None:
        raise OutlineError("its mask has no pixel")
    return around, outline


def placed_mask(part: np.ndarray, x: int, y: int, size_px: Size | None) -> Shape:
    """A mask (height, width) whose top-left pixel lies at (x, y) of an image.

    Args:
        size_px: (width, height) of the image; None: only the box is known.

    Raises:
        OutlineError: it has no pixel on the image.
    """
    if size_px is None:
        (left, top, right, bottom), _ = mask(part)
        return (x + left, y + top, x + right, y + bottom), None
    width, height = size_px
    whole = np.zeros((height, width), np.uint8)
    seen = part[max(0, -y) : max(0, height - y), max(0, -x) : max(0, width - x)]
    if seen.size:
        top, left = max(0, y), max(0, x)
        whole[top : top + seen.shape[0], left : left + seen.shape[1]] = seen != 0
    return mask(whole)


def flat_points(numbers: Any) -> list[Point]:
    """The points of a flat list x, y, x, y, ...

    Raises:
        OutlineError: it is no such list.
    """
    if not isinstance(numbers, list) or len(numbers) % 2:
        raise OutlineError("its points are not pairs of numbers")
    values: Iterable[float] = [finite(value) for value in numbers]
    return list(zip(*[iter(values)] * 2, strict=True))
