"""TF Object Detection API: label_map_util, and its decoder of records with boxes, masks and keypoints."""

from __future__ import annotations

import glob
import json
import sys
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.python.ops import control_flow_ops

for name in ("case", "cond", "while_loop"):  # where tf_slim, older than the TensorFlow that is here, looks for them
    setattr(control_flow_ops, name, getattr(tf.compat.v1, name))
TfExampleDecoder = import_module("object_detection.data_decoders.tf_example_decoder").TfExampleDecoder
input_reader_pb2 = import_module("object_detection.protos.input_reader_pb2")
label_map_util = import_module("object_detection.utils.label_map_util")

root = Path(sys.argv[1])
POINTS = 3


def more_of(form: str, one: dict[str, Any], scale: np.ndarray) -> list[list[Any]]:
    """What follows each box: its mask, or its keypoints."""
    if form.startswith("outlined"):
        masks = one["groundtruth_instance_masks"].numpy().astype(int)
        return [["".join(map(str, mask.ravel().tolist()))] for mask in masks]
    if form.startswith("posed"):
        places = np.nan_to_num(one["groundtruth_keypoints"].numpy() * scale)[..., ::-1]
        seen = one["groundtruth_keypoint_visibilities"].numpy()
        return [np.column_stack([place, visible]).ravel().tolist() for place, visible in zip(places, seen, strict=True)]
    return [[] for _ in one["groundtruth_classes"]]


read: dict[str, dict[str, list[Any]]] = {}
for form in ("tfrecord", "outlined/tfrecord", "posed/tfrecord"):
    label_map = str(root / form / "label_map.pbtxt")
    names = label_map_util.create_category_index_from_labelmap(label_map)
    assert {one["name"]: id_ for id_, one in names.items()} == label_map_util.get_label_map_dict(label_map)
    decoder = TfExampleDecoder(
        load_instance_masks=form.startswith("outlined"),
        instance_mask_type=input_reader_pb2.PNG_MASKS,
        label_map_proto_file=label_map,
        num_keypoints=POINTS if form.startswith("posed") else 0,
    )
    images = read[form + " (hidden as seen)" * form.startswith("posed")] = {}
    for record in tf.data.TFRecordDataset(sorted(glob.glob(f"{root}/{form}/*.tfrecord-*"))):  # noqa: PTH207
        one = decoder.decode(record)
        height, width = one["image"].shape[:2]
        boxes = (one["groundtruth_boxes"].numpy() * [height, width, height, width]).tolist()
        classes = one["groundtruth_classes"].numpy().tolist()
        rest = more_of(form, one, np.array([height, width]))
        images[f"{width}x{height}"] = [
            [names[label]["name"], x1, y1, x2, y2, *more]
            for label, (y1, x1, y2, x2), more in zip(classes, boxes, rest, strict=True)
        ]
print(json.dumps({"version": version("tf-object-detection-api"), "read": read}))
