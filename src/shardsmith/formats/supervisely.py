"""Supervisely: `DATASET/ann/NAME.EXT.json` beside `DATASET/img/NAME.EXT`, below `meta.json`; coordinates in pixels.

A bitmap is a PNG (zlib, base64) with the place of its top-left pixel; an oriented box is turned clockwise about its
centre, by radians. An image's tag is a label of it, `NAME: VALUE` where it has a value; the tags train, val and test
are splits. Corners are taken as they stand, not as pixels that lie inside. Source: Supervisely's "Image annotation"
format and its SDK 6.74.
"""

from __future__ import annotations

import base64
import binascii
import re
import zlib
from pathlib import PurePosixPath
from typing import Any

import numpy as np

from shardsmith.dataset.errors import RawDataError
from shardsmith.dataset.findings import Finding, found
from shardsmith.dataset.images import opened
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
    number_of,
    placed_mask,
    points_of,
    rings,
    sized_box,
    turned_box,
)
from shardsmith.formats.shapes.placement import Size, declared, drawn_size, to_json
from shardsmith.formats.shared.json import alike, loads
from shardsmith.formats.shared.raw_folder import SHOWN, ImageEntry, RawFolder, Source
from shardsmith.formats.shared.splits import split_in_name, split_in_path

_OBJECTS = re.compile(r'"(objects|classTitle|geometryType)"\s*:')
_SIZE = re.compile(r'"size"\s*:\s*\{')
_CLASSES = re.compile(r'"classes"\s*:\s*\[')
_TITLE = re.compile(r'"(title|shape|projectType)"\s*:')
_HEAD = 1 << 16
_MOST_BYTES = 1 << 28  # of a bitmap's PNG
_META = "meta.json"
_SPLITS = ("train", "training", "val", "valid", "validation", "test")


def detect(folder: RawFolder) -> list[str]:
    """The annotation files; those of a folder `ann` count although their key for the objects is missing."""
    files = [file for file in folder.with_suffix(".json") if PurePosixPath(file).name != _META]
    return [file for file in files if _is_annotation(file, folder.head(file, _HEAD))]


def _is_annotation(file: str, head: str) -> bool:
    known = {match[1] for match in _OBJECTS.finditer(head)}
    sized = bool(_SIZE.search(head))
    if not head.lstrip().startswith("{") or not (known or sized):
        return False
    tagged = "objects" in known and '"tags"' in head
    return PurePosixPath(file).parent.name == "ann" or (sized and (len(known) == 3 or tagged))


def read(folder: RawFolder, files: list[str]) -> Source:
    """A file that is no annotation of Supervisely is a finding: each holds one image."""
    source = Source(shapes=0)
    for file in folder.with_suffix(_META):
        if PurePosixPath(file).name == _META:
            source.classes += [name for name in _classes(folder, file) if name not in source.classes]
    for file in files:
        image_id = _locate(folder, file)
        if isinstance(image_id, Finding):
            source.findings.append(image_id)
            continue
        try:
            content = loads(folder.text(file), file)
        except RawDataError as error:
            content, problem = None, str(error)
        else:
            problem = "" if isinstance(content, dict) else "it is no JSON object"
        if problem:
            source.entries.setdefault(image_id, ImageEntry(split_in_path(image_id, file)))
            source.findings.append(found("annotation-unreadable", file, reason=problem, image_id=image_id))
        else:
            _add_file(folder, content, image_id, file, source)
    return source


def _classes(folder: RawFolder, file: str) -> list[str]:
    """The titles of the classes; [] for a file of something else."""
    head = folder.head(file, _HEAD)
    if not (_CLASSES.search(head) and _TITLE.search(head)):
        return []
    try:
        return [str(each["title"]) for each in loads(folder.text(file), file)["classes"]]
    except (KeyError, TypeError):
        raise RawDataError(f"{file}: its classes have no titles; export the project again") from None


def _locate(folder: RawFolder, file: str) -> str | Finding:
    """ds/ann/a.jpg.json means ds/img/a.jpg."""
    path = PurePosixPath(file)
    own = str(path.parent.parent / "img" / path.stem)
    return own if own in folder.images else folder.locate(path.stem, file)


