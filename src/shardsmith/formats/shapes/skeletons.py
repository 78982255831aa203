"""What writers ask of keypoints and oriented boxes."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence

import pyarrow as pa
import pyarrow.compute as pc

from shardsmith.dataset.manifest import Annotation
from shardsmith.dataset.shapes import Skeleton, numbered_names, parse_skeleton, skeleton_of


def skeletons_of(annotations: pa.Table) -> dict[str, Skeleton]:
    """Class -> the skeleton of its keypoints, for each class that has some; the largest where sources differ."""
    known = annotations.filter(pc.is_valid(annotations["keypoints"])).select(["label", "skeleton"])
    pairs = known.group_by(["label", "skeleton"]).aggregate([]).to_pylist()
    found = [(pair["label"], parse_skeleton(pair["skeleton"])) for pair in pairs if pair["skeleton"]]
    return dict(sorted(found, key=lambda one: (one[0], len(one[1].names), one[1].names)))


def common_skeleton(skeletons: Iterable[Skeleton]) -> Skeleton:
    """For formats where all classes have one: the largest; its points have no names where the classes' names differ."""
    every = sorted(set(skeletons), key=lambda one: (len(one.names), one.names))
    largest = every[-1]
    if all(one.names == largest.names[: len(one.names)] for one in every):
        return largest
    names = numbered_names(len(largest.names))
    same = all(one.mirror == largest.mirror for one in every)
    return skeleton_of(names, (), largest.mirror if same else range(len(names)))


def points_of(row: Annotation, count: int) -> list[float]:
    """x, y, v of `count` points: those that an object does not have are not there."""
    points = json.loads(row.keypoints)[: 3 * count] if row.keypoints else []
    return [*points, *[0] * (3 * count - len(points))]


def corners_of(row: Annotation) -> list[tuple[float, float]]:
    """The four corners of an oriented box, clockwise from its first; those of the box for any other annotation."""
    if row.kind == "oriented" and row.segmentation:
        return clockwise(json.loads(row.segmentation)[0])
    if row.xmin is None or row.ymin is None or row.xmax is None or row.ymax is None:
        raise ValueError(f"{row.image_id}: a label of the whole image has no corners")
    return [(row.xmin, row.ymin), (row.xmax, row.ymin), (row.xmax, row.ymax), (row.xmin, row.ymax)]


def clockwise(flat: Sequence[float]) -> list[tuple[float, float]]:
    """The points of a flat list x, y, x, y, ..., clockwise as the image shows them, the first one first."""
    points = [*zip(flat[::2], flat[1::2], strict=True)]
    return points if _is_clockwise(points) else [points[0], *points[:0:-1]]


def rotation_of(row: Annotation) -> float:
    """How far an oriented box is turned, in degrees clockwise, by its first side: 0 to 360."""
    (x1, y1), (x2, y2), *_ = corners_of(row)
    return round(math.degrees(math.atan2(y2 - y1, x2 - x1)) % 360, 4)


def _is_clockwise(points: Sequence[tuple[float, float]]) -> bool:
    """As the image shows it: y grows downwards."""
    return sum(a[0] * b[1] - b[0] * a[1] for a, b in zip(points, [*points[1:], points[0]], strict=True)) >= 0
