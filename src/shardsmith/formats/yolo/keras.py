"""YOLO Keras TXT: a line an image, `path xmin,ymin,xmax,ymax,class ...` in pixels, and the classes' names in a file.

A line with a path alone is a negative: the trainer takes it as an image without a box. It also reads whole numbers
only and ends a path at its first blank, so boxes are written in whole pixels and blanks in file names as "_".

Sources: qqwweee/keras-yolo3, README and get_random_data; Roboflow's export (_annotations.txt, _classes.txt).
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath

from shardsmith.dataset.findings import Finding, found
from shardsmith.dataset.images import EXTENSIONS
from shardsmith.dataset.manifest import Annotation
from shardsmith.formats.format import Format
from shardsmith.formats.shapes.placement import Box, Size, corners, on_displayed
from shardsmith.formats.shared.job import ExportJob, leaving_names, write_images
from shardsmith.formats.shared.raw_folder import ImageEntry, RawFolder, Source
from shardsmith.formats.shared.splits import split_in_name, split_in_path
from shardsmith.formats.yolo.files import ImagePaths, Nearest, names_files, read_names
from shardsmith.formats.yolo.lines import (
    ClassNames,
    LineError,
    add_classes,
    finite,
    format_names,
    is_image_list,
    lines_of,
    trainer_names,
)

_ENDINGS = "|".join(sorted(re.escape(extension) for extension in EXTENSIONS))
_PATH = re.compile(rf"(.*(?:{_ENDINGS}))(?:\s+(\S.*))?", re.IGNORECASE)  # greedy: a path may hold blanks
_BOXES = re.compile(r"(-?[\d.]+,){4}\d+(\s+(-?[\d.]+,){4}\d+)*")
_OUR_FILE = "_annotations.txt"
_HEAD = 1 << 16
_REMEDY = "add _classes.txt or classes.txt (a name a line, that of class 0 first)"

_LOADING = """
`SPLIT/_annotations.txt` has a line an image, `name xmin,ymin,xmax,ymax,class ...` in whole pixels, and stands beside
the images; line n of `SPLIT/_classes.txt` names class n - 1. A line without a box is a negative. keras-yolo3 and its
kin read it when they run in the split's folder.
"""


@dataclass
class KerasLine:
    """One line: the image's path as written, its boxes in pixels with their labels, and a finding for each bad box."""

    place: str
    path: str
    boxes: list[Box] = field(default_factory=list)
    labels: list[str] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)


def detect(folder: RawFolder) -> list[str]:
    """Text files with a line that is an image's path and boxes, and any _annotations.txt that lists images.

    One with the stem of an image has the labels of another format.
    """
    candidates = [file for file in folder.with_suffix(".txt") if folder.locate_stem(file) is None]
    return [file for file in candidates if _is_keras(file, folder.head(file, _HEAD))]


def _is_keras(file: str, head: str) -> bool:
    return any(map(_is_line, lines_of(head))) or (PurePosixPath(file).name == _OUR_FILE and is_image_list(head))


def _is_line(line: str) -> bool:
    match = _PATH.fullmatch(line.strip())
    return bool(match and match.group(2) and _BOXES.fullmatch(match.group(2)))


def read(folder: RawFolder, files: list[str]) -> Source:
    """
    Raises:
        RawDataError: a file is not text, no file names the classes, or several do so differently.
    """
    source, paths = Source(shapes=0), ImagePaths(folder)
    names = Nearest(read_names(folder, names_files(folder)), _REMEDY)
    add_classes(source, map(names.to, files))
    for file in files:
        lines, findings = parse(folder.text(file), file, names.to(file))
        source.findings += findings
        for line in lines:
            image_id = paths.locate(line.path, file, line.place)
            if isinstance(image_id, Finding):
                source.findings.append(image_id)
            else:
                _add(folder, file, image_id, line, source)
    return source


def _add(folder: RawFolder, file: str, image_id: str, line: KerasLine, source: Source) -> None:
    source.entries.setdefault(image_id, ImageEntry(split_in_name(file) or split_in_path(image_id, file)))
    boxes, findings = on_displayed(line.boxes, folder.images[image_id], None, f"{file}, {line.place}")
    source.findings += [replace(one, image_id=image_id) for one in [*line.findings, *findings]]
    source.shapes = (source.shapes or 0) + len(boxes) + len(line.findings)
    source.annotations += [Annotation(image_id, label, *box) for label, box in zip(line.labels, boxes, strict=True)]


def parse(text: str, file: str, classes: ClassNames) -> tuple[list[KerasLine], list[Finding]]:
    """The lines of one file, and a finding for each that names no image."""
    lines, findings = [], []
    for number, content in enumerate(lines_of(text), start=1):
        if not content.strip():
            continue
        match = _PATH.fullmatch(content.strip())
        if not match:
            reason = "it does not begin with the path of an image"
            findings.append(found("annotation-unreadable", file, f"line {number}", content.strip()[:60], reason))
            continue
        line = KerasLine(f"line {number}", match.group(1))
        for value in (match.group(2) or "").split():
            try:
                label, box = _box(value, classes)
            except LineError as error:
                line.findings.append(error.finding(file, line.place))
            else:
                line.labels.append(label)
                line.boxes.append(box)
        lines.append(line)
    return lines, findings


def _box(value: str, classes: ClassNames) -> tuple[str, Box]:
    columns = value.split(",")
    if len(columns) != 5:
        raise LineError(value, f"it has {len(columns)} values, not 5 (xmin, ymin, xmax, ymax, class)")
    xmin, ymin, xmax, ymax = (finite(column) for column in columns[:4])
    return classes.name(columns[4]), (xmin, ymin, xmax, ymax)


def write(job: ExportJob, out: Path) -> None:
    """SPLIT/_annotations.txt and SPLIT/_classes.txt, with the split's images beside them."""
    images = job.manifest.image_rows()
    names = trainer_names(leaving_names(images), images, blanks=False)
    class_names = format_names(job.label_map.names_by_id()[1:])
    for split, rows in job.by_split():
        write_images([image for image, _ in rows], names, out / split)
        lines = []
        for image, boxes in rows:
            if image.annotated:
                size = (image.width or 1, image.height or 1)
                pixels = [(row.label, whole_pixels(corners(row), size)) for row in boxes if row.xmin is not None]
                words = [",".join(map(str, (*box, job.label_map.ids[label] - 1))) for label, box in pixels]
                lines.append(" ".join([names[image.image_id], *words]))
        (out / split / _OUR_FILE).write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
        (out / split / "_classes.txt").write_text(class_names, encoding="utf-8")


def whole_pixels(box: Box, size_px: Size) -> tuple[int, int, int, int]:
    """The box rounded to whole pixels inside the image, one pixel wide and high at least."""
    xmin, xmax = _round(box[0], box[2], size_px[0])
    ymin, ymax = _round(box[1], box[3], size_px[1])
    return xmin, ymin, xmax, ymax


def _round(low: float, high: float, side_px: int) -> tuple[int, int]:
    first = min(max(math.floor(low + 0.5), 0), side_px - 1)
    return first, min(max(math.floor(high + 0.5), first + 1), side_px)


FORMAT = Format(
    name="yolo_keras",
    title="YOLO Keras TXT",
    carries=frozenset({"boxes", "negatives", "splits"}),
    detect=detect,
    read=read,
    write=write,
    loading=_LOADING,
)
