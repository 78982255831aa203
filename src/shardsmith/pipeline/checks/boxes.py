"""The checks of boxes, over all boxes of a dataset at once."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from shardsmith.dataset.boxes import CORNERS, EDGE_NOISE, LOST, ROUNDING_PX, corners, label_whole_image
from shardsmith.dataset.codes import CATALOGUE, Action
from shardsmith.dataset.errors import StageError
from shardsmith.dataset.findings import Finding, about, action_for
from shardsmith.dataset.manifest import Manifest
from shardsmith.pipeline.checks.overlaps import overlapping
from shardsmith.transforms.geometry.polygons import box_around, cut_polygon

CODES = (
    *("box-not-finite", "box-inverted", "box-in-shares", "box-outside-image", "box-over-edge", "box-empty"),
    *("box-duplicate", "box-near-duplicate", "box-overlap", "box-tiny", "box-covers-image"),
)
_REMARKS = ("box-tiny", "box-covers-image", "box-near-duplicate", "box-overlap")  # in the order in which they are made
_WITH_NOTES = ("box-outside-image", "box-over-edge", *CODES[7:])
_MIN_TOLERANCE_PX = 2.0
_TWICE_IOU, _OVERLAP_IOU = 0.95, 0.9
_COVERING_SHARE = 0.95


@dataclass(frozen=True)
class Verdict:
    """What is wrong with one box, and what is done: `action` as taken."""

    row: int
    code: str
    action: Action
    reason: str


class Judgement:
    """The boxes as they leave, which of them are dropped, and what there is to say about each.

    boxes: (n, 4) float64 pixels, xmin ymin xmax ymax. lost: (n,) bool. A box has one fate, and one verdict that says
    so where it is not simply kept; beside it, a box that stays can be remarkable in any number of ways.
    """

    def __init__(self, boxes: np.ndarray, sizes: np.ndarray, actions: Mapping[str, Action]) -> None:
        self.boxes = boxes.copy()
        self.sizes = sizes
        self.actions = actions
        self.lost = np.zeros(len(boxes), bool)
        self.code = np.full(len(boxes), -1)
        self.notes: dict[int, str] = {}
        self.remarks: list[tuple[int, str, str]] = []

    def mark(self, code: str, bad: np.ndarray, action: Action | None = None) -> np.ndarray:
        """Note the code for those of the boxes `bad` that are still there; where they are repaired, as a mask.

        A box keeps its first code, unless a later check drops it: then that one is its fate.
        """
        action = action or action_for(code, self.actions)
        hit = bad & ~self.lost
        if action in LOST:
            self.lost |= hit
            self.code[hit] = CODES.index(code)
        else:
            self.code[hit & (self.code < 0)] = CODES.index(code)
        return hit if action == "repair" else np.zeros_like(hit)

    def remark(self, code: str, reasons: Mapping[int, str]) -> None:
        """Say something (row -> reason) of boxes that are still there; where that drops them, it is their fate."""
        rows = [row for row in reasons if not self.lost[row]]
        if action_for(code, self.actions) not in LOST:
            self.remarks += [(row, code, reasons[row]) for row in rows]
            return
        bad = np.zeros(len(self.lost), bool)
        bad[rows] = True
        self.notes |= {row: reasons[row] for row in rows}
        self.mark(code, bad)

    def verdicts(self) -> Iterator[Verdict]:
        """In the order of CODES, then of the rows; then the remarks on what stays."""
        for number, code in enumerate(CODES):
            action = action_for(code, self.actions)
            for row in np.flatnonzero(self.code == number).tolist():
                taken: Action = "drop" if self.lost[row] and action not in LOST else action
                reason = self.notes.get(row, "") if code in _WITH_NOTES else ""
                reason = reason or CATALOGUE[code].meaning.partition(";")[0]
                if taken == "repair":
                    reason += f"; now {corners(self.boxes[row])}"
                yield Verdict(row, code, taken, reason)
        for row, code, reason in self.remarks:
            if not self.lost[row]:
                yield Verdict(row, code, action_for(code, self.actions), reason)


def check_boxes(
    manifest: Manifest, actions: Mapping[str, Action], max_over_edge: float, tiny_px: float = 0
) -> tuple[Manifest, list[Finding]]:
    """Every image has a size here. Labels of a whole image, which have no coordinates, are left alone.

    Raises:
        StageError: an annotation's image is not in the manifest.
    """
    table = manifest.annotations
    image_rows = pc.index_in(table["image_id"], manifest.images["image_id"].combine_chunks())
    if image_rows.null_count:
        stray = table.filter(pc.is_null(image_rows))["image_id"][0]
        raise StageError(f"annotations: {stray}: no such image in the manifest; run dvc repro")
    rows = np.flatnonzero(~label_whole_image(table))
    image_rows = image_rows.to_numpy()[rows]
    boxes = _matrix(table, CORNERS)[rows]
    same = [image_rows, *(_codes(table[name])[rows] for name in ("label", "is_crowd", "segmentation", "keypoints"))]
    sizes = _matrix(manifest.images, ["width", "height"])[image_rows]
    inside = boxes_inside(table.take(pa.array(rows)), boxes, sizes)
    judged = judge_boxes(inside, sizes, same, max_over_edge, actions)
    leaning_out = (inside != boxes).any(axis=1) & np.isfinite(boxes).all(axis=1)
    judged.mark("box-over-edge", leaning_out)
    judged.notes |= dict.fromkeys(np.flatnonzero(leaning_out).tolist(), "its corners pass the edge; the box is inside")
    places = _places(table)
    labels = table["label"]
    remark_sizes(judged, tiny_px)
    remark_overlaps(judged, same, [f"box {places[row]} ({labels[row]})" for row in rows.tolist()])
    findings = []
    for verdict in judged.verdicts():
        row = int(rows[verdict.row])
        value = f"{labels[row]} {corners(boxes[verdict.row])}"
        image_id = str(table["image_id"][row])
        key = str(table["source_key"][row])
        where = {"place": f"box {places[row]}", "value": value, "reason": verdict.reason, "source_key": key}
        findings.append(about(verdict.code, image_id, verdict.action, **where))
    return Manifest(manifest.images, _rebuilt(table, rows, judged.boxes, judged.lost)), findings


def in_order(findings: Iterable[Finding], actions: Mapping[str, Action]) -> list[Finding]:
    """Those of several calls of check_boxes, one after the other, as of one call with all boxes."""

    def place(finding: Finding) -> int:
        is_remark = finding.code in _REMARKS and action_for(finding.code, actions) not in LOST
        return len(CODES) + _REMARKS.index(finding.code) if is_remark else CODES.index(finding.code)

    return sorted(findings, key=place)


def boxes_inside(table: pa.Table, boxes: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Boxes (n, 4), those of oriented ones that pass an edge around the part of the four corners that is inside: their
    corners may lie outside while most of the object does not.

    Args:
        table: the annotations of the boxes, row by row.
        sizes: (n, 2) width and height in pixels of each one's image.
    """
    over = ((boxes[:, :2] < 0) | (boxes[:, 2:] > sizes)).any(axis=1)
    oriented = pc.fill_null(pc.equal(table["kind"], "oriented"), False).to_numpy()
    boxes = boxes.copy()
    for row in np.flatnonzero(over & oriented).tolist():
        corners = np.reshape(json.loads(table["segmentation"][row].as_py())[0], (-1, 2))
        left = cut_polygon(corners, *sizes[row].tolist())
        if len(left):
            boxes[row] = box_around(left)
    return boxes


