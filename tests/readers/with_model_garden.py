"""TF Model Garden: its decoders, and RetinaNet's and Mask R-CNN's parsers in training and evaluation, each record."""

from __future__ import annotations

import glob
import json
import sys
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from official.vision.dataloaders import maskrcnn_input, retinanet_input
from official.vision.dataloaders.tf_example_decoder import TfExampleDecoder
from official.vision.dataloaders.tf_example_label_map_decoder import TfExampleDecoderLabelMap

root = Path(sys.argv[1])
said = (root / "classes.tsv").read_text(encoding="utf-8").splitlines()
names = dict(line.split("\t") for line in said)
CROP = 112
shape = {"output_size": [128, 128], "min_level": 3, "max_level": 5, "num_scales": 1, "aspect_ratios": [1.0]}
retinanet = retinanet_input.Parser(**shape, anchor_size=4.0, dtype="float32")
maskrcnn = maskrcnn_input.Parser(**shape, anchor_size=4.0, include_mask=True, mask_crop_size=CROP)
Rows = list[list[Any]]


def decoded(form: str, decoder: TfExampleDecoder) -> Iterator[tuple[str, dict[str, Any]]]:
    for record in tf.data.TFRecordDataset(sorted(glob.glob(f"{root}/{form}/*.tfrecord-*"))):  # noqa: PTH207
        one = decoder.decode(record)
        yield f"{int(one['width'])}x{int(one['height'])}", one


def rows(classes: Any, boxes: Any) -> Rows:
    """Boxes: ymin, xmin, ymax, xmax in pixels."""
    sides = np.asarray(boxes)[:, [1, 0, 3, 2]].tolist()
    return [[names[str(label)], *box] for label, box in zip(np.asarray(classes).tolist(), sides, strict=True)]


def with_masks(found: Rows, crops: Any, one: dict[str, Any]) -> Rows:
    """The mask of each object, from what was cut out along its box."""
    width, height = int(one["width"]), int(one["height"])
    for row, crop in zip(found, np.asarray(crops), strict=True):
        _, x1, y1, x2, y2 = row
        x = np.floor((np.arange(width) + 0.5 - x1) / (x2 - x1) * CROP).astype(int)
        y = np.floor((np.arange(height) + 0.5 - y1) / (y2 - y1) * CROP).astype(int)
        whole = np.pad(crop > 0.5, 1)[np.ix_(y.clip(-1, CROP) + 1, x.clip(-1, CROP) + 1)]
        row.append("".join(map(str, whole.astype(int).ravel().tolist())))
    return found


def truth(one: dict[str, Any]) -> Rows:
    height, width = int(one["height"]), int(one["width"])
    return rows(one["groundtruth_classes"], one["groundtruth_boxes"].numpy() * [height, width, height, width])


def trained(one: dict[str, Any]) -> Rows:
    """What a network is shown, on the image as it came."""
    _, labels = maskrcnn._parse_train_data(one)
    count = int((labels["gt_classes"] > 0).numpy().sum())
    boxes = labels["gt_boxes"][:count] / tf.tile(labels["image_info"][2], [2])
    return with_masks(rows(labels["gt_classes"][:count], boxes), labels["gt_masks"][:count], one)


def evaluated(one: dict[str, Any]) -> Rows:
    _, labels = maskrcnn._parse_eval_data(one)
    found = labels["groundtruths"]
    count = int(found["num_detections"])
    return with_masks(rows(found["classes"][:count], found["boxes"][:count]), found["masks"][:count], one)


read: dict[str, dict[str, Rows]] = {"tfrecord": {}, "outlined/tfrecord in training, without crowds": {}}
read["outlined/tfrecord in evaluation"] = {}
numbers = []
for key, one in decoded("tfrecord", TfExampleDecoder()):
    read["tfrecord"][key] = truth(one)
    retinanet._parse_train_data(one)
    _, labels = retinanet._parse_eval_data(one)
    numbers.append(int(labels["groundtruths"]["source_id"]))
assert len({*numbers}) == len(numbers), "two images have one source_id"
by_csv = decoded("tfrecord", TfExampleDecoderLabelMap(f"{root}/tfrecord/label_map.csv"))
read["tfrecord by label_map.csv"] = {key: truth(one) for key, one in by_csv}
for key, one in decoded("outlined/tfrecord", TfExampleDecoder(include_mask=True)):
    read["outlined/tfrecord in training, without crowds"][key] = trained(one)
    read["outlined/tfrecord in evaluation"][key] = evaluated(one)
print(json.dumps({"version": version("tf-models-official"), "read": read}))
