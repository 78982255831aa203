"""Datumaro: its exporters for images with boxes, outlines, masks or classes; not those for text and for people."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import datumaro as dm
from datumaro.components.annotation import RotatedBbox
from drawn_set import CLASSES, SPLITS, TURNED, Shape, write_all


def classes(form: str) -> list[str]:
    """Where the value of a mask is the number of its class, the first one is the background."""
    return ["background", *CLASSES] if form in ("camvid", "cityscapes", "kitti", "kitti_segmentation") else CLASSES


def annotation(shape: Shape, number: int, form: str) -> dm.Annotation:
    known = {"label": classes(form).index(shape.label), "id": number, "group": number}
    known["attributes"] = {"track_id": number, "index": number, "text": shape.label}
    if shape.kind == "label":
        return dm.Label(known["label"], id=number)
    xmin, ymin, xmax, ymax = shape.box
    if shape.kind == "box":
        return dm.Bbox(xmin, ymin, xmax - xmin, ymax - ymin, **known)
    if shape.kind == "polygon":
        return dm.Polygon(shape.flat, **known)
    if shape.kind == "mask":
        return dm.Mask(shape.mask(), **known)
    return RotatedBbox((xmin + xmax) / 2, (ymin + ymax) / 2, *TURNED, **known)


def write(form: str, folder: Path, images: Path, of: dict[str, list[Shape]]) -> None:
    items, number = [], 0
    for name, shapes in of.items():
        annotations = [annotation(shape, number := number + 1, form) for shape in shapes]
        if form == "vgg_face2":  # of at most one box an image
            annotations = annotations[:1]
        media = dm.Image.from_file(path=str(images / name))
        known = {"id": str(Path(name).with_suffix("")), "subset": SPLITS.get(name, "val")}
        items.append(dm.DatasetItem(**known, media=media, annotations=annotations))
    made = dm.Dataset.from_iterable(items, categories=classes(form), media_type=dm.Image)
    made.export(str(folder), form, save_media=True)


# a label of VOC's is a class that the image has a box of, and so is in voc_classification alone
HELD = {
    "arrow": "box polygon mask label", "camvid": "mask", "cifar": "label", "cityscapes": "mask",
    "coco": "box polygon mask", "coco_instances": "box polygon mask", "coco_labels": "label", "coco_panoptic": "mask",
    "coco_stuff": "mask", "cvat": "box polygon mask rotated label", "datumaro": "box polygon mask label",
    "datumaro_binary": "box polygon mask label", "dota": "rotated", "icdar_text_localization": "box polygon",
    "imagenet": "label", "imagenet_txt": "label", "imagenet_with_subset_dirs": "label", "kitti": "box mask",
    "kitti_detection": "box", "kitti_segmentation": "mask", "label_me": "box polygon mask", "lfw": "label",
    "mnist": "label", "mot_seq_gt": "box", "mots_png": "mask", "open_images": "box mask label",
    "segment_anything": "polygon mask", "vgg_face2": "box label", "voc": "box mask", "voc_action": "box",
    "voc_classification": "label", "voc_detection": "box", "voc_instance_segmentation": "mask", "voc_layout": "box",
    "voc_segmentation": "mask", "wider_face": "box", "yolo": "box", "yolo_ultralytics": "box",
}  # fmt: skip

write_all("datumaro", {form: (held, partial(write, form)) for form, held in HELD.items()})
