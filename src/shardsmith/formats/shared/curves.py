"""Ellipses and turned boxes as polygons, whose box is that of the figure; angles in degrees, clockwise on the image."""

from __future__ import annotations

import math

Point = tuple[float, float]
_STEPS = 48


def turned_box(x: float, y: float, width: float, height: float, angle: float, about: Point) -> list[Point]:
    """The four corners of a box, turned about a point, from the top left one on clockwise."""
    corners = [(x, y), (x + width, y), (x + width, y + height), (x, y + height)]
    return [_turned(corner, angle, about) for corner in corners]


def ellipse(x: float, y: float, radius_x: float, radius_y: float, angle: float = 0.0) -> list[Point]:
    """Points of an ellipse around (x, y), those farthest to each side among them."""
    turn = math.radians(angle)
    steps = [2 * math.pi * step / _STEPS for step in range(_STEPS)]
    farthest_x = math.atan2(-radius_y * math.sin(turn), radius_x * math.cos(turn))
    farthest_y = math.atan2(radius_y * math.cos(turn), radius_x * math.sin(turn))
    sides = [at % (2 * math.pi) for far in (farthest_x, farthest_y) for at in (far, far + math.pi)]
    points = [(x + radius_x * math.cos(at), y + radius_y * math.sin(at)) for at in sorted({*steps, *sides})]
    return [_turned(point, angle, (x, y)) for point in points]


def flat(points: list[Point]) -> list[float]:
    """x, y, x, y, ... as COCO has a polygon."""
    return [at for point in points for at in point]


def _turned(point: Point, angle: float, about: Point) -> Point:
    turn = math.radians(angle)
    x, y = point[0] - about[0], point[1] - about[1]
    return about[0] + x * math.cos(turn) - y * math.sin(turn), about[1] + x * math.sin(turn) + y * math.cos(turn)
