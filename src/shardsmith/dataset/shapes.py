"""Outlines and keypoints as the manifest holds them.

Outlines are COCO polygons [[x, y, ...], ...], or RLE {"size": [h, w], "counts": str}. Keypoints are [x, y, v, ...] in
the order of their skeleton's names; v is 0 for a point that is not there (at 0, 0), 1 for a hidden, 2 for a seen one.

Sources: the data format page of the COCO dataset; maskApi.c of the COCO API: run lengths go down the columns, zeros
first, and their compressed form is a string.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from pycocotools import mask as rle_tools

from shardsmith.dataset.boxes import upright_boxes

Box = tuple[float, float, float, float]
_MAX_PIXELS = 1 << 31
_FARTHEST_PX = 1e7  # pycocotools walks a polygon's edges pixel by pixel, however long
_NUMBERS = {int, float}
ABSENT, HIDDEN, SEEN = 0, 1, 2  # v of a keypoint
_SIDES = {"left": "right", "right": "left", "l": "r", "r": "l"}
_WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|[^A-Za-z]+")
_compact = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False).encode


class OutlineError(ValueError):
    """Why an outline or keypoints cannot be read."""


def parse_outline(segmentation: Any) -> str | None:
    """The `segmentation` column of what COCO JSON holds there; None for none, also for polygons without a point.

    Raises:
        OutlineError: it is neither polygons nor run lengths.
    """
    if not segmentation:
        return None
    if isinstance(segmentation, dict):
        return _compact(_compressed(segmentation))
    if not isinstance(segmentation, list):
        raise OutlineError(f"its segmentation is a {type(segmentation).__name__}")
    polygons = [segmentation] if type(segmentation[0]) in _NUMBERS else [each for each in segmentation if each != []]
    if not polygons:
        return None
    for number, polygon in enumerate(polygons, start=1):
        _check_polygon(polygon, number)
    return _compact(polygons)


def _check_polygon(polygon: Any, number: int) -> None:
    if not isinstance(polygon, list) or not set(map(type, polygon)) <= _NUMBERS:
        raise OutlineError(f"polygon {number} is not a list of numbers")
    if len(polygon) % 2:
        raise OutlineError(f"polygon {number} has an odd count of numbers: {len(polygon)}")
    if len(polygon) < 6:
        raise OutlineError(f"polygon {number} has {len(polygon) // 2} points; 3 are the least")
    lowest, highest = min(polygon), max(polygon)
    if not (-_FARTHEST_PX < lowest <= highest < _FARTHEST_PX) or not abs(sum(polygon)) >= 0:  # NaN is never
        raise OutlineError(f"polygon {number} has a number that is no place on an image")


def _compressed(rle: dict[str, Any]) -> dict[str, Any]:
    size, counts = rle.get("size"), rle.get("counts")
    if not (isinstance(size, list) and len(size) == 2 and all(type(side) is int and side > 0 for side in size)):
        raise OutlineError(f"its RLE has no size [height, width]: {str(size)[:60]}")
    height, width = size
    if height * width >= _MAX_PIXELS:
        raise OutlineError(f"its RLE says {height} x {width} pixels")
    if isinstance(counts, str):
        lengths = run_lengths(counts)
    elif isinstance(counts, list) and set(map(type, counts)) <= {int}:
        lengths = np.array(counts, dtype=object)
    else:
        raise OutlineError("its RLE has no counts, as a string or as whole numbers")
    if len(lengths) and min(lengths) < 0:
        raise OutlineError("its RLE has a negative run length")
    if (total := int(sum(lengths.tolist()))) != height * width:
        raise OutlineError(f"its RLE's runs cover {total} pixels, its size {height} x {width} has {height * width}")
    if isinstance(counts, list):
        counts = rle_tools.frPyObjects({"size": size, "counts": counts}, height, width)["counts"].decode("ascii")
    return {"size": size, "counts": counts}


def run_lengths(counts: str) -> np.ndarray:
    """The run lengths of a compressed RLE, checked: pycocotools reads past the end of a broken one.

    Each is a little-endian group of 5-bit digits with a flag for "more follow"; from the fourth on, the difference
    to the length two before it.
    """
    digits = np.frombuffer(counts.encode("utf-8", "surrogatepass"), np.uint8).astype(np.int64) - 48
    if len(digits) and (digits.min() < 0 or digits.max() > 63):
        raise OutlineError("its RLE's counts have a character that RLE does not have")
    last = np.flatnonzero(digits & 32 == 0)
    if len(digits) == 0 or last[-1:].tolist() != [len(digits) - 1]:
        raise OutlineError("its RLE's counts are cut short")
    first = np.concatenate([[0], last[:-1] + 1])
    width = last - first + 1
    if width.max() > 7:
        raise OutlineError("its RLE's counts have a number that is too large")
    shift = 5 * (np.arange(len(digits)) - np.repeat(first, width))
    values = np.add.reduceat((digits & 31) << shift, first)
    values -= np.where(digits[last] & 16, 1 << (5 * width), 0)
    values[1::2] = np.cumsum(values[1::2])
    values[2::2] = np.cumsum(values[2::2])
    return values


def rle_size_px(outline: str) -> tuple[int, int] | None:
    """(width, height) of an RLE; None for polygons."""
    if not outline.startswith("{"):
        return None
    height, width = json.loads(outline)["size"]
    return width, height


def box_around(outline: str) -> Box | None:
    """xmin, ymin, xmax, ymax; None for an RLE without a pixel."""
    content = json.loads(outline)
    if isinstance(content, dict):
        x, y, width, height = rle_tools.toBbox(content).tolist()
        return (x, y, x + width, y + height) if width and height else None
    xs = [x for polygon in content for x in polygon[::2]]
    ys = [y for polygon in content for y in polygon[1::2]]
    return float(min(xs)), float(min(ys)), float(max(xs)), float(max(ys))


def to_run_lengths(outline: str, width_px: int, height_px: int) -> dict[str, Any]:
    """An outline as RLE, {"size": [height, width], "counts": str}. An RLE must have that size."""
    content = json.loads(outline)
    if isinstance(content, list):
        content = rle_tools.merge(rle_tools.frPyObjects(content, height_px, width_px))
        content["counts"] = content["counts"].decode("ascii")
    return content


def to_mask(outline: str, width_px: int, height_px: int) -> np.ndarray:
    """(height, width) uint8, 1 inside. An RLE must have that size."""
    return rle_tools.decode(to_run_lengths(outline, width_px, height_px))


def from_mask(mask: np.ndarray) -> str:
    """The RLE of a mask (height, width), 0 outside."""
    rle = rle_tools.encode(np.asfortranarray(mask, dtype=np.uint8))
    content = {"size": [int(side) for side in rle["size"]], "counts": rle["counts"].decode("ascii")}
    return _compact(content)


def area_px(outline: str, width_px: int, height_px: int) -> float:
    """The pixels inside: COCO's `area`."""
    return float(rle_tools.area(to_run_lengths(outline, width_px, height_px)))


