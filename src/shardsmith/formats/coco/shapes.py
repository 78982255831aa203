"""One entry of COCO's `annotations` -> a row with its box as the file has it, or why there is none.

Sources: the data format page of the COCO dataset; CVAT's COCO export, which writes the frame of a turned box before it
is turned, and `rotation` (degrees, clockwise, about its centre) among the attributes.
"""

from __future__ import annotations

import cmath
import json
import math
from collections.abc import Iterator
from typing import Any

from shardsmith.dataset.manifest import Annotation
from shardsmith.dataset.shapes import (
    OutlineError,
    box_around,
    box_around_points,
    parse_outline,
    parse_points,
)
from shardsmith.formats.coco.values import EntryError, id_text, is_scalar, number_in
from shardsmith.formats.shapes.placement import Box, to_json
from shardsmith.formats.shared.numbers import as_number

_READ = frozenset({
    "id", "image_id", "category_id", "bbox", "area", "iscrowd", "segmentation", "attributes",
    "keypoints", "num_keypoints",
})  # fmt: skip
_NAMED = {"segments_info": "panoptic segments", "caption": "captions of objects"}
_KINDS = {2: "point", 4: "line"}  # how many numbers their points have


class NotCarried(ValueError):
    """The kind of an annotation that a dataset here cannot hold."""


def parse_annotation(entry: dict[str, Any]) -> tuple[Annotation, dict[str, str]]:
    """The row; and key -> what is wrong with its outline or its keypoints, where these or a part of them are left out.

    Raises:
        NotCarried: it has neither box nor outline, and is of another kind.
        EntryError: it has neither box nor outline.
    """
    if kind := kind_without_box(entry):
        raise NotCarried(kind)
    outline, problem = _outline(entry.get("segmentation"))
    keypoints, problem_of_points = _keypoints(entry.get("keypoints"))
    box = _box(entry, outline, keypoints)
    kind = "oriented" if outline and _rotation(entry) is not None and _has_four_corners(outline) else None
    if outline is None and not problem and (turned := _turned(entry, box)):
        (box, outline), kind = turned, "oriented"
    row = Annotation("", "", *box, entry.get("iscrowd") in (1, "1"), number_in(entry.get("area")), outline)
    row.source_key, row.kind, row.keypoints = id_text(entry.get("id")), kind, keypoints
    if kind == "oriented":
        entry["attributes"] = {key: value for key, value in entry["attributes"].items() if key != "rotation"}
    problems = {"segmentation": problem, "keypoints": problem_of_points}
    return row, {key: why for key, why in problems.items() if why}


def is_label(entry: dict[str, Any]) -> bool:
    """Whether it says a class and no place, as iNaturalist's files do of a whole image."""
    said = ("bbox", "segmentation", "keypoints", "caption", "segments_info")
    return entry.get("category_id") is not None and not any(entry.get(key) for key in said)


def kind_without_box(entry: dict[str, Any]) -> str | None:
    """What an entry is that has no box and no outline; None for one that has, or that should have."""
    bbox, segmentation = entry.get("bbox"), entry.get("segmentation")
    if bbox and not _is_blank(bbox):
        return None
    if isinstance(segmentation, dict):
        return None
    parts = [part for part in _polygons(segmentation) if part != []]
    if parts:
        lengths = {len(part) if isinstance(part, list) else 0 for part in parts}
        return _KINDS.get(lengths.pop()) if len(lengths) == 1 else None
    return "caption that is no text" if "caption" in entry and not bbox else None


def caption_of(entry: dict[str, Any]) -> str:
    """What an entry that has no place says of its whole image; "" for another kind."""
    text = entry.get("caption")
    said = any(entry.get(key) for key in ("bbox", "segmentation", "keypoints", "segments_info"))
    return text if isinstance(text, str) and text.strip() and not said else ""


def parse_label(entry: dict[str, Any]) -> Annotation:
    """A class of the whole image."""
    return Annotation("", "", None, None, None, None, source_key=id_text(entry.get("id")))


def has_text_numbers(entry: dict[str, Any]) -> bool:
    """Whether its box or its area is written as text."""
    bbox = entry.get("bbox")
    return any(isinstance(value, str) for value in [entry.get("area"), *(bbox if isinstance(bbox, list) else [])])


