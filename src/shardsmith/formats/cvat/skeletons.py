"""CVAT's skeletons: what the task says of their points, and the points of one; no disk.

A point is `outside` where it is not on the image, `occluded` where it is hidden. `svg` of a label draws its skeleton: a
circle a point, a line an edge. Source: "XML annotation format" and "Skeletons" of CVAT's documentation.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from xml.etree.ElementTree import Element, ParseError

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import fromstring

from shardsmith.dataset.shapes import HIDDEN, SEEN, OutlineError, Skeleton, box_around_points, parse_points, skeleton_of
from shardsmith.formats.shapes.outlines import points_of
from shardsmith.formats.shapes.placement import Box

TAG = "skeleton"


@dataclass(frozen=True)
class Points:
    """The keypoints of one object: the box around them, and both as the manifest has them."""

    box: Box
    keypoints: str
    skeleton: str


def skeletons_in(root: Element) -> dict[str, Skeleton]:
    """Label -> its skeleton, as the task's labels declare them."""
    labels = [label for meta in root.findall("meta") for label in meta.iter("label")]
    names: dict[str, list[str]] = {}
    for label in labels:
        name, parent = _text(label, "name"), _text(label, "parent")
        if name and parent and name not in names.setdefault(parent, []):
            names[parent].append(name)
    drawn = {_text(label, "name"): _text(label, "svg") for label in labels if _text(label, "type") == TAG}
    return {label: skeleton_of(points, _edges(drawn.get(label, ""), points)) for label, points in names.items()}


def _text(label: Element, tag: str) -> str:
    return (label.findtext(tag) or "").strip()


def _edges(svg: str, names: list[str]) -> list[tuple[int, int]]:
    """Pairs of numbers of points; [] where the drawing cannot be read."""
    try:
        drawing = fromstring(f"<svg>{svg}</svg>")
    except (ParseError, DefusedXmlException, ValueError):
        return []
    nodes = {node.get("data-node-id"): node.get("data-label-name") for node in drawing.iter("circle")}
    ends = [
        (nodes.get(line.get("data-node-from")), nodes.get(line.get("data-node-to"))) for line in drawing.iter("line")
    ]
    return [(names.index(a), names.index(b)) for a, b in ends if a in names and b in names]


def points_in(shape: Element, known: Mapping[str, Skeleton]) -> Points:
    """The points of a skeleton on an image; those that the label declares, and then any others, in their order.

    Raises:
        OutlineError: none of them is on the image, or one cannot be read.
    """
    said = {(point.get("label") or "").strip(): point for point in shape.findall("points")}
    declared = known.get((shape.get("label") or "").strip(), Skeleton(()))
    names = [*declared.names, *(name for name in said if name not in declared.names)]
    values: list[float] = []
    for name in names:
        point = said.get(name)
        if point is None or point.get("outside") == "1":
            values += [0, 0, 0]
        else:
            ((x, y),) = points_of([place.split(",") for place in point.get("points", "").split(";")])
            values += [x, y, HIDDEN if point.get("occluded") == "1" else SEEN]
    keypoints = parse_points(values, len(names))
    if keypoints is None:
        raise OutlineError("none of its points is on the image")
    skeleton = declared if len(names) == len(declared.names) else skeleton_of(names, declared.edges)
    return Points(box_around_points(keypoints), keypoints, skeleton.text())
