"""What is drawn over a picture: boxes and keypoints in per cent of its sides, outlines in thousandths, so that they fit
any size.
"""

from __future__ import annotations

import json
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from math import isfinite
from unicodedata import east_asian_width

from shardsmith.dataset.manifest import Annotation
from shardsmith.dataset.shapes import keypoints_of
from shardsmith.report.areas import Box, Viewport, upright

COLOURS = 10
MOST_MARKS = 80
_MOST_POINTS = 400  # of all outlines of a picture
_MOST_LETTERS = 28


@dataclass(frozen=True)
class Mark:
    """
    colour: 0 to COLOURS - 1, the same for a class everywhere.
    left, top, width, height: per cent.
    at_right, inside: where the name goes so that it stays on the picture: by the right corner; below the upper edge.
    outlines: points as SVG has them, in thousandths.
    points: x, y in per cent, and whether it is seen, of each keypoint that is there; edges: x1, y1, x2, y2.
    """

    name: str
    colour: int
    left: str
    top: str
    width: str
    height: str
    name_x: str
    name_y: str
    at_right: bool
    inside: bool
    outlines: tuple[str, ...]
    points: tuple[tuple[str, str, bool], ...] = ()
    edges: tuple[tuple[str, str, str, str], ...] = ()


def marks_of(frame: Viewport, annotations: Sequence[Annotation], colours: Mapping[str, int]) -> list[Mark]:
    """The first MOST_MARKS boxes; small ones last, so that a large one does not hide them."""
    boxed = [(row, box) for row in annotations if (box := _box(row))][:MOST_MARKS]
    points = _MOST_POINTS // max(1, sum(row.segmentation is not None for row, _ in boxed))
    marks = [_mark(row, box, frame, colours[row.label], points) for row, box in boxed]
    return sorted(marks, key=lambda mark: -float(mark.width) * float(mark.height))


def _box(row: Annotation) -> Box | None:
    """None for a label of the whole image, and for a box that validate has not seen yet and that cannot be drawn."""
    sides = [side for side in (row.xmin, row.ymin, row.xmax, row.ymax) if side is not None and isfinite(side)]
    return upright(*sides) if len(sides) == 4 else None


def _mark(row: Annotation, box: Box, frame: Viewport, colour: int, most_points: int) -> Mark:
    left, right = frame.x(box[0]), frame.x(box[2])
    top, bottom = frame.y(box[1]), frame.y(box[3])
    at_right = left > 60
    points, edges = keypoints_of(row)
    places = [(f"{frame.x(x):.5g}", f"{frame.y(y):.5g}", seen) for x, y, seen in points]
    return Mark(
        name=shortened(row.label, _MOST_LETTERS),
        colour=colour % COLOURS,
        left=f"{left:.5g}",
        top=f"{top:.5g}",
        width=f"{max(right - left, 0):.5g}",
        height=f"{max(bottom - top, 0):.5g}",
        name_x=f"{right if at_right else left:.5g}",
        name_y=f"{top:.5g}",
        at_right=at_right,
        inside=top < 9,
        outlines=_outlines(row.segmentation, frame, most_points),
        points=tuple(places),
        edges=tuple((*places[a][:2], *places[b][:2]) for a, b in edges),
    )


def _outlines(segmentation: str | None, frame: Viewport, most: int) -> tuple[str, ...]:
    """Polygons with at most so many points together, 4 each at least; a mask has none."""
    content = json.loads(segmentation) if segmentation else []
    if isinstance(content, dict):
        return ()
    step = max(1, sum(len(polygon) // 2 for polygon in content) // max(most, 1))
    polygons = []
    for polygon in content[:20]:
        corners = list(zip(polygon[::2], polygon[1::2], strict=False))
        corners = corners[:: min(step, max(1, len(corners) // 4))]
        polygons.append(" ".join(f"{10 * frame.x(x):.0f},{10 * frame.y(y):.0f}" for x, y in corners))
    return tuple(polygons)


def letters(text: str) -> int:
    """How wide a text is, in letters; a Chinese one takes the width of two."""
    return sum(1 + (east_asian_width(letter) in "WF") for letter in text)


def shortened(text: str, most: int) -> str:
    """Text at most as wide as so many letters, in one line; a Chinese one takes the width of two."""
    text = " ".join(text.split())
    widths = list(accumulate(1 + (east_asian_width(letter) in "WF") for letter in text))
    if not widths or widths[-1] <= most:
        return text
    return f"{text[: bisect_right(widths, most - 1)]}…"
