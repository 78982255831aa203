"""Boxes as the source wrote them -> boxes on the displayed image, in pixels."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

import numpy as np

from stages.dataset.findings import Finding, found
from stages.dataset.images import ImageInfo, upright_boxes
from stages.dataset.manifest import Annotation

Size = tuple[int, int]
Box = tuple[float, float, float, float]


def on_displayed(
    boxes: Sequence[Box], info: ImageInfo, declared_px: Size | None, where: str
) -> tuple[list[Box], list[Finding]]:
    """Turn boxes that were drawn on the stored pixels of a turned (EXIF) image; name sizes that do not fit.

    Boxes are taken as displayed, unless the declared size is the stored one and the two differ in shape. Nothing is
    scaled: the image's own size counts, whatever is declared.

    Args:
        boxes: n of (xmin, ymin, xmax, ymax) in float pixels, , xmin ymin xmax ymax.
        declared_px: (width, height) as the annotation declares them, None or zeros where it does not.
        where: the annotation's file, for findings.
    """
    rows = list(boxes)
    if info.width is None or info.height is None:
        return rows, []
    displayed, stored = (info.width, info.height), info.stored_size
    known = declared_px if declared_px and all(declared_px) else None
    if info.orientation != 1:
        if known == stored and stored != displayed:
            turned = upright_boxes(np.array(rows, float).reshape(-1, 4), info.orientation, *displayed)
            return [tuple(box) for box in turned.tolist()], []
        if rows and (known != displayed or stored == displayed):
            return rows, [found("orientation-ambiguous", where, value=f"EXIF orientation {info.orientation}")]
    if known and known != displayed:
        value = f"declared {known[0]} x {known[1]}, is {displayed[0]} x {displayed[1]}"
        return rows, [found("size-declared-wrong", where, value=value)]
    return rows, []


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
