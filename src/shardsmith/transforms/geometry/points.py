"""Keypoints after a step: (k, 3) arrays of x y v, or None for an object without; see dataset/shapes.py."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from shardsmith.dataset.shapes import ABSENT, HIDDEN
from shardsmith.transforms.geometry.frame import Frame

Points = np.ndarray | None


def move_points(points: np.ndarray, mirror: Sequence[int], frame: Frame) -> np.ndarray:
    """As they lie after an affine step; what leaves the image is not there any more."""
    moved = np.column_stack([frame.move(points), points[:, 2]])
    return _within(_mirrored(moved, mirror) if frame.mirrors else moved, frame.width, frame.height)


def hide_under(points: np.ndarray, holes: Sequence[tuple[float, float, float, float]]) -> np.ndarray:
    """After rectangles (xmin, ymin, xmax, ymax) were painted over."""
    x, y, _ = points.T
    return _hidden(points, np.logical_or.reduce([(x >= a) & (x < c) & (y >= b) & (y < d) for a, b, c, d in holes]))


def hide_points(points: np.ndarray, hidden: np.ndarray) -> np.ndarray:
    """Where nothing has moved, and some pixels, (height, width) bool, show nothing."""
    row, column = (np.minimum(points[:, 1 - side].astype(np.intp), hidden.shape[side] - 1) for side in (0, 1))
    return _hidden(points, hidden[row, column])


def find_points(
    every: Sequence[Points], mirrors: Sequence[Sequence[int]], x: np.ndarray, y: np.ndarray, seen: np.ndarray
) -> list[Points]:
    """Each point at the pixel that shows its place, if one does.

    Args:
        every: of each object.
        mirrors: of each, the numbers that its points change places by.
        x, y: (height, width), the old place that a pixel shows; seen: where that means anything.
    """
    if not seen.any() or all(points is None for points in every):
        return list(every)
    (x_down, x_across), (y_down, y_across) = np.gradient(x), np.gradient(y)
    mirrors_all = float(np.median((x_across * y_down - x_down * y_across)[seen])) < 0
    step = np.maximum(1, np.maximum(np.abs(x_across) + np.abs(x_down), np.abs(y_across) + np.abs(y_down)))
    found: list[Points] = []
    for points, mirror in zip(every, mirrors, strict=True):
        moved = None if points is None else np.array([_find(point, x, y, seen, step) for point in points.tolist()])
        found.append(_mirrored(moved, mirror) if mirrors_all and moved is not None else moved)
    return found


def _find(point: list[float], x: np.ndarray, y: np.ndarray, seen: np.ndarray, step: np.ndarray) -> list[float]:
    """One point; gone where the nearest pixel's place is farther than the next pixel's would be."""
    away = np.where(seen, (x - point[0]) ** 2 + (y - point[1]) ** 2, np.inf)
    row, column = np.unravel_index(int(away.argmin()), away.shape)
    if point[2] == ABSENT or away[row, column] > step[row, column] ** 2:
        return [0.0, 0.0, float(ABSENT)]
    return [column + 0.5, row + 0.5, point[2]]


def _mirrored(points: np.ndarray, mirror: Sequence[int]) -> np.ndarray:
    """Left and right change places: what was the left eye is the right one of the mirrored animal."""
    return points[list(mirror)] if len(mirror) == len(points) else points


def _within(points: np.ndarray, width_px: int, height_px: int) -> np.ndarray:
    x, y = points[:, 0], points[:, 1]
    inside = (x >= 0) & (x <= width_px) & (y >= 0) & (y <= height_px)
    return np.where(inside[:, None], points, float(ABSENT))


def _hidden(points: np.ndarray, where: np.ndarray) -> np.ndarray:
    return np.column_stack([points[:, :2], np.where(where, points[:, 2].clip(max=HIDDEN), points[:, 2])])
