"""Points of ellipses and turned boxes; angles in radians, clockwise as the image shows it (y grows downwards)."""

from __future__ import annotations

import math
from collections.abc import Sequence

from shardsmith.dataset.shapes import OutlineError

Point = tuple[float, float]
_NEAR_PX = 0.2  # the polygon leaves the ellipse by no more
_LEAST, _MOST = 48, 960  # corners of that polygon


def box_corners(x: float, y: float, width: float, height: float) -> list[Point]:
    """From the top left one on, clockwise."""
    return [(x, y), (x + width, y), (x + width, y + height), (x, y + height)]


def ellipse_points(x: float, y: float, radius_x: float, radius_y: float, turn_rad: float = 0.0) -> list[Point]:
    """Points of an ellipse around (x, y), those farthest to each side among them: their box is the ellipse's own.

    Raises:
        OutlineError: a number is none, or a radius is negative.
    """
    if not (radius_x >= 0 and radius_y >= 0):  # NaN is neither
        raise OutlineError(f"it has no radius: {radius_x:g}, {radius_y:g}")
    # a chord of n leaves the circle by r (1 - cos(pi / n)), nearly r pi^2 / (2 n^2)
    needed = min(math.pi * math.sqrt(max(radius_x, radius_y) / (2 * _NEAR_PX)), _MOST)
    count = 4 * math.ceil(max(needed, _LEAST) / 4)
    cosine, sine = _checked(turn_rad)
    farthest = (math.atan2(-radius_y * sine, radius_x * cosine), math.atan2(radius_y * cosine, radius_x * sine))
    steps = [2 * math.pi * step / count for step in range(count)]
    sides = [at % (2 * math.pi) for far in farthest for at in (far, far + math.pi)]
    around = [
        (radius_x * math.cos(at), radius_y * math.sin(at)) for at in sorted({round(a, 12) for a in steps + sides})
    ]
    return turned([(x + along, y + across) for along, across in around], (x, y), turn_rad)


def turned(points: Sequence[Point], about: Point, turn_rad: float) -> list[Point]:
    """
    Raises:
        OutlineError: the angle is no number.
    """
    cosine, sine = _checked(turn_rad)
    offsets = [(x - about[0], y - about[1]) for x, y in points]
    # a few billionths of a pixel are the sine's own, and would move a box off its exact place
    return [
        (round(about[0] + x * cosine - y * sine, 6), round(about[1] + x * sine + y * cosine, 6)) for x, y in offsets
    ]


def _checked(turn_rad: float) -> tuple[float, float]:
    if not math.isfinite(turn_rad):
        raise OutlineError(f"its angle is no number: {turn_rad}")
    return math.cos(turn_rad), math.sin(turn_rad)
