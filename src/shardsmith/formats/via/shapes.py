"""VIA's shapes -> a box and the outline in it: by name in VIA 1 and 2, by number in VIA 3.

Source: via_region_shape_to_coco_annotation of VIA 2.0.12 (`theta` is in radians, clockwise); _via_metadata.js of VIA 3.
"""

from __future__ import annotations

from typing import Any

from shardsmith.dataset.shapes import OutlineError
from shardsmith.formats.shapes.outlines import (
    NotCarriedError,
    Shape,
    circle,
    circle_through,
    ellipse,
    flat_points,
    number_of,
    points_of,
    rectangle,
    rings,
    sized_box,
)

_NO_AREA = {1: "point", 5: "line", 6: "polyline"}


def named_shape(attributes: Any) -> Shape:
    """`shape_attributes` of VIA 1 and 2.

    Raises:
        OutlineError: it cannot be read.
        NotCarriedError: it is a point or a line.
    """
    if not isinstance(attributes, dict) or "name" not in attributes:
        raise OutlineError("it has no shape_attributes with a name")
    kind = attributes["name"]
    if kind == "rect":
        return sized_box(*_numbers(attributes, "x", "y", "width", "height"))
    if kind == "circle":
        return circle(*_numbers(attributes, "cx", "cy", "r"))
    if kind == "ellipse":
        return ellipse(*_numbers({"theta": 0} | attributes, "cx", "cy", "rx", "ry", "theta"))
    if kind in ("polygon", "polyline"):
        xs, ys = attributes.get("all_points_x"), attributes.get("all_points_y")
        if not isinstance(xs, list) or not isinstance(ys, list) or len(xs) != len(ys):
            raise OutlineError("all_points_x and all_points_y are no lists of one length")
        points = points_of([*zip(xs, ys, strict=True)])
        if kind == "polyline":
            raise NotCarriedError(kind)
        return rings([points])
    raise NotCarriedError(str(kind))


def numbered_shape(xy: Any) -> Shape:
    """`xy` of VIA 3: the shape's number, then its coordinates.

    Raises:
        OutlineError: it cannot be read.
        NotCarriedError: it is a point or a line.
    """
    if not isinstance(xy, list) or not xy:
        raise OutlineError("it has no coordinates")
    kind, values = xy[0], [number_of(value) for value in xy[1:]]
    if not isinstance(kind, int):
        raise OutlineError(f"its shape is no number: {str(kind)[:40]}")
    if kind in _NO_AREA:
        raise NotCarriedError(_NO_AREA[kind])
    if kind == 2 and len(values) == 4:
        return sized_box(*values)
    if kind == 3 and len(values) == 3:
        return circle(*values)
    if kind == 4 and len(values) in (4, 5):
        return ellipse(*values)
    if kind == 7:
        return rings([flat_points(values)])
    if kind == 8 and len(values) == 8:  # the four points where an object touches its box
        return rectangle(flat_points(values))
    if kind == 9 and len(values) == 6:
        return circle_through(flat_points(values))
    if kind in (2, 3, 4, 8, 9):
        raise OutlineError(f"its shape {kind} has {len(values)} numbers")
    raise NotCarriedError(f"shape {kind}")


def _numbers(attributes: dict[str, Any], *names: str) -> list[float]:
    return [number_of(attributes.get(name), name) for name in names]
