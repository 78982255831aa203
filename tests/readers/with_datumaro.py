"""Datumaro: VOC, which wants labelmap.txt, and Roboflow COCO, as its own importers read them.

Its COCO importer wants all images below `images/`, where other programs take a folder a split.
"""

from __future__ import annotations

import json
import sys
from importlib.metadata import version
from typing import Any

import datumaro as dm


def images_of(made: dm.Dataset) -> dict[str, list[Any]]:
    labels = made.categories()[dm.AnnotationType.label]
    found = {}
    for item in made:
        height, width = item.media.size
        found[f"{width}x{height}"] = [
            [labels[one.label].name, one.x, one.y, one.x + one.w, one.y + one.h]
            for one in item.annotations
            if one.type == dm.AnnotationType.bbox
        ]
    return found


read = {name: images_of(dm.Dataset.import_from(f"{sys.argv[1]}/{name}", form))
        for name, form in (("roboflow_coco", "roboflow_coco"), ("voc", "voc_detection"))}  # fmt: skip
print(json.dumps({"version": version("datumaro"), "read": read}))
