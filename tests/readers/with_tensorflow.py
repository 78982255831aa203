"""TFDS and Keras: records as TFDS reads them, and class folders as Keras numbers them in each split."""

from __future__ import annotations

import json
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow_datasets as tfds

root = Path(sys.argv[1])
POINTS = 3
place = root / "named/odd/1.0.0"  # where TFDS looks for a dataset's name
place.parent.mkdir(parents=True)
place.symlink_to(root / "tfrecord")
assert tfds.builder("odd", data_dir=str(root / "named")).info.full_name == "odd/1.0.0"


def more_of(objects: dict[str, Any], size: np.ndarray) -> list[list[Any]]:
    """What follows each box: its mask, or its keypoints."""
    if "mask" in objects:
        return [["".join(map(str, mask.ravel().tolist()))] for mask in objects["mask"]]
    if "keypoint" in objects:
        x, y, seen = (objects["keypoint"][name].reshape(-1, POINTS) for name in ("x", "y", "visibility"))
        return np.stack([x * size[0], y * size[1], seen], axis=-1).reshape(-1, 3 * POINTS).tolist()
    return [[] for _ in objects["is_crowd"]]


def records(form: str) -> dict[str, list[Any]]:
    builder = tfds.builder_from_directory(str(root / form))
    assert builder.info.homepage == "README.md"  # and none that TFDS makes up
    label = builder.info.features["image"]["object"]["class"]["label"].feature
    images = {}
    for split in sorted(builder.info.splits):
        for row in builder.as_dataset(split=split).as_numpy_iterator():
            image = row["image"]
            width, height = int(image["width"]), int(image["height"])
            labels, box = image["object"]["class"]["label"].tolist(), image["object"]["bbox"]
            sides = zip(labels, *(box[side].tolist() for side in ("xmin", "ymin", "xmax", "ymax")), strict=True)
            more = more_of(image["object"], np.array([width, height]))
            images[f"{width}x{height}"] = [
                [label.int2str(one), x1 * width, y1 * height, x2 * width, y2 * height, *rest]
                for (one, x1, y1, x2, y2), rest in zip(sides, more, strict=True)
            ]
    return images


names = (root / "class_folders/classes.txt").read_text(encoding="utf-8").splitlines()
of_class = {}
for split in ("train", "valid", "test"):
    made = keras.utils.image_dataset_from_directory(
        str(root / "class_folders" / split), class_names=names, shuffle=False, batch_size=None, verbose=False
    )
    for path, (_, number) in zip(made.file_paths, made.as_numpy_iterator(), strict=True):
        height, width = keras.utils.img_to_array(keras.utils.load_img(path)).shape[:2]
        of_class[f"{width}x{height}"] = [[names[number]]]
read = {form: records(form) for form in ("tfrecord", "outlined/tfrecord", "posed/tfrecord")}
read["class_folders"] = of_class
print(json.dumps({"version": f"{version('tensorflow-datasets')}, Keras {keras.__version__}", "read": read}))
