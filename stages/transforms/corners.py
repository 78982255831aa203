"""Boxes under a turn: four corners, cut at the image's edges, and the box around what is left.

Cutting the corners first gives a tighter box than cutting the box around them, and it still holds all of the object.
"""

from __future__ import annotations

import numpy as np


def turn_boxes(boxes: np.ndarray, matrix: np.ndarray, width_px: int, height_px: int) -> tuple[np.ndarray, np.ndarray]:
    """
    Args:
        boxes: (n, 4) float pixels, xmin ymin xmax ymax.
        matrix: (3, 3), from old to new pixels; affine.

    Returns:
        (n, 4) the boxes around what lies inside the image, zeros where nothing does, and (n,) its share of the area.
    """
    corners = boxes[:, [[0, 1], [2, 1], [2, 3], [0, 3]]] @ matrix[:2, :2].T + matrix[:2, 2]
    around = np.concatenate([corners.min(axis=1), corners.max(axis=1)], axis=1)
    share = np.ones(len(boxes))
    past_edge = (around < 0).any(axis=1) | (around[:, 2] > width_px) | (around[:, 3] > height_px)
    for number in np.flatnonzero(past_edge):
        left = cut_polygon(corners[number], width_px, height_px)
        share[number] = area(left) / whole if (whole := area(corners[number])) > 0 else 0
        around[number] = [*left.min(axis=0), *left.max(axis=0)] if share[number] > 0 else 0
    return around, share


def cut_polygon(points: np.ndarray, width_px: int, height_px: int) -> np.ndarray:
    """The part of a convex polygon, (k, 2) x y, that lies inside the image: (m, 2), m may be 0.

    Source: Sutherland and Hodgman, Reentrant polygon clipping, 1974.
    """
    for axis, edge, inwards in ((0, 0, 1), (0, width_px, -1), (1, 0, 1), (1, height_px, -1)):
        depth = (points[:, axis] - edge) * inwards  # negative outside
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
    """Of a polygon, (k, 2) x y, by the shoelace formula."""
    x, y = points[:, 0], points[:, 1]
    return float(abs(x @ np.roll(y, -1) - y @ np.roll(x, -1))) / 2
