"""Objects after a step that only shows, for each new pixel, which old place it came from.

Places are (height, width, 3) float32: x and y, in old pixels from the corner, and the share of the new pixel that
shows the old image at all (0: painted over, or never part of it), by which x and y are multiplied. Where they make an
affine map, boxes, polygons and keypoints are moved exactly; else each object is drawn anew, as a mask, from the places
inside it, and each keypoint goes to the pixel that shows its place.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from shardsmith.dataset.shapes import to_mask
from shardsmith.transforms.geometry.frame import Frame
from shardsmith.transforms.geometry.objects import Objects
from shardsmith.transforms.geometry.points import find_points, hide_points
from shardsmith.transforms.geometry.polygons import area, box_around, corners_of

Plane = tuple[float, float, float]
"""z = p u + q v + r"""
Window = tuple[slice, slice]
"""Rows and columns."""
_SAMPLES = 64  # a side; enough places to know an affine map by
_FEWEST = 16
_SAME_PX = 0.05  # OpenCV knows places to 1/32 of a pixel
_SNAP_PX = 0.01
_WHOLE = 0.9999
_SMOOTH = 4  # a pixel that shows more times the usual area lies on a tear


def where(width_px: int, height_px: int) -> np.ndarray:
    """The places of an image that nothing has changed."""
    places = np.ones((height_px, width_px, 3), np.float32)
    places[..., 0] = np.arange(width_px) + 0.5
    places[..., 1] = np.arange(height_px)[:, None] + 0.5
    return places


def follow(objects: Objects, width_px: int, height_px: int, places: np.ndarray) -> Objects:
    """The objects of an image of that size, as they lie on the one that shows these places."""
    if not len(objects.rows):
        return objects
    view = _View(places)
    frame = _affine(view, width_px, height_px)
    if frame is None and np.array_equal(places, where(width_px, height_px)):
        return objects
    if frame is None:
        return _drawn_anew(objects, width_px, height_px, view)
    moved = objects if frame == Frame(width_px, height_px) else _moved(objects, frame)
    hidden = _hidden(view, frame, width_px, height_px)
    return _covered(moved, hidden) if hidden.any() else moved


def shapes(objects: Objects, width_px: int, height_px: int) -> np.ndarray:
    """(height, width) int32: at each pixel the number, from 1, of the last object that covers it; else 0."""
    drawn = np.zeros((height_px, width_px), np.int32)
    for number, mask in enumerate(_masks(objects, width_px, height_px)):
        window, inside = _inside_here(objects.corners[number], mask, width_px, height_px)
        drawn[window][inside] = number + 1
    return drawn


@dataclass(frozen=True)
class _View:
    """x, y: (height, width) old pixels; seen: (height, width) bool, where they mean anything."""

    places: np.ndarray

    @cached_property
    def seen(self) -> np.ndarray:
        return self.places[..., 2] > 0.5

    @cached_property
    def x(self) -> np.ndarray:
        return self.places[..., 0] / np.where(self.seen, self.places[..., 2], 1)

    @cached_property
    def y(self) -> np.ndarray:
        return self.places[..., 1] / np.where(self.seen, self.places[..., 2], 1)

    @property
    def height(self) -> int:
        return self.places.shape[0]

    @property
    def width(self) -> int:
        return self.places.shape[1]


def _affine(view: _View, width_px: int, height_px: int) -> Frame | None:
    """The affine map from the old image to the new one, if the places make one: a least-squares fit to some of them."""
    down, across = max(1, view.height // _SAMPLES), max(1, view.width // _SAMPLES)
    some = _View(view.places[::down, ::across].astype(np.float64))
    x, y = some.x, some.y
    # next to an edge of what is shown, places are drawn towards it
    inner = some.seen & _central(x.shape) & (x > 1) & (x < width_px - 1) & (y > 1) & (y < height_px - 1)
    if np.count_nonzero(inner) < _FEWEST:
        return None
    u, v = (side[inner] for side in np.meshgrid(np.arange(x.shape[1]) * across, np.arange(x.shape[0]) * down))
    old_x = _plane(u + 0.5, v + 0.5, x[inner], view)
    old_y = _plane(u + 0.5, v + 0.5, y[inner], view)
    return _inverse(old_x, old_y, view) if old_x and old_y else None


def _central(shape: tuple[int, ...]) -> np.ndarray:
    rows, columns = (np.minimum(np.arange(side), np.arange(side)[::-1]) >= side // 8 for side in shape)
    return rows[:, None] & columns


def _plane(u: np.ndarray, v: np.ndarray, z: np.ndarray, view: _View) -> Plane | None:
    """The plane through all points, if there is one. Sums are written out: see frame.py."""
    mean_u, mean_v, mean_z = (float(values.mean()) for values in (u, v, z))
    du, dv, dz = u - mean_u, v - mean_v, z - mean_z
    uu, vv, uv = (float(values.sum()) for values in (du * du, dv * dv, du * dv))
    zu, zv = float((dz * du).sum()), float((dz * dv).sum())
    if (det := uu * vv - uv * uv) <= 0:
        return None
    p = _snapped((zu * vv - zv * uv) / det, view.width)
    q = _snapped((zv * uu - zu * uv) / det, view.height)
    if np.abs(p * du + q * dv - dz).max() > _SAME_PX * max(1, abs(p) + abs(q)):
        return None
    return p, q, _snapped(mean_z - p * mean_u - q * mean_v, 1)


def _snapped(value: float, times: int) -> float:
    """A whole number that makes no difference over so many pixels; else rounded, so that every CPU has the same."""
    near = round(value)
    return float(near) if abs(value - near) * times < _SNAP_PX else round(value, 9)


def _inverse(x: Plane, y: Plane, view: _View) -> Frame | None:
    (p, q, r), (s, t, w) = x, y
    if abs(det := p * t - q * s) < 1e-9:
        return None
    a, b, c, d = t / det, -q / det, -s / det, p / det
    tx, ty = -(a * r + b * w), -(c * r + d * w)
    return Frame(view.width, view.height, *(round(value, 8) for value in (a, b, tx, c, d, ty)))


def _moved(objects: Objects, frame: Frame) -> Objects:
    """A frame found by a fit may put an object at an edge a little past it, where nothing is cut off."""
    moved = objects.moved(frame)
    before = objects.visible[np.isin(objects.rows, moved.rows)]
    return replace(moved, visible=np.where(moved.visible > before * _WHOLE, before, moved.visible))


def _hidden(view: _View, frame: Frame, width_px: int, height_px: int) -> np.ndarray:
    """(height, width) bool: what shows no old place although the map has one for it."""
    rows, columns = np.nonzero(~view.seen)
    u, v, det = columns + 0.5 - frame.tx, rows + 0.5 - frame.ty, frame.a * frame.d - frame.b * frame.c
    x, y = (frame.d * u - frame.b * v) / det, (frame.a * v - frame.c * u) / det
    hidden = np.zeros_like(view.seen)
    # a pixel along the edge may count as outside
    hidden[~view.seen] = (x > 1) & (x < width_px - 1) & (y > 1) & (y < height_px - 1)
    return hidden


def _covered(objects: Objects, hidden: np.ndarray) -> Objects:
    """The places stay, less of each is visible; one with nothing visible goes."""
    height, width = hidden.shape
    visible = objects.visible.copy()
    for number, mask in enumerate(_masks(objects, width, height)):
        window, inside = _inside_here(objects.corners[number], mask, width, height)
        if whole := np.count_nonzero(inside):
            visible[number] *= 1 - np.count_nonzero(inside & hidden[window]) / whole
    points = [None if each is None else hide_points(each, hidden) for each in objects.points]
    return replace(objects, visible=visible, points=points).only(visible > 0)


def _drawn_anew(objects: Objects, width_px: int, height_px: int, view: _View) -> Objects:
    """Each object as the new pixels that show a place inside it."""
    corners, outlines = list(objects.corners), list(objects.outlines)
    visible, scale = objects.visible.copy(), objects.scale.copy()
    for number, mask in enumerate(_masks(objects, width_px, height_px)):
        window, inside = _inside(objects.corners[number], mask, view)
        whole = area(objects.corners[number]) if mask is None else float(np.count_nonzero(mask))
        if not (pixels := np.count_nonzero(inside)) or not whole:
            visible[number] = 0
            continue
        top, left = window[0].start, window[1].start
        rows, columns = np.flatnonzero(inside.any(axis=1)) + top, np.flatnonzero(inside.any(axis=0)) + left
        box = np.array([[columns[0], rows[0], columns[-1] + 1, rows[-1] + 1]], np.float64)
        corners[number] = corners_of(box)[0]
        share = _share_shown(window, inside, whole, view) if _reaches_edge(box[0].tolist(), view) else 1.0
        visible[number] *= share
        scale[number] *= pixels / (share * whole)
        if mask is not None:
            outlines[number] = drawn = np.zeros(view.seen.shape, np.uint8)
            drawn[window] = inside
    return replace(
        objects,
        corners=corners,
        outlines=outlines,
        visible=visible,
        scale=scale,
        loose=np.ones_like(objects.loose),
        oriented=objects.oriented.clip(max=1) * np.int8(2),
        points=find_points(objects.points, objects.mirrors, view.x, view.y, view.seen),
    ).only(visible > 0)


def _reaches_edge(box: list[float], view: _View) -> bool:
    """Whether an object touches the new image's edge, or something that shows no old place."""
    left, top, right, bottom = (int(side) for side in box)
    if left == 0 or top == 0 or right == view.width or bottom == view.height:
        return True
    return not view.seen[top - 1 : bottom + 1, left - 1 : right + 1].all()


