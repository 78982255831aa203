"""The texts that load the formats for training alone, as in texts.py."""

from __future__ import annotations

HF_BOXES = """\
from datasets import load_dataset

dataset = load_dataset("imagefolder", data_dir=str(folder / "huggingface"))["$hf_split"]
names = dataset.features["objects"]["category"].feature.names  # names[0] is background
example = dataset[0]  # objects: a list a key; bbox is x y width height in pixels
print(example["image"].size, len(example["objects"]["bbox"]), names)
"""

HF_LABELS = """\
from datasets import load_dataset

dataset = load_dataset("imagefolder", data_dir=str(folder / "huggingface"))["$hf_split"]
names = dataset.features["$hf_label"]$feature.names  # names[0] is background
print(dataset[0]["image"].size, dataset[0]["$hf_label"], names)
"""

_SAMPLES = """\
import webdataset

shards = sorted(map(str, folder.glob("webdataset/$dataset-$split-*.tar")))
dataset = webdataset.WebDataset(shards, shardshuffle=False).decode("pil")
sample = next(iter(dataset))  # the image is at "jpg" or "png"
"""

WEBDATASET_BOXES = f"""\
{_SAMPLES}boxes = [one["box"] for one in sample["json"]["annotations"]]  # xmin ymin xmax ymax in pixels
print(sample["json"]["image_id"], boxes)
"""

WEBDATASET_LABELS = f"""\
{_SAMPLES}labels = [one["label_id"] for one in sample["json"]["annotations"]]  # from 1
print(sample["json"]["image_id"], labels)
"""

_SOURCE = """\
source = tfds.builder_from_directory(folder / "array_record").as_data_source(split="$split")
dataset = grain.MapDataset.source(source).map(arrays)  # of NumPy arrays, as JAX takes them; .shuffle(seed=0), .batch(1)
"""

GRAIN_BOXES = f"""\
import grain
import numpy as np
import tensorflow_datasets as tfds


def arrays(example):  # boxes: xmin ymin xmax ymax in pixels; labels: from 1
    image, objects = example["image"]["encoded"], example["image"]["object"]
    shares = [np.asarray(objects["bbox"][side], np.float32) for side in ("xmin", "ymin", "xmax", "ymax")]
    boxes = np.stack(shares, axis=-1) * np.float32(image.shape[1::-1] * 2)
    return {{"image": image, "boxes": boxes, "labels": np.asarray(objects["class"]["label"], np.int64)}}


{_SOURCE}print(dataset[0]["image"].shape, dataset[0]["boxes"].shape, dataset[0]["labels"].shape)
"""

GRAIN_LABELS = f"""\
import grain
import numpy as np
import tensorflow_datasets as tfds


def arrays(example):  # labels: from 1
    return {{"image": example["image/encoded"], "label": np.asarray(example["image/class/label"], np.int64)}}


{_SOURCE}print(dataset[0]["image"].shape, dataset[0]["label"])
"""
