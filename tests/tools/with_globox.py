"""Globox: its writers of boxes."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

from drawn_set import CLASSES, SIZES, Shape, Write, write_all
from globox import Annotation, AnnotationSet, BoundingBox

IDS = {name: number for number, name in enumerate(CLASSES)}


def writer(save: Callable[[AnnotationSet, Path], None]) -> Write:
    def write(folder: Path, images: Path, of: dict[str, list[Shape]]) -> None:
        shutil.copytree(images, folder / "images")
        made = AnnotationSet()
        for name, shapes in of.items():
            boxes = [BoundingBox.create(label=shape.label, coords=shape.box) for shape in shapes]
            made.add(Annotation(name, SIZES[name], boxes))
            (folder / "labels" / name).parent.mkdir(parents=True, exist_ok=True)  # globox makes one folder alone
        save(made, folder)

    return write


def yolo(made: AnnotationSet, folder: Path) -> None:
    made.save_yolo_v5(folder / "labels", label_to_id=IDS)
    (folder / "labels" / "classes.txt").write_text("\n".join(CLASSES))


write_all("globox", {
    "coco": ("box", writer(lambda made, folder: made.save_coco(folder / "coco.json", auto_ids=True))),
    "cvat": ("box", writer(lambda made, folder: made.save_cvat(folder / "cvat.xml"))),
    "labelme": ("box", writer(lambda made, folder: made.save_labelme(folder / "labels"))),
    "open_images": ("box", writer(lambda made, folder: made.save_openimage(folder / "boxes.csv"))),
    "pascal_voc": ("box", writer(lambda made, folder: made.save_pascal_voc(folder / "labels"))),
    "via_json": ("box", writer(lambda made, folder: made.save_via_json(folder / "via.json",
                                                                       image_folder=folder / "images"))),
    "yolo_v5": ("box", writer(yolo)),
})  # fmt: skip
