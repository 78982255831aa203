"""COCO JSON's text -> images with their annotations: an entry at a time, in any order of the lists, and no disk.

Source: the data format page of the COCO dataset; `extra.user_tags` is Roboflow's.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from shardsmith.dataset.errors import RawDataError
from shardsmith.dataset.findings import Finding, found
from shardsmith.dataset.manifest import Annotation
from shardsmith.dataset.shapes import OutlineError, box_around, parse_outline
from shardsmith.formats.shared.json import members, paired
from shardsmith.formats.shared.placement import Size, to_json

Id = int | str
_LISTS = {"categories": "category", "images": "image", "annotations": "annotation"}
_READ = frozenset({
    "id", "image_id", "category_id", "bbox", "area", "iscrowd", "segmentation", "attributes", "num_keypoints",
})  # fmt: skip
_NAMED = {"segments_info": "panoptic segments", "caption": "captions", "keypoints": "keypoints"}


class EntryError(ValueError):
    """Why one entry cannot be read."""


@dataclass(slots=True)
class CocoRow:
    """One annotation, its box as the file has it; `id_` is the file's, for telling repetitions."""

    annotation: Annotation
    id_: Any
    position: int
    category: Id

    @property
    def key(self) -> tuple:
        row = self.annotation
        return self.id_, row.label, row.xmin, row.ymin, row.xmax, row.ymax


@dataclass(slots=True)
class CocoImage:
    """One entry of `images` with its annotations; declared_px is (width, height), None where it says none."""

    name: str
    place: str
    declared_px: Size | None
    tags: list[str] = field(default_factory=list)
    rows: list[CocoRow] = field(default_factory=list)


@dataclass
class CocoFile:
    """One file: images in the order of their ids, class names in the order of theirs."""

    images: list[CocoImage] = field(default_factory=list)
    classes: list[str] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)


def parse(text: str, file: str) -> CocoFile:
    """What cannot be read, or has no place in a dataset here, becomes a finding. `file` is its name, for findings.

    Raises:
        RawDataError: it is no JSON to its end, or has not the three lists.
    """
    reader = _Reader(file)
    seen = set()
    for key, position, entry in members(paired(text), file):
        if key in _LISTS and position is not None:
            seen.add(key)
            if position >= 0:
                reader.add(key, position, entry)
    missing = [key for key in ("images", "annotations", "categories") if key not in seen]
    if missing == ["categories"] and reader.not_carried and not reader.rows:
        missing = []  # captions alone
    if missing:
        raise RawDataError(f"{file}: has no list {missing[0]!r}, so it is not COCO detection data; set ingest.format")
    return reader.content()


