"""Ultralytics: its scan of each kind of dataset, and an epoch of a network that knows nothing."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import torchvision_ops  # noqa: F401 (before Ultralytics imports torchvision)
import ultralytics
from PIL import Image
from ultralytics import YOLO
from ultralytics.cfg import get_cfg
from ultralytics.data import ClassificationDataset, build_yolo_dataset
from ultralytics.data.utils import check_cls_dataset, check_det_dataset, polygon2mask

root = Path(sys.argv[1])
MODELS = {
    "ultralytics": ("yolo11n", "detect"),
    "one_class/ultralytics": ("yolo11n", "detect"),
    "outlined/ultralytics": ("yolo11n-seg", "segment"),
    "posed/ultralytics_pose": ("yolo11n-pose", "pose"),
    "turned/ultralytics_obb": ("yolo11n-obb", "obb"),
    "class_folders": ("yolo11n-cls", "classify"),
}


def objects(label: dict[str, Any], names: dict[int, str], task: str) -> list[list[Any]]:
    """[class, xmin, ymin, xmax, ymax, ...] in pixels: then a mask, corners or keypoints."""
    height, width = label["shape"]
    found = []
    for number, (cls, (x, y, w, h)) in enumerate(zip(label["cls"][:, 0], label["bboxes"].tolist(), strict=True)):
        row: list[Any] = [names[int(cls)], *((x - w / 2) * width, (y - h / 2) * height)]
        row += [(x + w / 2) * width, (y + h / 2) * height]
        if task in ("segment", "obb"):
            outline = label["segments"][number] * [width, height]
            row += (
                outline.ravel().tolist()
                if task == "obb"
                else ["".join(map(str, polygon2mask((height, width), [outline.ravel()]).ravel().tolist()))]
            )
        if task == "pose":
            row += (label["keypoints"][number] * [width, height, 1]).ravel().tolist()
        found.append(row)
    return found


def scanned(form: str, task: str) -> dict[str, list[Any]]:
    data = check_det_dataset(str(root / form / "data.yaml"))
    cfg = get_cfg(overrides={"task": task, "imgsz": 64})
    images = {}
    for split in ("train", "val", "test"):
        made = build_yolo_dataset(cfg, data[split], 2, data, mode="val")
        for label in made.labels:
            images["{1}x{0}".format(*label["shape"])] = objects(label, data["names"], task)
    return images


def classified(form: str) -> dict[str, list[Any]]:
    data = check_cls_dataset(str(root / form))
    images = {}
    for split in ("train", "val", "test"):
        made = ClassificationDataset(str(data[split]), get_cfg(overrides={"imgsz": 32}), names=data["names"])
        for path, number, *_ in made.samples:
            with Image.open(path) as image:
                images["{}x{}".format(*image.size)] = [[data["names"][number]]]
    return images


read = {form: classified(form) if task == "classify" else scanned(form, task) for form, (_, task) in MODELS.items()}
for form, (model, task) in MODELS.items():
    data = root / form if task == "classify" else root / form / "data.yaml"
    trained = YOLO(f"{model}.yaml").train(
        data=str(data), epochs=1, imgsz=64, batch=4, workers=0, plots=False, project=str(root / "runs"), device="cpu"
    )
    assert trained.results_dict, form
print(json.dumps({"version": ultralytics.__version__, "read": read}))
