"""What two versions differ in, as to their boxes and classes; see versions.py for what is compared with what."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from shardsmith.compare.images import ImageRow
from shardsmith.compare.matching import EDITED, MOVED, RELABELLED, Boxes, Matching, match
from shardsmith.dataset.boxes import CORNERS

_REST = ("is_crowd", "area", "segmentation", "keypoints", "attributes")
_WHOLE_IMAGE = -1.0  # each corner of a label without a box; no box is empty


@dataclass(frozen=True, slots=True)
class Box:
    """corners: xmin, ymin, xmax, ymax in pixels; None for a label of the whole image."""

    image_id: str
    label: str
    corners: list[float] | None


@dataclass(frozen=True, slots=True)
class BoxPair:
    """One box in both versions; `columns` names what differs of an edited one."""

    old: Box
    new: Box
    iou: float
    columns: list[str]


@dataclass(frozen=True)
class BoxChanges:
    """total: boxes of old and new without those of copies; copies: those.

    added and removed hold the boxes of images that were added or removed too. edited: in its place, but crowd, area,
    outline or attributes differ. reshaped: how many images have their boxes paired by class alone, because steps made
    the image in another way.
    """

    total: tuple[int, int]
    copies: tuple[int, int]
    added: list[Box]
    removed: list[Box]
    moved: list[BoxPair]
    relabelled: list[BoxPair]
    edited: list[BoxPair]
    reshaped: int


@dataclass(frozen=True, slots=True)
class Rename:
    """boxes: how many of the class were found again under the new name."""

    old: str
    new: str
    boxes: int


@dataclass(frozen=True, slots=True)
class ClassCount:
    """Of one class, in old and new: the boxes of images, and those of copies."""

    boxes: tuple[int, int]
    copies: tuple[int, int]


class BoxColumns:
    """One version's annotations as columns of numbers, and its images.

    image: the image's number in the list of those in both versions, -1 for any other. own: whether the image is no
    copy. corners: (n, 4) float pixels.
    """

    def __init__(self, table: pa.Table, rows: Mapping[str, ImageRow], common: list[str], labels: list[str]) -> None:
        self.table, self.rows, self.labels = table, rows, labels
        self.image = _index_in(table["image_id"], common)
        self.own = _index_in(table["image_id"], [name for name, row in rows.items() if not row.copy]) >= 0
        self.label = _index_in(table["label"], labels)
        corners = np.stack([table[name].cast(pa.float64()).to_numpy() for name in CORNERS], axis=1)
        self.corners = np.where(np.isnan(corners), _WHOLE_IMAGE, corners)

    def count(self, own: bool) -> list[int]:
        """Boxes per label: of images, or of copies."""
        return np.bincount(self.label[self.own == own], minlength=len(self.labels)).tolist()

    def boxes(self, at: np.ndarray) -> list[Box]:
        """The rows as a person reads them."""
        images = self.table["image_id"].take(pa.array(at)).to_pylist()
        corners = [None if box[0] == box[2] == _WHOLE_IMAGE else box for box in self.corners[at].tolist()]
        labels = (self.labels[label] for label in self.label[at].tolist())
        return [Box(*row) for row in zip(images, labels, corners, strict=True)]

    def elsewhere(self, sources: set[str]) -> np.ndarray:
        """Rows of images that come of these images of data/raw."""
        names = [name for name, row in self.rows.items() if row.source in sources and not row.copy]
        return np.flatnonzero(_index_in(self.table["image_id"], names) >= 0)


def changed_boxes(
    tables: tuple[pa.Table, pa.Table],
    rows: tuple[Mapping[str, ImageRow], Mapping[str, ImageRow]],
    labels: list[str],
    added: set[str],
    removed: set[str],
) -> tuple[BoxChanges, list[Rename], dict[str, ClassCount]]:
    """The changes, the classes renamed, and the boxes of each class.

    Args:
        tables, rows: annotations and images of old and new.
        labels: every class of the two.
        added, removed: images of data/raw that only one of them has.
    """
    common = [name for name, row in rows[0].items() if not row.copy and name in rows[1] and not rows[1][name].copy]
    old, new = (BoxColumns(table, row, common, labels) for table, row in zip(tables, rows, strict=True))
    matching, renamed, reshaped = _matched(old, new, common)
    total, copies = ((sum(old.count(own)), sum(new.count(own))) for own in (True, False))
    pairs = _pairs(matching, old, new)
    changes = BoxChanges(
        total=total,
        copies=copies,
        added=new.boxes(np.sort(np.concatenate([matching.gained, new.elsewhere(added)]))),
        removed=old.boxes(np.sort(np.concatenate([matching.lost, old.elsewhere(removed)]))),
        moved=pairs[MOVED],
        relabelled=pairs[RELABELLED],
        edited=pairs[EDITED],
        reshaped=reshaped,
    )
    own, of_copies = (zip(old.count(own), new.count(own), strict=True) for own in (True, False))
    counts = [ClassCount(*both) for both in zip(own, of_copies, strict=True)]
    return changes, renamed, dict(zip(labels, counts, strict=True))


def _matched(old: BoxColumns, new: BoxColumns, common: list[str]) -> tuple[Matching, list[Rename], int]:
    """The boxes of the images in `common` paired, with rows of the tables; what was renamed; images reshaped."""
    pairs = [(old.rows[name], new.rows[name]) for name in common]
    size_old, size_new = (np.array([pair[side].size for pair in pairs], float).reshape(-1, 2) for side in (0, 1))
    reshaped = np.array([was.stages != now.stages for was, now in pairs], bool) | (size_old != size_new).any(axis=1)
    at_old, at_new = (np.flatnonzero(side.image >= 0) for side in (old, new))
    rest = np.split(_rest_codes(old.table, new.table), [len(old.label)])
    # where an image has another size, its old boxes are compared as that size would have them
    scale = np.tile(size_new / size_old, 2)[old.image[at_old]]
    corners = old.corners[at_old]
    corners = np.where(corners == _WHOLE_IMAGE, corners, corners * scale)
    was = Boxes(old.image[at_old], old.label[at_old], corners, rest[0][at_old])
    now = Boxes(new.image[at_new], new.label[at_new], new.corners[at_new], rest[1][at_new])
    matching = match(was, now, reshaped)
    renamed = _renames(old, new, was, now, matching)
    if renamed:
        as_new = np.arange(len(old.labels))
        for rename in renamed:
            as_new[old.labels.index(rename.old)] = old.labels.index(rename.new)
        matching = match(Boxes(was.image, as_new[was.label], was.corners, was.rest), now, reshaped)
    matching = Matching(
        at_old[matching.old], at_new[matching.new], matching.kind, matching.iou,
        at_old[matching.lost], at_new[matching.gained],
    )  # fmt: skip
    return matching, renamed, int(reshaped.sum())


def _renames(old: BoxColumns, new: BoxColumns, was: Boxes, now: Boxes, matching: Matching) -> list[Rename]:
    """The classes of which one has boxes in old alone, the other in new alone, and most of either are the other's."""
    count = len(old.labels)
    in_old, in_new = (np.bincount(side.label, minlength=count) for side in (old, new))
    compared_old, compared_new = (np.bincount(side.label, minlength=count) for side in (was, now))
    relabelled = matching.kind == RELABELLED
    couples, boxes = np.unique(
        np.stack([was.label[matching.old[relabelled]], now.label[matching.new[relabelled]]], axis=1),
        axis=0,
        return_counts=True,
    )
    return [
        Rename(old.labels[gone], old.labels[came], shared)
        for (gone, came), shared in zip(couples.tolist(), boxes.tolist(), strict=True)
        if not in_new[gone] and not in_old[came] and 2 * shared > max(compared_old[gone], compared_new[came])
    ]


