"""Pairs of boxes of one image that nearly cover each other, over all boxes of a dataset at once."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

_PAIRS_AT_ONCE = 1 << 20


def overlapping(images: np.ndarray, boxes: np.ndarray, least_iou: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(one, other, iou) of each pair of rows above `least_iou`, one before other, sorted by other, then one.

    An IoU above t needs left edges that lie less than (1 - t) / t of the width apart. So the boxes are sorted by
    left edge, and each is compared with those whose edge follows that near: a small part, unless they all stand in
    one column.

    Args:
        images: (n,) int, the image of each box.
        boxes: (n, 4) float pixels, xmin ymin xmax ymax, each with an area.
    """
    order = np.lexsort([boxes[:, 0], images])
    sorted_images, left = images[order], boxes[order, 0]
    reach = left + (boxes[order, 2] - left) * (1 - least_iou) / least_iou
    parts = []
    for rows, step in _steps(sorted_images, left, reach):
        one, other = order[rows], order[rows + step]
        iou = _iou(boxes[one], boxes[other])
        near = iou > least_iou
        parts.append((np.minimum(one, other)[near], np.maximum(one, other)[near], iou[near]))
    one, other, iou = (np.concatenate(column) for column in zip(*parts, strict=True)) if parts else _NONE
    by_other = np.lexsort([one, other])
    return one[by_other], other[by_other], iou[by_other]


_NONE = (np.zeros(0, int), np.zeros(0, int), np.zeros(0))


def _steps(images: np.ndarray, left: np.ndarray, reach: np.ndarray) -> Iterator[tuple[np.ndarray, int]]:
    """Rows, and how far below each the one to compare it with stands: until none is in reach. In blocks."""
    rows, step = np.arange(len(images)), 0
    while True:
        step += 1
        rows = rows[rows + step < len(images)]
        rows = rows[(images[rows] == images[rows + step]) & (left[rows + step] <= reach[rows])]
        if not len(rows):
            return
        for start in range(0, len(rows), _PAIRS_AT_ONCE):
            yield rows[start : start + _PAIRS_AT_ONCE], step


def _iou(ones: np.ndarray, others: np.ndarray) -> np.ndarray:
    shared = np.prod(np.maximum(np.minimum(ones[:, 2:], others[:, 2:]) - np.maximum(ones[:, :2], others[:, :2]), 0), 1)
    areas = [np.prod(boxes[:, 2:] - boxes[:, :2], axis=1) for boxes in (ones, others)]
    return shared / (areas[0] + areas[1] - shared)