def _share_shown(window: Window, inside: np.ndarray, whole: float, view: _View) -> float:
    """How much of an object's old area its new pixels show, by how far apart the places of neighbours lie."""
    if min(inside.shape) < 2:
        return min(1.0, np.count_nonzero(inside) / whole)
    (x_down, x_across), (y_down, y_across) = np.gradient(view.x[window]), np.gradient(view.y[window])
    shown = np.abs(x_across * y_down - x_down * y_across)[inside]
    smooth = shown[shown <= _SMOOTH * np.median(shown)]
    return min(1.0, float(smooth.mean()) * len(shown) / whole) or 1 / whole


def _masks(objects: Objects, width_px: int, height_px: int) -> list[np.ndarray | None]:
    """Of each object whose outline is known: (height, width) uint8."""
    return [
        outline
        if outline is None or isinstance(outline, np.ndarray)
        else to_mask(json.dumps([polygon.ravel().tolist() for polygon in outline]), width_px, height_px)
        for outline in objects.outlines
    ]


def _inside(corners: np.ndarray, mask: np.ndarray | None, view: _View) -> tuple[Window, np.ndarray]:
    """The window that holds all pixels which show a place inside an object; (rows, columns) bool, which those are."""
    xmin, ymin, xmax, ymax = box_around(corners) if mask is None else _extent(mask)
    within = view.seen & (view.x >= xmin) & (view.x < xmax) & (view.y >= ymin) & (view.y < ymax)
    rows, columns = np.flatnonzero(within.any(axis=1)), np.flatnonzero(within.any(axis=0))
    if not len(rows):
        return (slice(0, 0), slice(0, 0)), np.zeros((0, 0), bool)
    window = slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1)
    inside, x, y = within[window], view.x[window], view.y[window]
    if mask is not None:
        column, row = x.astype(np.intp), y.astype(np.intp)
        return window, inside & mask[row.clip(0, mask.shape[0] - 1), column.clip(0, mask.shape[1] - 1)].astype(bool)
    for here, after in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        side = (after[0] - here[0]) * (y - here[1]) - (after[1] - here[1]) * (x - here[0])
        inside &= side >= 0 if _clockwise(corners) else side <= 0
    return window, inside


def _inside_here(
    corners: np.ndarray, mask: np.ndarray | None, width_px: int, height_px: int
) -> tuple[Window, np.ndarray]:
    """The same where nothing has moved."""
    xmin, ymin, xmax, ymax = box_around(corners) if mask is None else _extent(mask)
    left, top = max(0, int(xmin)), max(0, int(ymin))
    right, bottom = min(width_px, int(xmax) + 1), min(height_px, int(ymax) + 1)
    near = where(max(0, right - left), max(0, bottom - top)) + np.array([left, top, 0], np.float32)
    (rows, columns), inside = _inside(corners, mask, _View(near))
    return (slice(rows.start + top, rows.stop + top), slice(columns.start + left, columns.stop + left)), inside


def _extent(mask: np.ndarray) -> list[float]:
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not len(rows):
        return [0.0, 0.0, 0.0, 0.0]
    return [float(columns[0]), float(rows[0]), float(columns[-1] + 1), float(rows[-1] + 1)]


def _clockwise(points: np.ndarray) -> bool:
    """As seen on the screen, where y grows downwards."""
    x, y = points[:, 0], points[:, 1]
    return float((x * np.roll(y, -1) - y * np.roll(x, -1)).sum()) > 0
