"""RF-DETR: its datasets of Roboflow COCO and of Ultralytics YOLO, with masks, by the names it trains on."""

from __future__ import annotations

import json
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torchvision_ops  # noqa: F401 (before RF-DETR imports torchvision)
from rfdetr.datasets.coco import CocoDetection, _train_split_cat2label
from rfdetr.datasets.yolo import YoloDetection, _resolve_yolo_split_dirs
from rfdetr.detr import RFDETR

root = Path(sys.argv[1])


def coco(form: str, split: str) -> CocoDetection:
    return CocoDetection(
        root / form / split,
        root / form / split / "_annotations.coco.json",
        transforms=None,
        include_masks=form.startswith("outlined"),
        remap_category_ids=True,
        cat2label=_train_split_cat2label(root / form),
    )


def yolo(form: str, split: str) -> YoloDetection:
    data = root / form / "data.yaml"
    images, labels = _resolve_yolo_split_dirs(root / form, data, split)
    masked = form.startswith("outlined")
    return YoloDetection(
        img_folder=str(images), lb_folder=str(labels), data_file=str(data), transforms=None, include_masks=masked
    )


def rows(names: list[str], target: dict[str, Any]) -> list[list[Any]]:
    found = []
    for number, (label, box) in enumerate(zip(target["labels"].tolist(), target["boxes"].tolist(), strict=True)):
        found.append([names[label], *box])
        if "masks" in target:
            found[-1].append("".join(map(str, target["masks"][number].int().ravel().tolist())))
    return found


read: dict[str, dict[str, list[Any]]] = {}
for form in ("roboflow_coco", "outlined/roboflow_coco", "one_class/roboflow_coco", "ultralytics",
             "outlined/ultralytics"):  # fmt: skip
    is_yolo = form.endswith("ultralytics")
    names = RFDETR._load_classes(str(root / form))
    images = read[form if is_yolo else f"{form} without crowds"] = {}
    for split, theirs in (("train", "train"), ("valid", "val"), ("test", "test")):
        for image, target in yolo(form, theirs) if is_yolo else coco(form, split):
            images["{}x{}".format(*image.size)] = rows(names, target)
print(json.dumps({"version": version("rfdetr"), "read": read}))
