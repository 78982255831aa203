"""A stage's input against its output, row by row, with what its findings and its trace say in between.

Nothing here asks the stage's own counts: both tables are compared by row, and every difference must have been named.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import chain

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from shardsmith.dataset.boxes import CORNERS, EDGE_NOISE, ROUNDING_PX
from shardsmith.dataset.findings import Finding
from shardsmith.dataset.manifest import ANNOTATIONS, IMAGES, Manifest
from shardsmith.ledger.fates import (
    DROPPED,
    GIVING,
    REPAIRED,
    Fates,
    Line,
    summed,
    take_findings,
    unbalanced,
    without_row,
)

_PLACES = (*CORNERS, "keypoints")
_FOLLOWS = ("label", "is_crowd", "attributes", "source_image", "source_key")  # what no step changes of an object
_INHERITED = ("split", "group")  # what a part or a copy has from its image


@dataclass(frozen=True)
class Traced:
    """What a stage that makes images says of each: (n) images with (m) boxes in all, one after the other.

    ids: their image_ids. parents: (n,) the input row that each is made from. counts: (n,) how many boxes each has.
    rows: (m,) the input row of each box; an image of several sources has boxes of several.
    planned: (boxes of the input,) bool: those that at least one image was to show.
    lost: (image of data/raw, key of its annotation, image to come) -> how many that was to show of it, and does not.
    passed_over: (image of data/raw, image to come) of each that was planned and not made.
    """

    ids: pa.Array
    parents: np.ndarray
    counts: np.ndarray
    rows: np.ndarray
    planned: np.ndarray
    lost: Counter[tuple[str, str, str]]
    passed_over: set[tuple[str, str]]


class Input:
    """The tables that enter, and a fate for each row of them.

    image_of: (boxes,) the image row of each. first: (images + 1,) the row of each image's first box.
    """

    def __init__(self, stage: str, manifest: Manifest) -> None:
        self.stage, self.manifest = stage, manifest
        self.ids = _ids(manifest.images)
        count = len(self.ids)
        self.image_of = _rows_of(_ids(manifest.annotations), self.ids)
        self.first = np.searchsorted(self.image_of, np.arange(count + 1))
        self.box_name = partial(_box_name, self.ids, self.image_of, self.first, manifest.annotations["label"])
        self.images = Fates(stage, "images", count, partial(_image_name, self.ids))  # no cycle that keeps the tables
        self.boxes = Fates(stage, "boxes", len(self.image_of), self.box_name)
        bad = (self.image_of < 0) | (np.diff(self.image_of, prepend=0) < 0)
        if bad.any():
            image_id = manifest.annotations["image_id"][int(bad.argmax())]
            raise unbalanced(stage, f"a box of image {image_id}", "entered without its image, or out of order")

    def take(self, findings: Collection[Finding]) -> None:
        """The fates that findings give; the boxes of an image that is dropped go with it."""
        if not findings:
            return
        keys = zip(*(self.manifest.annotations[name].to_pylist() for name in ("image_id", "source_key")), strict=True)
        row_of = {image_id: row for row, image_id in enumerate(self.ids.to_pylist())}
        box_of = {key: row for row, key in enumerate(keys)}
        for image, code in take_findings(findings, row_of, box_of, self.images, self.boxes):
            rows = np.arange(self.first[image], self.first[image + 1])
            self.boxes.give(rows[~self.boxes.are(DROPPED)[rows]], DROPPED, code)


class Output:
    """The tables that leave, and where each row of them is from.

    source: (images,) the input row of the same image_id, or -1. traced: (images,) its place in the trace, or -1.
    """

    def __init__(self, entered: Input, manifest: Manifest, trace: Traced | None = None) -> None:
        self.entered, self.manifest, self.trace = entered, manifest, trace
        self.stage = entered.stage
        self.ids = _ids(manifest.images)
        self.source = _rows_of(self.ids, entered.ids)
        self.traced = _rows_of(self.ids, trace.ids) if trace else np.full(len(self.ids), -1)
        self.counts = np.zeros(len(self.ids), np.int64)
        came = self.source[self.source >= 0]
        self.came = np.zeros(len(entered.ids), bool)
        self.came[came] = True
        for wrong, why in (
            (np.arange(len(self.ids)) != _rows_of(self.ids, self.ids), "came out twice"),
            ((self.source < 0) & (self.traced < 0), "came out, and neither entered nor was made"),
        ):
            if wrong.any():
                raise unbalanced(self.stage, f"image {self.ids[int(wrong.argmax())]}", why)

    def rows(self, left: np.ndarray) -> np.ndarray:
        """(boxes that leave,) the input row that each is from.

        Args:
            left: the input rows of boxes that findings leave on the images that were not made.

        Raises:
            StageError: a box is missing, or one too many.
        """
        per_image = np.bincount(self.entered.image_of[left], minlength=len(self.entered.ids))
        pool, starts, counts = left, _starts(per_image)[self.source], np.append(per_image, 0)[self.source]
        if self.trace:
            made = self.traced >= 0
            pool = np.concatenate([left, self.trace.rows])
            starts = np.where(made, len(left) + _starts(self.trace.counts)[self.traced], starts)
            counts = np.where(made, np.append(self.trace.counts, 0)[self.traced], counts)
        self.counts = counts
        rows = pool[np.repeat(starts - _starts(counts)[:-1], counts) + np.arange(counts.sum())]
        expected = np.repeat(np.arange(len(counts)), counts)
        there = _rows_of(_ids(self.manifest.annotations), self.ids)
        shared = min(len(expected), len(there))
        wrong = expected[:shared] != there[:shared]
        if wrong.any() or len(expected) != len(there):
            at = int(wrong.argmax()) if wrong.any() else shared
            if at < len(expected) and (at >= len(there) or 0 <= expected[at] < there[at]):
                # the image has fewer boxes than it should: which of them, only their order could tell
                name = f"a box of image {self.ids[int(expected[at])]}"
                raise unbalanced(self.stage, name, f"is missing ({self.entered.box_name(int(rows[at]))} or one before)")
            image_id = self.manifest.annotations["image_id"][at]
            raise unbalanced(self.stage, f"a box of image {image_id}", "came out, and neither entered nor was made")
        return rows

    def compare_images(self, sets: Collection[str]) -> None:
        """Images that were not made leave as they entered, but for the columns that the stage sets; one that was made
        is in the split and group of its image.
        """
        before, after = self.entered.manifest.images, self.manifest.images
        own = self.traced < 0
        strict = [name for name in IMAGES.names if name not in sets and (name, self.stage) != ("batch", "split")]
        self._compare(before, self.source[own], after, own, strict, lambda row: f"image {self.ids[row]}")
        if self.trace:
            parents = self.trace.parents[self.traced[~own]]
            self._compare(before, parents, after, ~own, _INHERITED, lambda row: f"image {self.ids[row]}")

    def compare_boxes(self, rows: np.ndarray, free_corners: bool = False) -> None:
        """Boxes of images that were not made leave as they entered, but for their places where these are free."""
        before, after = self.entered.manifest.annotations, self.manifest.annotations
        own = np.repeat(self.traced < 0, self.counts)
        strict = [name for name in ANNOTATIONS.names if not (free_corners and name in _PLACES)]
        self._compare(before, rows[own], after, own, strict, lambda row: self.entered.box_name(int(rows[row])))
        if self.trace:
            self._compare(before, rows[~own], after, ~own, _FOLLOWS, lambda row: self.entered.box_name(int(rows[row])))

    def compare_corners(self, rows: np.ndarray) -> None:
        """Only a repaired box has other corners or keypoints."""
        before, after = self.entered.manifest.annotations, self.manifest.annotations
        largest = max([pc.max(self.manifest.images[name]).as_py() or 0 for name in ("width", "height")], default=0)
        moved = np.zeros(len(rows), bool)
        for name in CORNERS:
            old, new = (table[name].cast(pa.float64()).to_numpy() for table in (before, after))
            moved |= ~(np.abs(old[rows] - new) <= max(EDGE_NOISE * largest, ROUNDING_PX)) & ~(
                np.isnan(old[rows]) & np.isnan(new)
            )
        old_points, new_points = (table["keypoints"].fill_null("") for table in (before, after))
        if not (len(rows) == len(old_points) and old_points.equals(new_points)):
            moved |= pc.not_equal(old_points.take(pa.array(rows)), new_points).to_numpy()
        moved &= ~self.entered.boxes.are(REPAIRED)[rows]
        if moved.any():
            raise unbalanced(
                self.stage, self.entered.box_name(int(rows[moved.argmax()])), "was moved without a finding"
            )

    def _compare(self, before, rows, after, mask, names, name_of) -> None:  # type: ignore[no-untyped-def]
        """Rows of one table, by number, against those of another that the mask takes."""
        if not len(rows):
            return
        whole = len(rows) == before.num_rows == after.num_rows and (rows == np.arange(len(rows))).all()
        for name in names:
            old = before[name] if whole else before[name].take(pa.array(rows))
            new = after[name] if whole else after[name].filter(pa.array(mask))
            differs = differing(old, new)
            if differs is not None:
                row = int(np.flatnonzero(mask)[differs])
                raise unbalanced(self.stage, name_of(row), f"has another {name} than before, and no finding says so")


def balance(
    stage: str, before: Manifest, after: Manifest, findings: Collection[Finding], sets: Collection[str] = ()
) -> list[Line]:
    """The ledger of a stage whose rows pass through: what leaves is what entered, but for what its findings name.

    Args:
        findings: the stage's own, each with the image, or the annotation, that it is about.
        sets: the columns of images that the stage fills.

    Raises:
        StageError: a row was lost, invented or changed without a finding; it names the first.
    """
    of_image: dict[str, list[Finding]] = defaultdict(list)
    for finding in findings:
        if finding.action in GIVING:
            of_image[finding.image_id].append(finding)

    def parts() -> Iterator[list[Line]]:
        for one, other in before.beside(after):
            ids = one.images["image_id"].to_pylist() if of_image else ()
            own = [finding for image_id in ids for finding in of_image.pop(image_id, ())]
            yield _balance(stage, one, other, own, sets)
        for astray in chain.from_iterable(of_image.values()):
            raise without_row(stage, astray)

    return summed(parts())


def _balance(
    stage: str, before: Manifest, after: Manifest, findings: Collection[Finding], sets: Collection[str]
) -> list[Line]:
    entered = Input(stage, before)
    entered.take(findings)
    out = Output(entered, after)
    gone = entered.images.are(DROPPED)
    for wrong, why in (
        (~gone & ~out.came, "entered, and neither came out nor was dropped by a finding"),
        (gone & out.came, "is dropped by a finding, and came out"),
    ):
        if wrong.any():
            raise unbalanced(stage, entered.images.name(int(wrong.argmax())), why)
    rows = out.rows(np.flatnonzero(~entered.boxes.are(DROPPED)))
    out.compare_images(sets)
    out.compare_boxes(rows, free_corners=True)
    out.compare_corners(rows)
    return [*entered.images.lines(), *entered.boxes.lines()]


def differing(old: pa.ChunkedArray, new: pa.ChunkedArray) -> int | None:
    """The first row in which two columns differ, the length of the shorter where one goes on; None if they agree."""
    if old.equals(new):
        return None
    for row, (one, other) in enumerate(zip(old.to_pylist(), new.to_pylist(), strict=False)):
        if one != other and not (one != one and other != other):  # NaN is like NaN
            return row
    return None if len(old) == len(new) else min(len(old), len(new))


def _image_name(ids: pa.Array, row: int) -> str:
    return f"image {ids[row]}"


def _box_name(ids: pa.Array, image_of: np.ndarray, first: np.ndarray, labels: pa.ChunkedArray, row: int) -> str:
    image = int(image_of[row])
    return f"box {row - int(first[image]) + 1} ({labels[row]}) of {_image_name(ids, image)}"


def _ids(table: pa.Table) -> pa.Array:
    return table["image_id"].combine_chunks()


def _rows_of(ids: pa.Array, known: pa.Array) -> np.ndarray:
    """(n,) the first row of each id among the known, or -1."""
    return pc.fill_null(pc.index_in(ids, known), -1).to_numpy(zero_copy_only=False).astype(np.int64)


def _starts(counts: np.ndarray) -> np.ndarray:
    """(n + 1,) where each run begins, when n runs of these lengths lie one after the other."""
    return np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
