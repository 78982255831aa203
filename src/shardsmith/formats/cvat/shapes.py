"""One shape of CVAT's XML -> its box and outline in pixels; no disk.

A box and an ellipse turn about their centre, in degrees clockwise. A mask is the box `left top width height` and run
lengths, `rle`, along its rows, outside first. Source: "XML annotation format" of CVAT's documentation.
"""

from __future__ import annotations

import math
from xml.etree.ElementTree import Element

import numpy as np

from shardsmith.dataset.manifest import Annotation
from shardsmith.dataset.shapes import OutlineError, box_around, from_mask, parse_outline
from shardsmith.formats.shared.curves import Point, ellipse, flat, turned_box
from shardsmith.formats.shared.placement import Box, Size, to_json

CARRIED = frozenset({"box", "polygon", "ellipse", "mask"})
LABEL = "tag"
BAD = (OutlineError, KeyError, ValueError, OverflowError)
_MAX_PIXELS = 1 << 28


def figure(shape: Element, size_px: Size) -> tuple[Box, str | None]:
    """Its box and outline.

    Args:
        size_px: of the image that it was drawn on, for a mask.

    Raises:
        one of BAD: an attribute is missing, or is not what its kind has.
    """
    if shape.tag == "box":
        return _box(shape)
    if shape.tag == "mask":
        outline = _mask(shape, size_px)
    else:
        points = _points(shape) if shape.tag == "polygon" else _ellipse(shape)
        outline = parse_outline([flat(points)]) or ""
    box = box_around(outline)
    if box is None:
        raise OutlineError("its mask has no pixel on the image")
    return box, outline


def _box(shape: Element) -> tuple[Box, str | None]:
    left, top, right, bottom = (float(shape.attrib[side]) for side in ("xtl", "ytl", "xbr", "ybr"))
    angle = _angle(shape)
    if not angle:
        return (left, top, right, bottom), None
    centre = (left + right) / 2, (top + bottom) / 2
    outline = parse_outline([flat(turned_box(left, top, right - left, bottom - top, angle, centre))]) or ""
    around = box_around(outline)
    if around is None:
        raise OutlineError("it has no corners")
    return around, outline


def _angle(shape: Element) -> float:
    return float(shape.get("rotation") or 0) % 360


def _points(shape: Element) -> list[Point]:
    pairs = [point.split(",") for point in shape.attrib["points"].split(";") if point.strip()]
    return [(float(x), float(y)) for x, y in pairs]


def _ellipse(shape: Element) -> list[Point]:
    x, y, radius_x, radius_y = (float(shape.attrib[key]) for key in ("cx", "cy", "rx", "ry"))
    if not all(map(math.isfinite, (x, y, radius_x, radius_y))):
        raise OutlineError("its centre or a radius is no finite number")
    return ellipse(x, y, radius_x, radius_y, _angle(shape))


def _mask(shape: Element, size_px: Size) -> str:
    left, top, width, height = (int(float(shape.attrib[key])) for key in ("left", "top", "width", "height"))
    if not (width > 0 and height > 0 and width * height <= _MAX_PIXELS and math.prod(size_px) <= _MAX_PIXELS):
        raise OutlineError(f"its mask is {width} x {height} pixels, on an image of {size_px[0]} x {size_px[1]}")
    runs = [int(count) for count in shape.attrib["rle"].split(",")]
    if min(runs) < 0 or sum(runs) != width * height:
        raise OutlineError(f"its rle has {sum(runs)} pixels, and not {width} x {height}")
    inside = np.repeat(np.arange(len(runs)) % 2, runs).astype(np.uint8).reshape(height, width)
    mask = np.zeros((size_px[1], size_px[0]), np.uint8)
    on_image = inside[max(0, -top) : size_px[1] - top, max(0, -left) : size_px[0] - left]
    if not on_image.size or top >= size_px[1] or left >= size_px[0]:
        raise OutlineError("its mask lies outside the image")
    row, column = max(0, top), max(0, left)
    mask[row : row + on_image.shape[0], column : column + on_image.shape[1]] = on_image
    return from_mask(mask)


def annotation(shape: Element, image_id: str, box: Box | None, outline: str | None, key: str) -> Annotation:
    """The row of a shape or of a tag."""
    xmin, ymin, xmax, ymax = box or (None, None, None, None)
    row = Annotation(image_id, (shape.get("label") or "").strip(), xmin, ymin, xmax, ymax)
    row.segmentation = outline
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
