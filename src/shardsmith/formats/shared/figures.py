"""Figures as labelling tools draw them -> a box and the outline in it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from shardsmith.dataset.shapes import OutlineError, box_around, from_mask, parse_outline
from shardsmith.formats.shared.placement import Box, Size

Shape = tuple[Box, str | None]
Point = tuple[float, float]
_CORNERS = 48  # of the polygon that stands for an ellipse
_MOST_CORNERS = 960
_NEAR_PX = 0.25  # the polygon leaves the ellipse by no more


class NotCarriedError(ValueError):
    """A figure of a kind that a dataset here cannot hold; it says which kind."""


def number_of(value: Any, name: str = "it") -> float:
    """
    Raises:
        OutlineError: it is no number, or none that is a place on an image.
    """
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise OutlineError(f"{name} is no number: {str(value)[:40]}")
    try:
        return float(value)
    except (ValueError, OverflowError):
        raise OutlineError(f"{name} is no number: {str(value)[:40]}") from None


def points_of(values: Any) -> list[Point]:
    """[(x, y), ...] of [[x, y], ...].

    Raises:
        OutlineError: it is something else.
    """
    if not isinstance(values, list) or not all(isinstance(point, list) and len(point) == 2 for point in values):
        raise OutlineError(f"its points are no list of [x, y]: {str(values)[:60]}")
    return [(number_of(x, "x"), number_of(y, "y")) for x, y in values]


def rectangle(points: Sequence[Point]) -> Shape:
    """The box around two corners or more; it has no outline.

    Raises:
        OutlineError: there are less.
    """
    if len(points) < 2:
        raise OutlineError(f"it has {len(points)} corners; 2 are the least")
    xs, ys = zip(*points, strict=True)
    return (min(xs), min(ys), max(xs), max(ys)), None


def polygon(points: Sequence[Point]) -> Shape:
    """
    Raises:
        OutlineError: it is no polygon.
    """
    outline = parse_outline([[at for point in points for at in point]]) if points else None
    box = box_around(outline) if outline else None
    if box is None:
        raise OutlineError("it has no points")
    return box, outline


def circle(x: float, y: float, radius: float) -> Shape:
    return ellipse(x, y, radius, radius)


def ellipse(x: float, y: float, radius_x: float, radius_y: float, turn_rad: float = 0.0) -> Shape:
    """A polygon of 48 corners or more around a centre, and the box around it; `turn_rad` is clockwise.

    Raises:
        OutlineError: a number is none, or a radius is negative.
    """
    if not (radius_x >= 0 and radius_y >= 0):  # NaN is neither
        raise OutlineError(f"it has no radius: {radius_x:g}, {radius_y:g}")
    if radius_x == 0 or radius_y == 0:  # a click without a drag: validate says that it is empty
        return (x - radius_x, y - radius_y, x + radius_x, y + radius_y), None
    # a chord of n leaves the circle by r (1 - cos(pi / n)), nearly r pi^2 / (2 n^2)
    needed = min(math.pi * math.sqrt(max(radius_x, radius_y) / (2 * _NEAR_PX)), _MOST_CORNERS)
    count = 4 * math.ceil(max(needed, _CORNERS) / 4)
    at = np.arange(count) * (2 * math.pi / count)
    with np.errstate(all="ignore"):
        corners = np.stack([radius_x * np.cos(at), radius_y * np.sin(at)], axis=1)
    return polygon(_turned(corners, x, y, turn_rad))


def turned_box(x: float, y: float, width: float, height: float, turn_rad: float) -> Shape:
    """The four corners of a box that is turned clockwise about its centre, and the box around them.

    Raises:
        OutlineError: a number is none.
    """
    half_x, half_y = width / 2, height / 2
    corners = np.array([(-half_x, -half_y), (half_x, -half_y), (half_x, half_y), (-half_x, half_y)])
    return polygon(_turned(corners, x, y, turn_rad))


def _turned(offsets: np.ndarray, x: float, y: float, turn_rad: float) -> list[Point]:
    """(n, 2) offsets from a centre, turned clockwise as the image shows it (y grows downwards)."""
    if not math.isfinite(turn_rad):
        raise OutlineError(f"its angle is no number: {turn_rad}")
    cosine, sine = math.cos(turn_rad), math.sin(turn_rad)
    with np.errstate(all="ignore"):  # what overflows is no place on an image, and is told as such
        turned = offsets @ np.array([(cosine, sine), (-sine, cosine)]) + (x, y)
    # a few billionths of a pixel are the sine's own, and would make a box out of its exact place
    return [(px, py) for px, py in np.round(turned, 6).tolist()]


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


def pasted_mask(mask: np.ndarray, x: int, y: int, canvas_px: Size) -> Shape:
    """A small mask (height, width) at its place on an image of that size, as run lengths; what passes its edge is cut.

    Raises:
        OutlineError: no pixel of it lies on the image.
    """
    width, height = canvas_px
    left, top = max(x, 0), max(y, 0)
    right, bottom = min(x + mask.shape[1], width), min(y + mask.shape[0], height)
    part = mask[top - y : bottom - y, left - x : right - x] if right > left and bottom > top else mask[:0]
    if not part.any():
        raise OutlineError("its mask has no pixel on the image")
    canvas = np.zeros((height, width), np.uint8)
    canvas[top:bottom, left:right] = part != 0
    outline = from_mask(canvas)
    box = box_around(outline)
    if box is None:
        raise OutlineError("its mask has no pixel on the image")
    return box, outline
