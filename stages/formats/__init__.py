"""The annotation formats, one module each: add one as a file here and a line in FORMATS.

A format that can be read has
    detect(folder: RawFolder) -> list[str]               the annotation files it would read; [] for another format
    read(folder: RawFolder, files: list[str]) -> Source  after `folder.images` is filled
A format that can be written has
    write(job: ExportJob, out: Path) -> None             see stages/formats/export_job.py
    LOADING: str                                         how to load it, for the version's README
Both have
    TITLE: str                                           its name for people
    CARRIES: frozenset[str]                              what of a manifest it can hold: words of CARRYABLE
"""

from types import ModuleType

from stages.formats import coco, tfod_csv, tfrecord, voc

CARRYABLE = {
    "boxes": "boxes with a class",
    "outlines": "polygons",
    "masks": "masks as run lengths (RLE)",
    "labels": "classes of a whole image",
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

FORMATS: dict[str, ModuleType] = {"coco": coco, "tfod_csv": tfod_csv, "tfrecord": tfrecord, "voc": voc}
READERS = {name: module for name, module in FORMATS.items() if hasattr(module, "read")}
WRITERS = {name: module for name, module in FORMATS.items() if hasattr(module, "write")}
