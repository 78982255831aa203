"""The box that a finding is about, marked so that it is seen on any picture, in any light, without telling colours."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite

from shardsmith.dataset.findings import Finding
from shardsmith.dataset.manifest import Annotation, Image

Box = tuple[float, float, float, float]
_REACH = 1.0  # how far a frame goes beyond the image, in sides of it
_MARGIN = 0.06
_LEAST = 0.12  # of the frame: what is marked by itself; a smaller box gets a ring of this size
_ARROW = (2, 10)  # per cent of width and height: from the frame's edge
_ANCHORS = {-1: "start", 0: "middle", 1: "end"}
_ARROWS = {
    (-1, -1): "↖", (0, -1): "↑", (1, -1): "↗", (-1, 0): "←", (1, 0): "→", (-1, 1): "↙", (0, 1): "↓", (1, 1): "↘",
}  # fmt: skip


@dataclass(frozen=True)
class Viewport:
    """What is shown of the plane, in pixels of the image: all of it, and more where a box lies outside."""

    left: float
    top: float
    width: float
    height: float

    @classmethod
    def of(cls, image: Image) -> Viewport:
        return cls(0, 0, image.width or 1, image.height or 1)

    def x(self, place_px: float) -> float:
        """In per cent of the frame's width."""
        return 100 * (place_px - self.left) / self.width

    def y(self, place_px: float) -> float:
        return 100 * (place_px - self.top) / self.height


@dataclass(frozen=True)
class Area:
    """A rectangle in per cent of the frame, as SVG has it."""

    left: str
    top: str
    width: str
    height: str

    @classmethod
    def of(cls, left: float, top: float, right: float, bottom: float) -> Area:
        return cls(*(f"{max(value, 0):.4g}" for value in (left, top, right - left, bottom - top)))


@dataclass(frozen=True)
class Pointed:
    """
    box: None where it lies beyond the frame; then `arrow` says which way, at (x, y) per cent, and
        `anchor` which end of it is there.
    ring: around a box too small to be seen.
    shade: what is not meant.
    """

    box: Area | None
    ring: Area | None
    shade: list[Area]
    arrow: str = ""
    x: str = ""
    y: str = ""
    anchor: str = ""


def box_of(finding: Finding, annotations: Sequence[Annotation]) -> Box | None:
    """xmin ymin xmax ymax in pixels of the image; None where the finding is about no box, or about one without place.

    Args:
        annotations: the image's, as ingest wrote them.
    """
    row = next((one for one in annotations if finding.source_key and one.source_key == finding.source_key), None)
    sides = [side for side in (row.xmin, row.ymin, row.xmax, row.ymax) if side is not None] if row else []
    return upright(*sides) if len(sides) == 4 and all(isfinite(side) for side in sides) else None


def upright(x1: float, y1: float, x2: float, y2: float) -> Box:
    return min(x1, x2), min(y1, y2), max(x1, x2), max(y1, y2)


def frame_of(image: Image, box: Box | None) -> Viewport:
    """The image, and around it as much as shows the box; where it is too far away, a margin for an arrow."""
    whole = Viewport.of(image)
    if box is None:
        return whole
    (left, right), (top, bottom) = (
        _span(low, high, side) for low, high, side in ((box[0], box[2], whole.width), (box[1], box[3], whole.height))
    )
    return Viewport(left, top, right - left, bottom - top)


def _span(low: float, high: float, side: float) -> tuple[float, float]:
    start, end = min(0.0, low), max(side, high)
    start, end = (start - _MARGIN * side if start < 0 else 0.0), (end + _MARGIN * side if end > side else side)
    far = _REACH * side
    near = 3 * _MARGIN * side
    if high < -far:
        start = -near
    if low > side + far:
        end = side + near
    return max(start, -far), min(end, side + far)


def point(frame: Viewport, box: Box) -> Pointed:
    left, right = (frame.x(side) for side in (box[0], box[2]))
    top, bottom = (frame.y(side) for side in (box[1], box[3]))
    across, down = _beyond(left, right), _beyond(top, bottom)
    if across or down:
        x, y = (
            min(max((low + high) / 2, edge), 100 - edge)
            for low, high, edge in ((left, right, _ARROW[0]), (top, bottom, _ARROW[1]))
        )
        return Pointed(None, None, [], _ARROWS[across, down], f"{x:.4g}", f"{y:.4g}", _ANCHORS[across])
    # within the frame, so that each edge is to be seen
    left, right, top, bottom = (min(max(side, 0.0), 100.0) for side in (left, right, top, bottom))
    box_area = Area.of(left, top, right, bottom)
    ring = None
    if min(right - left, bottom - top) < 100 * _LEAST / 3:
        (left, right), (top, bottom) = (_grown(left, right), _grown(top, bottom))
        ring = Area.of(left, top, right, bottom)
    left, right, top, bottom = (min(max(side, 0.0), 100.0) for side in (left, right, top, bottom))
    shade = [
        Area.of(0, 0, 100, top),
        Area.of(0, bottom, 100, 100),
        Area.of(0, top, left, bottom),
        Area.of(right, top, 100, bottom),
    ]
    return Pointed(box_area, ring, [area for area in shade if area.width != "0" and area.height != "0"])


def _beyond(low: float, high: float) -> int:
    """-1 or 1: before or behind the frame."""
    return -1 if high < 0 else 1 if low > 100 else 0


def _grown(low: float, high: float) -> tuple[float, float]:
    """Wide enough to be seen, and a little away from what it surrounds."""
    middle, half = (low + high) / 2, max((high - low) / 2 + 3, 50 * _LEAST)
    return middle - half, middle + half
