"""TF Model Garden: its decoders, and RetinaNet's parser as it evaluates, over every record."""

from __future__ import annotations

import glob
import json
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

import tensorflow as tf
from official.vision.dataloaders.retinanet_input import Parser
from official.vision.dataloaders.tf_example_decoder import TfExampleDecoder
from official.vision.dataloaders.tf_example_label_map_decoder import TfExampleDecoderLabelMap

folder = f"{sys.argv[1]}/tfrecord"
said = Path(sys.argv[1], "classes.tsv").read_text(encoding="utf-8").splitlines()
names = dict(line.split("\t") for line in said)
decoders = {
    "tfrecord": TfExampleDecoder(),
    "tfrecord by label_map.csv": TfExampleDecoderLabelMap(f"{folder}/label_map.csv"),
}
parser = Parser(
    output_size=[128, 128],
    min_level=3,
    max_level=5,
    num_scales=1,
    aspect_ratios=[1.0],
    anchor_size=4.0,
    dtype="float32",
)
read: dict[str, dict[str, list[Any]]] = {}
numbers = []
for what, decoder in decoders.items():
    images: dict[str, list[Any]] = {}
    for record in tf.data.TFRecordDataset(sorted(glob.glob(f"{folder}/*.tfrecord-*"))):  # noqa: PTH207
        one = decoder.decode(record)
        height, width = int(one["height"]), int(one["width"])
        boxes = one["groundtruth_boxes"].numpy() * [height, width, height, width]
        classes = one["groundtruth_classes"].numpy().tolist()
        images[f"{width}x{height}"] = [
            [names[str(label)], x1, y1, x2, y2] for label, (y1, x1, y2, x2) in zip(classes, boxes.tolist(), strict=True)
        ]
        _, labels = parser._parse_eval_data(one)
        numbers.append(int(labels["groundtruths"]["source_id"]))
    read[what] = images
assert len({*numbers}) == len(numbers) // 2, "two images have one source_id"
print(json.dumps({"version": version("tf-models-official"), "read": read}))
