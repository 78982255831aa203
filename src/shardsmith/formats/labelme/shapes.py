"""One LabelMe file's shapes and flags -> rows; no disk. See format.py."""

from __future__ import annotations

import base64
import math
import struct
import zlib
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from shardsmith.dataset.images import ImageInfo, opened
from shardsmith.dataset.manifest import Annotation
from shardsmith.dataset.shapes import OutlineError
from shardsmith.formats.shapes.curves import Point
from shardsmith.formats.shapes.objects import flagged
from shardsmith.formats.shapes.outlines import NotCarriedError, Shape, circle, placed_mask, points_of, rectangle, rings
from shardsmith.formats.shapes.placement import Size, declared, drawn_size, to_json
from shardsmith.formats.shapes.sheet import Sheet
from shardsmith.formats.shared.json import alike
from shardsmith.formats.shared.raw_folder import SHOWN

_READ = frozenset({
    "label", "points", "shape_type", "mask", "flags", "attributes", "group_id", "line_color", "fill_color",
})  # fmt: skip
_DECODE_ERRORS = (
    OSError, ValueError, SyntaxError, MemoryError, EOFError, TypeError, ArithmeticError, LookupError, RuntimeError,
    struct.error, zlib.error,
)  # fmt: skip


def _has_set(flags: Any) -> bool:
    return isinstance(flags, dict) and True in flags.values()


def parse(content: dict[str, Any], file: str, info: ImageInfo | None) -> Sheet:
    """One file's shapes and flags.

    Args:
        info: the image's, for masks; None where it is not there.
    """
    sheet = Sheet(file, declared_px=declared(content.get("imageWidth"), content.get("imageHeight")))
    flags = content.get("flags")
    for flag, is_set in flags.items() if isinstance(flags, dict) else ():
        if is_set is True and flag.startswith("__"):
            sheet.note("not-carried", f"flag {flag[:SHOWN]}", reason="it marks the image, and is no label of it")
        elif is_set is True:
            sheet.take(f"flag {flag[:SHOWN]}", partial(Annotation, "", flag, None, None, None, None))
    if (misspelt := alike(content, "flags")) and _has_set(content[misspelt]):
        sheet.lose_all("the file has no `flags`, but what may be meant so", misspelt[:SHOWN])
    shapes = content.get("shapes")
    if not isinstance(shapes, list):
        problem = "has no list `shapes`" if shapes is None else f"`shapes` is a {type(shapes).__name__}, and no list"
        sheet.lose_all(f"the file {problem}")
        return sheet
    canvas = drawn_size(info, sheet.declared_px) if info else None
    points = _points_of_groups(shapes)
    taken = {id(point) for group in points.values() for point in group}
    for number, shape in enumerate(shapes, start=1):
        if id(shape) in taken:
            continue
        kept = len(sheet.rows)
        sheet.take(f"shape {number}", partial(_annotation, shape, canvas))
        if len(sheet.rows) > kept and (group := points.get(_group(shape), [])):
            sheet.points.append((sheet.rows[-1], {_name(point): points_of(point["points"])[0] for point in group}))
    return sheet


def _points_of_groups(shapes: list[Any]) -> dict[Any, list[dict[str, Any]]]:
    """Group -> the points in it, where it has one object besides: they are that object's keypoints."""
    groups: dict[Any, list[dict[str, Any]]] = {}
    for shape in shapes:
        if isinstance(shape, dict) and _group(shape) is not None:
            groups.setdefault(_group(shape), []).append(shape)
    found = {}
    for group, members in groups.items():
        points = [one for one in members if one.get("shape_type") == "point"]
        names = {_name(point) for point in points if _is_place(point.get("points"))}
        if points and len(members) - len(points) == 1 and len(names) == len(points):
            found[group] = points
    return found


def _group(shape: Any) -> Any:
    group = shape.get("group_id") if isinstance(shape, dict) else None
    return group if isinstance(group, str | int) and not isinstance(group, bool) else None


def _name(shape: dict[str, Any]) -> str:
    label = shape.get("label")
    return str(label).strip() if isinstance(label, str | int | float) else ""


def _is_place(points: Any) -> bool:
    try:
        return len(points_of(points)) == 1
    except OutlineError:
        return False


def _annotation(shape: Any, canvas: Size | None) -> Annotation:
    """
    Raises:
        OutlineError: it cannot be read.
        NotCarriedError: it is of a kind without an area.
    """
    if not isinstance(shape, dict):
        raise OutlineError("it is no JSON object")
    kind = shape.get("shape_type") or "polygon"  # of files older than 3.0
    make = _KINDS.get(str(kind))
    if kind == "mask":
        box, outline = _mask(shape, canvas)
    elif make is None:
        raise NotCarriedError(str(kind))
    else:
        box, outline = make(points_of(shape.get("points")))
    row = Annotation("", _name(shape), *box, segmentation=outline, attributes=to_json(_attributes(shape)))
    row.kind = "oriented" if kind in _TURNED and len(shape["points"]) == 4 else None
    return row


def _polygon(points: list[Point]) -> Shape:
    return rings([points])


def _circle(points: list[Point]) -> Shape:
    if len(points) != 2:
        raise OutlineError(f"a circle has a centre and a point on it, this one {len(points)} points")
    (x, y), (x2, y2) = points
    return circle(x, y, math.hypot(x2 - x, y2 - y))


_TURNED = ("oriented_rectangle", "rotation")
_KINDS: dict[str, Callable[[list[Point]], Shape]] = {
    "polygon": _polygon, "rectangle": rectangle, "circle": _circle,
    "oriented_rectangle": _polygon, "rotation": _polygon, "quadrilateral": _polygon,
}  # fmt: skip


def _mask(shape: dict[str, Any], canvas: Size | None) -> Shape:
    """A PNG of the part of the image between two points, both included."""
    points = points_of(shape.get("points"))
    text = shape.get("mask")
    if not points or not isinstance(text, str):
        raise OutlineError("its mask or its place is missing")
    if canvas is None:
        raise OutlineError("its image does not open, so its mask has no place")
    x, y = map(int, map(min, zip(*points, strict=True)))
    try:
        with opened(base64.b64decode(text)) as image:
            mask = np.array(image.convert("L"))
    except _DECODE_ERRORS as error:
        raise OutlineError(f"its mask is no image: {error}") from None
    return placed_mask(mask, x, y, canvas)


def _attributes(shape: dict[str, Any]) -> dict[str, object]:
    """Flags, `attributes`, the group, and what else the shape says in one word or number."""
    attributes = {key: value for key, value in shape.items() if key not in _READ and _is_plain(value)}
    for key in ("attributes", "flags"):
        own = shape.get(key)
        attributes |= own if isinstance(own, dict) else {}
    return flagged(attributes) | ({} if shape.get("group_id") is None else {"group_id": shape["group_id"]})


def _is_plain(value: Any) -> bool:
    return isinstance(value, str | int | float) and value != ""
