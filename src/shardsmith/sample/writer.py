"""The sample dataset: 60 pictures drawn here, whose boxes are exactly known. `shardsmith sample DIR`.

It is the same to the byte every time. No stage uses it: it only fills an empty data/raw.

    writer      write_sample()
    pictures    draw(): what is in each picture, and the boxes measured from that
    scenery     the places
    sketches    the things
    shapes      masks, oriented boxes and keypoints of them
    drawing     the tools
"""

from __future__ import annotations

import hashlib
import shutil
from collections import Counter
from functools import partial
from pathlib import Path

from shardsmith.dataset.errors import RawDataError, UsageError
from shardsmith.dataset.label_map import LabelMap
from shardsmith.dataset.manifest import Image, Manifest
from shardsmith.dataset.workers import map_items
from shardsmith.formats.choice import check_writer
from shardsmith.formats.registry import WRITERS
from shardsmith.formats.shared.job import ExportJob
from shardsmith.sample.pictures import NEGATIVE, TASKS, draw_picture

_PART = ".sample.part"


def write_sample(folder: Path, format: str = "voc", shapes: str = "boxes") -> str:
    """Draw the sample into a folder that is empty or not there yet, and say in a line what it holds.

    Args:
        shapes: boxes (nothing else), masks, oriented or keypoints: what the annotations have beside their boxes.

    Raises:
        RawDataError: the folder holds something (hidden files do not count).
        UsageError: the format cannot be written, or has no place for the shapes.
    """
    check_writer(format, "--format")
    if shapes != "boxes" and shapes not in WRITERS[format].carried(masks=True):
        fitting = ", ".join(name for name, one in WRITERS.items() if shapes in one.carried(masks=True) and one.is_read)
        raise UsageError(f"--shapes {shapes}: {format} has no place for them; choose --format {fitting}")
    if folder.exists() and (not folder.is_dir() or any(not p.name.startswith(".") for p in folder.iterdir())):
        raise RawDataError(f"{folder}: it is not empty; name a new folder, or move what is there elsewhere")
    part = folder / _PART
    shutil.rmtree(part, ignore_errors=True)  # a killed run's
    try:
        counts = _write(part, format, shapes)
        for path in sorted((part / "out").iterdir()):
            path.rename(folder / path.name)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    boxes = ", ".join(f"{label} {count}" for label, count in counts.most_common())
    negatives = sum(number == NEGATIVE for _, number in TASKS)
    return f"{folder}: {len(TASKS)} images as {format}, {counts.total()} boxes ({boxes}), {negatives} negatives"


def _write(part: Path, format: str, shapes: str) -> Counter[str]:
    (part / "drawn").mkdir(parents=True)
    images, annotations = [], []
    for picture in map_items(partial(draw_picture, shapes=shapes), TASKS, "sample: drawing"):
        path = part / "drawn" / picture.name
        path.write_bytes(picture.data)
        height, width = picture.owner.shape
        digest = hashlib.sha256(picture.data).hexdigest()
        images.append(Image(picture.name, str(path), digest, width, height, picture.format))
        annotations += picture.annotations
    counts = Counter(annotation.label for annotation in annotations)
    job = ExportJob(
        Manifest.of(images, annotations), LabelMap("sample").extended(sorted(counts)), masks=shapes == "masks"
    )
    WRITERS[format].write(job, part / "out")
    for empty in sorted((path for path in (part / "out").rglob("*") if path.is_dir()), reverse=True):
        if not any(empty.iterdir()):
            empty.rmdir()
    return counts