def judge_boxes(
    boxes: np.ndarray,
    sizes: np.ndarray,
    same: Sequence[np.ndarray],
    max_over_edge: float,
    actions: Mapping[str, Action],
) -> Judgement:
    """Put each box through every check, in the order of CODES, until one drops it.

    Args:
        boxes: (n, 4) float64 pixels, xmin ymin xmax ymax.
        sizes: (n, 2) displayed width and height in pixels of each box's image.
        same: integer columns of (n,); two boxes are one twice when they agree in all of them and in the coordinates.
        max_over_edge: a box that passes an edge by at most this share of the side, or by 2 px, is clipped.
    """
    judgement = Judgement(boxes, sizes, actions)
    judgement.mark("box-not-finite", ~np.isfinite(boxes).all(axis=1))
    judgement.boxes[judgement.lost] = 0  # nothing more is computed with infinity
    _order(judgement)
    below_one = np.logical_and(judgement.boxes >= 0, judgement.boxes <= 1).all(axis=1)
    judgement.mark("box-in-shares", below_one & (judgement.boxes != np.floor(judgement.boxes)).any(axis=1))
    _clip(judgement, max_over_edge)
    thin = judgement.boxes[:, 2:] - judgement.boxes[:, :2] <= EDGE_NOISE * sizes
    judgement.mark("box-empty", thin.any(axis=1))
    _mark_duplicates(judgement, same)
    return judgement


def remark_sizes(judgement: Judgement, tiny_px: float) -> None:
    """Boxes that are hardly there, or nearly the whole image."""
    sides = judgement.boxes[:, 2:] - judgement.boxes[:, :2]
    short = sides.min(axis=1, initial=np.inf)
    tiny = np.flatnonzero((short < tiny_px) & ~judgement.lost).tolist()
    judgement.remark("box-tiny", {row: f"its shorter side is {short[row]:.3g} px" for row in tiny})
    share = (sides / judgement.sizes).prod(axis=1)
    covering = np.flatnonzero((share >= _COVERING_SHARE) & ~judgement.lost).tolist()
    judgement.remark("box-covers-image", {row: f"it covers {share[row]:.1%} of the image" for row in covering})


