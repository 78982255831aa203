"""Keypoints that a tool draws one by one, each with a name, and ties to the object that they belong to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from shardsmith.dataset.images import ImageInfo
from shardsmith.dataset.manifest import Annotation
from shardsmith.dataset.shapes import SEEN, parse_points, skeleton_of
from shardsmith.formats.shapes.placement import Size, keypoints_on_displayed

Place = tuple[float, float]


@dataclass(frozen=True)
class Named:
    """An object, and its points by name in pixels of the image of `info` as the source declares it."""

    row: Annotation
    points: Mapping[str, Place]
    info: ImageInfo
    declared_px: Size | None


def give_points(every: Sequence[Named]) -> None:
    """Say of the objects what keypoints they have: each class has one skeleton, of all the names that its objects have,
    in the order in which they come.
    """
    names: dict[str, dict[str, None]] = {}
    for one in every:
        names.setdefault(one.row.label, {}).update(dict.fromkeys(one.points))
    for one in every:
        of_class = list(names[one.row.label])
        places = [(*one.points[name], SEEN) if name in one.points else (0, 0, 0) for name in of_class]
        keypoints = parse_points([value for place in places for value in place], len(of_class))
        one.row.keypoints = keypoints and keypoints_on_displayed(keypoints, one.info, one.declared_px)
        one.row.skeleton = skeleton_of(of_class).text() if one.row.keypoints else None
