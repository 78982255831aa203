"""TFRecord shards with the TF Object Detection API's keys, readable by plain TensorFlow and by TFDS.

Written without importing TensorFlow: a record is its length, two masked CRC32C and a serialised tf.train.Example.
Sources: tensorflow/core/lib/io/record_writer.cc for the frame, the Object Detection API's using_your_own_dataset.md
for the keys.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from shardsmith.dataset.manifest import Manifest
from shardsmith.dataset.shapes import array_of
from shardsmith.dataset.workers import map_items
from shardsmith.formats.format import Format
from shardsmith.formats.shapes.skeletons import clockwise, common_skeleton, skeletons_of
from shardsmith.formats.shared.job import ExportJob
from shardsmith.formats.shared.shards import ShardPlan, plan_shards
from shardsmith.formats.tfrecord.encode import KEYPOINT, Shard, write_shard
from shardsmith.formats.tfrecord.masks import MASK
from shardsmith.formats.tfrecord.metadata import SplitFiles, write_metadata
from shardsmith.formats.tfrecord.reader import detect as detect
from shardsmith.formats.tfrecord.reader import read as read
from shardsmith.formats.tfrecord.reader import unpack as unpack

_SIDES = ("xmin", "ymin", "xmax", "ymax")
_IMAGE_COLUMNS = ("path", "sha256", "format", "orientation", "width", "height", "image_id")

_LOADING = """
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

Labels of whole images are `image/class/label` and `image/class/text`; where a dataset has no boxes, TFDS gives pairs
of image and label with `as_dataset(split="train", as_supervised=True)`.

