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

from shardsmith.dataset.messages import Example
from shardsmith.formats.shared.job import leaving_bytes
from shardsmith.formats.tfrecord.frames import frame
from shardsmith.formats.tfrecord.masks import MASK, mask_png

CAPTION = "image/caption"
KEYPOINT = "image/object/keypoint"
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
    example = Example()
    feature = example.features.feature
    for key, text in (
        ("image/encoded", data),
        ("image/filename", image_id.encode()),
        ("image/format", leaving.encode()),
        ("image/key/sha256", digest.encode()),
        ("image/source_id", str(number).encode()),
    ):
        feature[key].bytes_list.value.append(text)
    feature["image/height"].int64_list.value.append(height_px)
    feature["image/width"].int64_list.value.append(width_px)
    if captions:
        feature[CAPTION].bytes_list.value.extend(text.encode() for text in captions)
    if not shard.labelled:
        if shard.boxed:
            _add_boxes(feature, shard, rows, texts, width_px, height_px)
        return example.SerializeToString(deterministic=True)
    whole = np.isnan(shard.boxes[rows, 0])
    _add_labels(feature, "image/class", shard.labels[rows][whole].tolist(), texts)
    if shard.boxed:
        _add_boxes(feature, shard, np.arange(rows.start, rows.stop)[~whole], texts, width_px, height_px)
    return example.SerializeToString(deterministic=True)


def _add_labels(feature: Any, key: str, labels: list[int], texts: list[bytes]) -> None:
    feature[f"{key}/label"].int64_list.value.extend(labels)
    feature[f"{key}/text"].bytes_list.value.extend(texts[label] for label in labels)


def _add_boxes(
    feature: Any, shard: Shard, rows: slice | np.ndarray, texts: list[bytes], width_px: int, height_px: int
) -> None:
    boxes, labels = shard.boxes[rows], shard.labels[rows].tolist()
    for column, key in enumerate(_SIDES):
        feature[f"image/object/bbox/{key}"].float_list.value.extend(boxes[:, column].tolist())
    _add_labels(feature, "image/object/class", labels, texts)
    feature["image/object/is_crowd"].int64_list.value.extend(shard.crowd[rows].tolist())
    _add_known(feature, shard, rows, width_px * height_px)
    if shard.points is not None:
        _add_points(feature, shard.points[rows], shard.point_names)
    if shard.corners is not None:
        for column, side in enumerate("xy"):
            feature[f"image/object/corner/{side}"].float_list.value.extend(shard.corners[rows][..., column].ravel())
    if shard.outlines is not None:
        feature[MASK].bytes_list.value.extend(
            mask_png(outline, width_px, height_px) for outline in shard.outlines[rows]
        )


def _add_points(feature: Any, points: np.ndarray, names: tuple[str, ...]) -> None:
    """As many for each object: its decoder takes them apart by a fixed count. `num` says how many are there."""
    for column, side in enumerate("xy"):
        feature[f"{KEYPOINT}/{side}"].float_list.value.extend(points[..., column].ravel())
    feature[f"{KEYPOINT}/visibility"].int64_list.value.extend(points[..., 2].ravel().astype(np.int64).tolist())
    feature[f"{KEYPOINT}/text"].bytes_list.value.extend([name.encode() for name in names] * len(points))
    feature[f"{KEYPOINT}/num"].int64_list.value.extend(np.count_nonzero(points[..., 2], axis=1).tolist())


def _add_known(feature: Any, shard: Shard, rows: slice | np.ndarray, image_area: int) -> None:
    """Area, difficult, truncated and view, where the source knows one of them for any box of the image."""
    area = shard.area[rows]
    if not np.isnan(area).all():
        boxes = shard.boxes[rows]
        of_box = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1]) * image_area
        feature["image/object/area"].float_list.value.extend(np.where(np.isnan(area), of_box, area).tolist())
    attributes = [_attributes(text) for text in shard.attributes[rows]]
    for flag in ("difficult", "truncated"):
        if any(flag in known for known in attributes):
            values = [int(known.get(flag, 0)) for known in attributes]
            feature[f"image/object/{flag}"].int64_list.value.extend(values)
    if any("pose" in known for known in attributes):
        views = [str(known.get("pose", "Unspecified")).encode() for known in attributes]
        feature["image/object/view"].bytes_list.value.extend(views)


@lru_cache(maxsize=1024)
def _attributes(text: str) -> dict[str, Any]:
    return json.loads(text) if text else {}
