"""FiftyOne: its dataset exporters, given one sample at a time, which needs no database."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import fiftyone as fo
import fiftyone.utils.bdd as bdd
import fiftyone.utils.coco as coco
import fiftyone.utils.cvat as cvat
import fiftyone.utils.kitti as kitti
import fiftyone.utils.voc as voc
import fiftyone.utils.yolo as yolo
import numpy as np
from drawn_set import CLASSES, SIZES, Shape, Write, write_all
from fiftyone.utils import data


def detection(shape: Shape) -> fo.Detection:
    width, height = SIZES[shape.image]
    xmin, ymin, xmax, ymax = shape.box
    place = [xmin / width, ymin / height, (xmax - xmin) / width, (ymax - ymin) / height]
    inside = shape.mask()[int(ymin) : int(ymax), int(xmin) : int(xmax)] if shape.kind == "mask" else None
    return fo.Detection(label=shape.label, bounding_box=place, mask=inside)


def polyline(shape: Shape) -> fo.Polyline:
    width, height = SIZES[shape.image]
    points = [(x / width, y / height) for x, y in shape.points]
    return fo.Polyline(label=shape.label, points=[points], closed=True, filled=True)


def objects(shapes: list[Shape]) -> Any:
    if {shape.kind for shape in shapes} == {"polygon"}:
        return fo.Polylines(polylines=[polyline(shape) for shape in shapes])
    return fo.Detections(detections=[detection(shape) for shape in shapes]) if shapes else None


def pixels(shapes: list[Shape]) -> Any:
    """Values from 1, of what has a mask; the later shape is on top."""
    if not shapes:
        return None
    values = np.zeros(shapes[0].mask().shape, np.uint8)
    for shape in shapes:
        values[shape.mask()] = CLASSES.index(shape.label) + 1
    return fo.Segmentation(mask=values)


def named(shapes: list[Shape]) -> dict[str, Any]:
    return {"found": objects(shapes)} if shapes else {}


def label(shapes: list[Shape]) -> Any:
    return fo.Classification(label=shapes[0].label) if shapes else None


def writer(make: Callable[[str], Any], of_image: Callable[[list[Shape]], Any] = objects) -> Write:
    def write(folder: Path, images: Path, of: dict[str, list[Shape]]) -> None:
        with make(str(folder)) as exporter:
            for name, shapes in of.items():
                path = str(images / name)
                metadata = fo.ImageMetadata.build_for(path) if exporter.requires_image_metadata else None
                exporter.export_sample(path, of_image(shapes), metadata=metadata)

    return write


def yolov5(folder: str) -> Any:
    return yolo.YOLOv5DatasetExporter(export_dir=folder, split="train", classes=CLASSES, export_media=True)


COPIED = {"export_media": True}
TARGETS = dict(enumerate(CLASSES, 1))
write_all("fiftyone", {
    "bdd": ("box", writer(lambda f: bdd.BDDDatasetExporter(export_dir=f, **COPIED), named)),
    "class_folders": ("label", writer(lambda f: data.ImageClassificationDirectoryTreeExporter(
        export_dir=f, **COPIED), label)),
    "coco": ("box polygon mask", writer(lambda f: coco.COCODetectionDatasetExporter(
        export_dir=f, classes=CLASSES, info={}, **COPIED))),
    "cvat": ("box polygon", writer(lambda f: cvat.CVATImageDatasetExporter(export_dir=f, **COPIED), named)),
    "detections_json": ("box", writer(lambda f: data.FiftyOneImageDetectionDatasetExporter(
        export_dir=f, classes=CLASSES, **COPIED))),
    "classifications_json": ("label", writer(lambda f: data.FiftyOneImageClassificationDatasetExporter(
        export_dir=f, classes=CLASSES, **COPIED), label)),
    "kitti": ("box", writer(lambda f: kitti.KITTIDetectionDatasetExporter(export_dir=f, **COPIED))),
    "segmentation": ("mask", writer(lambda f: data.ImageSegmentationDirectoryExporter(
        export_dir=f, mask_targets=TARGETS, **COPIED), pixels)),
    "voc": ("box", writer(lambda f: voc.VOCDetectionDatasetExporter(export_dir=f, **COPIED))),
    "yolov4": ("box", writer(lambda f: yolo.YOLOv4DatasetExporter(export_dir=f, classes=CLASSES, **COPIED))),
    "yolov5": ("box polygon", writer(yolov5)),
})  # fmt: skip
