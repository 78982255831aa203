"""One shape of CVAT's XML -> its box and outline in pixels; no disk.

A box and an ellipse turn about their centre, in degrees clockwise. A mask is the box `left top width height` and run
lengths, `rle`, along its rows, outside first. Source: "XML annotation format" of CVAT's documentation.
"""

from __future__ import annotations

import math
from xml.etree.ElementTree import Element

import numpy as np

from shardsmith.dataset.manifest import Annotation
from shardsmith.dataset.shapes import OutlineError
from shardsmith.formats.shapes.outlines import Shape, ellipse, number_of, placed_mask, points_of, rings, turned_box
from shardsmith.formats.shapes.placement import Box, Size, to_json

CARRIED = frozenset({"box", "polygon", "ellipse", "mask", "skeleton"})
LABEL = "tag"
BAD = (OutlineError, KeyError, ValueError, OverflowError)
_MAX_PIXELS = 1 << 28


def figure(shape: Element, size_px: Size) -> Shape:
    """Its box and outline.

    Args:
        size_px: of the image that it was drawn on, for a mask.

    Raises:
        one of BAD: an attribute is missing, or is not what its kind has.
    """
    if shape.tag == "box":
        return _box(shape)
    if shape.tag == "mask":
        return _mask(shape, size_px)
    if shape.tag == "ellipse":
        x, y, radius_x, radius_y = _numbers(shape, "cx", "cy", "rx", "ry")
        return ellipse(x, y, radius_x, radius_y, _turn_rad(shape))
    return rings([points_of([point.split(",") for point in shape.attrib["points"].split(";") if point.strip()])])


def _box(shape: Element) -> Shape:
    left, top, right, bottom = _numbers(shape, "xtl", "ytl", "xbr", "ybr")
    if not (turn_rad := _turn_rad(shape)):
        return (left, top, right, bottom), None
    return turned_box((left + right) / 2, (top + bottom) / 2, right - left, bottom - top, turn_rad)


def _numbers(shape: Element, *names: str) -> list[float]:
    return [number_of(shape.attrib[name], name) for name in names]


def _turn_rad(shape: Element) -> float:
    return math.radians(number_of(shape.get("rotation") or 0, "its rotation") % 360)


def _mask(shape: Element, size_px: Size) -> Shape:
    left, top, width, height = map(int, _numbers(shape, "left", "top", "width", "height"))
    if not (width > 0 and height > 0 and width * height <= _MAX_PIXELS and math.prod(size_px) <= _MAX_PIXELS):
        raise OutlineError(f"its mask is {width} x {height} pixels, on an image of {size_px[0]} x {size_px[1]}")
    runs = [int(count) for count in shape.attrib["rle"].split(",")]
    if min(runs) < 0 or sum(runs) != width * height:
        raise OutlineError(f"its rle has {sum(runs)} pixels, and not {width} x {height}")
    inside = np.repeat(np.arange(len(runs)) % 2, runs).astype(np.uint8).reshape(height, width)
    return placed_mask(inside, left, top, size_px)


def annotation(shape: Element, image_id: str, box: Box | None, outline: str | None, key: str) -> Annotation:
    """The row of a shape or of a tag."""
    xmin, ymin, xmax, ymax = box or (None, None, None, None)
    row = Annotation(image_id, (shape.get("label") or "").strip(), xmin, ymin, xmax, ymax)
    row.segmentation, row.kind = outline, "oriented" if shape.tag == "box" and outline else None
    row.attributes, row.source_key = to_json(attributes(shape)), key or None
    return row


def attributes(shape: Element) -> dict[str, object]:
    """Its attributes; `occluded` as 0 or 1; where it is from, its layer and its group, where they say something."""
    said: dict[str, object] = {
        name: (each.text or "").strip()
        for each in shape.findall("attribute")
        if (name := (each.get("name") or "").strip())
    }
    if shape.get("occluded") in ("0", "1"):
        said["occluded"] = int(shape.get("occluded") or 0)
    if (source := shape.get("source") or "") not in ("", "manual"):
        said.setdefault("source", source)
    for key in ("z_order", "group_id"):
        if (value := shape.get(key) or "0").lstrip("-").isdecimal() and int(value[:18]):
            said.setdefault(key, int(value[:18]))
    return said
