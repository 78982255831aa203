"""Datumaro JSON: a file a subset, `annotations/SUBSET.json`, its images in `images/SUBSET/`; coordinates in pixels.

Source: the Datumaro format of Datumaro 1.13's documentation and exporter; CVAT's Datumaro export, which says a box's
rotation (degrees, clockwise about its centre) as an attribute.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from pathlib import PurePosixPath
from typing import Any

from shardsmith.dataset.errors import RawDataError
from shardsmith.dataset.findings import Finding, found
from shardsmith.dataset.manifest import Annotation
from shardsmith.dataset.shapes import OutlineError
from shardsmith.formats.format import Format
from shardsmith.formats.shapes.objects import (
    Objects,
    flagged,
    has_list,
    place_objects,
    row_of,
    told,
)
from shardsmith.formats.shapes.outlines import (
    NotCarriedError,
    Shape,
    ellipse,
    flat_points,
    number_of,
    rings,
    run_lengths,
    sized_box,
    turned_box,
)
from shardsmith.formats.shapes.placement import Size, declared, drawn_size, to_json
from shardsmith.formats.shared.json import members, paired
from shardsmith.formats.shared.raw_folder import SHOWN, ImageEntry, RawFolder, Source
from shardsmith.formats.shared.splits import split_in_name, split_in_path

_VERSION = re.compile(r'"dm_format_version"\s*:')
_CATEGORIES = re.compile(r'"categories"\s*:\s*\{\s*("(label|mask|points)"\s*:\s*\{)?')
_ITEMS = re.compile(r'"(items|infos?)"\s*:\s*[\[{]')
_HEAD = 1 << 16
_FRAME = frozenset({"frame", "id"})  # CVAT's number of an image


def detect(folder: RawFolder) -> list[str]:
    return [file for file in folder.with_suffix(".json") if _is_datumaro(folder.head(file, _HEAD))]


def _is_datumaro(head: str) -> bool:
    if not head.lstrip().startswith("{"):
        return False
    return bool(_VERSION.search(head) or (_CATEGORIES.search(head) and _ITEMS.search(head) and '"annotations"' in head))


def read(folder: RawFolder, files: list[str]) -> Source:
    """
    Raises:
        RawDataError: a file is no JSON, or has no list `items`.
    """
    source = Source(shapes=0)
    for file in files:
        _add_file(folder, file, source)
    return source


def _add_file(folder: RawFolder, file: str, source: Source) -> None:
    items: list[tuple[str, Any]] = []
    labels: list[str] = []
    has_items = False
    for key, number, value in members(paired(folder.text(file)), file):
        if key == "categories":
            labels = parse_labels(value, file)
        elif key == "items" and number is not None:
            has_items = True
            items += [(f"item {number + 1}", value)] if number >= 0 else []
    if not has_items:
        raise RawDataError(f"{file}: it has no list 'items', which holds the images; export it again from Datumaro")
    source.classes += [name for name in labels if name not in source.classes]
    others: Counter[str] = Counter()
    for at, item in items:
        _add_item(folder, item, labels, (file, at), source, others)
    for kind, count in sorted(others.items()):
        source.findings.append(found("not-carried", file, value=count, reason=kind))


def parse_labels(categories: Any, file: str) -> list[str]:
    """The names of the classes, by their number.

    Raises:
        RawDataError: `categories` is there, and holds no labels.
    """
    if not categories:
        return []
    try:
        return [str(label["name"]) for label in (categories.get("label") or {"labels": []})["labels"]]
    except (KeyError, TypeError, AttributeError):
        raise RawDataError(f"{file}: its categories have no label names; export it again from Datumaro") from None


def _add_item(
    folder: RawFolder, item: Any, labels: list[str], where: tuple[str, str], source: Source, others: Counter[str]
) -> None:
    file, at = where
    if not isinstance(item, dict):
        source.findings.append(found("annotation-unreadable", file, at, reason="it is no JSON object"))
        return
    image_id = _locate(folder, item, file, at)
    if isinstance(image_id, Finding):
        source.findings.append(image_id)
        return
    split = split_in_name(file) or split_in_path(image_id, file)
    source.entries.setdefault(image_id, ImageEntry(split))
    info = folder.images[image_id]
    declared_px = _declared(item)
    attributes = item.get("attr")
    if isinstance(attributes, dict) and attributes.keys() - _FRAME:
        others["attributes of images have no place in a dataset"] += 1
    try:
        objects = parse_objects(has_list(item, "annotations", "the item"), labels, drawn_size(info, declared_px))
    except OutlineError as error:
        source.findings.append(found("annotation-unreadable", file, at, reason=told(error), image_id=image_id))
        return
    place_objects(objects, image_id, info, declared_px, where, source)


def _declared(item: dict[str, Any]) -> Size | None:
    image = item.get("image")
    size = image.get("size") if isinstance(image, dict) else None  # [height, width]
    return declared(size[1], size[0]) if isinstance(size, list) and len(size) == 2 else None


def _locate(folder: RawFolder, item: dict[str, Any], file: str, at: str) -> str | Finding:
    """The image of an item: below images/SUBSET/ as Datumaro writes it, else anywhere by its path or its id."""
    known = [item[key] for key in ("image", "video_frame", "media") if isinstance(item.get(key), dict)]
    media: dict[str, Any] = known[0] if known else {}
    path = media.get("path") or media.get("video_path")
    name = path if isinstance(path, str) and path else str(item.get("id") or "")
    written = PurePosixPath(file).parent.parent / "images" / PurePosixPath(file).stem / name
    if str(written) in folder.images:
        return str(written)
    image = folder.locate(name[:SHOWN] if name else "?", file, at)
    if isinstance(image, Finding) and not path and name:
        return folder.locate_stem(str(PurePosixPath(file).parent / f"{name}.json")) or image
    return image


def parse_objects(annotations: list[Any], labels: list[str], size_px: Size | None) -> Objects:
    """The annotations of one item.

    Args:
        size_px: (width, height) of the pixels that they are drawn on.
    """
    objects = Objects()
    for number, each in enumerate(annotations, start=1):
        objects.add(each, f"annotation {number}", lambda item: _row(item, labels, size_px))
    return objects


def _row(item: dict[str, Any], labels: list[str], size_px: Size | None) -> Annotation:
    kind = item["type"]
    attributes = flagged(item.get("attributes"))
    shape = _shape(str(kind), item, attributes)
    is_crowd = bool(attributes.pop("is_crowd", False))
    for key in ("group", "z_order"):
        if isinstance(item.get(key), int) and item[key]:
            attributes[key] = item[key]
    row = row_of(_label(item.get("label_id"), labels), shape, to_json(attributes), is_crowd)
    row.kind = "oriented" if kind in ("bbox", "rotated_bbox") else None
    return row


def _label(number: Any, labels: list[str]) -> str:
    if number is None:
        return ""
    if isinstance(number, bool) or not isinstance(number, int) or not 0 <= number < len(labels):
        raise OutlineError(f"its label_id {str(number)[:40]} is not one of the {len(labels)} labels")
    return labels[number]


def _shape(kind: str, item: dict[str, Any], attributes: dict[str, object]) -> Shape | None:
    if kind == "label":
        return None
    if kind == "bbox":
        return _box(item["bbox"], attributes)
    if kind == "polygon":
        return rings([flat_points(item["points"])])
    if kind == "mask":
        return run_lengths(item["rle"])
    if kind == "ellipse":
        (left, top), (right, bottom) = flat_points(item["points"])
        return ellipse((left + right) / 2, (top + bottom) / 2, (right - left) / 2, (bottom - top) / 2)
    if kind == "rotated_bbox":
        x, y, width, height, degrees = (number_of(value) for value in item["points"])
        return turned_box(x, y, width, height, math.radians(degrees))
    raise NotCarriedError(kind)


def _box(numbers: Any, attributes: dict[str, object]) -> Shape:
    x, y, width, height = numbers
    (left, top, right, bottom), _ = shape = sized_box(x, y, width, height)
    degrees = attributes.get("rotation")
    if isinstance(degrees, bool) or not isinstance(degrees, (int, float)) or not math.isfinite(degrees):
        return shape
    del attributes["rotation"]
    if not degrees % 360:
        return shape
    return turned_box((left + right) / 2, (top + bottom) / 2, right - left, bottom - top, math.radians(degrees))


FORMAT = Format(
    name="datumaro",
    title="Datumaro JSON",
    carries=frozenset({
        "boxes", "outlines", "oriented", "masks", "labels", "several_labels", "negatives", "splits", "crowd",
        "difficult", "occluded", "truncated", "attributes",
    }),
    detect=detect,
    read=read,
)  # fmt: skip
