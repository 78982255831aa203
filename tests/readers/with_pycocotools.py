"""pycocotools: COCO's API reads each split, and COCOeval finds nothing wrong with what is held against itself."""

from __future__ import annotations

import contextlib
import json
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

root = Path(sys.argv[1])
FORMS = {  # what COCOeval measures there
    "coco": ["bbox"],
    "one_class/coco": ["bbox"],
    "outlined/coco": ["bbox"],
    "outlined/coco_polygons": ["bbox", "segm"],
    "posed/coco": ["bbox", "keypoints"],
    "turned/coco_polygons": ["bbox", "segm"],
}


def row_of(coco: COCO, one: dict[str, Any], form: str) -> list[Any]:
    x, y, width, height = one["bbox"]
    row = [coco.cats[one["category_id"]]["name"], x, y, x + width, y + height]
    if form.startswith("turned"):
        row += one["segmentation"][0]
    if form.startswith("posed"):
        points = one.get("keypoints", [])
        row += [*points, *[0] * (9 - len(points))]
    if form.startswith("outlined"):
        row.append("".join(map(str, coco.annToMask(one).ravel().tolist())) if one["segmentation"] else "")
    return row


def measure(coco: COCO, what: str) -> float:
    """AP of the truth itself, without its crowds."""
    found = []
    for one in coco.anns.values():
        if not one["iscrowd"]:
            shape = coco.annToRLE(one) if what == "segm" else one.get(what)
            key = "segmentation" if what == "segm" else what
            found.append({"image_id": one["image_id"], "category_id": one["category_id"], "score": 0.9, key: shape})
    if what == "keypoints":
        found = [one for one in found if one[what] and len(one[what]) == 9]
    judge = COCOeval(coco, coco.loadRes(found), what)
    judge.params.maxDets = [20]
    if what == "keypoints":
        judge.params.kpt_oks_sigmas = np.full(3, 0.05)
        judge.params.catIds = sorted({one["category_id"] for one in found})
    judge.evaluate()
    judge.accumulate()
    precision = judge.eval["precision"]
    return float(precision[precision > -1].mean())


read: dict[str, dict[str, list[Any]]] = {}
with contextlib.redirect_stdout(sys.stderr):
    for form, kinds in FORMS.items():
        read[form] = {}
        for split in ("train", "valid", "test"):
            coco = COCO(str(root / form / f"annotations/instances_{split}.json"))
            for number, image in coco.imgs.items():
                read[form][f"{image['width']}x{image['height']}"] = [
                    row_of(coco, one, form) for one in coco.loadAnns(coco.getAnnIds(number))
                ]
            for what in kinds:
                assert (ap := measure(coco, what)) > 0.999999, (form, split, what, ap)
print(json.dumps({"version": version("pycocotools"), "read": read}))