def upright_outline(outline: str, orientation: int, width_px: int, height_px: int) -> str:
    """An outline drawn on the stored pixels, as it lies on the displayed image, whose size is given.

    Source: EXIF 2.32, tag 0x0112.
    """
    content = json.loads(outline)
    if isinstance(content, list):
        return _compact([_upright_points(polygon, orientation, width_px, height_px) for polygon in content])
    mask = rle_tools.decode(content)
    if orientation >= 5:
        mask = mask.T
    if orientation in (2, 3, 6, 7):
        mask = mask[:, ::-1]
    if orientation in (3, 4, 7, 8):
        mask = mask[::-1]
    return from_mask(mask)


def _upright_points(polygon: list[float], orientation: int, width_px: int, height_px: int) -> list[float]:
    points = np.array(polygon, float).reshape(-1, 2)
    return upright_boxes(np.hstack([points, points]), orientation, width_px, height_px)[:, :2].ravel().tolist()


@dataclass(frozen=True)
class Skeleton:
    """What the keypoints of a class are.

    names: of the points. edges: the numbers, from 0, of two points that a line joins. mirror: of each point the number
    of the one that takes its place where the image is mirrored: left and right change places.
    """

    names: tuple[str, ...]
    edges: tuple[tuple[int, int], ...] = ()
    mirror: tuple[int, ...] = ()

    def text(self) -> str:
        """As the manifest has it."""
        return _compact(asdict(self))


