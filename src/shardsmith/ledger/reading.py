"""The ledger of ingest: every image file and every annotation that the reader saw, against the manifest."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from shardsmith.dataset.boxes import CORNERS
from shardsmith.dataset.findings import Finding
from shardsmith.dataset.manifest import Annotation, Manifest
from shardsmith.ledger.balance import differing
from shardsmith.ledger.fates import DROPPED, Fates, Line, unbalanced

_STAGE = "ingest"
_CLASS_CODES = ("class-omitted", "class-name-empty")
RENAMED = "ingest.classes"


class ReadSource:
    """What there is in data/raw, before anything is chosen: it holds the reader's own rows and copies none."""

    def __init__(self, image_ids: Sequence[str], annotations: Sequence[Annotation]) -> None:
        self.image_ids = image_ids
        self.annotations = tuple(annotations)
        self.labels = tuple(row.label for row in annotations)  # renaming changes the rows


def box_place(row: Annotation) -> str:
    """A box in words, for people; "" for a label of the whole image."""
    return f"box {row.xmin:g} {row.ymin:g} {row.xmax:g} {row.ymax:g}" if row.xmin is not None else ""


def balance_read(seen: ReadSource, after: Manifest, findings: Collection[Finding]) -> list[Line]:
    """
    Raises:
        StageError: an image or an annotation was lost, invented or changed without a finding; it names the first.
    """
    images = _balance_images(seen, after, findings)
    boxes = _balance_boxes(seen, after, findings)
    others = Counter(
        one.code
        for one in findings
        if one.action == "drop" and one.code != "image-unlabelled" and one.code not in _CLASS_CODES
    )
    entries = [Line(_STAGE, "entries", DROPPED, code, count) for code, count in sorted(others.items())]
    return [*images.lines(), *boxes.lines(), *entries]


def _balance_images(seen: ReadSource, after: Manifest, findings: Collection[Finding]) -> Fates:
    images = Fates(_STAGE, "images", len(seen.image_ids), lambda row: f"image {seen.image_ids[row]}")
    dropped = Counter(one.image_id for one in findings if one.code == "image-unlabelled" and one.action == "drop")
    there = Counter(after.images["image_id"].to_pylist())
    for row, image_id in enumerate(seen.image_ids):
        came = there.pop(image_id, 0)
        if came + dropped[image_id] != 1:
            why = f"came out {came} times, and was dropped by {dropped[image_id]} findings"
            raise unbalanced(_STAGE, f"image {image_id}", why)
        if not came:
            images.drop(row, "image-unlabelled")
    for image_id in there:
        raise unbalanced(_STAGE, f"image {image_id}", "came out, and is not in data/raw")
    return images


def _balance_boxes(seen: ReadSource, after: Manifest, findings: Collection[Finding]) -> Fates:
    boxes = Fates(_STAGE, "boxes", len(seen.annotations), lambda row: _name(seen.annotations[row]))
    dropped = Counter((one.image_id, one.source_key, one.code) for one in findings if one.code in _CLASS_CODES)
    if dropped:
        for row, (annotation, label) in enumerate(zip(seen.annotations, seen.labels, strict=True)):
            code = "class-omitted" if label else "class-name-empty"
            key = (annotation.image_id, annotation.source_key or "", code)
            if dropped[key]:
                dropped[key] -= 1
                boxes.drop(row, code)
    for (image_id, source_key, code), count in dropped.items():
        if count:
            raise unbalanced(
                _STAGE, f"the finding {code} at {source_key} of {image_id}", "names no annotation that was read"
            )
    left = np.flatnonzero(~boxes.are(DROPPED)).tolist()
    left.sort(key=lambda row: seen.annotations[row].image_id)
    _compare([seen.annotations[row] for row in left], after)
    for row in left:
        if seen.annotations[row].label != seen.labels[row]:
            boxes.give(row, "kept", RENAMED)
    return boxes


def _compare(expected: list[Annotation], after: Manifest) -> None:
    """
    Args:
        expected: the reader's rows that are left, in the order of the manifest.
    """
    table = after.annotations
    for name in ("image_id", "label", *CORNERS):
        column = pa.chunked_array([pa.array([getattr(row, name) for row in expected], table[name].type)])
        differs = differing(column, table[name])
        if differs is not None and differs < len(expected):
            raise unbalanced(_STAGE, _name(expected[differs]), "was read, and neither came out nor has a finding")
        if differs is not None:
            raise unbalanced(_STAGE, _name(after.annotation_rows()[differs]), "came out, and was never read")
    stray = pc.index_in(table["image_id"], value_set=after.images["image_id"].combine_chunks())
    if stray.null_count:
        row = after.annotation_rows()[stray.to_pylist().index(None)]
        raise unbalanced(_STAGE, _name(row), "came out without its image")


def _name(row: Annotation) -> str:
    return ", ".join(part for part in (f"{row.label} of image {row.image_id}", box_place(row)) if part)
