"""Boxes as the source wrote them -> boxes on the displayed image, in pixels."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

import numpy as np

from shardsmith.dataset.boxes import upright_boxes
from shardsmith.dataset.findings import Finding, found
from shardsmith.dataset.images import ImageInfo
from shardsmith.dataset.manifest import Annotation
from shardsmith.dataset.shapes import OutlineError, rle_size_px, upright_outline

Size = tuple[int, int]
Box = tuple[float, float, float, float]


def on_displayed(
    boxes: Sequence[Box], info: ImageInfo, declared_px: Size | None, where: str
) -> tuple[list[Box], list[Finding]]:
    """Turn boxes that were drawn on the stored pixels of a turned (EXIF) image; name sizes that do not fit.

    Boxes are taken as displayed, unless the declared size is the stored one and the two differ in shape. Nothing is
    scaled: the image's own size counts, whatever is declared.

    Args:
        boxes: n of (xmin, ymin, xmax, ymax) in float pixels, xmin ymin xmax ymax.
        declared_px: (width, height) as the annotation declares them, None or zeros where it does not.
        where: the annotation's file, for findings.
    """
    rows = list(boxes)
    if info.width is None or info.height is None:
        return rows, []
    displayed, stored = (info.width, info.height), info.stored_size
    known = declared_px if declared_px and all(declared_px) else None
    if info.orientation != 1:
        if drawn_on_stored(info, declared_px):
            turned = upright_boxes(np.array(rows, float).reshape(-1, 4), info.orientation, *displayed)
            return [tuple(box) for box in turned.tolist()], []
        if rows and (known != displayed or stored == displayed):
            return rows, [found("orientation-ambiguous", where, value=f"EXIF orientation {info.orientation}")]
    if known and known != displayed:
        value = f"declared {known[0]} x {known[1]}, is {displayed[0]} x {displayed[1]}"
        return rows, [found("size-declared-wrong", where, value=value)]
    return rows, []


def drawn_on_stored(info: ImageInfo, declared_px: Size | None) -> bool:
    """Whether the declared size says that annotations were drawn on the stored pixels of a turned (EXIF) image."""
    displayed, stored = (info.width, info.height), info.stored_size
    return info.orientation != 1 and None not in stored and declared_px == stored and stored != displayed


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