def attributes_of(entry: dict[str, Any]) -> tuple[str | None, Iterator[str]]:
    """The `attributes` column: what the entry says in one word or number; and the names of what it says at length."""
    own = entry.get("attributes")
    attributes = dict(own) if isinstance(own, dict) else {}
    others = {key: entry[key] for key in sorted(entry.keys() - _READ)}
    attributes |= {key: value for key, value in others.items() if key not in _NAMED and is_scalar(value)}
    at_length = (key for key, value in others.items() if _is_said(value) and (key in _NAMED or not is_scalar(value)))
    names = [_NAMED.get(key, key) for key in at_length]
    if own and not isinstance(own, dict):
        names.append("attributes that are no JSON object")
    return to_json(attributes), iter(names)


def _is_said(value: Any) -> bool:
    return bool(value) and not (isinstance(value, list) and not any(value))  # unlabelled keypoints are zeros


def _polygons(segmentation: Any) -> list[Any]:
    if not isinstance(segmentation, list) or not segmentation:
        return []
    return segmentation if isinstance(segmentation[0], list) else [segmentation]


def _outline(segmentation: Any) -> tuple[str | None, str]:
    """The outline, and what is wrong with what is left out of it."""
    try:
        return parse_outline(segmentation), ""
    except OutlineError as error:
        good = [part for part in _polygons(segmentation) if _is_polygon(part)]
        what = "that part of the outline is left out, the rest stays"
        return parse_outline(good), f"{error}; {what if good else 'the outline is dropped, the box stays'}"


def _is_polygon(part: Any) -> bool:
    try:
        return bool(part) and parse_outline([part]) is not None
    except OutlineError:
        return False


def _is_blank(bbox: Any) -> bool:
    """Whether a bbox is a point: its sides are 0."""
    return (
        isinstance(bbox, list) and len(bbox) == 4 and all(type(side) in (int, float) and side == 0 for side in bbox[2:])
    )


def points_of(category: dict[str, Any]) -> tuple[str, ...]:
    """The names of its keypoints."""
    names = category.get("keypoints")
    return tuple(map(str, names)) if isinstance(names, list) else ()


def edges_of(category: dict[str, Any]) -> tuple[tuple[int, int], ...]:
    """Its skeleton, of which the points are counted from 1, counted from 0."""
    edges = category.get("skeleton")
    pairs = [pair for pair in edges if isinstance(pair, list) and len(pair) == 2] if isinstance(edges, list) else []
    return tuple((a - 1, b - 1) for a, b in pairs if type(a) is type(b) is int)


def _keypoints(points: Any) -> tuple[str | None, str]:
    """The points, and what is wrong with them where they are left out."""
    try:
        return parse_points(points, len(points) // 3 if isinstance(points, list) else 0), ""
    except OutlineError as error:
        return None, f"{error}; they are left out, the box stays"


def _box(entry: dict[str, Any], outline: str | None, keypoints: str | None) -> Box:
    """From bbox, else around the outline, else around the keypoints.

    Raises:
        EntryError: there is neither.
    """
    bbox = entry.get("bbox")
    if outline and (not bbox or _is_blank(bbox)) and (around := box_around(outline)):
        return around
    if keypoints and (not bbox or _is_blank(bbox)):
        return box_around_points(keypoints)
    try:
        x, y, width, height = (float(value) for value in bbox)  # type: ignore[union-attr]
    except (TypeError, ValueError, OverflowError) as error:
        raise EntryError(f"its bbox is not four numbers: {str(bbox)[:60]}") from error
    return x, y, x + width, y + height


def _rotation(entry: dict[str, Any]) -> float | None:
    """Degrees, clockwise."""
    attributes = entry.get("attributes")
    return as_number(attributes.get("rotation")) if isinstance(attributes, dict) else None


def _has_four_corners(outline: str) -> bool:
    content = json.loads(outline)
    return isinstance(content, list) and len(content) == 1 and len(content[0]) == 8


def _turned(entry: dict[str, Any], box: Box) -> tuple[Box, str] | None:
    """The box around a turned one, and its corners; None for a box that is not turned."""
    degrees = _rotation(entry) or 0.0
    if degrees % 360 == 0 or not all(map(math.isfinite, box)):
        return None
    turn = cmath.rect(1, math.radians(degrees))
    centre = complex(box[0] + box[2], box[1] + box[3]) / 2
    corners = [complex(*at) for at in ((box[0], box[1]), (box[2], box[1]), (box[2], box[3]), (box[0], box[3]))]
    points = [centre + (corner - centre) * turn for corner in corners]
    try:
        outline = parse_outline([[at for point in points for at in (point.real, point.imag)]])
    except OutlineError:
        return None
    return (box_around(outline) or box, outline) if outline else None
