"""The annotation formats, one module each: add one as a file here and a line in FORMATS.

A format that can be read has
    detect(folder: RawFolder) -> list[str]               the annotation files it would read; [] for another format
    read(folder: RawFolder, files: list[str]) -> Source  after `folder.images` is filled
A format that can be written has
    write(job: ExportJob, out: Path) -> None             see stages/formats/export_job.py
"""

from types import ModuleType

from stages.formats import coco, tfod_csv, tfrecord, voc

FORMATS: dict[str, ModuleType] = {"coco": coco, "tfod_csv": tfod_csv, "tfrecord": tfrecord, "voc": voc}
READERS = {name: module for name, module in FORMATS.items() if hasattr(module, "read")}
WRITERS = {name: module for name, module in FORMATS.items() if hasattr(module, "write")}
