"""The objects on one image, and how they follow its pixels.

A box is followed by its four corners, which the image's edges cut: the box around what is left is tighter than a box
around a box around a box, and it still holds all of the object. Where an outline is known, a box that was turned or
cut hugs the outline. An oriented box is an outline of four corners; after a cut it is given four again. Keypoints move
with the pixels under them; one that leaves the image is not there any more.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from shardsmith.dataset.shapes import array_of, from_mask, text_of
from shardsmith.dataset.shapes import to_mask as mask_of
from shardsmith.transforms.geometry.frame import Frame
from shardsmith.transforms.geometry.points import hide_under, move_points
from shardsmith.transforms.geometry.polygons import area, box_around, corners_of, cut_polygon, four_corners

Outline = list[np.ndarray] | np.ndarray | None
"""Polygons, each (k, 2) x y; or a mask, (height, width) uint8, 1 inside; or not known."""
_DECIMALS = 4  # a ten-thousandth of a pixel
_NOTHING = 1e-9  # sums may leave as much of a share


@dataclass(frozen=True)
class Objects:
    """n objects.

    rows: which of the objects at the start each one was.
    corners: of each, (k, 2) x y: the corners of its box, as steps have moved and edges have cut them.
    outlines: of each.
    visible: (n,) above 0 to 1; the share of its area that no step so far has cut off or covered.
    scale: (n,) area in square pixels, for each that it had at the start.
    loose: (n,) bool; it was turned or cut, so that the box around its corners need not be tight.
    points: of each, (k, 3) x y v; None where it has no keypoints.
    mirrors: of each, the numbers that its points change places by where the image is mirrored.
    oriented: (n,) int; 1 where its outline is the four corners of an oriented box, 2 where it was one before it was
        cut, 0 elsewhere.
    total: how many there were at the start.
    """

    rows: np.ndarray
    corners: list[np.ndarray]
    outlines: list[Outline]
    visible: np.ndarray
    scale: np.ndarray
    loose: np.ndarray
    points: list[np.ndarray | None]
    mirrors: list[Sequence[int]]
    oriented: np.ndarray
    total: int

    @classmethod
    def of(
        cls,
        boxes: object,
        segmentations: Sequence[str | None] = (),
        keypoints: Sequence[str | None] = (),
        mirrors: Sequence[Sequence[int]] = (),
        oriented: Sequence[bool] = (),
    ) -> Objects:
        """
        Args:
            boxes: (n, 4) float pixels, xmin ymin xmax ymax.
            segmentations, keypoints: of each, as the manifest has them; none where they are left out.
            mirrors, oriented: of each; see the class.
        """
        array = np.array(boxes, dtype=np.float64).reshape(-1, 4)
        n = len(array)
        return cls(
            rows=np.arange(n),
            corners=list(corners_of(array)),
            outlines=[_outline(text) for text in segmentations or [None] * n],
            visible=np.ones(n),
            scale=np.ones(n),
            loose=np.zeros(n, bool),
            points=[array_of(text) if text else None for text in keypoints or [None] * n],
            mirrors=list(mirrors or [()] * n),
            oriented=np.array(oriented or [False] * n, np.int8),
            total=n,
        )

    def moved(self, frame: Frame) -> Objects:
        """As they lie after a step; one with nothing left inside the new image goes."""
        if not len(self.rows):
            return self
        before = [len(points) for points in self.corners]
        corners = np.split(frame.move(np.concatenate(self.corners)), np.cumsum(before)[:-1])
        outlines = [_moved_outline(outline, frame) for outline in self.outlines]
        visible, loose, oriented = self.visible.copy(), self.loose | (not frame.upright), self.oriented.copy()
        for number, points in enumerate(corners):
            if frame.holds(points):
                continue
            corners[number] = cut_polygon(points, frame.width, frame.height)
            share = _ratio(corners[number], points)
            outlines[number], share = _cut_outline(outlines[number], self.outlines[number], share, frame)
            visible[number] *= share
            loose[number] = True
            oriented[number] *= 2
        return replace(
            self,
            corners=corners,
            outlines=outlines,
            visible=visible,
            scale=self.scale * frame.scale,
            loose=loose,
            oriented=oriented.clip(max=2),
            points=[
                None if points is None else move_points(points, mirror, frame)
                for points, mirror in zip(self.points, self.mirrors, strict=True)
            ],
        ).only(visible > 0)

    def covered(self, holes: Sequence[tuple[float, float, float, float]]) -> Objects:
        """After rectangles (xmin, ymin, xmax, ymax) were painted over: what is wholly under them goes, the rest stays
        where it is, with less to be seen.
        """
        shares = [1 - _covered_share(box, holes) for box in self.boxes().tolist()]
        visible = self.visible * np.array(shares)
        points = [None if points is None else hide_under(points, holes) for points in self.points]
        return replace(self, visible=visible, points=points).only(visible > _NOTHING)

    def only(self, keep: np.ndarray) -> Objects:
        """Those that a (n,) mask keeps."""
        if keep.all():
            return self
        kept = np.flatnonzero(keep).tolist()
        return Objects(
            self.rows[keep],
            [self.corners[number] for number in kept],
            [self.outlines[number] for number in kept],
            self.visible[keep],
            self.scale[keep],
            self.loose[keep],
            [self.points[number] for number in kept],
            [self.mirrors[number] for number in kept],
            self.oriented[keep],
            self.total,
        )

    def boxes(self) -> np.ndarray:
        """(n, 4) float pixels, xmin ymin xmax ymax."""
        boxes = []
        for points, outline, loose in zip(self.corners, self.outlines, self.loose.tolist(), strict=True):
            boxes.append((_box_of(outline) if loose else None) or box_around(points))
        return np.array(boxes, dtype=np.float64).reshape(-1, 4).round(_DECIMALS)

    def segmentations(self) -> list[str | None]:
        """As the manifest has them; an oriented box has four corners."""
        return [
            _as_text(four_corners(outline) if oriented == 2 and outline is not None else outline)
            for outline, oriented in zip(self.outlines, self.oriented.tolist(), strict=True)
        ]

    def keypoints(self) -> list[str | None]:
        """As the manifest has them."""
        return [None if points is None else text_of(points.round(_DECIMALS)) for points in self.points]


def join(parts: Sequence[Objects]) -> Objects:
    """The objects of several images on one; their rows are counted on from image to image."""
    starts = np.cumsum([0, *(part.total for part in parts)]).tolist()
    return Objects(
        np.concatenate([part.rows + start for part, start in zip(parts, starts[:-1], strict=True)]),
        [points for part in parts for points in part.corners],
        [outline for part in parts for outline in part.outlines],
        np.concatenate([part.visible for part in parts]),
        np.concatenate([part.scale for part in parts]),
        np.concatenate([part.loose for part in parts]),
        [points for part in parts for points in part.points],
        [mirror for part in parts for mirror in part.mirrors],
        np.concatenate([part.oriented for part in parts]),
        starts[-1],
    )


def _outline(text: str | None) -> Outline:
    if not text:
        return None
    content = json.loads(text)
    if isinstance(content, dict):
        return mask_of(text, content["size"][1], content["size"][0])
    return [np.array(polygon, dtype=np.float64).reshape(-1, 2) for polygon in content]


def _moved_outline(outline: Outline, frame: Frame) -> Outline:
    if outline is None:
        return None
    if isinstance(outline, np.ndarray):
        return frame.move_mask(outline)
    return [frame.move(polygon) for polygon in outline]


def _cut_outline(moved: Outline, before: Outline, share: float, frame: Frame) -> tuple[Outline, float]:
    """The outline inside the new image, and the share of it that is left; `share`, the box's, where there is none."""
    if moved is None or before is None:
        return None, share
    if isinstance(moved, np.ndarray):
        whole = float(np.count_nonzero(before)) * frame.scale
        return moved, min(1.0, np.count_nonzero(moved) / whole) if whole else share
    cut = [cut_polygon(polygon, frame.width, frame.height) for polygon in moved]
    whole = sum(map(area, moved))
    left = [polygon for polygon in cut if len(polygon) > 2 and area(polygon) > 0]
    return left, min(1.0, sum(map(area, left)) / whole) if whole else share


