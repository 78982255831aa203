"""The texts that code.py puts together: how a version is downloaded, and how each library loads it.

Each runs with none of our packages. `$name` is filled in with string.Template; code.py says what there is.
"""

from __future__ import annotations

_COMPARED = """\
if hashlib.md5(repr(sorted(files.items())).encode()).hexdigest() != "$digest":
    raise OSError("the list of files is not the one that was recorded")


def whole(name):
    path = folder / name
    return path.is_file() and hashlib.md5(path.read_bytes()).hexdigest() == files[name]


missing = [name for name in files if not whole(name)]
"""

_CHECKED = """\
if damaged := [name for name in files if not whole(name)]:
    raise OSError(f"not as they were recorded, run it again: {damaged}")

"""

FROM_GIT = f"""\
# pip install $packages
import hashlib
from pathlib import Path

from dvc.api import DVCFileSystem

folder = Path($tag)  # where it goes
fs = DVCFileSystem($address, rev=$tag)$note
found = fs.find("${{below}}data/export/$format", detail=True)
files = {{path.removeprefix("${{below}}data/export/"): info["md5"] for path, info in found.items()}}
{_COMPARED}\
if missing:
    fs.get("${{below}}data/export/$format", f"{{folder}}/", recursive=True)
{_CHECKED}"""

FROM_REMOTE = f"""\
# pip install $packages
import hashlib
import json
from pathlib import Path

import fsspec

folder = Path($tag)  # where it goes
fs, root = fsspec.url_to_fs($address)$note
version = json.loads(fs.cat_file(root + $manifest))
files = {{name: file["md5"] for name, file in version["files"].items() if name.startswith("$format/")}}
{_COMPARED}\
for name in missing:
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
objects = [f"{{root}}/files/md5/{{files[name][:2]}}/{{files[name][2:]}}" for name in missing]
fs.get(objects, [str(folder / name) for name in missing])
{_CHECKED}"""

TFDS_BOXES = """\
import tensorflow_datasets as tfds

builder = tfds.builder_from_directory(folder / "tfrecord")
dataset = builder.as_dataset(split="$split")
names = builder.info.features["image"]["object"]["class"]["label"].feature.names  # names[0] is background
example = next(iter(dataset))
print(example["image"]["encoded"].shape, example["image"]["object"]["class"]["label"].shape, names)
"""

TFDS_LABELS = """\
import tensorflow_datasets as tfds

builder = tfds.builder_from_directory(folder / "tfrecord")
dataset = builder.as_dataset(split="$split", as_supervised=True)
names = builder.info.features["image/class/label"]$feature.names  # names[0] is background
image, label = next(iter(dataset))
print(image.shape, label.shape, names)
"""

_BOX_KEYS = """\
import tensorflow as tf

SIDES = [f"image/object/bbox/{side}" for side in ("xmin", "ymin", "xmax", "ymax")]
KEYS = {
    "image/encoded": tf.io.FixedLenFeature([], tf.string),
    "image/object/class/label": tf.io.RaggedFeature(tf.int64),
    **{side: tf.io.RaggedFeature(tf.float32) for side in SIDES},
}
"""

_LABEL_KEYS = """\
import tensorflow as tf

KEYS = {
    "image/encoded": tf.io.FixedLenFeature([], tf.string),
    "image/class/label": tf.io.$label_feature,
}
"""

_SHARDS = 'shards = sorted(map(str, folder.glob("tfrecord/$dataset-$split.tfrecord-*")))\n'

TF_DATA_BOXES = f"""\
{_BOX_KEYS}

def parse(record):  # boxes: xmin ymin xmax ymax as shares of the sides; labels: from 1
    row = tf.io.parse_single_example(record, KEYS)
    image = tf.io.decode_image(row["image/encoded"], channels=3, expand_animations=False)
    return image, tf.stack([row[side] for side in SIDES], axis=-1), row["image/object/class/label"]


{_SHARDS}dataset = tf.data.TFRecordDataset(shards).map(parse, num_parallel_calls=tf.data.AUTOTUNE)
image, boxes, labels = next(iter(dataset))
print(image.shape, boxes.shape, labels.shape)
"""

TF_DATA_LABELS = f"""\
{_LABEL_KEYS}

def parse(record):  # labels: from 1
    row = tf.io.parse_single_example(record, KEYS)
    return tf.io.decode_image(row["image/encoded"], channels=3, expand_animations=False), row["image/class/label"]


{_SHARDS}dataset = tf.data.TFRecordDataset(shards).map(parse, num_parallel_calls=tf.data.AUTOTUNE)
image, label = next(iter(dataset))
print(image.shape, label.shape)
"""

