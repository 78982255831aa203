"""Which box of one version is which box of another: all at once where they are equal, else image by image.

A pair is made by the first of these rules that holds, the largest overlap first, each box at most once:

1. same class, same place: the box itself.
2. other class, same place: relabelled. Before 3, so that a box whose class was put right is not taken for one that
   went, with a neighbour moved into its place.
3. same class, IoU of 0.5 or more: moved. 0.5 is PASCAL VOC's rule for "this is that object"; less, and of two things
   beside each other one could be taken for the other.
4. other class, IoU of 0.5 or more: relabelled, and drawn anew. Only boxes without a counterpart of their class are left
   by then, so the same measure does.

The same place is less than 0.01 px away: shares of the side with six decimals, as YOLO has them, are off by less in
images of up to 10,000 px, and nobody draws that finely.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

SAME_OBJECT_IOU = 0.5
SAME_PLACE_PX = 0.01

SAME, EDITED, MOVED, RELABELLED = range(4)
_NO_PAIR = 9


@dataclass(frozen=True)
class Boxes:
    """Columns of n boxes; the numbers for image, label and rest mean the same in both versions.

    corners: (n, 4) float pixels, xmin ymin xmax ymax. rest: (n,) equal numbers for all else that a row says.
    """

    image: np.ndarray
    label: np.ndarray
    corners: np.ndarray
    rest: np.ndarray

    def take(self, rows: np.ndarray) -> Boxes:
        return Boxes(self.image[rows], self.label[rows], self.corners[rows], self.rest[rows])

    def __len__(self) -> int:
        return len(self.image)


@dataclass(frozen=True)
class Matching:
    """Rows of the boxes. Equal ones are not in it: a pair is a change, of the kind EDITED, MOVED or RELABELLED.

    old, new, kind: (k,) int, a row a pair; iou: (k,). lost, gained: rows without a counterpart.
    """

    old: np.ndarray
    new: np.ndarray
    kind: np.ndarray
    iou: np.ndarray
    lost: np.ndarray
    gained: np.ndarray


def match(old: Boxes, new: Boxes, reshaped: np.ndarray) -> Matching:
    """Pair the boxes of images that both versions have.

    Args:
        reshaped: (images,) bool, by image number: steps made it anew, so that its boxes lie elsewhere without anybody
            having moved them. There rule 3 asks for no overlap, its pairs are no change, and `rest` is not looked at.
    """
    equal_old, equal_new = _equal_rows(
        [old.image, old.label, old.rest, *old.corners.T], [new.image, new.label, new.rest, *new.corners.T]
    )
    old_rows, new_rows = (np.flatnonzero(~equal) for equal in (equal_old, equal_new))
    old_rows = old_rows[np.argsort(old.image[old_rows], kind="stable")]
    new_rows = new_rows[np.argsort(new.image[new_rows], kind="stable")]
    a, b = old.take(old_rows), new.take(new_rows)
    pairs: list[tuple[int, int, int, float]] = []
    for image in np.intersect1d(a.image, b.image).tolist():
        i, j = (slice(*np.searchsorted(side.image, [image, image + 1]).tolist()) for side in (a, b))
        found = match_image(a.corners[i], a.label[i], b.corners[j], b.label[j], free=bool(reshaped[image]))
        for m, n, kind, iou in found:
            m, n = m + i.start, n + j.start
            if kind == SAME and not reshaped[image] and a.rest[m] != b.rest[n]:
                kind = EDITED
            pairs.append((m, n, kind, iou))
    table = np.array(pairs, float).reshape(-1, 4)
    paired_old, paired_new, kinds = (table[:, column].astype(int) for column in range(3))
    changed = kinds != SAME
    return Matching(
        old_rows[paired_old][changed],
        new_rows[paired_new][changed],
        kinds[changed],
        table[:, 3][changed],
        np.delete(old_rows, paired_old),
        np.delete(new_rows, paired_new),
    )


def match_image(
    old: np.ndarray, old_labels: np.ndarray, new: np.ndarray, new_labels: np.ndarray, free: bool = False
) -> list[tuple[int, int, int, float]]:
    """The pairs of one image as (row of old, row of new, SAME or MOVED or RELABELLED, IoU); see the module.

    Args:
        old, new: (n, 4) and (m, 4) float pixels, xmin ymin xmax ymax.
        free: boxes of one class are the same ones, wherever they lie.
    """
    overlap = ious(old, new)
    near = np.abs(old[:, None] - new[None]).max(axis=2) <= SAME_PLACE_PX
    same = old_labels[:, None] == new_labels[None]
    over = overlap >= SAME_OBJECT_IOU
    rule = np.select([near & same, near, same & (over | free), over], [1, 2, 3, 4], _NO_PAIR)
    rows, columns = np.nonzero(rule < _NO_PAIR)
    rules, by_overlap = rule[rows, columns], overlap[rows, columns]
    left, right = set(range(len(old))), set(range(len(new)))
    pairs = []
    for at in np.lexsort((columns, rows, -by_overlap, rules)).tolist():
        i, j = int(rows[at]), int(columns[at])
        if i in left and j in right:
            left.remove(i)
            right.remove(j)
            kind = {1: SAME, 2: RELABELLED, 3: SAME if free else MOVED, 4: RELABELLED}[int(rules[at])]
            pairs.append((i, j, kind, float(by_overlap[at])))
    return pairs


def ious(old: np.ndarray, new: np.ndarray) -> np.ndarray:
    """(n, m) intersection over union; 0 where neither box has an area."""
    low = np.maximum(old[:, None, :2], new[None, :, :2])
    high = np.minimum(old[:, None, 2:], new[None, :, 2:])
    both = np.clip(high - low, 0, None).prod(axis=2)
    either = _areas(old)[:, None] + _areas(new)[None] - both
    return np.divide(both, either, out=np.zeros_like(both), where=either > 0)


def _areas(boxes: np.ndarray) -> np.ndarray:
    return np.clip(boxes[:, 2:] - boxes[:, :2], 0, None).prod(axis=1)


def _equal_rows(old: Sequence[np.ndarray], new: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Which rows of each table the other has too; of two equal rows here and one there, one."""
    count = len(old[0])
    keys = [np.concatenate(pair) for pair in zip(old, new, strict=True)]
    side = np.arange(len(keys[0])) >= count
    order = np.lexsort([side, *keys])
    differs = np.logical_or.reduce([key[order][1:] != key[order][:-1] for key in keys])
    run = np.concatenate([[0], np.cumsum(differs)]) if len(order) else np.zeros(0, int)
    runs = run[-1] + 1 if len(run) else 0
    of_old = np.bincount(run[~side[order]], minlength=runs)
    of_new = np.bincount(run[side[order]], minlength=runs)
    start = np.cumsum(of_old + of_new) - of_old - of_new
    place = np.arange(len(order)) - start[run] - np.where(side[order], of_old[run], 0)
    equal = np.empty(len(order), bool)
    equal[order] = place < np.minimum(of_old, of_new)[run]
    return equal[:count], equal[count:]