def remark_overlaps(judgement: Judgement, same: Sequence[np.ndarray], names: Sequence[str]) -> None:
    """Boxes that nearly cover one before them; what box-duplicate has said of equal ones is not said again.

    Args:
        same: as for judge_boxes; the image, the class and whether it is a crowd come first.
        names: what to call each box.
    """
    image, label, crowd, *shapes = same
    here = np.flatnonzero(~judgement.lost)
    one, other, iou = overlapping(image[here], judgement.boxes[here], _OVERLAP_IOU)
    one, other = here[one], here[other]
    boxes = judgement.boxes
    equal = (boxes[one] == boxes[other]).all(axis=1) & np.logical_and.reduce([x[one] == x[other] for x in shapes])
    alike, comparable = label[one] == label[other], crowd[one] == crowd[other]
    for code, wanted in (
        ("box-near-duplicate", alike & ~equal & (iou > _TWICE_IOU)),
        ("box-overlap", ~alike),
    ):
        reasons: dict[int, str] = {}
        for pair in np.flatnonzero(wanted & comparable).tolist():
            reasons.setdefault(int(other[pair]), f"IoU {iou[pair]:.3f} with {names[one[pair]]}")
        judgement.remark(code, reasons)


def _order(judgement: Judgement) -> None:
    low, high = judgement.boxes[:, :2], judgement.boxes[:, 2:]
    swap = judgement.mark("box-inverted", np.logical_or(*(low > high).T))
    judgement.boxes[swap] = np.hstack([np.minimum(low, high), np.maximum(low, high)])[swap]


def _clip(judgement: Judgement, max_over_edge: float) -> None:
    """Mark the boxes outside and over the edge, and clip all that are still there."""
    sizes, boxes = judgement.sizes, judgement.boxes
    over = np.maximum(-boxes[:, :2], boxes[:, 2:] - sizes)
    # + 0.0 turns -0.0 into 0.0, which clipping may or may not do
    clipped = np.clip(boxes, 0, np.hstack([sizes, sizes])) + 0.0
    passes = (over > np.maximum(EDGE_NOISE * sizes, ROUNDING_PX)).any(axis=1)
    far = (over > np.maximum(_MIN_TOLERANCE_PX, max_over_edge * sizes)).any(axis=1)
    away = passes & (clipped[:, 2:] <= clipped[:, :2]).any(axis=1) & (boxes[:, 2:] > boxes[:, :2]).all(axis=1)
    for row in np.flatnonzero(passes & ~judgement.lost).tolist():
        size = f"{sizes[row, 0]:g} x {sizes[row, 1]:g} px"
        by = f"it passes the edge of {size} by {over[row].max():.4g} px"
        judgement.notes[row] = f"nothing of it lies in the image of {size}" if away[row] else by
    stays_lost: Action = "fail" if action_for("box-outside-image", judgement.actions) == "fail" else "drop"
    judgement.mark("box-outside-image", away, stays_lost)
    judgement.mark("box-outside-image", far)
    judgement.mark("box-over-edge", passes)
    judgement.boxes = np.where(judgement.lost[:, None], boxes, clipped)


def _mark_duplicates(judgement: Judgement, same: Sequence[np.ndarray]) -> None:
    """The first of equal boxes stays."""
    rows = np.flatnonzero(~judgement.lost)
    keys = [column[rows] for column in (*same, *judgement.boxes.T)]
    order = np.lexsort(keys)  # stable: the first of a run of equal boxes is the first in the table
    equal = np.logical_and.reduce([key[order][1:] == key[order][:-1] for key in keys])
    again = np.zeros(len(judgement.lost), bool)
    again[rows[order[1:][equal]]] = True
    judgement.mark("box-duplicate", again)


def _rebuilt(table: pa.Table, rows: np.ndarray, boxes: np.ndarray, lost: np.ndarray) -> pa.Table:
    """The table with the coordinates of `rows` replaced, and without those that are lost."""
    all_null = label_whole_image(table)
    matrix = np.zeros((len(table), 4))
    matrix[rows] = boxes
    for number, name in enumerate(CORNERS):
        column = pa.array(matrix[:, number], pa.float64(), mask=all_null)
        table = table.set_column(table.schema.get_field_index(name), table.schema.field(name), column)
    keep = np.ones(len(table), bool)
    keep[rows[lost]] = False
    return table.filter(pa.array(keep)).combine_chunks()


def _matrix(table: pa.Table, names: list[str]) -> np.ndarray:
    """(n, k) float64; null becomes NaN."""
    return np.stack([table[name].cast(pa.float64()).to_numpy() for name in names], axis=1)


def _codes(column: pa.ChunkedArray) -> np.ndarray:
    """(n,) int: equal numbers for equal values."""
    return column.combine_chunks().dictionary_encode(null_encoding="encode").indices.to_numpy(zero_copy_only=False)


def _places(table: pa.Table) -> list[int]:
    """Each annotation's number within its image, from 1."""
    seen: Counter[str] = Counter()
    places = []
    for image_id in table["image_id"].to_pylist():
        seen[image_id] += 1
        places.append(seen[image_id])
    return places
