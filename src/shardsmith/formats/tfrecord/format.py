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

from shardsmith.dataset.manifest import ANNOTATIONS, IMAGES, Manifest
from shardsmith.dataset.shapes import Skeleton, array_of
from shardsmith.dataset.tables.rows import Groups
from shardsmith.dataset.workers import map_items
from shardsmith.formats.format import Format
from shardsmith.formats.shapes.skeletons import clockwise, common_skeleton, skeletons_of
from shardsmith.formats.shared.job import ExportJob
from shardsmith.formats.shared.shards import ShardPlan, plan_shards
from shardsmith.formats.tfrecord.encode import CAPTION, KEYPOINT, Shard, write_shard
from shardsmith.formats.tfrecord.masks import MASK
from shardsmith.formats.tfrecord.metadata import SplitFiles, write_metadata
from shardsmith.formats.tfrecord.reader import detect as detect
from shardsmith.formats.tfrecord.reader import read as read
from shardsmith.formats.tfrecord.reader import unpack as unpack
from shardsmith.ledger.counts import count_captions

_SIDES = ("xmin", "ymin", "xmax", "ymax")
_IMAGE_COLUMNS = ("path", "sha256", "format", "orientation", "width", "height", "image_id", "captions")

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
files = tf.data.Dataset.list_files("FOLDER/DATASET-train.tfrecord-*")  # images that came together stand together
records = files.interleave(tf.data.TFRecordDataset, cycle_length=16).shuffle(1000)
train = records.batch(32).map(lambda batch: tf.io.parse_example(batch, KEYS))
```

Labels of whole images are `image/class/label` and `image/class/text`; where a dataset has no boxes, TFDS gives pairs
of image and label with `as_dataset(split="train", as_supervised=True)`.

Captions are `image/caption`, as many an image as it has: `tf.io.VarLenFeature(tf.string)`.

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
    """The keys of captions, masks, keypoints and oriented boxes, where there are some."""
    captions = [CAPTION] if count_captions(job.manifest) else []
    masks = [MASK] if job.masks else []
    points = ("x", "y", "visibility", "text", "num") if _skeletons(job.manifest) else ()
    corners = [f"image/object/corner/{side}" for side in "xy"] if _has_oriented(job.manifest) else []
    return [*captions, *masks, *corners, *(f"{KEYPOINT}/{name}" for name in points)]


def _skeletons(manifest: Manifest) -> dict[str, Skeleton]:
    known = (
        some.filter(pc.is_valid(some["keypoints"])).select(["label", "keypoints", "skeleton"])
        for some in manifest.annotation_batches("label", "keypoints", "skeleton")
    )
    return skeletons_of(
        pa.concat_tables([ANNOTATIONS.empty_table().select(["label", "keypoints", "skeleton"]), *known])
    )


def _has_oriented(manifest: Manifest) -> bool:
    return any(pc.any(pc.equal(some["kind"], "oriented")).as_py() for some in manifest.annotation_batches("kind"))


class Shards(Sequence[Shard]):
    """The shards to be written, each put together when it is asked for: the rows of each wait on disk."""

    def __init__(self, job: ExportJob, plans: Sequence[ShardPlan]) -> None:
        manifest = job.manifest
        self.plans, self.numbers, self.ids, self.masks = plans, job.image_numbers(), job.label_map.ids, job.masks
        labels_per_image, self.boxed = contents(manifest)
        self.labelled = labels_per_image != "none"
        skeletons = _skeletons(manifest)
        self.point_names = common_skeleton(skeletons.values()).names if skeletons else ()
        self.oriented = _has_oriented(manifest)
        held = ["image_id", "label", *_SIDES, "is_crowd", "area", "attributes"]
        held += [*["kind"] * self.oriented, *["keypoints"] * bool(skeletons)]
        held += ["segmentation"] if self.masks or self.oriented else []
        self._images, self._annotations = Groups(len(plans)), Groups(len(plans))
        shard_of, first = np.empty(manifest.image_count, np.int32), 0
        for number, plan in enumerate(plans):
            shard_of[plan.rows] = number
        for part in manifest.parts(_IMAGE_COLUMNS, held):
            shards = shard_of[first : first + part.image_count]
            first += part.image_count
            image = pc.index_in(part.annotations["image_id"], part.images["image_id"].combine_chunks()).to_numpy()
            self._images.add(part.images.select(_IMAGE_COLUMNS), shards)
            self._annotations.add(part.annotations.select(held), shards[image])

    def __len__(self) -> int:
        return len(self.plans)

    def __getitem__(self, place: Any) -> Any:
        if isinstance(place, slice):
            return [self._put_together(number) for number in range(*place.indices(len(self)))]
        return self._put_together(place)

    def _put_together(self, number: int) -> Shard:
        plan = self.plans[number]
        images, table = self._images.read(number), self._annotations.read(number)
        if images is None:
            images = IMAGES.empty_table().select(_IMAGE_COLUMNS)
        table = ANNOTATIONS.empty_table() if table is None else table
        images = images.take(pa.array(np.searchsorted(np.sort(plan.rows), plan.rows)))
        image = pc.index_in(table["image_id"], images["image_id"].combine_chunks()).to_numpy()
        order = np.argsort(image, kind="stable")
        table, image = table.take(pa.array(order)).combine_chunks(), image[order]
        scale = np.stack([images[size].to_numpy()[image] for size in ("width", "height")], axis=1)
        boxes = np.stack([table[side].to_numpy() / scale[:, at % 2] for at, side in enumerate(_SIDES)], axis=1)
        columns = images.to_pydict()
        outlines = np.array([*table["segmentation"].to_pylist(), None], object)[:-1] if self.masks else None
        return Shard(
            plan.path,
            images=list(zip(*columns.values(), strict=True)),
            numbers=[self.numbers[image_id] for image_id in columns["image_id"]],
            ends=np.searchsorted(image, np.arange(1, len(images) + 1)),
            boxes=boxes.astype(np.float32),
            labels=np.array([self.ids[label] for label in table["label"].to_pylist()], np.int64),
            crowd=table["is_crowd"].to_numpy().astype(np.int64),
            area=table["area"].to_numpy().astype(np.float64),
            attributes=np.array([*table["attributes"].fill_null("").to_pylist(), ""], object)[:-1],
            labelled=self.labelled,
            boxed=self.boxed,
            outlines=outlines,
            points=_points(table, scale, len(self.point_names)) if self.point_names else None,
            point_names=self.point_names,
            corners=_corners(table, scale) if self.oriented else None,
        )


def _points(table: pa.Table, scale: np.ndarray, count: int) -> np.ndarray:
    """Shard.points of some annotations.

    Args:
        scale: (n, 2) width and height in pixels of each one's image.
        count: of an object's points.
    """
    points = np.zeros((table.num_rows, count, 3))
    for row, text in enumerate(table["keypoints"].to_pylist()):
        if text:
            own = array_of(text)[:count]
            points[row, : len(own)] = own
    points[..., :2] /= scale[:, None]
    return points


def _corners(table: pa.Table, scale: np.ndarray) -> np.ndarray:
    """Shard.corners of some annotations."""
    oriented = np.flatnonzero(pc.fill_null(pc.equal(table["kind"], "oriented"), False).to_numpy())
    boxes = np.stack([table[side].to_numpy() for side in _SIDES], axis=1)
    corners = boxes[:, [[0, 1], [2, 1], [2, 3], [0, 3]]]
    for row, text in zip(oriented.tolist(), table["segmentation"].take(pa.array(oriented)).to_pylist(), strict=True):
        corners[row] = clockwise(json.loads(text)[0])
    return (corners / scale[:, None]).astype(np.float32)


def contents(manifest: Manifest) -> tuple[str, bool]:
    """(labels of whole images: "none", "one" for each image or "many"; whether there are boxes, or nothing at all:
    no label and no caption).
    """
    if not any(some["xmin"].null_count for some in manifest.annotation_batches("xmin")):
        return "none", bool(manifest.annotation_count or not count_captions(manifest))
    one, labels = True, 0
    for part in manifest.parts(["image_id"], ["image_id", "xmin"]):
        images, table = part.images, part.annotations
        of_whole = table["image_id"].filter(table["xmin"].is_null())
        at = pc.index_in(of_whole, images["image_id"].combine_chunks()).to_numpy()
        one = one and bool((np.bincount(at, minlength=images.num_rows) == 1).all())
        labels += len(of_whole)
    return ("one" if one else "many"), labels < manifest.annotation_count


FORMAT = Format(
    name="tfrecord",
    title="TFRecord",
    carries=frozenset(
        {
            *("boxes", "oriented", "keypoints", "labels", "several_labels", "captions", "negatives", "splits"),
            *("crowd", "area", "difficult", "truncated", "pose"),
        }
    ),
    masks=frozenset({"outlines", "masks"}),
    reads=frozenset({"boxes", "labels", "oriented", "keypoints", "masks", "captions"}),
    detect=detect,
    read=read,
    write=write,
    unpack=unpack,
    loading=_LOADING,
)