def skeleton_of(names: Sequence[str], edges: Any = (), mirror: Sequence[int] | None = None) -> Skeleton:
    """A skeleton from what a source says; an edge to what is no point of it is left out.

    Args:
        edges: pairs, of numbers from 0.
        mirror: None where the source does not say it: then by the names' words "left" and "right", or "l" and "r".
    """
    count = len(names)
    joined = [(a, b) for a, b in edges if type(a) is type(b) is int and 0 <= min(a, b) <= max(a, b) < count]
    if mirror is None or sorted(mirror) != list(range(count)):
        mirror = mirror_by_names(names)
    return Skeleton(tuple(names), tuple(dict.fromkeys(joined)), tuple(mirror))


def mirror_by_names(names: Sequence[str]) -> list[int]:
    """Of each point the number of the one of the other side; its own where there is none."""
    numbers = {name: number for number, name in enumerate(names)}
    mirror = [numbers.get(_other_side(name), number) for number, name in enumerate(names)]
    return mirror if len(numbers) == len(names) else list(range(len(names)))


def numbered_names(count: int) -> tuple[str, ...]:
    """Of points that a source does not name: point_1, point_2, ..."""
    return tuple(f"point_{number}" for number in range(1, count + 1))


def _other_side(name: str) -> str:
    return "".join(_like(word, _SIDES.get(word.lower(), word)) for word in _WORD.findall(name))


def _like(word: str, other: str) -> str:
    return other.upper() if word.isupper() else other.capitalize() if word[:1].isupper() else other


@lru_cache
def parse_skeleton(text: str) -> Skeleton:
    """What `Skeleton.text` gives."""
    said = json.loads(text)
    return Skeleton(tuple(said["names"]), tuple(map(tuple, said["edges"])), tuple(said["mirror"]))


def parse_points(values: Any, count: int, per_point: int = 3) -> str | None:
    """The `keypoints` column of a flat list of numbers; None for none, also where no point is there.

    Args:
        values: x, y, v, ...; x, y, ... where per_point is 2: there a point at 0, 0 is not there.
        count: how many points there must be.

    Raises:
        OutlineError: it is no such list.
    """
    if not values:
        return None
    if not isinstance(values, list) or len(values) != count * per_point:
        length = len(values) if isinstance(values, list) else "no list of"
        raise OutlineError(f"its keypoints are {length} numbers; {count} points have {count * per_point}")
    if not all(type(value) in (int, float) and abs(value) < _FARTHEST_PX for value in values):  # NaN is not below
        raise OutlineError("its keypoints hold something that is no place on an image")
    points = np.array(values, float).reshape(-1, per_point)
    if per_point == 2:
        points = np.column_stack([points, np.where(points.any(axis=1), float(SEEN), float(ABSENT))])
    return text_of(points)


def text_of(points: np.ndarray) -> str | None:
    """The column of (k, 3) x y v; None where no point is there."""
    points = np.where(points[:, 2:] > ABSENT, points, 0.0)
    points[:, 2] = points[:, 2].clip(ABSENT, SEEN).round()
    return _compact([_number(value) for value in points.ravel().tolist()]) if points[:, 2].any() else None


def _number(value: float) -> float | int:
    return int(value) if value.is_integer() else value


def array_of(text: str) -> np.ndarray:
    """(k, 3) float: x, y in pixels, v."""
    return np.array(json.loads(text), float).reshape(-1, 3)


def box_around_points(text: str) -> Box:
    """xmin, ymin, xmax, ymax of the points that are there."""
    there = array_of(text)[array_of(text)[:, 2] > ABSENT, :2]
    return (*there.min(axis=0).tolist(), *there.max(axis=0).tolist())


def upright_keypoints(text: str, orientation: int, width_px: int, height_px: int) -> str | None:
    """Points on the stored pixels, as they lie on the displayed image, whose size is given."""
    points = array_of(text)
    places = upright_boxes(points[:, [0, 1, 0, 1]], orientation, width_px, height_px)[:, :2]
    return text_of(np.column_stack([places, points[:, 2]]))


def keypoints_of(row: Any) -> tuple[list[tuple[float, float, bool]], list[tuple[int, int]]]:
    """(x, y, whether it is seen) of an annotation's keypoints that are there, and which of these an edge joins."""
    points = array_of(row.keypoints).tolist() if row.keypoints else []
    there = [number for number, point in enumerate(points) if point[2] > ABSENT]
    known = parse_skeleton(row.skeleton).edges if row.skeleton else ()
    edges = [(there.index(a), there.index(b)) for a, b in known if a in there and b in there]
    return [(x, y, v == SEEN) for x, y, v in points if v > ABSENT], edges
