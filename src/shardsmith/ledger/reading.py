"""The ledger of ingest: every image file and every annotation that the reader saw, against the manifest."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from shardsmith.dataset.boxes import CORNERS
from shardsmith.dataset.findings import Finding
from shardsmith.dataset.manifest import Annotation, Manifest
from shardsmith.dataset.tables.packed import PackedRows, places_of, with_keys
from shardsmith.ledger.balance import differing
from shardsmith.ledger.counts import count_captions
from shardsmith.ledger.fates import DROPPED, KEPT, Fates, Line, unbalanced

_STAGE = "ingest"
_ODD = np.uint64(0x9E3779B97F4A7C15)
_CLASS_CODES = ("class-omitted", "class-name-empty")
RENAMED = "ingest.classes"


class ReadSource:
    """What there is in data/raw, before anything is chosen: it holds the reader's own rows and copies none."""

    def __init__(
        self,
        image_ids: Sequence[str],
        annotations: Sequence[Annotation] | PackedRows,
        captions: Mapping[str, Sequence[str]] | None = None,
    ) -> None:
        """
        Args:
            captions: image_id -> texts.
        """
        self.image_ids = image_ids
        self.captions = captions or {}
        self.annotations = annotations if isinstance(annotations, PackedRows) else tuple(annotations)
        # renaming changes rows that are objects
        self.labels = () if isinstance(annotations, PackedRows) else tuple(row.label for row in annotations)


def box_place(row: Annotation) -> str:
    """A box in words, for people; "" for a label of the whole image."""
    return f"box {row.xmin:g} {row.ymin:g} {row.xmax:g} {row.ymax:g}" if row.xmin is not None else ""


def balance_read(seen: ReadSource, after: Manifest, findings: Collection[Finding]) -> list[Line]:
    """
    Raises:
        StageError: an image or an annotation was lost, invented or changed without a finding; it names the first.
    """
    images = _balance_images(seen, after, findings)
    dropped = Counter((one.image_id, one.source_key, one.code) for one in findings if one.code in _CLASS_CODES)
    if isinstance(seen.annotations, PackedRows):
        boxes = _balance_packed(seen.annotations, after, dropped)
    else:
        boxes = _balance_boxes(seen.annotations, seen.labels, after, dropped)
    others = Counter(
        one.code
        for one in findings
        if one.action == "drop" and one.code != "image-unlabelled" and one.code not in _CLASS_CODES
    )
    entries = [Line(_STAGE, "entries", DROPPED, code, count) for code, count in sorted(others.items())]
    return [*images.lines(), *boxes.lines(), *_balance_captions(seen, after), *entries]


def _balance_captions(seen: ReadSource, after: Manifest) -> list[Line]:
    """Each stays with its image, or goes with it."""
    if not seen.captions and not count_captions(after):
        return []
    columns = after.image_columns("image_id", "captions")
    there = dict(zip(*(columns[name].to_pylist() for name in columns.column_names), strict=True))
    for image_id in there.keys() | seen.captions.keys():
        read = list(seen.captions.get(image_id, ()))
        if image_id in there and read != (there[image_id] or []):
            raise unbalanced(_STAGE, f"image {image_id}", "has other captions than were read")
    kept = sum(len(texts or ()) for texts in there.values())
    dropped = sum(map(len, seen.captions.values())) - kept
    lines = [Line(_STAGE, "captions", KEPT, "", kept), Line(_STAGE, "captions", DROPPED, "image-unlabelled", dropped)]
    return [line for line in lines if line.count]


def _balance_images(seen: ReadSource, after: Manifest, findings: Collection[Finding]) -> Fates:
    images = Fates(_STAGE, "images", len(seen.image_ids), lambda row: f"image {seen.image_ids[row]}")
    dropped = Counter(one.image_id for one in findings if one.code == "image-unlabelled" and one.action == "drop")
    there = Counter(after.image_columns("image_id")["image_id"].to_pylist())
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