def _pairs(matching: Matching, old: BoxColumns, new: BoxColumns) -> dict[int, list[BoxPair]]:
    """Kind -> its pairs, in the order of the old version's table."""
    pairs = {}
    for kind in (EDITED, MOVED, RELABELLED):
        at = np.flatnonzero(matching.kind == kind)
        at = at[np.argsort(matching.old[at])]
        rows_old, rows_new = matching.old[at], matching.new[at]
        columns: list[list[str]] = [[] for _ in at]
        for name in _REST if kind == EDITED else ():
            values = _values(old.table, name, rows_old), _values(new.table, name, rows_new)
            for place, was, now in zip(columns, *values, strict=True):
                place += [name] if was != now else []
        made = zip(old.boxes(rows_old), new.boxes(rows_new), matching.iou[at].round(4).tolist(), columns, strict=True)
        pairs[kind] = [BoxPair(*pair) for pair in made]
    return pairs


def _values(table: pa.Table, name: str, rows: np.ndarray) -> list:
    return table[name].take(pa.array(rows)).to_pylist()


def _rest_codes(old: pa.Table, new: pa.Table) -> np.ndarray:
    """A number for each row of old, then of new: equal where all columns of _REST are."""
    codes = np.zeros(len(old) + len(new), np.int64)
    for name in _REST:
        column = pa.chunked_array([*old[name].chunks, *new[name].chunks], old[name].type).combine_chunks()
        encoded = column.dictionary_encode(null_encoding="encode")
        codes = codes * (len(encoded.dictionary) + 1) + encoded.indices.to_numpy(zero_copy_only=False)
        codes = np.unique(codes, return_inverse=True)[1]
    return codes


def _index_in(column: pa.ChunkedArray, names: list[str]) -> np.ndarray:
    """Each value's place in `names`, -1 where it has none."""
    found = pc.index_in(column, pa.array(names, pa.string()))
    return pc.fill_null(found, -1).to_numpy().astype(np.int64)
