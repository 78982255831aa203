"""Ultralytics NDJSON: a line about the dataset with the classes' names, then a line an image with its annotations.

`annotations` holds lists of numbers as the lines of a label file have them, by task: `boxes`, `segments`, `obb`, `pose`
and `classification`; an image that has none of them is a negative. Images that are not here stand at their `url`.

Source: Ultralytics' documentation of its NDJSON format, and its converter (convert_ndjson_to_yolo in
ultralytics/data/converter.py), which takes an image's `split` and its `file`.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from shardsmith.dataset.errors import RawDataError
from shardsmith.dataset.findings import Finding, found
from shardsmith.dataset.manifest import Annotation
from shardsmith.formats.format import Format
from shardsmith.formats.shared.json import paired
from shardsmith.formats.shared.placement import Size
from shardsmith.formats.shared.raw_folder import SHOWN, ImageEntry, RawFolder, Source, split_in_name, split_in_path
from shardsmith.formats.yolo.files import name_keypoints, place, size_px
from shardsmith.formats.yolo.lines import ClassNames, LabelFile, LineError, add_classes, lines_of, parse_columns

_HEAD = 1 << 16
_CLASS_NAMES = re.compile(r'"class_names"\s*:')
_IMAGE = re.compile(r'"type"\s*:\s*"(image|dataset)"')
_KINDS = ("boxes", "segments", "obb", "pose")
_FETCH = "it is not here, only at its url; download it"
_REMEDY = "export the dataset again"


@dataclass
class NdjsonFile:
    """One file: the classes, and a row an image."""

    names: dict[int, str] = field(default_factory=dict)
    keypoint_columns: int = 0
    rows: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)

    def classes(self, file: str) -> ClassNames:
        return ClassNames(file, tuple(self.names.get(number, "") for number in range(max(self.names, default=-1) + 1)))


def detect(folder: RawFolder) -> list[str]:
    """Files of a JSON object a line, of which the first describes a dataset with `class_names`."""
    return [file for suffix in (".ndjson", ".jsonl") for file in folder.with_suffix(suffix) if _fits(folder, file)]


def _fits(folder: RawFolder, file: str) -> bool:
    first = next((line for line in lines_of(folder.head(file, _HEAD)) if line.strip()), "")
    return first.lstrip().startswith("{") and bool(_CLASS_NAMES.search(first) and _IMAGE.search(first))


def read(folder: RawFolder, files: list[str]) -> Source:
    """
    Raises:
        RawDataError: a file is not text, or names no classes.
    """
    source = Source(shapes=0)
    contents = {file: parse(folder.text(file), file) for file in files}
    add_classes(source, (content.classes(file) for file, content in contents.items()))
    keypoints: dict[str, int] = defaultdict(int)
    for file, content in contents.items():
        source.findings += content.findings
        for at, row in content.rows:
            keypoints[file] += _add(folder, file, at, row, content, source)
    source.findings += name_keypoints(keypoints)
    return source


def parse(text: str, file: str) -> NdjsonFile:
    """
    Raises:
        RawDataError: no line names the classes.
    """
    content = NdjsonFile()
    for number, line in enumerate(lines_of(paired(text)), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError):
            row = None
        if not isinstance(row, dict):
            reason = "it is no JSON object"
            content.findings.append(found("annotation-unreadable", file, f"line {number}", reason=reason))
        elif row.get("type") == "dataset" or "class_names" in row:
            content.names |= dict(_names(row.get("class_names")))
            content.keypoint_columns = _keypoint_columns(row.get("kpt_shape"))
        else:
            content.rows.append((f"line {number}", row))
    if not content.names:
        raise RawDataError(f"{file}: no line has class_names, numbers with names; {_REMEDY}")
    return content


def _names(names: Any) -> Iterator[tuple[int, str]]:
    pairs = names.items() if isinstance(names, dict) else enumerate(names if isinstance(names, list) else [])
    for number, name in pairs:
        if str(number).isdecimal() and int(str(number)[:7]) < 100_000 and isinstance(name, str | int | float):
            yield int(number), " ".join(str(name).split("\n")).strip()


def _keypoint_columns(shape: Any) -> int:
    whole = isinstance(shape, list) and len(shape) == 2 and all(type(n) is int and 0 < n < 10_000 for n in shape)
    return shape[0] * shape[1] if whole else 0


def _add(folder: RawFolder, file: str, at: str, row: dict[str, Any], content: NdjsonFile, source: Source) -> int:
    """Add one image; how many of its boxes have keypoints."""
    name = row.get("file")
    if not isinstance(name, str) or not name:
        reason = f"it names no image: file is {str(name)[:60]}"
        source.findings.append(found("annotation-unreadable", file, at, reason=reason))
        return 0
    image_id = folder.locate(name, file, at)
    if isinstance(image_id, Finding):
        missing = image_id.code == "image-missing" and row.get("url")
        source.findings.append(replace(image_id, reason=_FETCH) if missing else image_id)
        return 0
    split = split_in_name(str(row.get("split"))) or split_in_path(image_id, file)
    source.entries.setdefault(image_id, ImageEntry(split))
    info = folder.images[image_id]
    labels = parse_image(row, file, at, content.classes(file), size_px(info), content.keypoint_columns)
    source.shapes = (source.shapes or 0) + labels.shapes
    place(labels, file, image_id, info, source)
    return labels.keypoints


def parse_image(
    row: dict[str, Any], file: str, at: str, classes: ClassNames, size: Size, keypoint_columns: int
) -> LabelFile:
    """The annotations of one line, as a label file's."""
    content = LabelFile()
    annotations = row.get("annotations")
    if "annotations" not in row and not any(isinstance(value, dict | list) and value for value in row.values()):
        return content
    if not isinstance(annotations, dict):  # missing, beside a key that holds something: misspelt
        return _bad(content, file, at, annotations)
    for kind, items in annotations.items():
        for number, item in enumerate(items if isinstance(items, list) else [items], start=1):
            content.shapes += 1
            where = f"{at}, {kind[:SHOWN]} {number}"
            try:
                _add_item(content, kind, item, where, file, classes, size, keypoint_columns)
            except LineError as error:
                content.findings.append(error.finding(file, where))
    return content


def _bad(content: LabelFile, file: str, at: str, annotations: Any) -> LabelFile:
    reason = f"its annotations are no object with lists: {str(annotations)[:60]}"
    content.findings.append(found("annotation-unreadable", file, at, reason=reason))
    content.shapes += 1
    return content


def _add_item(
    content: LabelFile, kind: str, item: Any, where: str, file: str, classes: ClassNames, size: Size, columns: int
) -> None:
    if kind == "classification":
        content.labels.append(Annotation("", classes.name(str(item)), None, None, None, None))
        return
    if kind not in _KINDS:
        content.findings.append(found("shape-not-carried", file, where, kind[:SHOWN]))
        return
    if not isinstance(item, list) or not all(type(value) in (int, float, str) for value in item):
        raise LineError(str(item), "it is no list of numbers")
    words = [str(value) for value in item]
    row, has_keypoints = parse_columns(words, classes, size, columns if kind == "pose" else 0)
    content.rows.append(row)
    content.keypoints += has_keypoints


FORMAT = Format(
    name="ultralytics_ndjson",
    title="Ultralytics NDJSON",
    carries=frozenset({"boxes", "outlines", "labels", "several_labels", "negatives", "splits"}),
    detect=detect,
    read=read,
)