KERAS_BOXES = f"""\
{_BOX_KEYS}HEIGHT, WIDTH, BATCH = $height, $width, 8


def parse(record):  # boxes: xmin ymin xmax ymax in pixels of the resized image; labels: from 1; both -1 where padded
    row = tf.io.parse_single_example(record, KEYS)
    image = tf.io.decode_image(row["image/encoded"], channels=3, expand_animations=False)
    boxes = tf.stack([row[side] for side in SIDES], axis=-1) * [WIDTH, HEIGHT, WIDTH, HEIGHT]
    return tf.image.resize(image, (HEIGHT, WIDTH)), {{"boxes": boxes, "labels": row["image/object/class/label"]}}


{_SHARDS}padding = (0.0, {{"boxes": -1.0, "labels": tf.constant(-1, tf.int64)}})
files = tf.data.Dataset.from_tensor_slices(shards).shuffle(len(shards))  # what came together stands together
records = files.interleave(tf.data.TFRecordDataset, cycle_length=16).shuffle(1000)
dataset = records.map(parse, num_parallel_calls=tf.data.AUTOTUNE)
dataset = dataset.padded_batch(BATCH, padding_values=padding).prefetch(tf.data.AUTOTUNE)
images, targets = next(iter(dataset))
print(images.shape, targets["boxes"].shape, targets["labels"].shape)
"""

KERAS_LABELS = f"""\
{_LABEL_KEYS}HEIGHT, WIDTH, BATCH, CLASSES = $height, $width, 32, $classes  # background is class 0


def parse(record):
    row = tf.io.parse_single_example(record, KEYS)
    image = tf.io.decode_image(row["image/encoded"], channels=3, expand_animations=False)
    return tf.image.resize(image, (HEIGHT, WIDTH)), $keras_label


{_SHARDS}files = tf.data.Dataset.from_tensor_slices(shards).shuffle(len(shards))  # what came together stands together
records = files.interleave(tf.data.TFRecordDataset, cycle_length=16).shuffle(1000)
dataset = records.map(parse, num_parallel_calls=tf.data.AUTOTUNE)
dataset = dataset.batch(BATCH).prefetch(tf.data.AUTOTUNE)
images, labels = next(iter(dataset))
print(images.shape, labels.shape)
"""

_RECORDS = """\
import io
import struct

import numpy as np
import torch
from PIL import Image
from tfrecord import example_pb2


class Records(torch.utils.data.Dataset):
    def __init__(self, split):
        self.places = []  # (file, start, length in bytes) of each record
        for path in sorted(folder.glob(f"tfrecord/$dataset-{split}.tfrecord-*")):
            with path.open("rb") as file:
                while head := file.read(12):
                    self.places.append((path, file.tell(), struct.unpack("<Q", head[:8])[0]))
                    file.seek(self.places[-1][2] + 4, 1)

    def __len__(self):
        return len(self.places)

    def __getitem__(self, index):  # image: (3, height, width) floats from 0 to 1
        path, start, length = self.places[index]
        with path.open("rb") as file:
            file.seek(start)
            row = example_pb2.Example.FromString(file.read(length)).features.feature
        image = Image.open(io.BytesIO(row["image/encoded"].bytes_list.value[0])).convert("RGB")
        return torch.from_numpy(np.array(image)).permute(2, 0, 1) / 255, target(row, image)


"""

TORCH_BOXES = f"""\
{_RECORDS}def target(row, image):  # boxes: xmin ymin xmax ymax in pixels; labels: from 1
    sides = [row[f"image/object/bbox/{{side}}"].float_list.value for side in ("xmin", "ymin", "xmax", "ymax")]
    boxes = torch.tensor(np.array(sides, np.float32).T * np.float32(image.size * 2))
    return {{"boxes": boxes, "labels": torch.tensor(row["image/object/class/label"].int64_list.value).long()}}


dataset = Records("$split")
loader = torch.utils.data.DataLoader(dataset, batch_size=4, shuffle=True, collate_fn=lambda items: tuple(zip(*items)))
images, targets = next(iter(loader))
print(len(dataset), images[0].shape, targets[0]["boxes"].shape, targets[0]["labels"].shape)
"""

TORCH_LABELS = f"""\
{_RECORDS}def target(row, image):
    labels = torch.tensor(row["image/class/label"].int64_list.value).long()  # from 1
    return $torch_label


dataset = Records("$split")
image, label = dataset[0]
print(len(dataset), image.shape, label)
"""

YOLO_BOXES = """\
from ultralytics import YOLO

data = str((folder / "$format" / "data.yaml").resolve())
results = YOLO("$weights.pt").train(data=data, epochs=1)  # one epoch, to see that it works
print(results.results_dict)
"""

YOLO_LABELS = """\
from ultralytics import YOLO

data = str((folder / "class_folders").resolve())
results = YOLO("yolo11n-cls.pt").train(data=data, epochs=1, imgsz=224)  # one epoch, to see that it works
print(results.results_dict)
"""
