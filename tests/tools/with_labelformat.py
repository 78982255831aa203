"""labelformat: its outputs; the images are put where each expects them."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
from drawn_set import CLASSES, SIZES, Shape, Write, write_all
from labelformat import formats
from labelformat.model.binary_mask_segmentation import BinaryMaskSegmentation
from labelformat.model.bounding_box import BoundingBox
from labelformat.model.category import Category
from labelformat.model.image import Image
from labelformat.model.instance_segmentation import ImageInstanceSegmentation, SingleInstanceSegmentation
from labelformat.model.multipolygon import MultiPolygon
from labelformat.model.object_detection import ImageObjectDetection, SingleObjectDetection

CATEGORIES = [Category(number, name) for number, name in enumerate(CLASSES, 1)]  # 0 is the background of masks


class Labels:
    """What labelformat calls an input, of the drawn set."""

    def __init__(self, of: dict[str, list[Shape]]) -> None:
        self.of = of

    def get_categories(self) -> Iterable[Category]:
        return CATEGORIES

    def get_images(self) -> Iterable[Image]:
        return [Image(number, name, *SIZES[name]) for number, name in enumerate(self.of)]

    def get_labels(self) -> Iterable[Any]:
        for image in self.get_images():
            shapes = self.of[image.filename]
            if {shape.kind for shape in shapes} <= {"box"}:
                boxes = [SingleObjectDetection(category(shape), BoundingBox(*shape.box)) for shape in shapes]
                yield ImageObjectDetection(image, boxes)
            else:
                yield ImageInstanceSegmentation(
                    image, [SingleInstanceSegmentation(category(shape), outline(shape)) for shape in shapes]
                )


def category(shape: Shape) -> Category:
    return CATEGORIES[CLASSES.index(shape.label)]


def outline(shape: Shape) -> MultiPolygon | BinaryMaskSegmentation:
    if shape.kind == "polygon":
        return MultiPolygon([shape.points])
    return BinaryMaskSegmentation.from_binary_mask(shape.mask().astype(np.int_), BoundingBox(*shape.box))


def writer(save: Callable[[Path, Labels], None], beside: str = "images") -> Write:
    def write(folder: Path, images: Path, of: dict[str, list[Shape]]) -> None:
        shutil.copytree(images, folder / beside)
        for name in of:
            (folder / "l" / name).parent.mkdir(parents=True, exist_ok=True)  # one of the outputs makes no folders
        save(folder, Labels(of))

    return write


def coco_masks(folder: Path, labels: Labels) -> None:
    formats.COCOInstanceSegmentationOutput(folder / "c.json").save(labels)


def yolo(version: str) -> Write:
    output = getattr(formats, f"{version}ObjectDetectionOutput")
    return writer(lambda folder, labels: output(folder / "data.yaml", "train").save(labels), "train/images")


def into(output: Any, name: str) -> Write:
    return writer(lambda folder, labels: output(folder / name).save(labels))


write_all("labelformat", {
    "coco": ("box", into(formats.COCOObjectDetectionOutput, "c.json")),
    "coco_instances": ("polygon mask", writer(coco_masks)),
    "cvat": ("box", into(formats.CVATObjectDetectionOutput, "c.xml")),
    "kitti": ("box", into(formats.KittiObjectDetectionOutput, "l")),
    "lightly": ("box", into(formats.LightlyObjectDetectionOutput, "l")),
    "pascalvoc": ("box", into(formats.PascalVOCObjectDetectionOutput, "l")),
    "semantic": ("mask", into(formats.PascalVOCSemanticSegmentationOutput, "")),
    "yolov5": ("box", yolo("YOLOv5")), "yolov6": ("box", yolo("YOLOv6")), "yolov8": ("box", yolo("YOLOv8")),
})  # fmt: skip