class _Reader:
    """Takes the entries as they come, and joins them at the end."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.images: dict[Id, CocoImage] = {}
        self.names: dict[Id, str] = {}
        self.rows: dict[Id, list[CocoRow]] = {}
        self.not_carried: Counter[str] = Counter()
        self.unreadable: list[tuple[str, int, Finding]] = []

    def add(self, key: str, position: int, entry: Any) -> None:
        try:
            if not isinstance(entry, dict):
                raise EntryError(f"it is no {_LISTS[key]}: not a JSON object")
            if key == "images":
                self.images[self._new_id(entry, self.images)] = _image(entry, position)
            elif key == "categories":
                self.names[self._new_id(entry, self.names)] = _text(entry.get("name"))
                if _text(entry.get("supercategory")) not in ("", "none", _text(entry.get("name"))):
                    self.not_carried["supercategories"] += 1
            else:
                self._add_annotation(entry, position)
        except EntryError as error:
            self._fail(key, position, str(error))

    def _fail(self, key: str, position: int, reason: str, place: str = "", value: object = "") -> None:
        finding = found("annotation-unreadable", self.file, f"{key}[{position}]{place}", value, reason)
        self.unreadable.append((key, position, finding))

    def _new_id(self, entry: dict[str, Any], by_id: dict[Id, Any]) -> Id:
        id_ = as_id(entry.get("id"))
        if id_ is None:
            raise EntryError("it has no id")
        if id_ in by_id:
            raise EntryError(f"its id {str(id_)[:40]} is used twice; the first one counts")
        return id_

    def _add_annotation(self, entry: dict[str, Any], position: int) -> None:
        attributes = self._attributes(entry)
        if "bbox" not in entry and "category_id" not in entry and any(kind in entry for kind in _NAMED):
            return  # a caption or panoptic segments: counted
        image, category = as_id(entry.get("image_id")), as_id(entry.get("category_id"))
        if image is None:
            raise EntryError(f"its image_id {str(entry.get('image_id'))[:40]} is not in images")
        if category is None:
            raise EntryError(f"its category_id {str(entry.get('category_id'))[:40]} is not in categories")
        try:
            outline = parse_outline(entry.get("segmentation"))
        except OutlineError as error:
            outline = None
            self._fail(
                "annotations", position, f"{error}; the outline is dropped, the box stays", place=".segmentation"
            )
        xmin, ymin, xmax, ymax = _box(entry, outline)
        row = Annotation("", "", xmin, ymin, xmax, ymax, entry.get("iscrowd") in (1, "1"))
        row.area, row.segmentation, row.attributes = as_number(entry.get("area")), outline, to_json(attributes)
        self.rows.setdefault(image, []).append(CocoRow(row, as_id(entry.get("id")), position, category))

    def _attributes(self, entry: dict[str, Any]) -> dict[str, object]:
        """`attributes`, and what else the entry says in one word or number; what it says at length is counted."""
        own = entry.get("attributes")
        attributes = dict(own) if isinstance(own, dict) else {}
        for key in entry.keys() - _READ:
            value = entry[key]
            if key not in _NAMED and isinstance(value, str | int | float):
                attributes[key] = value
            elif value and not (isinstance(value, list) and not any(value)):  # unlabelled keypoints are zeros
                self.not_carried[_NAMED.get(key, key)] += 1
        return attributes

    def content(self) -> CocoFile:
        for image_key, rows in self.rows.items():
            image = self.images.get(image_key)
            for row in rows:
                if image is None:
                    self._fail("annotations", row.position, f"its image_id {image_key!r} is not in images")
                elif row.category not in self.names:
                    self._fail("annotations", row.position, f"its category_id {row.category!r} is not in categories")
                else:
                    row.annotation.label = self.names[row.category]
                    image.rows.append(row)
        self.unreadable.sort(key=lambda item: (list(_LISTS).index(item[0]), item[1]))
        findings = [finding for _, _, finding in self.unreadable]
        for kind, count in sorted(self.not_carried.items()):
            findings.append(found("not-carried", self.file, value=count, reason=f"{kind} have no place in a dataset"))
        images = [self.images[id_] for id_ in _in_order(self.images)]
        names = dict.fromkeys(self.names[id_] for id_ in _in_order(self.names))
        return CocoFile(images, [name for name in names if name], findings)


def _image(entry: dict[str, Any], position: int) -> CocoImage:
    width, height = as_number(entry.get("width")), as_number(entry.get("height"))
    declared = (int(width), int(height)) if width and height else None
    extra = entry.get("extra")
    tags = extra.get("user_tags") if isinstance(extra, dict) else None
    tags = [tag for tag in tags if isinstance(tag, str)] if isinstance(tags, list) else []
    return CocoImage(_text(entry.get("file_name")), f"images[{position}]", declared, tags)


def _box(entry: dict[str, Any], outline: str | None) -> tuple[float, float, float, float]:
    """From bbox, else around the outline.

    Raises:
        EntryError: there is neither.
    """
    bbox = entry.get("bbox")
    if not bbox and outline and (around := box_around(outline)):
        return around
    try:
        x, y, width, height = (float(value) for value in bbox)  # type: ignore[union-attr]
    except (TypeError, ValueError, OverflowError) as error:
        raise EntryError(f"its bbox is not four numbers: {str(bbox)[:60]}") from error
    return x, y, x + width, y + height


def _text(value: Any) -> str:
    return "" if value is None else str(value).strip()


def as_id(value: Any) -> Id | None:
    """An id as it was meant: 7.0 is 7; None for what is no id."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value if isinstance(value, int | str) and not isinstance(value, bool) else None


def as_number(value: Any) -> float | None:
    """A finite number, else None."""
    try:
        number = float(value) if isinstance(value, int | float) and not isinstance(value, bool) else math.nan
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def _in_order(ids: Iterable[Id]) -> list[Id]:
    return sorted(ids, key=lambda id_: (isinstance(id_, str), id_))
