"""sahi: COCO and YOLO."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from drawn_set import CLASSES, SIZES, Shape, write_all
from sahi.utils.coco import Coco, CocoAnnotation, CocoCategory, CocoImage


def build(images: Path, of: dict[str, list[Shape]]) -> Coco:
    made = Coco(image_dir=str(images))
    for number, name in enumerate(CLASSES):
        made.add_category(CocoCategory(id=number, name=name))
    for file, shapes in of.items():
        image = CocoImage(file_name=file, width=SIZES[file][0], height=SIZES[file][1])
        for shape in shapes:
            known = {"category_id": CLASSES.index(shape.label), "category_name": shape.label}
            xmin, ymin, xmax, ymax = shape.box
            if shape.kind == "box":
                image.add_annotation(CocoAnnotation(bbox=[xmin, ymin, xmax - xmin, ymax - ymin], **known))
            else:
                image.add_annotation(CocoAnnotation(segmentation=[shape.flat], **known))
        made.add_image(image)
    return made


def coco(folder: Path, images: Path, of: dict[str, list[Shape]]) -> None:
    shutil.copytree(images, folder / "images")
    (folder / "dataset.json").write_text(json.dumps(build(images, of).json))


def yolo(folder: Path, images: Path, of: dict[str, list[Shape]]) -> None:
    build(images, of).export_as_yolo(str(folder), train_split_rate=0.6, disable_symlink=True)


write_all("sahi", {"coco": ("box polygon", coco), "yolo": ("box", yolo)})