def _balance_boxes(
    rows: Sequence[Annotation], labels: Sequence[str], after: Manifest, dropped: Counter[tuple[str, str, str]]
) -> Fates:
    boxes = Fates(_STAGE, "boxes", len(rows), lambda row: _name(rows[row]))
    if dropped:
        for number, (one, label) in enumerate(zip(rows, labels, strict=True)):
            _drop(boxes, number, (one.image_id, one.source_key or "", label), dropped)
    _check_named(dropped)
    left = np.flatnonzero(~boxes.are(DROPPED)).tolist()
    left.sort(key=lambda row: rows[row].image_id)
    _compare([rows[row] for row in left], after)
    for row in left:
        if rows[row].label != labels[row]:
            boxes.give(row, "kept", RENAMED)
    return boxes


def _drop(boxes: Fates, row: int, said: tuple[str, str, str], dropped: Counter[tuple[str, str, str]]) -> None:
    image_id, source_key, label = said
    code = "class-omitted" if label else "class-name-empty"
    if dropped[image_id, source_key, code]:
        dropped[image_id, source_key, code] -= 1
        boxes.drop(row, code)


def _check_named(dropped: Counter[tuple[str, str, str]]) -> None:
    for (image_id, source_key, code), count in dropped.items():
        if count:
            raise unbalanced(
                _STAGE, f"the finding {code} at {source_key} of {image_id}", "names no annotation that was read"
            )


def _balance_packed(rows: PackedRows, after: Manifest, dropped: Counter[tuple[str, str, str]]) -> Fates:
    """As _balance_boxes: by numbers, that say of each row of which image it is, its label and its corners."""
    boxes = Fates(_STAGE, "boxes", len(rows), lambda row: f"annotation {row + 1}")
    number = 0
    for table in with_keys(rows) if dropped else ():
        for said in zip(*(table[name].to_pylist() for name in ("image_id", "source_key", "label")), strict=True):
            _drop(boxes, number, said, dropped)
            number += 1
    _check_named(dropped)
    ids = after.image_columns("image_id")["image_id"].to_pylist()
    places = {image_id: place for place, image_id in enumerate(ids)}
    labels: dict[str, int] = {}
    images, label_of, corners = _numbers(rows.batches(), places, labels)
    left = np.flatnonzero(~boxes.are(DROPPED))
    left = left[np.argsort(images[left], kind="stable")]
    there = _numbers(after.annotation_batches("image_id", "label", *CORNERS), places, labels)
    if not (np.array_equal(images[left], there[0]) and np.array_equal(corners[left], there[2])):
        every = [*rows]
        _compare([every[row] for row in left.tolist()], Manifest(after.images, after.annotations))
        raise unbalanced(_STAGE, "a box", "was read, and came out changed")
    boxes.give(left[label_of[left] != there[1]], "kept", RENAMED)
    return boxes


def _numbers(
    tables: Iterable[pa.Table], places: Mapping[str, int], labels: dict[str, int]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(n,) the place of each row's image, -1 for an unknown one; the number of its label, a new one of a new label; a
    hash of its corners.
    """
    images, names = [np.zeros(0, np.int32)], [np.zeros(0, np.int32)]
    corners = [np.zeros(0, np.uint64)]
    for table in tables:
        for label in table["label"].unique().to_pylist():
            labels.setdefault(label, len(labels))
        images.append(places_of(table["image_id"], places))
        names.append(places_of(table["label"], labels))
        mixed = np.zeros(len(table), np.uint64)
        for side in CORNERS:
            values = table[side].to_numpy() + 0.0
            bits = np.where(np.isnan(values), np.nan, values).view(np.uint64)
            mixed = (mixed ^ bits) * _ODD
            mixed ^= mixed >> np.uint64(29)
        corners.append(mixed)
    return np.concatenate(images), np.concatenate(names), np.concatenate(corners)


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
