"""Boxes as the source wrote them -> boxes on the displayed image, in pixels."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from shardsmith.dataset.boxes import upright_boxes
from shardsmith.dataset.findings import Finding, found
from shardsmith.dataset.images import ImageInfo
from shardsmith.dataset.manifest import Annotation
from shardsmith.dataset.shapes import OutlineError, rle_size_px, upright_keypoints, upright_outline

_OVER = 1.02  # a box may pass an edge by so much of the side and still be meant to lie on the image

Size = tuple[int, int]
Box = tuple[float, float, float, float]


def on_displayed(
    boxes: Sequence[Box], info: ImageInfo, declared_px: Size | None, where: str
) -> tuple[list[Box], list[Finding]]:
    """Turn boxes that were drawn on the stored pixels of a turned (EXIF) image; name sizes that do not fit.

    Boxes are taken as displayed, unless the declared size is the stored one and the two differ in shape, or the whole
    source was found to be drawn so (`info.drawn_on`). Nothing is scaled: the image's own size counts, whatever is
    declared. What these annotations say of that is added to `info.votes`, and their number to `info.boxes_in`.

    Args:
        boxes: n of (xmin, ymin, xmax, ymax) in float pixels, xmin ymin xmax ymax.
        declared_px: (width, height) as the annotation declares them, zeros where it leaves them out; None where its
            format has no place for them.
        where: the annotation's file, for findings.
    """
    rows = list(boxes)
    if rows:
        info.boxes_in[where] = info.boxes_in.get(where, 0) + len(rows)
    if info.width is None or info.height is None:
        return rows, []
    displayed = (info.width, info.height)
    known = declared_px if declared_px and all(declared_px) else None
    if info.orientation != 1 and rows:
        way = _said(info, known)
        info.votes.extend([way] if way else ["", _outside(rows, displayed)])
        if not way and not info.drawn_on:
            return rows, [found("orientation-ambiguous", where, value=f"EXIF orientation {info.orientation}")]
        if drawn_on_stored(info, known):
            turned = upright_boxes(np.array(rows, float).reshape(-1, 4), info.orientation, *displayed)
            return [tuple(box) for box in turned.tolist()], []
    size = f"declared {declared_px[0]} x {declared_px[1]}, is {displayed[0]} x {displayed[1]}" if declared_px else ""
    if declared_px and not known:
        reason = "the size that it declares is none; the image's own is used"
        return rows, [found("read-leniently", where, value=size, reason=reason)]
    if known and known not in (displayed, info.stored_size if not rows else displayed):
        return rows, [found("size-declared-wrong", where, value=size)]
    return rows, []


def _said(info: ImageInfo, known: Size | None) -> str:
    """What the declared size of a turned image says that its annotations were drawn on: "stored", "displayed", ""."""
    displayed, stored = (info.width, info.height), info.stored_size
    if known is None or stored == displayed:
        return ""
    return "stored" if known == stored else "displayed" if known == displayed else ""


def _outside(boxes: Sequence[Box], displayed_px: Size) -> str:
    """ "stored" where the boxes pass the edges of the displayed image, and would not pass those of one that lies on its
    side; the contrary is "displayed"; else "", also for images that are no other shape turned.
    """
    width, height = displayed_px
    right, bottom = max(box[2] for box in boxes), max(box[3] for box in boxes)
    upright = right <= width * _OVER and bottom <= height * _OVER
    turned = right <= height * _OVER and bottom <= width * _OVER
    return "" if upright == turned else "displayed" if upright else "stored"


def drawn_on_stored(info: ImageInfo, declared_px: Size | None) -> bool:
    """Whether annotations were drawn on the stored pixels of a turned (EXIF) image: the declared size says so, or where
    it says nothing, the whole source.
    """
    if info.orientation == 1 or None in info.stored_size:
        return False
    return (_said(info, declared_px) or info.drawn_on) == "stored"


def drawn_size(info: ImageInfo, declared_px: Size | None) -> Size | None:
    """(width, height) of the pixels that annotations were drawn on; None for an image that cannot be read."""
    width, height = info.stored_size if drawn_on_stored(info, declared_px) else (info.width, info.height)
    return (width, height) if width and height else None


def declared(width: Any, height: Any) -> Size | None:
    """A size in pixels as a source declares it; None where it says none."""
    try:
        return int(width), int(height)
    except (TypeError, ValueError, OverflowError):
        return None


def outline_on_displayed(outline: str, info: ImageInfo, declared_px: Size | None) -> str:
    """Turn an outline as `on_displayed` turns the boxes.

    Raises:
        OutlineError: it is an RLE of another size than the pixels that it was drawn on.
    """
    if info.width is None or info.height is None:
        return outline
    turns = drawn_on_stored(info, declared_px)
    drawn_on = info.stored_size if turns else (info.width, info.height)
    size = rle_size_px(outline)
    if size and size != drawn_on:
        raise OutlineError(f"its RLE is {size[0]} x {size[1]} pixels, its image {drawn_on[0]} x {drawn_on[1]}")
    return upright_outline(outline, info.orientation, info.width, info.height) if turns else outline


def keypoints_on_displayed(keypoints: str, info: ImageInfo, declared_px: Size | None) -> str | None:
    """Turn keypoints as `on_displayed` turns the boxes; None where no point is there."""
    if info.width is None or info.height is None:
        return keypoints
    turned = info.orientation if drawn_on_stored(info, declared_px) else 1
    return upright_keypoints(keypoints, turned, info.width, info.height)


def to_json(attributes: Mapping[str, object]) -> str | None:
    """The `attributes` column; None for none."""
    return json.dumps(attributes, sort_keys=True, ensure_ascii=False) if attributes else None


def corners(row: Annotation) -> Box:
    """xmin, ymin, xmax, ymax of an annotation that has a box."""
    if row.xmin is None or row.ymin is None or row.xmax is None or row.ymax is None:
        raise ValueError(f"{row.image_id}: a label of the whole image has no box")
    return row.xmin, row.ymin, row.xmax, row.ymax


def number(value: float) -> str:
    """A coordinate without a needless `.0`, exact otherwise."""
    return str(int(value)) if float(value).is_integer() else repr(float(value))
