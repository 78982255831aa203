"""Images and their annotations as records: tf.train.Example, framed, in shards."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from shardsmith.formats.shared.job import leaving_bytes
from shardsmith.formats.tfrecord.frames import frame
from shardsmith.formats.tfrecord.masks import MASK, mask_png
from shardsmith.formats.tfrecord.wire import bytes_list, float_list, int64_list, serialise

CAPTION = "image/caption"
KEYPOINT = "image/object/keypoint"
Features = dict[str, list[bytes]]
"""Key -> its feature, in pieces."""
_SIDES = ("xmin", "ymin", "xmax", "ymax")


@dataclass(frozen=True)
class Shard:
    """One file to be written: a row an image, and their boxes one after the other.

    images: (path, sha256, format, orientation, width_px, height_px, image_id, captions) of each.
    numbers: (images,) its id as a number.
    ends: (images,) where each image's boxes end.
    boxes: (n, 4) float32, xmin ymin xmax ymax as shares of the image's sides; NaN for a label of the whole image.
    labels, crowd: (n,) ids in the label map, and 0 or 1. area: (n,) square pixels, NaN where unknown.
    attributes: n JSON objects, or "".
    labelled, boxed: whether the dataset has labels of whole images, and whether it has anything else.
    outlines: n outlines or None, where masks are wanted.
    points: (n, k, 3) float64, x y as shares of the sides, and v, where objects have keypoints; point_names: of the k.
    corners: (n, 4, 2) float32 shares of the sides, where there are oriented boxes.
    """

    path: Path
    images: list[tuple[str, str, str, int, int, int, str, list[str] | None]]
    numbers: list[int]
    ends: np.ndarray
    boxes: np.ndarray
    labels: np.ndarray
    crowd: np.ndarray
    area: np.ndarray
    attributes: np.ndarray
    labelled: bool = False
    boxed: bool = True
    outlines: np.ndarray | None = None
    points: np.ndarray | None = None
    point_names: tuple[str, ...] = ()
    corners: np.ndarray | None = None


def write_shard(shard: Shard, names: list[str]) -> tuple[Path, int]:
    """Write one file; returns its path and its size in bytes."""
    with shard.path.open("wb") as file:
        for example in encode_examples(shard, names):
            file.writelines(frame(example))
        return shard.path, file.tell()


def encode_examples(shard: Shard, names: list[str]) -> Iterator[bytes]:
    """The records of a shard; names[id] is the name of a class."""
    texts = [name.encode() for name in names]
    start = 0
    for image, number, end in zip(shard.images, shard.numbers, shard.ends, strict=True):
        yield encode_example(shard, image, number, slice(start, end), texts)
        start = end


def encode_example(shard: Shard, image: tuple, number: int, rows: slice, texts: list[bytes]) -> bytes:
    """One image, its boxes and its labels as a serialised tf.train.Example; texts[id] is the name of a class.

    Its source_id is a number in digits: TF Model Garden and pycocotools take it for one when they evaluate.
    """
    path, sha256, format, orientation, width_px, height_px, image_id, captions = image
    data, leaving = leaving_bytes(path, sha256, format, orientation)
    digest = sha256 if leaving == format and orientation == 1 else hashlib.sha256(data).hexdigest()
    features = {
        "image/encoded": bytes_list([data]),
        "image/filename": bytes_list([image_id.encode()]),
        "image/format": bytes_list([leaving.encode()]),
        "image/height": int64_list([height_px]),
        "image/key/sha256": bytes_list([digest.encode()]),
        "image/source_id": bytes_list([str(number).encode()]),
        "image/width": int64_list([width_px]),
    }
    if captions:
        features[CAPTION] = bytes_list(text.encode() for text in captions)
    boxed: slice | np.ndarray = rows
    if shard.labelled:
        whole = np.isnan(shard.boxes[rows, 0])
        features |= _labels("image/class", shard.labels[rows][whole].tolist(), texts)
        boxed = np.arange(rows.start, rows.stop)[~whole]
    if shard.boxed:
        features |= _boxes(shard, boxed, texts, width_px, height_px)
    return serialise(features)


def _labels(key: str, labels: list[int], texts: list[bytes]) -> Features:
    return {f"{key}/label": int64_list(labels), f"{key}/text": bytes_list(texts[label] for label in labels)}


def _boxes(shard: Shard, rows: slice | np.ndarray, texts: list[bytes], width_px: int, height_px: int) -> Features:
    boxes = shard.boxes[rows]
    features = {f"image/object/bbox/{key}": float_list(boxes[:, column]) for column, key in enumerate(_SIDES)}
    features |= _labels("image/object/class", shard.labels[rows].tolist(), texts)
    features["image/object/is_crowd"] = int64_list(shard.crowd[rows].tolist())
    features |= _known(shard, rows, width_px * height_px)
    if shard.points is not None:
        features |= _points(shard.points[rows], shard.point_names)
    if shard.corners is not None:
        corners = shard.corners[rows]
        features |= {f"image/object/corner/{side}": float_list(corners[..., at]) for at, side in enumerate("xy")}
    if shard.outlines is not None:
        features[MASK] = bytes_list(mask_png(outline, width_px, height_px) for outline in shard.outlines[rows])
    return features


def _points(points: np.ndarray, names: tuple[str, ...]) -> Features:
    """As many for each object: its decoder takes them apart by a fixed count. `num` says how many are there."""
    return {
        **{f"{KEYPOINT}/{side}": float_list(points[..., column]) for column, side in enumerate("xy")},
        f"{KEYPOINT}/visibility": int64_list(points[..., 2].ravel().astype(np.int64).tolist()),
        f"{KEYPOINT}/text": bytes_list([name.encode() for name in names] * len(points)),
        f"{KEYPOINT}/num": int64_list(np.count_nonzero(points[..., 2], axis=1).tolist()),
    }


def _known(shard: Shard, rows: slice | np.ndarray, image_area: int) -> Features:
    """Area, difficult, truncated and view, where the source knows one of them for any box of the image."""
    features: Features = {}
    area = shard.area[rows]
    if not np.isnan(area).all():
        boxes = shard.boxes[rows]
        of_box = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1]) * image_area
        features["image/object/area"] = float_list(np.where(np.isnan(area), of_box, area))
    attributes = [_attributes(text) for text in shard.attributes[rows]]
    for flag in ("difficult", "truncated"):
        if any(flag in known for known in attributes):
            features[f"image/object/{flag}"] = int64_list(int(known.get(flag, 0)) for known in attributes)
    if any("pose" in known for known in attributes):
        views = (str(known.get("pose", "Unspecified")).encode() for known in attributes)
        features["image/object/view"] = bytes_list(views)
    return features


@lru_cache(maxsize=1024)
def _attributes(text: str) -> dict[str, Any]:
    return json.loads(text) if text else {}
