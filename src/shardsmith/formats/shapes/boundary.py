"""A mask's boundary as polygons, along the edges of its pixels: COCO's rule draws the very same mask from them.

Pixels that touch at a corner are of one part. A hole is joined to the line around its part by a seam without area: the
even-odd rule, by which COCO and OpenCV fill, leaves it empty.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

import numpy as np
from pycocotools import mask as rle_tools

from shardsmith.dataset.shapes import to_mask
from shardsmith.formats.shapes.placement import Size

_LEAST, _MOST = 200, 1_000_000  # corners to look at for a seam: of a ring, and of all where a mask is noise


def as_polygons(outline: str) -> list[list[float]]:
    """An outline of the manifest as polygons x, y, x, y, ... in pixels: of an RLE a polygon a part."""
    content = json.loads(outline)
    if isinstance(content, list):
        return [part for part in content if len(part) >= 6]
    return [part.ravel().tolist() for part in trace(rle_tools.decode(content))]


def as_one_polygon(outline: str, size_px: Size) -> list[float]:
    """An outline as one polygon x, y, x, y, ... in pixels, its parts joined by seams; [] for an RLE without a pixel.

    Args:
        size_px: (width, height) of the image: polygons that overlap are drawn on it, and traced.
    """
    parts = as_polygons(outline)
    if _overlap(parts, size_px):
        parts = [part.ravel().tolist() for part in trace(to_mask(outline, *size_px))]
    return joined([np.array(part, float).reshape(-1, 2) for part in parts]).ravel().tolist()


def _overlap(parts: Sequence[Sequence[float]], size_px: Size) -> bool:
    """Whether a pixel is in two of them: the even-odd rule would leave it empty."""
    if len(parts) < 2:
        return False
    drawn = rle_tools.frPyObjects(parts, *size_px[::-1])
    return bool(rle_tools.area(drawn).sum() > rle_tools.area(rle_tools.merge(drawn)))


def joined(rings: Sequence[np.ndarray]) -> np.ndarray:
    """Rings (n, 2) as one: each is joined to those before it where they are nearest, by a seam there and back."""
    if not rings:
        return np.zeros((0, 2))
    points = np.concatenate(rings)
    path, after = list(range(len(points))), list(range(1, len(points) + 1))  # a step's point, and the next step
    end, window = len(rings[0]), max(_LEAST, _MOST // len(rings))
    after[end - 1] = -1
    for ring in rings[1:]:
        start, end = end, end + len(ring)
        near = points[max(0, start - window) : start]
        one, other = divmod(int(((near[:, None] - ring[None]) ** 2).sum(axis=2).argmin()), len(ring))
        here, there, back = start - len(near) + one, start + other, len(path)
        path += [there, here]
        after += [back + 1, after[here]]
        after[end - 1] = start
        after[there - 1 if other else end - 1] = back
        after[here] = there
    steps, at = [], 0
    while at >= 0:
        steps.append(path[at])
        at = after[at]
    return points[steps]


def trace(mask: np.ndarray) -> list[np.ndarray]:
    """The parts of a mask (height, width), 0 outside: a ring (n, 2) of whole x, y each, its holes joined to it."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not len(rows):
        return []
    inside = np.pad(mask[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1] != 0, 1)
    corners, tops, bottoms = _corners(inside)
    places = corners[tops] @ (len(inside), 1)  # of upright edges, in order
    part = np.full(len(corners), -1)  # of each corner
    parts: list[list[np.ndarray]] = []
    for ring in _rings(tops, bottoms):
        x, y = corners[ring[0]].tolist()
        if inside[y + 1, x + 1]:
            part[ring] = len(parts)
            parts.append([corners[ring]])
        else:  # a hole is of the part whose pixels begin left of it, at an edge that was seen before
            begin = np.flatnonzero(~inside[y + 1, : x + 1])[-1]
            edge = np.searchsorted(places, begin * len(inside) + y, "right") - 1
            part[ring] = part[tops[edge]]
            parts[part[ring[0]]].append(corners[ring])
    return [joined(of_part) + np.array([columns[0], rows[0]]) for of_part in parts]


def _corners(inside: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(corners (n, 2) x, y; upright edges by the numbers of their tops, and of their bottoms).

    A level edge goes from each corner of an even number to the next. Where two pixels touch at a corner it counts
    twice, first as the end of the edge to its left:

           left  |           two of the four pixels around a corner:
        ---------+---------   1 .   the left edge goes on below, the right one above
                 |  right     . 1   (the other way round for . 1 over 1 .)

    Args:
        inside: with a frame of pixels that are not.
    """
    above_left, above, left, here = inside[:-1, :-1], inside[:-1, 1:], inside[1:, :-1], inside[1:, 1:]
    touching = (above_left == here) & (above == left) & (above != here)
    ys, xs = np.nonzero(touching | (above_left ^ above ^ left ^ here))
    times = 1 + touching[ys, xs]
    ys, xs = np.repeat(ys, times), np.repeat(xs, times)
    is_end = np.arange(len(xs)) % 2 == 1
    order = np.lexsort((touching[ys, xs] & (is_end == here[ys, xs]), ys, xs))
    return np.stack([xs, ys], axis=1), order[0::2], order[1::2]


def _rings(tops: np.ndarray, bottoms: np.ndarray) -> Iterator[list[int]]:
    """The closed lines of corners, by their numbers, each from its topmost, leftmost one on."""
    other = np.empty(2 * len(tops), int)
    other[tops], other[bottoms] = bottoms, tops
    ends, seen = other.tolist(), bytearray(len(other))
    for start in range(0, len(ends), 2):
        ring, at = [], start
        while not seen[at]:
            seen[at] = seen[at ^ 1] = 1
            ring += [at, at ^ 1]
            at = ends[at ^ 1]
        if ring:
            yield ring
