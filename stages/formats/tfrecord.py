"""TFRecord shards with the TF Object Detection API's keys, readable by plain TensorFlow and by TFDS.

Written without importing TensorFlow: a record is its length, two masked CRC32C and a serialised tf.train.Example.
Sources: tensorflow/core/lib/io/record_writer.cc for the frame, the Object Detection API's using_your_own_dataset.md
for the keys.
"""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path, PurePosixPath
from struct import pack
from typing import Any

import google_crc32c
import numpy as np

from stages.dataset.manifest import SPLITS
from stages.dataset.messages import Example
from stages.dataset.workers import map_items
from stages.formats.export_job import ExportJob, leaving_bytes, stored_size
from stages.formats.tfds_metadata import SplitFiles, write_metadata

_MASK = 0xA282EAD8
_IMAGE_COLUMNS = ("path", "sha256", "format", "orientation", "width", "height", "image_id")

TITLE = "TFRecord"
CARRIES = frozenset({"boxes", "negatives", "splits", "crowd", "area", "difficult", "truncated", "pose"})
LOADING = """
With TFDS, which finds splits, shards, features and class names by itself:

```python
import tensorflow_datasets as tfds

train = tfds.builder_from_directory("FOLDER").as_dataset(split="train")
```

With plain TensorFlow; boxes are shares of the image's sides, labels are the ids above:

```python
import tensorflow as tf

KEYS = {
    "image/encoded": tf.io.FixedLenFeature([], tf.string),
    "image/object/class/label": tf.io.VarLenFeature(tf.int64),
    **{f"image/object/bbox/{side}": tf.io.VarLenFeature(tf.float32) for side in ("ymin", "xmin", "ymax", "xmax")},
}
records = tf.data.TFRecordDataset(sorted(tf.io.gfile.glob("FOLDER/DATASET-train.tfrecord-*")))
train = records.map(lambda record: tf.io.parse_single_example(record, KEYS))
```

The TF Object Detection API and TF Model Garden take the same files as `input_path`, and `label_map.pbtxt` as they are.
"""


@dataclass(frozen=True)
class Shard:
    """One file to be written: a row an image, and their boxes one after the other.

    images: (path, sha256, format, orientation, width_px, height_px, image_id) of each.
    ends: (images,) where each image's boxes end.
    boxes: (n, 4) float64, xmin ymin xmax ymax as shares of the image's sides.
    labels, crowd: (n,) ids in the label map, and 0 or 1. area: (n,) square pixels, NaN where unknown.
    attributes: n JSON objects or None.
    """

    path: Path
    images: list[tuple[str, str, str, int, int, int, str]]
    ends: np.ndarray
    boxes: np.ndarray
    labels: np.ndarray
    crowd: np.ndarray
    area: np.ndarray
    attributes: np.ndarray


def write(job: ExportJob, out: Path) -> None:
    """DATASET-SPLIT.tfrecord-00000-of-00004 and so on, label_map.pbtxt and TFDS's metadata."""
    out.mkdir(parents=True, exist_ok=True)
    shards = plan_shards(job, out)
    every = [shard for of_split in shards.values() for shard in of_split]
    every.sort(key=lambda shard: -len(shard.images))  # the largest first, so that no process waits for it at the end
    write_one = partial(write_shard, names=job.label_map.names_by_id())
    sizes = dict(map_items(write_one, every, "export: tfrecord", "shard", chunk=1, alone_below=2))
    splits = [
        SplitFiles(split, [len(shard.images) for shard in of_split], sum(sizes[shard.path] for shard in of_split))
        for split, of_split in shards.items()
    ]
    (out / "label_map.pbtxt").write_text(job.label_map.format(), encoding="utf-8")
    write_metadata(out, job.label_map, splits)


def plan_shards(job: ExportJob, out: Path) -> dict[str, list[Shard]]:
    """split -> its shards, in order.

    A shard holds the images whose id's hash begins with its number, in the order of a hash: so new images change few
    shards, and doubling the number of shards splits each in two. A copy goes with its parent.
    """
    images, boxes = job.manifest.images, _Boxes(job)
    columns = [images.column(name).to_pylist() for name in _IMAGE_COLUMNS]
    splits, parents = (images.column(name).to_pylist() for name in ("split", "parent_id"))
    members: dict[str, list[tuple[str, str, int]]] = {split: [] for split in SPLITS}
    for row, image_id in enumerate(columns[-1]):
        members[splits[row] or "train"].append((_hash(parents[row] or image_id), _hash(image_id), row))
    shards: dict[str, list[Shard]] = {}
    for split, of_split in members.items():
        if not of_split:
            continue
        size = sum(stored_size(columns[0][row]) for _, _, row in of_split)
        count = shard_count(size, job.shard_size_mb)
        rows: list[list[tuple[str, int]]] = [[] for _ in range(count)]
        for shard_hash, order, row in of_split:
            rows[int(shard_hash, 16) * count >> 256].append((order, row))
        shards[split] = []
        for number, of_shard in enumerate(rows):
            path = out / f"{job.label_map.dataset}-{split}.tfrecord-{number:05d}-of-{count:05d}"
            ordered = [row for _, row in sorted(of_shard)]
            values = [tuple(column[row] for column in columns) for row in ordered]
            shards[split].append(Shard(path, values, *boxes.of(ordered)))
    return shards