def _ratio(cut: np.ndarray, whole: np.ndarray) -> float:
    total = area(whole)
    return min(1.0, area(cut) / total) if total > 0 else 0.0


def _covered_share(box: list[float], holes: Sequence[tuple[float, float, float, float]]) -> float:
    """How much of a box lies under rectangles, which may overlap each other."""
    xmin, ymin, xmax, ymax = box
    inside = [(max(a, xmin), max(b, ymin), min(c, xmax), min(d, ymax)) for a, b, c, d in holes]
    inside = [hole for hole in inside if hole[0] < hole[2] and hole[1] < hole[3]]
    xs = sorted({x for hole in inside for x in (hole[0], hole[2])})
    ys = sorted({y for hole in inside for y in (hole[1], hole[3])})
    under = 0.0
    for left, right in itertools.pairwise(xs):
        for top, bottom in itertools.pairwise(ys):
            if any(a <= left and right <= c and b <= top and bottom <= d for a, b, c, d in inside):
                under += (right - left) * (bottom - top)
    whole = (xmax - xmin) * (ymax - ymin)
    return under / whole if whole > 0 else 0.0


def _box_of(outline: Outline) -> list[float] | None:
    if outline is None or not len(outline):
        return None
    if not isinstance(outline, np.ndarray):
        return box_around(np.concatenate(outline))
    columns, rows = np.flatnonzero(outline.any(axis=0)), np.flatnonzero(outline.any(axis=1))
    if not len(columns):
        return None
    return [float(columns[0]), float(rows[0]), float(columns[-1] + 1), float(rows[-1] + 1)]


def _as_text(outline: Outline) -> str | None:
    if outline is None or not len(outline):
        return None
    if isinstance(outline, np.ndarray):
        return from_mask(outline) if outline.any() else None
    return json.dumps([polygon.round(_DECIMALS).ravel().tolist() for polygon in outline], separators=(",", ":"))
