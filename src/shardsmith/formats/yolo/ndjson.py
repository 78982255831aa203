"""Ultralytics NDJSON: a line for the dataset, then a line an image; coordinates are shares of the image's sides.

An annotation is a list that begins with its class: `boxes` (centre and size), `segments` (a polygon), `obb` (four
corners), `pose` (a box, then keypoints); `classification` lists classes of the whole image. An image without
annotations is background. Source: the NDJSON section of Ultralytics' detection datasets page.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from shardsmith.dataset.errors import RawDataError
from shardsmith.dataset.findings import Finding, found
from shardsmith.dataset.manifest import Annotation
from shardsmith.dataset.shapes import OutlineError, box_around, parse_outline
from shardsmith.formats.format import Format
from shardsmith.formats.shapes.placement import (
    Box,
    Size,
    corners,
    keypoints_on_displayed,
    on_displayed,
    outline_on_displayed,
)
from shardsmith.formats.shared.json import paired
from shardsmith.formats.shared.raw_folder import SHOWN, ImageEntry, RawFolder, Source
from shardsmith.formats.shared.splits import split_in_name, split_in_path
from shardsmith.formats.yolo.pose import Pose, give_points, guessed_pose, pose_of

_SUFFIXES = (".ndjson", ".jsonl", ".json")
_DATASET = re.compile(r'"type"\s*:\s*"dataset"')
_NAMES = re.compile(r'"(class_names|task)"\s*:')
_KINDS = ("boxes", "segments", "obb", "pose", "classification")


class ItemError(ValueError):
    """Why one annotation cannot be read."""


def detect(folder: RawFolder) -> list[str]:
    """By the first line, which describes the dataset."""
    return [file for suffix in _SUFFIXES for file in folder.with_suffix(suffix) if _is_dataset(folder, file)]


def _is_dataset(folder: RawFolder, file: str) -> bool:
    first = folder.head(file).lstrip().partition("\n")[0]
    return first.startswith("{") and bool(_DATASET.search(first) and _NAMES.search(first))


def read(folder: RawFolder, files: list[str]) -> Source:
    """
    Raises:
        RawDataError: a file's first line does not describe a dataset.
    """
    source = Source(shapes=0)
    for file in files:
        lines = parsed_lines(folder.text(file))
        _, head = next(lines, (1, None))
        if not isinstance(head, dict) or head.get("type") != "dataset":
            raise RawDataError(f"{file}:1: not the line of an Ultralytics dataset; it may be cut short: get it again")
        names = class_names(head.get("class_names"))
        source.classes += [name for name in dict.fromkeys(names.values()) if name and name not in source.classes]
        source.facts |= {key: str(head[key]) for key in ("description", "version") if head.get(key)}
        pose = pose_of(head)
        for number, entry in lines:
            _add_image(folder, file, number, entry, names, source, pose)
    return source


def parsed_lines(text: str) -> Iterator[tuple[int, Any]]:
    """(number, value) of each line that is not blank; None for one that is no JSON."""
    for number, line in enumerate(paired(text).split("\n"), start=1):
        if line.strip():
            try:
                yield number, json.loads(line)
            except (ValueError, RecursionError):
                yield number, None


def class_names(value: Any) -> dict[int, str]:
    """Number -> name, of {"0": "person"} or ["person"]."""
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return {int(key): str(name).strip() for key, name in pairs if re.fullmatch(r"[0-9]{1,9}", str(key))}


def _add_image(
    folder: RawFolder, file: str, number: int, entry: Any, names: dict[int, str], source: Source, pose: Pose | None
) -> None:
    place = f"line {number}"
    if not isinstance(entry, dict) or entry.get("type", "image") != "image":
        source.shapes = (source.shapes or 0) + 1
        source.findings.append(found("annotation-unreadable", file, place, reason="it is no image as JSON"))
        return
    items = list(items_of(entry.get("annotations", _under_another_key(entry))))
    source.shapes = (source.shapes or 0) + len(items)
    image_id = folder.locate(str(entry.get("file", "")), file, place)
    if isinstance(image_id, Finding):
        source.findings += [image_id] * max(1, len(items))
        return
    said = entry.get("split")
    split = split_in_name(said) if isinstance(said, str) else None
    source.entries.setdefault(image_id, ImageEntry(split or split_in_path(image_id, file)))
    info = folder.images[image_id]
    known = _declared(entry)
    width, height = known if known and known == info.stored_size else (info.width or 0, info.height or 0)
    rows = []
    for position, (kind, item) in enumerate(items, start=1):
        at = f"{place}, {kind} {position}"
        try:
            row = parse_item(kind, item, names, width, height)
        except ItemError as error:
            code = "annotation-unreadable" if kind in _KINDS else "shape-not-carried"
            value = "" if kind in _KINDS else kind[:SHOWN]
            source.findings.append(found(code, file, at, value, str(error), image_id=image_id))
            continue
        if kind == "pose" and (problem := _add_points(row, item, pose, (width, height))):
            source.findings.append(
                found("not-carried", file, at, reason=f"{problem}; the box stays", image_id=image_id)
            )
        row.image_id = image_id
        rows.append(row)
    boxed = [row for row in rows if row.xmin is not None]
    boxes, findings = on_displayed([corners(row) for row in boxed], info, known, f"{file}, {image_id}")
    source.findings += [replace(one, image_id=image_id) for one in findings]
    for row, box in zip(boxed, boxes, strict=True):
        row.xmin, row.ymin, row.xmax, row.ymax = box
        if row.segmentation:
            row.segmentation = outline_on_displayed(row.segmentation, info, known)
        if row.keypoints:
            row.keypoints = keypoints_on_displayed(row.keypoints, info, known)
    source.annotations += rows


def _add_points(row: Annotation, item: list[Any], pose: Pose | None, size_px: Size) -> str:
    """The keypoints behind a box, x, y, visible where the dataset does not say otherwise; what is wrong with them."""
    numbers = item[5:]
    if pose is None or pose.columns != len(numbers):
        if len(numbers) % 3 or not {*numbers[2::3]} <= {0, 1, 2}:
            return f"its keypoints are {len(numbers)} numbers"
        pose = guessed_pose(len(numbers))
    try:
        if numbers:
            give_points(row, numbers, int(item[0]), pose, size_px)
    except (OutlineError, OverflowError) as error:
        return str(error)
    return ""


def _under_another_key(entry: dict[str, Any]) -> str | None:
    """What an image without `annotations` holds elsewhere: where the key is misspelt, it is no background."""
    held = [value for value in entry.values() if isinstance(value, dict | list) and value]
    return str(held[0]) if held else None


def _declared(entry: dict[str, Any]) -> Size | None:
    sides = [side for key in ("width", "height") if type(side := entry.get(key)) is int and 0 < side < 1 << 31]
    return (sides[0], sides[1]) if len(sides) == 2 else None


def items_of(annotations: Any) -> Iterator[tuple[str, Any]]:
    """(kind, annotation) of each; what is no list is one annotation that cannot be read."""
    if annotations is None:
        return
    if not isinstance(annotations, dict):
        yield "boxes", annotations
        return
    for kind, items in annotations.items():
        for item in items if isinstance(items, list) else [items]:
            yield kind, item


def parse_item(kind: str, item: Any, names: dict[int, str], width: int, height: int) -> Annotation:
    """
    Raises:
        ItemError: why it cannot be read.
    """
    if kind not in _KINDS:
        raise ItemError("a dataset here has no place for this kind")
    values = [item] if kind == "classification" else item
    if not isinstance(values, list) or not values or not all(type(value) in (int, float) for value in values):
        raise ItemError(f"it is no list of numbers: {str(item)[:60]}")
    if values[0] not in names:
        raise ItemError(f"class {str(values[0])[:40]} is not in class_names")
    label = names[int(values[0])]
    if kind == "classification":
        return Annotation("", label, None, None, None, None)
    try:
        numbers = [float(value) * (height if at % 2 else width) for at, value in enumerate(values[1:])]
    except OverflowError:
        raise ItemError("a number is too large") from None
    if kind in ("boxes", "pose"):
        return Annotation("", label, *_centred(numbers, kind))
    try:
        outline = parse_outline([numbers]) if len(numbers) == 8 or kind == "segments" else None
    except OutlineError as error:
        raise ItemError(str(error)) from None
    box = box_around(outline) if outline else None
    if box is None:
        raise ItemError(f"it has {len(numbers)} coordinates")
    return Annotation("", label, *box, segmentation=outline, kind="oriented" if kind == "obb" else None)


def _centred(numbers: list[float], kind: str) -> Box:
    if len(numbers) != 4 and (kind == "boxes" or len(numbers) < 4):
        raise ItemError(f"it has {len(numbers)} coordinates, not 4")
    x, y, width, height = numbers[:4]
    return x - width / 2, y - height / 2, x + width / 2, y + height / 2


FORMAT = Format(
    name="ultralytics_ndjson",
    title="Ultralytics NDJSON",
    carries=frozenset(
        {"boxes", "outlines", "oriented", "keypoints", "labels", "several_labels", "negatives", "splits"}
    ),
    detect=detect,
    read=read,
)