def shard_count(size_bytes: int, shard_size_mb: float) -> int:
    """The power of two that brings a shard nearest to the wanted size."""
    return 1 << max(0, round(math.log2(max(size_bytes, 1) / (shard_size_mb * 1e6))))


class _Boxes:
    """All boxes as arrays, to be taken image by image."""

    def __init__(self, job: ExportJob) -> None:
        images, table = job.manifest.images, job.manifest.annotations
        row_of = {image_id: row for row, image_id in enumerate(images.column("image_id").to_pylist())}
        image = np.fromiter((row_of[id_] for id_ in table.column("image_id").to_pylist()), np.int64, table.num_rows)
        self.order = np.argsort(image, kind="stable")
        self.starts = np.searchsorted(image[self.order], np.arange(len(row_of) + 1))
        size = np.stack([images.column(name).to_numpy() for name in ("width", "height")], axis=1)[image]
        corners = np.stack([table.column(name).to_numpy() for name in ("xmin", "ymin", "xmax", "ymax")], axis=1)
        self.boxes = corners / np.concatenate([size, size], axis=1)
        ids = job.label_map.ids
        self.labels = np.array([ids[label] for label in table.column("label").to_pylist()], np.int64)
        self.crowd = table.column("is_crowd").to_numpy().astype(np.int64)
        self.area = table.column("area").to_numpy().astype(np.float64)
        self.attributes = np.array([*table.column("attributes").to_pylist(), None], object)[:-1]

    def of(self, rows: list[int]) -> tuple[np.ndarray, ...]:
        """ends, boxes, labels, crowd, area and attributes of these images."""
        chosen = [self.order[self.starts[row] : self.starts[row + 1]] for row in rows]
        ends = np.cumsum([len(part) for part in chosen], dtype=np.int64)
        index = np.concatenate([*chosen, np.zeros(0, np.int64)])
        return ends, *(a[index] for a in (self.boxes, self.labels, self.crowd, self.area, self.attributes))


def write_shard(shard: Shard, names: list[str]) -> tuple[Path, int]:
    """Write one file; returns its path and its size in bytes."""
    texts = [name.encode() for name in names]
    with shard.path.open("wb") as file:
        start = 0
        for image, end in zip(shard.images, shard.ends, strict=True):
            file.writelines(frame(encode_example(shard, image, slice(start, end), texts)))
            start = end
        return shard.path, file.tell()


def encode_example(shard: Shard, image: tuple, rows: slice, texts: list[bytes]) -> bytes:
    """One image and its boxes as a serialised tf.train.Example; texts[id] is the name of a class."""
    path, sha256, format, orientation, width_px, height_px, image_id = image
    data, leaving = leaving_bytes(path, sha256, format, orientation)
    digest = sha256 if leaving == format and orientation == 1 else hashlib.sha256(data).hexdigest()
    example = Example()
    feature = example.features.feature
    for key, text in (
        ("image/encoded", data),
        ("image/filename", PurePosixPath(image_id).name.encode()),
        ("image/format", leaving.encode()),
        ("image/key/sha256", digest.encode()),
        ("image/source_id", image_id.encode()),
    ):
        feature[key].bytes_list.value.append(text)
    feature["image/height"].int64_list.value.append(height_px)
    feature["image/width"].int64_list.value.append(width_px)
    boxes, labels = shard.boxes[rows], shard.labels[rows].tolist()
    for column, key in enumerate(("xmin", "ymin", "xmax", "ymax")):
        feature[f"image/object/bbox/{key}"].float_list.value.extend(boxes[:, column].tolist())
    feature["image/object/class/label"].int64_list.value.extend(labels)
    feature["image/object/class/text"].bytes_list.value.extend(texts[label] for label in labels)
    feature["image/object/is_crowd"].int64_list.value.extend(shard.crowd[rows].tolist())
    _add_known(feature, shard, rows, width_px * height_px)
    return example.SerializeToString(deterministic=True)


def _add_known(feature: Any, shard: Shard, rows: slice, image_area: int) -> None:
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
def _attributes(text: str | None) -> dict[str, Any]:
    return json.loads(text) if text else {}


def frame(record: bytes) -> tuple[bytes, bytes, bytes]:
    """A record as TFRecord frames it: length and its checksum, the record, its checksum."""
    length = pack("<Q", len(record))
    return length + _masked_crc(length), record, _masked_crc(record)


def _masked_crc(data: bytes) -> bytes:
    crc = google_crc32c.value(data)
    return pack("<I", ((crc >> 15 | crc << 17) + _MASK) & 0xFFFFFFFF)


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
