"""What people draw -> the box around it in float pixels, and its outline as the manifest holds it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from pycocotools import mask as rle_tools

from shardsmith.dataset.shapes import OutlineError, box_around, from_mask, parse_outline
from shardsmith.formats.shapes.curves import Point, box_corners, ellipse_points, turned
from shardsmith.formats.shapes.placement import Box, Size

Shape = tuple[Box, str | None]  # the box, and the outline; None for a box that is its own outline
_FARTHEST_PX = 1e7


class NotCarriedError(ValueError):
    """A figure of a kind that a dataset here cannot hold; the text is the kind."""


def number_of(value: Any, name: str = "a coordinate", most: float = _FARTHEST_PX) -> float:
    """A number, also as text.

    Raises:
        OutlineError: it is none, or not between -most and most: then it is no place on an image.
    """
    try:
        number = math.nan if isinstance(value, bool) else float(value)
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if math.isnan(number):
        raise OutlineError(f"{name} is no number: {str(value)[:40]}")
    if not -most < number < most:
        raise OutlineError(f"{name} is no place on an image: {str(value)[:40]}")
    return number


def points_of(pairs: Any) -> list[Point]:
    """The points of a list of `{"x": 1, "y": 2}` or `[1, 2]`.

    Raises:
        OutlineError: it is no such list.
    """
    if not isinstance(pairs, list):
        raise OutlineError(f"its points are no list: {str(pairs)[:60]}")
    points = []
    for number, pair in enumerate(pairs, start=1):
        two = (pair.get("x"), pair.get("y")) if isinstance(pair, dict) else pair
        if not isinstance(two, list | tuple) or len(two) != 2:
            raise OutlineError(f"point {number} is not two numbers: {str(pair)[:60]}")
        points.append((number_of(two[0], f"x of point {number}"), number_of(two[1], f"y of point {number}")))
    return points


def flat_points(numbers: Any) -> list[Point]:
    """The points of a flat list x, y, x, y, ...

    Raises:
        OutlineError: it is no such list.
    """
    if not isinstance(numbers, list) or len(numbers) % 2:
        raise OutlineError("its points are not pairs of numbers")
    return points_of([*zip(numbers[::2], numbers[1::2], strict=True)])


def sized_box(x: Any, y: Any, width: Any, height: Any) -> Shape:
    """A box by its corner and size."""
    left, top = number_of(x, "x"), number_of(y, "y")
    return (left, top, left + number_of(width, "the width"), top + number_of(height, "the height")), None


def rectangle(points: Sequence[Point]) -> Shape:
    """The box around two corners or more; it has no outline.

    Raises:
        OutlineError: there are less.
    """
    if len(points) < 2:
        raise OutlineError(f"it has {len(points)} corners; 2 are the least")
    xs, ys = zip(*points, strict=True)
    return (min(xs), min(ys), max(xs), max(ys)), None


def turned_box(x: float, y: float, width: float, height: float, turn_rad: float) -> Shape:
    """A box around the centre (x, y), turned clockwise; its corners are the outline."""
    return rings([turned(box_corners(x - width / 2, y - height / 2, width, height), (x, y), turn_rad)])


def circle(x: float, y: float, radius: float) -> Shape:
    return ellipse(x, y, radius, radius)


def ellipse(x: float, y: float, radius_x: float, radius_y: float, turn_rad: float = 0.0) -> Shape:
    """An ellipse around (x, y), turned clockwise: its exact box, and a polygon of it.

    Raises:
        OutlineError: a number is none, or a radius is negative.
    """
    points = ellipse_points(x, y, radius_x, radius_y, turn_rad)
    # without a radius it is a click without a drag: validate says that it is empty
    return rings([points]) if radius_x and radius_y else rectangle(points)


def circle_through(points: Sequence[Point]) -> Shape:
    """The circle through three points on it.

    Raises:
        OutlineError: there is none.
    """
    if len(points) != 3:
        raise OutlineError(f"it has {len(points)} points; a circle goes through 3")
    (ax, ay), (bx, by), (cx, cy) = points
    double = 2 * (ax * (by - cy) + bx * (cy - ay) + cx * (ay - by))
    if not abs(double) > 0 or not math.isfinite(double):
        raise OutlineError("its three points lie on a line")
    a, b, c = ax * ax + ay * ay, bx * bx + by * by, cx * cx + cy * cy
    x = (a * (by - cy) + b * (cy - ay) + c * (ay - by)) / double
    y = (a * (cx - bx) + b * (ax - cx) + c * (bx - ax)) / double
    return circle(x, y, math.hypot(ax - x, ay - y))


def rings(closed: Sequence[Sequence[Point]], size_px: Size | None = None) -> Shape:
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
    box = _around(outline)
    if size_px and _overlap([box_around(parse_outline([ring]) or "") for ring in flat]):
        width, height = size_px
        inside = np.zeros((height, width), np.uint8)
        for ring in flat:
            inside ^= rle_tools.decode(rle_tools.merge(rle_tools.frPyObjects([ring], height, width)))
        outline = from_mask(inside)
    return box, outline


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
    outline = parse_outline(rle) if isinstance(rle, dict) else None
    if outline is None:
        raise OutlineError("its mask is no run lengths (RLE)")
    return _around(outline), outline


def mask(inside: np.ndarray) -> Shape:
    """A mask (height, width) of the whole image, 0 outside.

    Raises:
        OutlineError: it has no pixel.
    """
    outline = from_mask(inside)
    return _around(outline), outline


def _around(outline: str) -> Box:
    box = box_around(outline)
    if box is None:
        raise OutlineError("its mask has no pixel on the image")
    return box


def placed_mask(part: np.ndarray, x: int, y: int, size_px: Size | None) -> Shape:
    """A mask (height, width) whose top-left pixel lies at (x, y) of an image; what passes an edge is cut.

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
