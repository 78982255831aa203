"""The judge of records: where one contradicts itself or the label map, without TensorFlow.

A build, `shardsmith verify` and pulled folders ask this one. TensorFlow judges beside it in a build (readback.py).
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

import numpy as np

from shardsmith.dataset.images import PORTABLE_FORMATS, decoding_error, opened, probe
from shardsmith.formats.tfrecord.features import id_of
from shardsmith.formats.tfrecord.masks import MASK
from shardsmith.formats.tfrecord.metadata import FEATURES, FURTHER

_OBJECT, _WHOLE = "image/object", "image"
_SIDES = tuple(f"{_OBJECT}/bbox/{side}" for side in ("xmin", "ymin", "xmax", "ymax"))
_LABELS = {of: (f"{of}/class/label", f"{of}/class/text") for of in (_OBJECT, _WHOLE)}
_CROWD = f"{_OBJECT}/is_crowd"
_POINT = f"{_OBJECT}/keypoint"
_OF_EACH_BOX = (*_LABELS[_OBJECT], *_SIDES, _CROWD)
_WHERE_KNOWN = tuple(f"{_OBJECT}/{key}" for key in ("area", "difficult", "truncated", "view", "mask"))
_LISTS = {"image": "bytes_list", "text": "bytes_list", "mask": "bytes_list", "float32": "float_list"}
_KINDS = {key: _LISTS.get(kind, "int64_list") for key, (kind, _) in (FEATURES | FURTHER).items()} | {
    _LABELS[_WHOLE][0]: "int64_list",
    _LABELS[_WHOLE][1]: "bytes_list",
}
_ONE_EACH = tuple(key for key, (_, repeated) in FEATURES.items() if not repeated)

Values = Mapping[str, list[Any]]


@dataclass(frozen=True)
class Judged:
    """A record: what is wrong with it ("" for nothing), its image, the names of its labels, and a digest of its size,
    labels and boxes.
    """

    problem: str
    image_id: str
    texts: tuple[str, ...] = ()
    digest: bytes = b""


def judge_record(features: Mapping[str, Any], names: Mapping[int, str], decode: bool = True) -> Judged:
    """
    Args:
        features: key -> tf.train.Feature.
        names: id -> class name, as the label map has them.
        decode: the image, which is most of the work.
    """
    held = {key: feature.WhichOneof("kind") for key, feature in features.items()}
    values = {key: list(getattr(features[key], kind).value) if kind else [] for key, kind in held.items()}
    name = _image_id(values)
    if problem := _find_ill_typed(held, values):
        return Judged(problem, name)
    texts = tuple(_text(text) for of in _LABELS for text in values.get(_LABELS[of][1], []))
    checks: tuple[Callable[[], str], ...] = (
        lambda: _check_name(values, name),
        lambda: _check_image(values, decode),
        lambda: _check_labels(values, names),
        lambda: _check_boxes(values),
        lambda: _check_points(values),
        lambda: _check_masks(values),
    )
    problem = next((found for check in checks if (found := check())), "")
    return Judged(problem, name, texts, b"" if problem else _digest_record(values))


def digest(
    size_px: tuple[int, int], whole: Sequence[str], labels: Sequence[str], crowd: Sequence[int], boxes: np.ndarray
) -> bytes:
    """Of what a record says of its image, to be compared with what the tables say.

    Args:
        size_px: width and height.
        whole: labels of the whole image.
        boxes: (n, 4) float32, xmin ymin xmax ymax as shares of the image's sides.
    """
    said = json.dumps([size_px, whole, labels, crowd]).encode()
    return hashlib.blake2b(said + np.ascontiguousarray(boxes, np.float32).tobytes(), digest_size=16).digest()


def _digest_record(values: Values) -> bytes:
    whole, labels = ([_text(text) for text in values.get(_LABELS[of][1], [])] for of in (_WHOLE, _OBJECT))
    size = (values["image/width"][0], values["image/height"][0])
    boxes = np.array([values.get(side, []) for side in _SIDES], np.float32).T
    return digest(size, whole, labels, values.get(_CROWD, []), boxes)


def _find_ill_typed(held: Mapping[str, str | None], values: Values) -> str:
    for key, kind in held.items():
        if kind and kind != _KINDS.get(key, kind):
            return f"{key} is a {kind}, and no {_KINDS[key]}"
    for key in _ONE_EACH:
        if len(values.get(key, [])) != 1:
            return f"{key} is missing" if not values.get(key) else f"{key} has {len(values[key])} values, not one"
    return ""


def _image_id(values: Values) -> str:
    source, file = (values.get(f"image/{key}") or [b""] for key in ("source_id", "filename"))
    if not all(isinstance(said[0], bytes) for said in (source, file)):
        return "with another image/source_id"
    return id_of(source[0], file[0]) or "without image/source_id"


def _text(value: Any) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)


def _check_name(values: Values, name: str) -> str:
    source, file = (_text(values[f"image/{key}"][0]) for key in ("source_id", "filename"))
    if not source or not file:
        return f"image/{'filename' if source else 'source_id'} is empty"
    if source.isdigit() or file == PurePosixPath(name).name:
        return ""
    return f"image/filename is {file!r}, not that of image/source_id"


def _check_image(values: Values, decode: bool) -> str:
    data, said = values["image/encoded"][0], _text(values["image/format"][0])
    info = probe(data)
    if info.sha256 != _text(values["image/key/sha256"][0]):
        return "image/key/sha256 is not that of its bytes"
    if info.error:
        return f"image/encoded does not open: {info.error}"
    if said != info.format or said not in PORTABLE_FORMATS:
        return f"image/format is {said!r}, and its bytes are {info.format}; {' or '.join(sorted(PORTABLE_FORMATS))}"
    if info.orientation != 1:
        return f"its EXIF orientation is {info.orientation}, which readers of records do not apply"
    size = (values["image/width"][0], values["image/height"][0])
    if size != (info.width, info.height):
        return f"image/width x image/height is {size[0]} x {size[1]}, and its bytes have {info.width} x {info.height}"
    return f"image/encoded: {error}" if decode and (error := decoding_error(data, said)) else ""


def _check_labels(values: Values, names: Mapping[int, str]) -> str:
    for of in _LABELS.values():
        labels, texts = values.get(of[0], []), [_text(text) for text in values.get(of[1], [])]
        if len(labels) != len(texts):
            return f"{len(labels)} class ids, but {len(texts)} class names"
        for label, text in zip(labels, texts, strict=True):
            if label not in names:
                return f"class id {label} ({text!r}) is not in the label map"
            if names[label] != text:
                return f"class id {label} is {text!r} here, and {names[label]!r} in the label map"
    return ""


def _check_boxes(values: Values) -> str:
    count = len(values.get(_OF_EACH_BOX[0], []))
    for key in (*_OF_EACH_BOX, *_WHERE_KNOWN):
        length = len(values.get(key, []))
        if length != count and (length or key in _OF_EACH_BOX):
            return f"{count} class ids of boxes, but another number of {key.removeprefix(f'{_OBJECT}/')}: {length}"
    for number, box in enumerate(zip(*(values.get(side, []) for side in _SIDES), strict=True), start=1):
        xmin, ymin, xmax, ymax = box
        if not all(math.isfinite(side) for side in box):
            return f"box {number} has a side that is no number: {box}"
        if not (0 <= xmin <= 1 and 0 <= ymin <= 1 and 0 <= xmax <= 1 and 0 <= ymax <= 1):
            return f"box {number} is outside 0..1: {box}"
        if not (xmin < xmax and ymin < ymax):
            return f"box {number} is empty, or its sides are swapped: {box}"
    if wrong := [flag for flag in values.get(_CROWD, []) if flag not in (0, 1)]:
        return f"{_CROWD} is {wrong[0]}, no flag"
    return f"{_OBJECT}/area is no number" if any(map(math.isnan, values.get(f"{_OBJECT}/area", []))) else ""


def _check_points(values: Values) -> str:
    """Four corners a box, and as many keypoints for each; a keypoint that is there lies on the image."""
    count = len(values.get(_OF_EACH_BOX[0], []))
    corners = [values.get(f"{_OBJECT}/corner/{side}", []) for side in "xy"]
    if any(corners) and {len(of_side) for of_side in corners} != {4 * count}:
        return f"{count} class ids of boxes, but {len(corners[0])} x and {len(corners[1])} y of corners"
    x, y, seen, texts = (values.get(f"{_POINT}/{name}", []) for name in ("x", "y", "visibility", "text"))
    if len({len(x), len(y), len(seen), len(texts)}) > 1 or (x and (not count or len(x) % count)):
        lengths = f"{len(x)} x, {len(y)} y, {len(seen)} visibility and {len(texts)} text"
        return f"{count} class ids of boxes, but {lengths} of keypoints"
    if not all(map(math.isfinite, (*corners[0], *corners[1], *x, *y))):
        return "a corner or a keypoint is no number"
    for number, (share_x, share_y, visible) in enumerate(zip(x, y, seen, strict=True), start=1):
        if visible not in (0, 1, 2) or not (0 <= share_x <= 1 and 0 <= share_y <= 1):
            return f"keypoint {number} is outside 0..1, or its visibility is none: {share_x} {share_y} {visible}"
    each = len(x) // count if x else 1
    there = [sum(v > 0 for v in seen[at : at + each]) for at in range(0, len(x), each)]
    return "" if there == values.get(f"{_POINT}/num", []) else f"{_POINT}/num is not how many of them are there"


def _check_masks(values: Values) -> str:
    size = (values["image/width"][0], values["image/height"][0])
    for number, data in enumerate(values.get(MASK, []), start=1):
        if problem := _mask_problem(data, size):
            return f"mask {number}: {problem}"
    return ""


def _mask_problem(data: bytes, size_px: tuple[int, int]) -> str:
    if error := decoding_error(data, "png"):
        return error
    with opened(data) as mask:
        if mask.size != size_px:
            return f"{mask.size[0]} x {mask.size[1]} pixels, and its image has {size_px[0]} x {size_px[1]}"
        known, values = mask.mode in ("L", "P"), {*np.unique(np.asarray(mask.convert("L"))).tolist()}
    return "" if known and values <= {0, 1} else "other values than 0 and 1"