def _add_file(folder: RawFolder, content: dict[str, Any], image_id: str, file: str, source: Source) -> None:
    size = content.get("size")
    declared_px = declared(size.get("width"), size.get("height")) if isinstance(size, dict) else None
    info = folder.images[image_id]
    labels, splits = image_tags(content.get("tags"))
    entry = source.entries.setdefault(image_id, ImageEntry(split_in_path(image_id, file)))
    entry.split = splits[0] if splits else entry.split
    try:
        objects = parse_objects(has_list(content, "objects", "the file"), drawn_size(info, declared_px))
    except OutlineError as error:
        source.findings.append(found("annotation-unreadable", file, reason=told(error), image_id=image_id))
        objects = Objects()
    if misspelt := alike(content, "tags"):
        objects.lose("annotation-unreadable", misspelt, reason="the file has no 'tags', but what may be meant so")
    for number, label in enumerate(labels, start=1):
        if label is None:
            objects.lose("annotation-unreadable", f"tag {number}", reason="it has no name")
        else:
            objects.rows.append(row_of(label, None))
    predicted = content.get("probabilityLabels")
    if isinstance(predicted, list) and predicted:
        objects.kept_less["labels that a model predicted"] += len(predicted)
    place_objects(objects, image_id, info, declared_px, (file, ""), source)


def image_tags(tags: Any) -> tuple[list[str | None], list[str]]:
    """(labels of the whole image, None for one that cannot be read; splits that tags name)."""
    labels: list[str | None] = []
    splits = []
    for tag in tags if isinstance(tags, list) else []:
        name, value = (tag.get("name"), tag.get("value")) if isinstance(tag, dict) else (tag, None)
        if not isinstance(name, str) or not name:
            labels.append(None)
        elif value is None and name.lower() in _SPLITS:
            splits.append(split_in_name(name) or name)
        else:
            labels.append(name if value is None else f"{name}: {str(value)[:SHOWN]}")
    return labels, splits


def parse_objects(items: list[Any], size_px: Size | None) -> Objects:
    """The objects of one image.

    Args:
        size_px: (width, height) of the pixels that they are drawn on.
    """
    objects = Objects()
    for number, each in enumerate(items, start=1):
        objects.add(each, f"object {number}", lambda item: _row(item, size_px))
    return objects


def _row(item: dict[str, Any], size_px: Size | None) -> Annotation:
    shape = _shape(item, size_px)
    title = item["classTitle"]
    if not isinstance(title, str):
        raise OutlineError("its classTitle is no text")
    attributes: dict[str, object] = {}
    for tag in item.get("tags") or []:
        name, value = (tag["name"], tag.get("value")) if isinstance(tag, dict) else (tag, None)
        attributes[str(name)] = True if value is None else value
    if item.get("description"):
        attributes["description"] = str(item["description"])
    row = row_of(title, shape, to_json(flagged(attributes)))
    row.kind = "oriented" if item.get("geometryType") == "oriented_bbox" else None
    return row


def _shape(item: dict[str, Any], size_px: Size | None) -> Shape:
    kind = item.get("geometryType") or ("bitmap" if item.get("bitmap") else None)
    if kind == "bitmap":
        bitmap = item["bitmap"]
        ((x, y),) = points_of([bitmap["origin"]])
        return placed_mask(parse_bitmap(bitmap["data"]), int(x), int(y), size_px)
    if kind == "polygon":
        points = item["points"]
        return rings([points_of(ring) for ring in (points["exterior"], *(points.get("interior") or []))], size_px)
    if kind in ("rectangle", "oriented_bbox"):
        stands = item["points"]
        (x1, y1), (x2, y2) = points_of(stands["exterior"] if isinstance(stands, dict) else stands)
        angle = number_of(item.get("angle") or 0, "its angle") if kind == "oriented_bbox" else 0.0
        if angle:
            return turned_box((x1 + x2) / 2, (y1 + y2) / 2, x2 - x1, y2 - y1, angle)
        return sized_box(x1, y1, x2 - x1, y2 - y1)
    if isinstance(kind, str):
        raise NotCarriedError(kind)
    raise OutlineError(f"its geometryType is {str(kind)[:40]!r}")


def parse_bitmap(text: Any) -> Any:
    """(height, width) array of bool, the pixels of a bitmap.

    Raises:
        OutlineError: it is no PNG, zlib or not, in base64.
    """
    try:
        data = base64.b64decode(text, validate=False)
        if not data.startswith(b"\x89PNG"):
            data = zlib.decompressobj().decompress(data, _MOST_BYTES)
        with opened(data) as image:
            pixels = np.asarray(image.convert("RGBA") if image.mode in ("P", "LA", "RGBA") else image)
    except (binascii.Error, zlib.error, OSError, SyntaxError, EOFError) as error:
        raise OutlineError(f"its bitmap cannot be read: {str(error)[:80]}") from None
    if pixels.ndim == 3 and pixels.shape[2] == 4 and not pixels[..., 3].all():
        return pixels[..., 3] != 0
    return pixels[..., :3].any(axis=2) if pixels.ndim == 3 else pixels != 0


FORMAT = Format(
    name="supervisely",
    title="Supervisely JSON",
    carries=frozenset({
        "boxes", "outlines", "oriented", "masks", "labels", "several_labels", "negatives", "splits", "difficult",
        "occluded", "truncated", "attributes",
    }),
    detect=detect,
    read=read,
)  # fmt: skip
