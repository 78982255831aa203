"""torchvision: CocoDetection over each split, and ImageFolder's numbers of the classes in each."""

from __future__ import annotations

import json
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torchvision_ops  # noqa: F401 (before torchvision)
from torchvision import datasets

root = Path(sys.argv[1])
read: dict[str, dict[str, list[Any]]] = {"coco": {}, "roboflow_coco": {}, "class_folders": {}}
names = (root / "class_folders/classes.txt").read_text(encoding="utf-8").splitlines()
for split in ("train", "valid", "test"):
    for form, file in (
        ("coco", f"annotations/instances_{split}.json"),
        ("roboflow_coco", f"{split}/_annotations.coco.json"),
    ):
        made = datasets.CocoDetection(str(root / form / split), str(root / form / file))
        for image, rows in made:
            read[form]["{}x{}".format(*image.size)] = [
                [made.coco.cats[row["category_id"]]["name"], x, y, x + width, y + height]
                for row in rows
                for x, y, width, height in [row["bbox"]]
            ]
    for image, number in datasets.ImageFolder(str(root / "class_folders" / split), allow_empty=True):
        read["class_folders"]["{}x{}".format(*image.size)] = [[names[number]]]
print(json.dumps({"version": version("torchvision"), "read": read}))
