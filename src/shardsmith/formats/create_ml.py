"""Create ML JSON: a list of images, each with boxes as a label and `coordinates` of the centre, in pixels.

An image whose `annotations` are an empty list is a negative; one that has no such list is none, as its boxes may stand
under a misspelt key. Sources: Apple's "Building an object detector data source" (which writes `imagefilename` and
`annotation` in its example, and `image` and `annotations` in its text); Roboflow's export (_annotations.createml.json).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from shardsmith.dataset.findings import Finding, found
from shardsmith.dataset.manifest import Annotation
from shardsmith.formats.format import Format
from shardsmith.formats.shapes.placement import Box, on_displayed
from shardsmith.formats.shared.json import elements, paired
from shardsmith.formats.shared.numbers import comma_decimals, read_number
from shardsmith.formats.shared.raw_folder import ImageEntry, RawFolder, Source
from shardsmith.formats.shared.splits import split_in_name, split_in_path

_IMAGE_KEYS = ("image", "imagefilename")
_BOX_KEYS = ("annotations", "annotation")
_KEYS = frozenset({*_IMAGE_KEYS, *_BOX_KEYS})
_SIDES = ("x", "y", "width", "height")
_HEAD = 1 << 16
_START = re.compile(r"\s*\[\s*")
_NEXT = re.compile(r"\s*,\s*")
_TRIED = 50
_decode = json.JSONDecoder().raw_decode


@dataclass
class CreateMlImage:
    """One entry: boxes with label and corners, and a finding for each that is none; commas: of decimals."""

    name: str
    boxes: list[tuple[str, Box]] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    commas: int = 0


def detect(folder: RawFolder) -> list[str]:
    """JSON lists of which one of the first entries names an image and has a list of boxes with coordinates."""
    return [file for file in folder.with_suffix(".json") if any(map(_fits, _first(folder.head(file, _HEAD))))]


def _first(head: str) -> Iterator[Any]:
    """The entries at the beginning of a JSON list, as far as they are whole."""
    at = _START.match(head)
    for _ in range(_TRIED):
        if at is None:
            return
        try:
            entry, end = _decode(head, at.end())
        except (ValueError, RecursionError):
            return
        yield entry
        at = _NEXT.match(head, end)


def _fits(entry: Any) -> bool:
    if not isinstance(entry, dict) or not any(isinstance(entry.get(key), str) for key in _IMAGE_KEYS):
        return False
    lists = [value for value in entry.values() if isinstance(value, list)]
    boxed = any(isinstance(item, dict) and "coordinates" in item for items in lists for item in items)
    return boxed or (entry.keys() <= _KEYS and bool(lists))


def read(folder: RawFolder, files: list[str]) -> Source:
    """
    Raises:
        RawDataError: a file is no JSON list, to its end.
    """
    source = Source(shapes=0)
    for file in files:
        commas = 0
        for number, entry in enumerate(elements(paired(folder.text(file)), file), start=1):
            image = parse(entry, file, f"entry {number}")
            commas += image.commas
            _add(folder, file, f"entry {number}", image, source)
        if commas:
            reason = "decimal commas are read as points"
            source.findings.append(found("read-leniently", file, value=f"{commas:,} boxes", reason=reason))
    return source


def parse(entry: Any, file: str, place: str) -> CreateMlImage:
    """One entry of the list; `name` is "" where it names no image."""
    keys = entry.keys() if isinstance(entry, dict) else ()
    name = next((entry[key] for key in _IMAGE_KEYS if key in keys and isinstance(entry[key], str)), "")
    image = CreateMlImage(name)
    key = next((key for key in _BOX_KEYS if key in keys), "")
    if not name or not isinstance(entry.get(key), list):
        reason = f"its {key} are no list" if key else "it has no list `annotations`; is the key misspelt?"
        reason = reason if name else "it names no image"
        image.findings.append(found("annotation-unreadable", file, place, str(entry)[:60], reason))
        return image
    for number, item in enumerate(entry[key], start=1):
        try:
            label, box, commas = _box(item)
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            reason = f"it is no box: {type(error).__name__} {str(error)[:60]}"
            value = str(item)[:60]
            image.findings.append(found("annotation-unreadable", file, f"{place}, box {number}", value, reason))
            continue
        image.boxes.append((label, box))
        image.commas += commas
    return image


def _box(item: Any) -> tuple[str, Box, bool]:
    """(label, box, whether a number has a decimal comma)."""
    values = [item["coordinates"][side] for side in _SIDES]
    if any(isinstance(value, bool) or not isinstance(value, int | float | str) for value in values):
        raise TypeError(f"{values} are no four numbers")
    x, y, width, height = (read_number(value) if isinstance(value, str) else float(value) for value in values)
    label = item.get("label")
    label = "" if label is None else " ".join(str(label).split("\n")).strip()
    commas = any(isinstance(value, str) and comma_decimals(value) for value in values)
    return label, (x - width / 2, y - height / 2, x + width / 2, y + height / 2), commas


def _add(folder: RawFolder, file: str, place: str, image: CreateMlImage, source: Source) -> None:
    image_id = folder.locate(image.name, file, place) if image.name else ""
    if isinstance(image_id, Finding):
        source.findings.append(image_id)
        return
    source.shapes = (source.shapes or 0) + len(image.boxes) + len(image.findings)
    source.findings += [replace(one, image_id=image_id) for one in image.findings]
    if not image_id:
        return
    source.entries.setdefault(image_id, ImageEntry(split_in_name(file) or split_in_path(image_id, file)))
    boxes, findings = on_displayed(
        [box for _, box in image.boxes], folder.images[image_id], None, f"{file}, {image_id}"
    )
    source.findings += [replace(one, image_id=image_id) for one in findings]
    source.annotations += [
        Annotation(image_id, label, *box) for (label, _), box in zip(image.boxes, boxes, strict=True)
    ]


FORMAT = Format(
    name="create_ml",
    title="Create ML JSON",
    carries=frozenset({"boxes", "negatives", "splits"}),
    detect=detect,
    read=read,
)
