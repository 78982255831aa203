"""supervision: COCO, VOC and YOLO as its own loaders read them."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import supervision as sv

root = Path(sys.argv[1])


def images_of(made: sv.DetectionDataset) -> dict[str, list[Any]]:
    """[class, xmin, ymin, xmax, ymax], and the mask or the corners where there are some."""
    found = {}
    for _, pixels, detections in made:
        height, width = pixels.shape[:2]
        rows = zip(detections.class_id.tolist(), detections.xyxy.tolist(), strict=True) if len(detections) else ()
        found[f"{width}x{height}"] = images = [[made.classes[label], *box] for label, box in rows]
        for row, mask in zip(images, () if detections.mask is None else detections.mask, strict=False):
            row.append("".join(map(str, mask.astype(int).ravel().tolist())))
        for row, corners in zip(images, detections.data.get("xyxyxyxy", ()), strict=False):
            row += corners.ravel().tolist()
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
    "outlined/coco_polygons": merged([images_of(sv.DetectionDataset.from_coco(
        str(root / f"outlined/coco_polygons/{split}"),
        str(root / f"outlined/coco_polygons/annotations/instances_{split}.json"), force_masks=True))
        for split in splits]),
    "outlined/ultralytics": merged([images_of(sv.DetectionDataset.from_yolo(
        *(str(root / f"outlined/ultralytics/{at}") for at in (f"images/{split}", f"labels/{split}", "data.yaml")),
        force_masks=True)) for split in splits]),
    "turned/ultralytics_obb": merged([images_of(sv.DetectionDataset.from_yolo(
        *(str(root / f"turned/ultralytics_obb/{at}") for at in (f"images/{split}", f"labels/{split}", "data.yaml")),
        is_obb=True)) for split in splits]),
    "voc": images_of(sv.DetectionDataset.from_pascal_voc(
        str(root / "voc/JPEGImages"), str(root / "voc/Annotations"))),
}  # fmt: skip
print(json.dumps({"version": sv.__version__, "read": read}))
