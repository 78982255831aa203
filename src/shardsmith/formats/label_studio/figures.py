"""A region of Label Studio -> its box and outline, in pixels of an image of a given size; no disk.

All places are per cent of the image's sides. A rectangle turns about its top left corner, an ellipse about its centre,
in degrees clockwise. Source: the tags RectangleLabels, EllipseLabels, PolygonLabels, BrushLabels and BitmaskLabels.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from shardsmith.dataset.shapes import OutlineError
from shardsmith.formats.label_studio.brush import decode, decode_png
from shardsmith.formats.label_studio.regions import Item
from shardsmith.formats.shapes.curves import Point, box_corners, ellipse_points, turned
from shardsmith.formats.shapes.outlines import Shape, number_of, points_of, rings
from shardsmith.formats.shapes.outlines import mask as masked
from shardsmith.formats.shapes.placement import Size

BAD = (OutlineError, KeyError, TypeError, ValueError, OverflowError, IndexError, AttributeError)


def figure(item: Item, size_px: Size) -> Shape:
    """Its box and outline on an image of that size.

    Turning is done on the size that the region was drawn on, since per cent of two sides are no right angles.

    Raises:
        one of BAD: the value is not what its kind has.
    """
    drawn_px = item.declared_px or size_px
    if item.kind in ("brush", "bitmask"):
        mask = _mask(item, drawn_px)
        return masked(mask if (mask.shape[1], mask.shape[0]) == size_px else _resized(mask, size_px))
    scale_x, scale_y = size_px[0] / drawn_px[0], size_px[1] / drawn_px[1]
    points = [(x * scale_x, y * scale_y) for x, y in _points(item, drawn_px)]
    if item.kind == "rectangle" and not _turn_rad(item.value):
        return (*points[0], *points[2]), None
    return rings([points])


def named_points(item: Item, size_px: Size) -> dict[str, Point]:
    """The keypoints of a region on an image of that size, by name.

    Raises:
        one of BAD: a value is no place.
    """
    return {
        name: (number_of(value["x"], "x") * size_px[0] / 100, number_of(value["y"], "y") * size_px[1] / 100)
        for name, value in item.points.items()
    }


def _points(item: Item, drawn_px: Size) -> list[Point]:
    value, (width, height) = item.value, drawn_px
    if item.kind == "polygon":
        return [(x * width / 100, y * height / 100) for x, y in points_of(value["points"])]
    names = ("x", "y", "radiusX", "radiusY") if item.kind == "ellipse" else ("x", "y", "width", "height")
    sides = (width, height, width, height)
    x, y, across, down = (number_of(value[name], name) * side / 100 for name, side in zip(names, sides, strict=True))
    if item.kind == "ellipse":
        return ellipse_points(x, y, across, down, _turn_rad(value))
    corners = box_corners(x, y, across, down)
    return turned(corners, (x, y), _turn_rad(value)) if _turn_rad(value) else corners


def _turn_rad(value: dict[str, Any]) -> float:
    return math.radians(number_of(value.get("rotation") or 0, "its rotation") % 360)


def _mask(item: Item, drawn_px: Size) -> np.ndarray:
    if "rle" in item.value:
        return decode(item.value["rle"], *drawn_px)
    return decode_png(item.value.get("imageDataURL"))


def _resized(mask: np.ndarray, size_px: Sequence[int]) -> np.ndarray:
    """The nearest pixel of each."""
    width, height = size_px
    rows, columns = np.arange(height) * mask.shape[0] // height, np.arange(width) * mask.shape[1] // width
    return mask[rows][:, columns]
