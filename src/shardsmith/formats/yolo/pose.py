"""Keypoints of Ultralytics pose datasets: what data.yaml says of them, and the columns behind a box.

Source: Ultralytics' documentation of pose datasets: `kpt_shape: [how many, 2 or 3 values of each]`, `flip_idx` (of each
point the one that takes its place in a mirrored image) and `kpt_names` (class number -> names).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from shardsmith.dataset.manifest import Annotation
from shardsmith.dataset.shapes import Skeleton, numbered_names, parse_points, skeleton_of
from shardsmith.formats.shapes.placement import Size
from shardsmith.formats.shapes.skeletons import points_of

_MOST_POINTS = 1000


@dataclass(frozen=True)
class Pose:
    """count points of per_point values each; names: of a class number; skeleton: of a class that has none there."""

    count: int
    per_point: int
    skeleton: Skeleton
    names: Mapping[int, Skeleton]

    @property
    def columns(self) -> int:
        """How many follow a box."""
        return self.count * self.per_point

    def skeleton_of(self, number: int) -> Skeleton:
        """Of the class with this number, from 0."""
        return self.names.get(number, self.skeleton)


def pose_of(content: Mapping[str, Any]) -> Pose | None:
    """What a parsed data.yaml says of keypoints; None where it says nothing that could be meant."""
    shape = content.get("kpt_shape")
    if not isinstance(shape, list) or len(shape) != 2 or not all(type(one) is int and one > 0 for one in shape):
        return None
    count, per_point = shape
    if per_point not in (2, 3) or count > _MOST_POINTS:
        return None
    flip, names = content.get("flip_idx"), content.get("kpt_names")
    mirror = flip if isinstance(flip, list) and all(type(one) is int for one in flip) else None
    if isinstance(names, list) and all(isinstance(name, str) for name in names):
        names = dict.fromkeys(range(1000), names)  # one list for all classes
    known = names if isinstance(names, dict) else {}
    skeletons = {
        int(number): skeleton_of([str(name) for name in of_class], (), mirror)
        for number, of_class in known.items()
        if str(number).isdecimal() and isinstance(of_class, list) and len(of_class) == count
    }
    return Pose(count, per_point, skeleton_of(numbered_names(count), (), mirror), skeletons)


def guessed_pose(columns: int) -> Pose:
    """Of a label file whose data.yaml says nothing: x, y, visible."""
    return Pose(columns // 3, 3, skeleton_of(numbered_names(columns // 3)), {})


def give_points(row: Annotation, numbers: Sequence[float], number: int, pose: Pose, size_px: Size) -> None:
    """Say what keypoints a row has; numbers are the columns behind its box, of which places are shares of the sides.

    Raises:
        OutlineError: they are no keypoints.
    """
    scales = [*size_px, 1][: pose.per_point] * pose.count
    values = [value * scale for value, scale in zip(numbers, scales, strict=True)]
    row.keypoints = parse_points(values, pose.count, pose.per_point)
    row.skeleton = pose.skeleton_of(number).text() if row.keypoints else None


def format_points(row: Annotation, count: int, size_px: Size) -> list[float]:
    """x, y as shares of the sides, and v, of each point."""
    points = points_of(row, count)
    places = zip(points[::3], points[1::3], points[2::3], strict=True)
    return [value for x, y, v in places for value in (x / size_px[0], y / size_px[1], v)]
