"""supervision: what its datasets are written as; it puts all images into one folder."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import supervision as sv
from drawn_set import CLASSES, SIZES, Shape, Write, write_all


def detections(shapes: list[Shape], size: tuple[int, int]) -> sv.Detections:
    if not shapes:
        return sv.Detections.empty()
    kinds = {shape.kind for shape in shapes}
    masks = [sv.polygon_to_mask(np.array(shape.points, int), size) if shape.kind == "polygon" else shape.mask()
             for shape in shapes if kinds & {"polygon", "mask"}]  # fmt: skip
    found = sv.Detections(
        xyxy=np.array([shape.box for shape in shapes], np.float32),
        class_id=np.array([CLASSES.index(shape.label) for shape in shapes]),
        mask=np.array(masks, bool) if masks else None,
    )
    if shapes[0].kind == "rotated":
        found.data["xyxyxyxy"] = np.array([shape.points for shape in shapes], np.float32)
    return found


def writer(save: Callable[[sv.DetectionDataset, Path], object]) -> Write:
    def write(folder: Path, images: Path, of: dict[str, list[Shape]]) -> None:
        known = {str(images / name): detections(shapes, SIZES[name]) for name, shapes in of.items()}
        save(sv.DetectionDataset(CLASSES, list(known), known), folder)

    return write


def folders(folder: Path, images: Path, of: dict[str, list[Shape]]) -> None:
    known = {str(images / name): sv.Classifications(np.array([CLASSES.index(shapes[0].label)]))
             for name, shapes in of.items() if shapes}  # fmt: skip
    sv.ClassificationDataset(CLASSES, list(known), known).as_folder_structure(str(folder))


def yolo(made: sv.DetectionDataset, folder: Path, is_obb: bool = False) -> None:
    made.as_yolo(f"{folder}/train/images", f"{folder}/train/labels", f"{folder}/data.yaml", is_obb=is_obb)


write_all("supervision", {
    "coco": ("box polygon mask", writer(lambda made, folder: made.as_coco(f"{folder}/i", f"{folder}/i/c.json"))),
    "createml": ("box", writer(lambda made, folder: made.as_createml(f"{folder}/i", f"{folder}/i/annotations.json"))),
    "labelme": ("box polygon mask", writer(lambda made, folder: made.as_labelme(f"{folder}/i", f"{folder}/labels"))),
    "pascal_voc": ("box polygon mask", writer(lambda made, folder: made.as_pascal_voc(f"{folder}/i", f"{folder}/a"))),
    "yolo": ("box polygon mask", writer(yolo)),
    "yolo_obb": ("rotated", writer(lambda made, folder: yolo(made, folder, True))),
    "folder_structure": ("label", folders),
})  # fmt: skip
