"""supervision: COCO, VOC and YOLO as its own loaders read them."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import supervision as sv

root = Path(sys.argv[1])


def images_of(made: sv.DetectionDataset) -> dict[str, list[Any]]:
    found = {}
    for _, pixels, detections in made:
        height, width = pixels.shape[:2]
        rows = zip(detections.class_id.tolist(), detections.xyxy.tolist(), strict=True) if len(detections) else ()
        found[f"{width}x{height}"] = [[made.classes[label], *box] for label, box in rows]
    return found


def merged(parts: list[dict[str, list[Any]]]) -> dict[str, list[Any]]:
    return {key: value for part in parts for key, value in part.items()}


splits = ("train", "valid", "test")
coco, yolo = root / "coco", root / "ultralytics"
read = {
    "coco": merged([images_of(sv.DetectionDataset.from_coco(
        str(coco / split), str(coco / f"annotations/instances_{split}.json"))) for split in splits]),
    "ultralytics": merged([images_of(sv.DetectionDataset.from_yolo(
        str(yolo / f"images/{split}"), str(yolo / f"labels/{split}"), str(yolo / "data.yaml"))) for split in splits]),
    "roboflow_coco": merged([images_of(sv.DetectionDataset.from_coco(
        str(root / f"roboflow_coco/{split}"), str(root / f"roboflow_coco/{split}/_annotations.coco.json")))
        for split in splits]),
    "voc": images_of(sv.DetectionDataset.from_pascal_voc(
        str(root / "voc/JPEGImages"), str(root / "voc/Annotations"))),
}  # fmt: skip
print(json.dumps({"version": sv.__version__, "read": read}))
