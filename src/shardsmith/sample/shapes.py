"""What the sample dataset says of a thing beside its box: a mask, an oriented box or keypoints, each exactly known."""

from __future__ import annotations

import json
import math
from collections.abc import Callable

import numpy as np

from shardsmith.dataset.manifest import Annotation
from shardsmith.dataset.shapes import HIDDEN, SEEN, from_mask, skeleton_of, text_of
from shardsmith.sample.drawing import Patch, Point


def _fish_points(patches: list[Patch]) -> list[Point]:
    eye = np.mean(patches[-4][0], axis=0).tolist()
    return [patches[-1][0][0], (eye[0], eye[1]), patches[0][0][1], patches[0][0][3]]


def _kite_points(patches: list[Patch]) -> list[Point]:
    """Of a diamond, or of a delta."""
    is_delta = len(patches[9][0]) == 4
    return (
        [(0, -1.0), (-1.0, 0.55), (1.0, 0.55), (0, 0.98)]
        if is_delta
        else [(0, -1.0), (-0.68, -0.25), (0.68, -0.25), (0, 1.0)]
    )


POINTS: dict[str, Callable[[list[Patch]], list[Point]]] = {"fish": _fish_points, "kite": _kite_points}
SKELETONS = {
    "fish": skeleton_of(["mouth", "eye", "tail_top", "tail_bottom"], [(0, 1), (1, 2), (1, 3), (2, 3)]),
    "kite": skeleton_of(["top", "left", "right", "bottom"], [(0, 1), (0, 2), (1, 3), (2, 3)]),
}


def add_mask(row: Annotation, visible: np.ndarray) -> None:
    """visible: (height, width) bool."""
    row.segmentation = from_mask(visible)


def add_oriented(row: Annotation, visible: np.ndarray, degrees: float) -> None:
    """The smallest rectangle around the visible pixels whose sides lean as the thing does, clockwise."""
    cos, sin = (round(value, 12) for value in (math.cos(math.radians(degrees)), math.sin(math.radians(degrees))))
    rows, columns = np.nonzero(visible)
    along = [(x * cos + y * sin, y * cos - x * sin) for x, y in zip(*_corners(rows, columns), strict=True)]
    (left, right), (top, bottom) = (
        (float(at.min()), float(at.max())) for at in map(np.concatenate, zip(*along, strict=True))
    )
    corners = [(left, top), (right, top), (right, bottom), (left, bottom)]
    places = [round(at, 2) for u, v in corners for at in (u * cos - v * sin, u * sin + v * cos)]
    row.segmentation, row.kind = json.dumps([places]), "oriented"


def _corners(rows: np.ndarray, columns: np.ndarray) -> tuple[list[np.ndarray], list[np.ndarray]]:
    return [columns + x for x in (0, 1) for _ in (0, 1)], [rows + y for _ in (0, 1) for y in (0, 1)]


def add_keypoints(row: Annotation, points_px: list[Point], flipped: bool, owner: np.ndarray, number: int) -> None:
    """
    Args:
        points_px: of the skeleton, in the order of its names before the thing was mirrored.
        owner: (height, width), which thing each pixel shows; number: this one's.
    """
    skeleton = SKELETONS[row.label]
    order = skeleton.mirror if flipped else range(len(points_px))
    points = np.zeros((len(points_px), 3))
    for at, source in enumerate(order):
        x, y = points_px[source]
        if 0 <= x < owner.shape[1] and 0 <= y < owner.shape[0]:
            near = owner[max(0, int(y) - 2) : int(y) + 3, max(0, int(x) - 2) : int(x) + 3]
            points[at] = round(x, 2), round(y, 2), SEEN if (near == number).any() else HIDDEN
    row.keypoints = text_of(points)
    row.skeleton = skeleton.text() if row.keypoints else None