The TF Object Detection API and TF Model Garden take the same files as `input_path`, in training and evaluation; the
first wants `label_map.pbtxt`, the other `label_map.csv`.
"""


def write(job: ExportJob, out: Path) -> None:
    """DATASET-SPLIT.tfrecord-00000-of-00004 and so on, the label map (for TF Model Garden as a CSV of id and name, too)
    and TFDS's metadata.
    """
    out.mkdir(parents=True, exist_ok=True)
    plans = plan_shards(job, out)
    every = [plan for of_split in plans.values() for plan in of_split]
    every.sort(key=lambda plan: -len(plan.rows))  # the largest first, so that no process waits for it at the end
    write_one = partial(write_shard, names=job.label_map.names_by_id())
    sizes = dict(map_items(write_one, Shards(job, every), "export: tfrecord", "shard", chunk=1))
    splits = [
        SplitFiles(split, [len(plan.rows) for plan in of_split], sum(sizes[plan.path] for plan in of_split))
        for split, of_split in plans.items()
    ]
    (out / "label_map.pbtxt").write_text(job.label_map.format(), encoding="utf-8")
    with (out / "label_map.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows((id_, name) for name, id_ in job.label_map.ids.items())
    write_metadata(out, job.label_map, splits, *contents(job.manifest), more=further_keys(job), facts=job.facts)


def further_keys(job: ExportJob) -> list[str]:
    """The keys of masks, keypoints and oriented boxes, where there are some."""
    annotations = job.manifest.annotations
    masks = [MASK] if job.masks else []
    points = ("x", "y", "visibility", "text", "num") if skeletons_of(annotations) else ()
    oriented = pc.any(pc.equal(annotations["kind"], "oriented")).as_py()
    corners = [f"image/object/corner/{side}" for side in "xy"] if oriented else []
    return [*masks, *corners, *(f"{KEYPOINT}/{name}" for name in points)]


class Shards(Sequence[Shard]):
    """The shards to be written, each put together when it is asked for: all at once would hold every row twice."""

    def __init__(self, job: ExportJob, plans: Sequence[ShardPlan]) -> None:
        self.plans = plans
        self.images, table = job.manifest.images, job.manifest.annotations
        image = pc.index_in(table["image_id"], self.images["image_id"].combine_chunks()).to_numpy()
        self.numbers = job.image_numbers()
        self.order = np.argsort(image, kind="stable")
        self.starts = np.searchsorted(image[self.order], np.arange(self.images.num_rows + 1))
        self.boxes = np.empty((table.num_rows, 4), np.float32)
        for column, (side, size) in enumerate(zip(_SIDES, ("width", "height") * 2, strict=True)):
            self.boxes[:, column] = table[side].to_numpy() / self.images[size].to_numpy()[image]
        codes, labels = _encoded(table["label"])
        self.labels = np.array([job.label_map.ids[label] for label in labels], np.int64)[codes]
        self.crowd = table["is_crowd"].to_numpy().astype(np.int64)
        self.area = table["area"].to_numpy().astype(np.float64)
        codes, texts = _encoded(table["attributes"].fill_null(""))  # few differ: text once, not once a box
        self.attributes = np.array(texts, object)[codes]
        labels_per_image, self.boxed = contents(job.manifest)
        self.labelled = labels_per_image != "none"
        self.outlines = table["segmentation"] if job.masks else None
        scale = np.stack([self.images[size].to_numpy()[image] for size in ("width", "height")], axis=1)
        self.points, self.point_names = _points(table, scale)
        self.corners = _corners(table, scale)

    def __len__(self) -> int:
        return len(self.plans)

    def __getitem__(self, place: Any) -> Any:
        if isinstance(place, slice):
            return [self._put_together(plan) for plan in self.plans[place]]
        return self._put_together(self.plans[place])

    def _put_together(self, plan: ShardPlan) -> Shard:
        columns = self.images.select(_IMAGE_COLUMNS).take(pa.array(plan.rows)).to_pydict()
        chosen = [self.order[self.starts[row] : self.starts[row + 1]] for row in plan.rows]
        ends = np.cumsum([len(part) for part in chosen], dtype=np.int64)
        index = np.concatenate([*chosen, np.zeros(0, np.int64)])
        boxes, labels, crowd, area, attributes = (
            values[index] for values in (self.boxes, self.labels, self.crowd, self.area, self.attributes)
        )
        rows = list(zip(*columns.values(), strict=True))
        numbers = [self.numbers[image_id] for image_id in columns["image_id"]]
        outlines = None
        if self.outlines is not None:
            outlines = np.array([*self.outlines.take(pa.array(index)).to_pylist(), None], object)[:-1]
        return Shard(
            plan.path, rows, numbers, ends, boxes, labels, crowd, area, attributes, self.labelled, self.boxed, outlines,
            None if self.points is None else self.points[index], self.point_names,
            None if self.corners is None else self.corners[index],
        )  # fmt: skip


def _points(table: pa.Table, scale: np.ndarray) -> tuple[np.ndarray | None, tuple[str, ...]]:
    """Shard.points and their names, of all annotations; None where none has keypoints.

    Args:
        scale: (n, 2) width and height in pixels of each one's image.
    """
    skeletons = skeletons_of(table)
    if not skeletons:
        return None, ()
    names = common_skeleton(skeletons.values()).names
    points = np.zeros((table.num_rows, len(names), 3))
    for row, text in enumerate(table["keypoints"].to_pylist()):
        if text:
            own = array_of(text)[: len(names)]
            points[row, : len(own)] = own
    points[..., :2] /= scale[:, None]
    return points, names


def _corners(table: pa.Table, scale: np.ndarray) -> np.ndarray | None:
    """Shard.corners, of all annotations; None where none is an oriented box."""
    oriented = np.flatnonzero(pc.fill_null(pc.equal(table["kind"], "oriented"), False).to_numpy())
    if not len(oriented):
        return None
    boxes = np.stack([table[side].to_numpy() for side in _SIDES], axis=1)
    corners = boxes[:, [[0, 1], [2, 1], [2, 3], [0, 3]]]
    for row, text in zip(oriented.tolist(), table["segmentation"].take(pa.array(oriented)).to_pylist(), strict=True):
        corners[row] = clockwise(json.loads(text)[0])
    return (corners / scale[:, None]).astype(np.float32)


def contents(manifest: Manifest) -> tuple[str, bool]:
    """(labels of whole images: "none", "one" for each image or "many"; whether there are boxes, or nothing at all)."""
    images, table = manifest.images, manifest.annotations
    if not table["xmin"].null_count:
        return "none", True
    labels = table["image_id"].filter(table["xmin"].is_null())
    of_image = np.bincount(
        pc.index_in(labels, images["image_id"].combine_chunks()).to_numpy(), minlength=images.num_rows
    )
    return ("one" if (of_image == 1).all() else "many"), len(labels) < table.num_rows


def _encoded(column: pa.ChunkedArray) -> tuple[np.ndarray, list[str]]:
    """(codes, the different values): values[codes[row]] is the row's text."""
    encoded = column.combine_chunks().dictionary_encode()
    return encoded.indices.to_numpy(), encoded.dictionary.to_pylist()


FORMAT = Format(
    name="tfrecord",
    title="TFRecord",
    carries=frozenset(
        {
            *("boxes", "oriented", "keypoints", "labels", "several_labels", "negatives", "splits"),
            *("crowd", "area", "difficult", "truncated", "pose"),
        }
    ),
    masks=frozenset({"outlines", "masks"}),
    reads=frozenset({"boxes", "labels", "oriented", "keypoints", "masks"}),
    detect=detect,
    read=read,
    write=write,
    unpack=unpack,
    loading=_LOADING,
)
