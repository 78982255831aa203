"""The annotation formats, one module each: add one as a file here and a line in FORMATS.

A format that can be read has
    detect(folder: RawFolder) -> list[str]               the annotation files it would read; [] for another format
    read(folder: RawFolder, files: list[str]) -> Source  after `folder.images` is filled
and, where images stand inside those files,
    unpack(folder: RawFolder, files: list[str], out: Path) -> None
                                                         before that: writes them below `out`, tells folder.add_unpacked
A format that can be written has
    write(job: ExportJob, out: Path) -> None             see stages/formats/export_job.py
    LOADING: str                                         how to load it, for the version's README
Both have
    TITLE: str                                           its name for people
    CARRIES: frozenset[str]                              what of a manifest it can hold: words of CARRYABLE
"""

from types import ModuleType
from typing import Any

from stages.formats import (
    class_folders,
    coco,
    labelbox,
    multiclass_csv,
    panlabel,
    retinanet_csv,
    tfod_csv,
    tfrecord,
    ultralytics,
    voc,
    yolo_darknet,
    yolo_keras,
)

CARRYABLE = {
    "boxes": "boxes with a class",
    "outlines": "polygons",
    "masks": "masks as run lengths (RLE)",
    "labels": "classes of a whole image",
    "several_labels": "more than one class of a whole image",
    "negatives": "images that were looked at and hold nothing",
    "splits": "train, valid and test",
    "crowd": "boxes around a crowd",
    "area": "the area of an object, where the source says it",
    "difficult": "VOC difficult",
    "truncated": "VOC truncated",
    "occluded": "VOC occluded",
    "pose": "VOC pose",
    "attributes": "any other attribute of an object",
}

FORMATS: dict[str, ModuleType] = {
    "class_folders": class_folders,
    "coco": coco,
    "labelbox": labelbox,
    "multiclass_csv": multiclass_csv,
    "panlabel": panlabel,
    "retinanet_csv": retinanet_csv,
    "tfod_csv": tfod_csv,
    "tfrecord": tfrecord,
    "ultralytics": ultralytics,
    "voc": voc,
    "yolo_darknet": yolo_darknet,
    "yolo_keras": yolo_keras,
}


class _Readers(dict[str, Any]):
    """Name -> format; the name `panlabel:kitti` gives panlabel's reader of that form."""

    def __missing__(self, name: str) -> panlabel.Form:
        if name in PANLABEL:
            return panlabel.Form(name.removeprefix("panlabel:"))
        raise KeyError(name)


PANLABEL = [f"panlabel:{form}" for form in panlabel.FORMS]
READERS = _Readers((name, module) for name, module in FORMATS.items() if hasattr(module, "read"))
WRITERS = {name: module for name, module in FORMATS.items() if hasattr(module, "write")}
