"""TFDS: a GeneratorBasedBuilder over the same images and table.

python with_tfds.py IMAGES_FOLDER TABLE.csv OUT_FOLDER
"""

import csv
import os
import sys
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import tensorflow_datasets as tfds

FOLDER, TABLE, OUT = (Path(argument) for argument in sys.argv[1:4])
SIDES = ("xmin", "xmax", "ymin", "ymax")


def read_table() -> list[dict[str, str]]:
    with TABLE.open(newline="") as file:
        return list(csv.DictReader(file))


class Boxes(tfds.core.GeneratorBasedBuilder):
    """Images with boxes."""

    VERSION = tfds.core.Version("1.0.0")

    def _info(self) -> tfds.core.DatasetInfo:
        names = sorted({row["class"] for row in read_table()})
        objects = {"bbox": tfds.features.BBoxFeature(), "label": tfds.features.ClassLabel(names=names)}
        features = {
            "image": tfds.features.Image(encoding_format="jpeg"),
            "image/filename": tfds.features.Text(),
            "objects": tfds.features.Sequence(objects),
        }
        return tfds.core.DatasetInfo(builder=self, features=tfds.features.FeaturesDict(features))

    def _split_generators(self, dl_manager: object) -> dict:
        return {"train": self._generate_examples()}

    def _generate_examples(self) -> Iterator[tuple[str, dict]]:
        for name, group in groupby(read_table(), key=lambda row: row["filename"]):
            objects = []
            for row in group:
                width, height = int(row["width"]), int(row["height"])
                xmin, xmax, ymin, ymax = (float(row[side]) for side in SIDES)
                box = tfds.features.BBox(ymin / height, xmin / width, ymax / height, xmax / width)
                objects.append({"bbox": box, "label": row["class"]})
            yield name, {"image": str(FOLDER / name), "image/filename": name, "objects": objects}


if __name__ == "__main__":
    Boxes(data_dir=str(OUT), file_format="tfrecord").download_and_prepare()
