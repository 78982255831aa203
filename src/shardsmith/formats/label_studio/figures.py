"""A region of Label Studio -> its box and outline, in pixels of an image of a given size; no disk.

All places are per cent of the image's sides. A rectangle turns about its top left corner, an ellipse about its centre,
in degrees clockwise. Source: the tags RectangleLabels, EllipseLabels, PolygonLabels, BrushLabels and BitmaskLabels.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from shardsmith.dataset.shapes import OutlineError, box_around, from_mask, parse_outline
from shardsmith.formats.label_studio.brush import decode, decode_png
from shardsmith.formats.label_studio.regions import Item
from shardsmith.formats.shared.curves import Point, ellipse, flat, turned_box
from shardsmith.formats.shared.placement import Box, Size

BAD = (OutlineError, KeyError, TypeError, ValueError, OverflowError, IndexError, AttributeError)


def figure(item: Item, size_px: Size) -> tuple[Box, str | None]:
    """Its box and outline on an image of that size.

    Turning is done on the size that the region was drawn on, since per cent of two sides are no right angles.

    Raises:
        one of BAD: the value is not what its kind has.
    """
    drawn_px = item.declared_px or size_px
    if item.kind in ("brush", "bitmask"):
        mask = _mask(item, drawn_px)
        outline = from_mask(mask if (mask.shape[1], mask.shape[0]) == size_px else _resized(mask, size_px))
        return _around(outline), outline
    scale_x, scale_y = size_px[0] / drawn_px[0], size_px[1] / drawn_px[1]
    points = _points(item, drawn_px)
    if item.kind == "rectangle" and not _angle(item.value):
        (x, y), _, (xmax, ymax), _ = points
        return (x * scale_x, y * scale_y, xmax * scale_x, ymax * scale_y), None
    outline = parse_outline([flat([(x * scale_x, y * scale_y) for x, y in points])]) or ""
    return _around(outline), outline


def _points(item: Item, drawn_px: Size) -> list[Point]:
    value, (width, height) = item.value, drawn_px
    if item.kind == "polygon":
        return [(float(x) * width / 100, float(y) * height / 100) for x, y in value["points"]]
    x, y = float(value["x"]) * width / 100, float(value["y"]) * height / 100
    if item.kind == "ellipse":
        radius_x, radius_y = float(value["radiusX"]) * width / 100, float(value["radiusY"]) * height / 100
        return ellipse(x, y, radius_x, radius_y, _angle(value))
    sides = float(value["width"]) * width / 100, float(value["height"]) * height / 100
    return turned_box(x, y, *sides, _angle(value), (x, y)) if _angle(value) else _upright(x, y, *sides)


def _upright(x: float, y: float, width: float, height: float) -> list[Point]:
    return [(x, y), (x + width, y), (x + width, y + height), (x, y + height)]


def _angle(value: dict[str, Any]) -> float:
    return float(value.get("rotation") or 0) % 360


def _mask(item: Item, drawn_px: Size) -> np.ndarray:
    if "rle" in item.value:
        return decode(item.value["rle"], *drawn_px)
    return decode_png(item.value.get("imageDataURL"))


def _resized(mask: np.ndarray, size_px: Sequence[int]) -> np.ndarray:
    """The nearest pixel of each."""
    width, height = size_px
    rows, columns = np.arange(height) * mask.shape[0] // height, np.arange(width) * mask.shape[1] // width
    return mask[rows][:, columns]


def _around(outline: str) -> Box:
    box = box_around(outline) if outline else None
    if box is None:
        raise OutlineError("it has no points, or its mask no pixel")
    return box
