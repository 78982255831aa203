"""One tf.train.Example with the TF Object Detection API's keys -> an image and its annotations.

Source: the API's using_your_own_dataset.md and tf_example_decoder.py.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

from google.protobuf.message import DecodeError

from shardsmith.dataset.images import EXTENSIONS
from shardsmith.dataset.messages import Example
from shardsmith.dataset.shapes import numbered_names
from shardsmith.formats.shapes.placement import Box, to_json
from shardsmith.formats.tfrecord.masks import MASK, outline_of
from shardsmith.formats.tfrecord.metadata import FEATURES, FURTHER

IMAGE = "image/encoded"
_OBJECT = "image/object"
_SIDES = ("xmin", "ymin", "xmax", "ymax")
_KNOWN = frozenset({*FEATURES, *FURTHER, "image/class/label", "image/class/text", "image/colorspace", "image/channels"})
_MAGIC = {b"\xff\xd8": ".jpg", b"\x89PNG": ".png", b"GIF8": ".gif", b"BM": ".bmp", b"II*": ".tif", b"MM\0": ".tif"}
_MAX_PART = 200  # bytes of a folder's or file's name; file systems allow 255
_MAX_PARTS = 16

Label = tuple[str, int]


@dataclass
class Record:
    """One record: `name` is "" where it holds no image, `problem` says why its annotations cannot be read.

    source_id: image/source_id, as COCO's tools write it: the id of the image there.
    boxes: (n, 4) shares of the image's sides, xmin ymin xmax ymax.
    labels, classes: (text or "", id or 0) of each box, and of the whole image.
    crowd, area, attributes: one for each box; square pixels, JSON.
    masks, outlines: one for each box or none at all; PNG, and once `decode_masks` was called, RLE or None.
    corners: (4, 2) shares of the sides for each box, or none at all.
    points: (k, 3) shares x y and v for each box, or none at all; point_names: of the k.
    bad_masks: (number of the box, why) of each mask that cannot be read.
    bad_points: what is wrong with corners or keypoints that cannot be read.
    captions: texts about the whole image. has_no_objects: no key of objects or classes, not even an empty one.
    foreign: keys that hold something and are not read.
    """

    number: int
    name: str = ""
    source_id: str = ""
    extension: str = ""
    image: bytes = b""
    problem: str = ""
    declared_px: tuple[int, int] | None = None
    boxes: list[Box] = field(default_factory=list)
    labels: list[Label] = field(default_factory=list)
    classes: list[Label] = field(default_factory=list)
    crowd: list[bool] = field(default_factory=list)
    area: list[float | None] = field(default_factory=list)
    attributes: list[str | None] = field(default_factory=list)
    masks: list[bytes] = field(default_factory=list)
    outlines: list[str | None] = field(default_factory=list)
    bad_masks: list[tuple[int, str]] = field(default_factory=list)
    bad_points: list[str] = field(default_factory=list)
    captions: list[str] = field(default_factory=list)
    foreign: list[str] = field(default_factory=list)
    corners: list[list[list[float]]] = field(default_factory=list)
    points: list[list[list[float]]] = field(default_factory=list)
    point_names: tuple[str, ...] = ()
    has_no_objects: bool = False


def parse(data: bytes, file: str, number: int) -> Record:
    """
    Args:
        data: the serialised example.
        file, number: where it stands; an image without a name is named by them.
    """
    record = Record(number)
    try:
        features = Example.FromString(data).features.feature
    except DecodeError:
        record.problem = "it is no tf.train.Example"
        return record
    values = {key: _values(feature) for key, feature in features.items()}
    image = values.get(IMAGE) or [b""]
    if not isinstance(image[0], bytes) or not image[0]:
        record.problem = f"it has no image in {IMAGE}; its keys: {', '.join(sorted(values)[:6])[:300] or 'none'}"
        return record
    record.image = image[0]
    record.extension = next((name for magic, name in _MAGIC.items() if record.image.startswith(magic)), ".img")
    record.source_id = _text(values.get("image/source_id")).strip()
    record.name = image_name(record.source_id, _text(values.get("image/filename")), record.extension, file, number)
    record.foreign = sorted(key for key, value in values.items() if value and key not in _KNOWN)
    try:
        _fill(record, values)
    except _RecordError as error:
        record.problem = str(error)
    return record


def decode_masks(record: Record) -> None:
    """The masks as outlines; one that cannot be read costs its box nothing, and is named."""
    for number, mask in enumerate(record.masks, start=1):
        try:
            record.outlines.append(outline_of(mask, record.image))
        except (ValueError, TypeError) as error:
            record.outlines.append(None)
            record.bad_masks.append((number, str(error)))
    record.masks = []


class _RecordError(ValueError):
    """Why the annotations of a record cannot be read."""


def _fill(record: Record, values: dict[str, list[Any]]) -> None:
    size = [_numbers(values, f"image/{side}") for side in ("width", "height")]
    record.declared_px = (_whole(size[0][0]), _whole(size[1][0])) if all(size) else None
    record.has_no_objects = not any(key.startswith((_OBJECT, "image/class/")) for key in values)
    record.captions = [str(_plain(text)) for text in values.get("image/caption", [])]
    record.classes = _labels(values, "image/class")
    record.labels = _labels(values, f"{_OBJECT}/class")
    sides = [_numbers(values, f"{_OBJECT}/bbox/{side}") for side in _SIDES]
    count = len(sides[0])
    for name, length in [*((side, len(of_side)) for side, of_side in zip(_SIDES, sides, strict=True)),
                         ("class", len(record.labels))]:  # fmt: skip
        if length != count:
            raise _RecordError(f"it has {count} xmin, but {length} {name}")
    record.boxes = [(float(x1), float(y1), float(x2), float(y2)) for x1, y1, x2, y2 in zip(*sides, strict=True)]
    record.crowd = [bool(value) for value in _of_boxes(values, "is_crowd", count, 0)]
    _numbers(values, f"{_OBJECT}/area")
    record.area = [None if area is None else float(area) for area in _of_boxes(values, "area", count, None)]
    record.masks = _of_boxes(values, "mask", count, b"") if values.get(MASK) else []
    _fill_points(record, values, count)
    known = {name: _of_boxes(values, key, count, None)
             for name, key in (("difficult", "difficult"), ("truncated", "truncated"), ("pose", "view"))}  # fmt: skip
    record.attributes = [
        to_json({name: _plain(of_boxes[box]) for name, of_boxes in known.items() if of_boxes[box] is not None})
        for box in range(count)
    ]


def _fill_points(record: Record, values: dict[str, list[Any]], count: int) -> None:
    """Corners and keypoints: the same number of each for every box. Boxes stay where these cannot be read."""
    x, y = (values.get(f"{_OBJECT}/corner/{side}", []) for side in "xy")
    if x or y:
        if not len(x) == len(y) == 4 * count or not _are_numbers(x, y):
            record.bad_points.append(f"{count} boxes, but {len(x)} x and {len(y)} y of {_OBJECT}/corner")
        else:
            record.corners = [[[x[at], y[at]] for at in range(box * 4, box * 4 + 4)] for box in range(count)]
    x, y, seen = (values.get(f"{_OBJECT}/keypoint/{name}", []) for name in ("x", "y", "visibility"))
    if not x or not count:
        return
    seen = seen or [2 * (a != 0 or b != 0) for a, b in zip(x, y, strict=False)]
    if len({len(x), len(y), len(seen)}) > 1 or len(x) % count or not _are_numbers(x, y, seen):
        lengths = f"{len(x)} x, {len(y)} y and {len(seen)} visibility"
        record.bad_points.append(f"{count} boxes, but {lengths} of {_OBJECT}/keypoint")
        return
    each = len(x) // count
    triples = [[float(a), float(b), float(v)] for a, b, v in zip(x, y, seen, strict=True)]
    record.points = [triples[box * each : (box + 1) * each] for box in range(count)]
    names = tuple(str(_plain(name)) for name in values.get(f"{_OBJECT}/keypoint/text", [])[:each])
    record.point_names = names if len(names) == each else numbered_names(each)


def _are_numbers(*lists: list[Any]) -> bool:
    return not any(isinstance(value, bytes) for values in lists for value in values)


def _labels(values: dict[str, list[Any]], key: str) -> list[Label]:
    texts = [_plain(text) for text in values.get(f"{key}/text", [])]
    ids = [_whole(id_) for id_ in _numbers(values, f"{key}/label")]
    if texts and ids and len(texts) != len(ids):
        raise _RecordError(f"{key}: it has {len(texts)} texts, but {len(ids)} labels")
    count = max(len(texts), len(ids))
    pairs = zip(texts or [""] * count, ids or [0] * count, strict=True)
    return [(str(text).strip(), id_) for text, id_ in pairs]


def _of_boxes(values: dict[str, list[Any]], name: str, count: int, default: Any) -> list[Any]:
    of_boxes = values.get(f"{_OBJECT}/{name}") or [default] * count
    if len(of_boxes) != count:
        raise _RecordError(f"it has {count} boxes, but {len(of_boxes)} values of {_OBJECT}/{name}")
    return of_boxes


def _values(feature: Any) -> list[Any]:
    kind = feature.WhichOneof("kind")
    return list(getattr(feature, kind).value) if kind else []


def _numbers(values: dict[str, list[Any]], key: str) -> list[Any]:
    numbers = values.get(key, [])
    if any(isinstance(number, bytes) for number in numbers):
        raise _RecordError(f"{key} holds text, not numbers")
    return numbers


def _whole(number: Any) -> int:
    if not math.isfinite(number):
        raise _RecordError(f"{number} is no whole number")
    return int(number)


def _plain(value: Any) -> Any:
    return value.decode("utf-8", errors="replace") if isinstance(value, bytes) else value


def _text(values: list[Any] | None) -> str:
    return str(_plain(values[0])) if values else ""


def image_name(source_id: str, filename: str, extension: str, file: str, number: int) -> str:
    """A relative POSIX path that stays below any folder: the source_id where it ends as an image's name does, else the
    file name that does, else either with the extension of the bytes, else the record's place.
    """
    names = [name for name in (_safe(source_id), _safe(filename)) if name]
    for name in names:
        if PurePosixPath(re.sub(r"#\d+$", "", name)).suffix.lower() in EXTENSIONS:
            return name
    return (names or [f"{PurePosixPath(file).name}-{number:06d}"])[0] + extension


def _safe(name: str) -> str:
    parts = (re.sub(r"[\x00-\x1f\x7f]", "_", part) for part in re.split(r"[\\/]", name.strip()))
    return "/".join([_short(part) for part in parts if part not in ("", ".", "..")][-_MAX_PARTS:])


def _short(part: str) -> str:
    encoded = part.encode()
    return part if len(encoded) <= _MAX_PART else encoded[-_MAX_PART:].decode(errors="ignore")
