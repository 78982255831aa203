"""TFDS and Keras: records as TFDS reads them, and class folders as Keras numbers them in each split."""

from __future__ import annotations

import json
import sys
from importlib.metadata import version
from pathlib import Path

import keras
import tensorflow_datasets as tfds

root = Path(sys.argv[1])
place = root / "named/odd/1.0.0"  # where TFDS looks for a dataset's name
place.parent.mkdir(parents=True)
place.symlink_to(root / "tfrecord")
assert tfds.builder("odd", data_dir=str(root / "named")).info.full_name == "odd/1.0.0"
builder = tfds.builder_from_directory(str(root / "tfrecord"))
assert builder.info.homepage == "README.md"  # and none that TFDS makes up
label = builder.info.features["image"]["object"]["class"]["label"].feature
records = {}
for split in sorted(builder.info.splits):
    for row in builder.as_dataset(split=split).as_numpy_iterator():
        image = row["image"]
        width, height = int(image["width"]), int(image["height"])
        labels, box = image["object"]["class"]["label"].tolist(), image["object"]["bbox"]
        sides = zip(labels, *(box[side].tolist() for side in ("xmin", "ymin", "xmax", "ymax")), strict=True)
        records[f"{width}x{height}"] = [
            [label.int2str(one), x1 * width, y1 * height, x2 * width, y2 * height] for one, x1, y1, x2, y2 in sides
        ]
names = (root / "class_folders/classes.txt").read_text(encoding="utf-8").splitlines()
of_class = {}
for split in ("train", "valid", "test"):
    made = keras.utils.image_dataset_from_directory(
        str(root / "class_folders" / split), class_names=names, shuffle=False, batch_size=None, verbose=False
    )
    for path, (_, number) in zip(made.file_paths, made.as_numpy_iterator(), strict=True):
        height, width = keras.utils.img_to_array(keras.utils.load_img(path)).shape[:2]
        of_class[f"{width}x{height}"] = [[names[number]]]
read = {"tfrecord": records, "class_folders": of_class}
print(json.dumps({"version": f"{version('tensorflow-datasets')}, Keras {keras.__version__}", "read": read}))
