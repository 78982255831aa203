"""The sample dataset: 60 pictures drawn here, whose boxes are exactly known. `shardsmith sample DIR`.

It is the same to the byte every time. No stage uses it: it only fills an empty data/raw.

    __init__    write_sample() and the command
    pictures    draw(): what is in each picture, and the boxes measured from that
    scenery     the places
    sketches    the things
    drawing     the tools
"""

from __future__ import annotations

import argparse
import hashlib
import shutil
from collections import Counter
from pathlib import Path

from shardsmith.dataset.errors import RawDataError
from shardsmith.dataset.label_map import LabelMap
from shardsmith.dataset.manifest import Image, Manifest
from shardsmith.dataset.workers import map_items
from shardsmith.formats.choice import check_writer
from shardsmith.formats.registry import WRITERS
from shardsmith.formats.shared.job import ExportJob
from shardsmith.sample.pictures import NEGATIVE, TASKS, draw_picture

_PART = ".sample.part"


def write_sample(folder: Path, format: str = "voc") -> str:
    """Draw the sample into a folder that is empty or not there yet, and say in a line what it holds.

    Raises:
        RawDataError: the folder holds something (hidden files do not count).
        UsageError: the format cannot be written.
    """
    check_writer(format, "--format")
    if folder.exists() and (not folder.is_dir() or any(not p.name.startswith(".") for p in folder.iterdir())):
        raise RawDataError(f"{folder}: it is not empty; name a new folder, or move what is there elsewhere")
    part = folder / _PART
    shutil.rmtree(part, ignore_errors=True)  # a killed run's
    try:
        counts = _write(part, format)
        for path in sorted((part / "out").iterdir()):
            path.rename(folder / path.name)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    boxes = ", ".join(f"{label} {count}" for label, count in counts.most_common())
    negatives = sum(number == NEGATIVE for _, number in TASKS)
    return f"{folder}: {len(TASKS)} images as {format}, {counts.total()} boxes ({boxes}), {negatives} negatives"


def _write(part: Path, format: str) -> Counter[str]:
    (part / "drawn").mkdir(parents=True)
    images, annotations = [], []
    for picture in map_items(draw_picture, TASKS, "sample: drawing"):
        path = part / "drawn" / picture.name
        path.write_bytes(picture.data)
        height, width = picture.owner.shape
        digest = hashlib.sha256(picture.data).hexdigest()
        images.append(Image(picture.name, str(path), digest, width, height, picture.format))
        annotations += picture.annotations
    counts = Counter(annotation.label for annotation in annotations)
    job = ExportJob(Manifest.of(images, annotations), LabelMap("sample").extended(sorted(counts)))
    WRITERS[format].write(job, part / "out")
    for empty in sorted((path for path in (part / "out").rglob("*") if path.is_dir()), reverse=True):
        if not any(empty.iterdir()):
            empty.rmdir()
    return counts


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="shardsmith sample", description="Draw the sample dataset.")
    parser.add_argument("folder", type=Path, metavar="DIR", help="where to: an empty folder, or one to be made")
    parser.add_argument("--format", default="voc", choices=sorted(WRITERS), help="the annotation format (default: voc)")
    arguments = parser.parse_args(argv)
    print(write_sample(arguments.folder, arguments.format))
