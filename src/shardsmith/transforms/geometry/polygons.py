"""Polygons, (k, 2) arrays of x y: the part inside an image, the area, and the oriented box around one."""

from __future__ import annotations

import numpy as np


def cut_polygon(points: np.ndarray, width_px: int, height_px: int) -> np.ndarray:
    """The part of a polygon that lies inside the image: (m, 2), m may be 0.

    What is left of a polygon that is not convex may hang together by an edge along the image's edge; its area and the
    box around it are right.

    Source: Sutherland and Hodgman, Reentrant polygon clipping, 1974.
    """
    for axis, edge, inwards in ((0, 0, 1), (0, width_px, -1), (1, 0, 1), (1, height_px, -1)):
        depth = (points[:, axis] - edge) * inwards  # negative outside
        if depth.size and depth.min() >= 0:
            continue
        kept = []
        for here, after, d_here, d_after in zip(
            points, np.roll(points, -1, axis=0), depth, np.roll(depth, -1), strict=True
        ):
            if d_here >= 0:
                kept.append(here)
            if (d_here >= 0) != (d_after >= 0):
                kept.append(here + (after - here) * d_here / (d_here - d_after))
        points = np.array(kept).reshape(-1, 2)
    return points


def area(points: np.ndarray) -> float:
    """In square units, by the shoelace formula; summed by hand, so that every CPU rounds alike."""
    x, y = points[:, 0].tolist(), points[:, 1].tolist()
    return abs(sum(x[k - 1] * y[k] - x[k] * y[k - 1] for k in range(len(x)))) / 2


def corners_of(boxes: np.ndarray) -> np.ndarray:
    """(n, 4) boxes, xmin ymin xmax ymax -> (n, 4, 2) corners, clockwise from the top left."""
    return boxes[:, [[0, 1], [2, 1], [2, 3], [0, 3]]]


def box_around(points: np.ndarray) -> list[float]:
    """xmin, ymin, xmax, ymax"""
    return [*points.min(axis=0).tolist(), *points.max(axis=0).tolist()]


def four_corners(outline: list[np.ndarray] | np.ndarray) -> list[np.ndarray]:
    """The smallest rectangle around what is left of an oriented box, as one polygon; [] where nothing is left.

    The first corner stays first as far as it can: it is the nearest to the first point that is left.

    Args:
        outline: polygons; or a mask, (height, width) uint8, 1 inside.
    """
    import cv2

    if isinstance(outline, np.ndarray):
        rows, columns = np.nonzero(outline)
        points = np.concatenate([np.stack([columns + x, rows + y], axis=1) for x in (0, 1) for y in (0, 1)])
    else:
        points = np.concatenate([*outline, np.zeros((0, 2))])
    if not len(points):
        return []
    corners = cv2.boxPoints(cv2.minAreaRect(points.astype(np.float32))).astype(np.float64)
    return [np.roll(corners, -int(((corners - points[0]) ** 2).sum(axis=1).argmin()), axis=0)]
