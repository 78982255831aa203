"""COCO panoptic: `panoptic_NAME.json` with the segments of each image, and PNGs whose colours are their ids.

An id is r + 256 g + 65536 b, and 0 is no segment. Each segment is one annotation with an RLE. Source: the panoptic
segmentation part of COCO's data format page.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any

from shardsmith.dataset.errors import RawDataError
from shardsmith.dataset.findings import Finding, found
from shardsmith.dataset.manifest import Annotation
from shardsmith.dataset.shapes import OutlineError
from shardsmith.dataset.workers import map_items
from shardsmith.formats.masks.pixels import MaskContent, read_mask
from shardsmith.formats.shapes.objects import Objects, has_list, place_objects, row_of, told
from shardsmith.formats.shapes.outlines import Shape, number_of
from shardsmith.formats.shapes.placement import drawn_size
from shardsmith.formats.shared.json import members, paired
from shardsmith.formats.shared.raw_folder import SHOWN, ImageEntry, RawFolder, Source
from shardsmith.formats.shared.splits import split_in_name, split_in_path

_SEGMENTS = re.compile(r'"segments_info"\s*:')
_EDGE = 1 << 16


@dataclass
class PanopticFile:
    """images: id -> its name. classes: category id -> name. entries: the annotations, each of one image."""

    images: dict[Any, str]
    classes: dict[Any, str]
    entries: list[Any]


def is_panoptic(folder: RawFolder, file: str) -> bool:
    """Whether a JSON file is panoptic, and the PNGs of its segments are here."""
    path = folder.root / file
    with path.open("rb") as stream:
        head = stream.read(_EDGE)
        stream.seek(max(0, path.stat().st_size - _EDGE))
        text = (head + stream.read()).decode("utf-8", errors="replace")
    return text.lstrip("\ufeff \t\r\n").startswith("{") and bool(_SEGMENTS.search(text)) and bool(_pngs(folder, file))


def detect(folder: RawFolder) -> list[str]:
    return [file for file in folder.with_suffix(".json") if is_panoptic(folder, file)]


def annotation_images(folder: RawFolder) -> list[str]:
    """The PNGs of the segments."""
    return [png for file in detect(folder) for png in _pngs(folder, file).values()]


def _pngs(folder: RawFolder, file: str) -> dict[str, str]:
    """Path -> PNG, below a folder of the JSON file's name, else below one whose name begins with `panoptic`."""
    pngs = folder.with_suffix(".png")
    stem = re.escape(PurePosixPath(file).stem)
    for within in (rf"(?s)(?:.*/)?{stem}/(.+)", r"(?s)(?:.*/)?panoptic[^/]*/(.+)"):
        if own := {match[1]: png for png in pngs if (match := re.fullmatch(within, png))}:
            return own
    return {}


def read(folder: RawFolder, files: list[str]) -> Source:
    """
    Raises:
        RawDataError: a file is no JSON, or has not the three lists.
    """
    source = Source(shapes=0)
    for file in files:
        content = parse(folder.text(file), file)
        source.classes += [name for name in content.classes.values() if name not in source.classes]
        source.ids |= {name: key for key, name in content.classes.items() if type(key) is int and key > 0}
        _add_file(folder, content, file, source)
    return source


def parse(text: str, file: str) -> PanopticFile:
    """
    Raises:
        RawDataError: it is no JSON, or has not the three lists.
    """
    lists: dict[str, list[Any]] = {}
    for key, number, value in members(paired(text), file):
        if number is not None:
            lists.setdefault(key, []).extend([value] if number >= 0 else [])
    missing = [key for key in ("images", "annotations", "categories") if key not in lists]
    if missing:
        raise RawDataError(f"{file}: it has no list {missing[0]!r}; get the file again")
    return PanopticFile(_named(lists["images"], "file_name"), _named(lists["categories"], "name"), lists["annotations"])


def _named(entries: list[Any], name: str) -> dict[Any, str]:
    """Id -> name; entries without are left out, and what names them says so."""
    known = [each for each in entries if isinstance(each, dict) and isinstance(each.get(name), str)]
    return {each["id"]: each[name] for each in known if isinstance(each.get("id"), (int, str))}


def _add_file(folder: RawFolder, content: PanopticFile, file: str, source: Source) -> None:
    pngs = _pngs(folder, file)
    items = [(f"annotation {n}", each) for n, each in enumerate(content.entries, start=1)]
    read_each = partial(_read_png, folder.root)
    by_name = {PurePosixPath(path).name: png for path, png in pngs.items()}
    wanted = [pngs.get(name, by_name.get(PurePosixPath(name).name, "")) for name in (_name(each) for _, each in items)]
    contents = map_items(read_each, wanted, "ingest: reading panoptic masks", "mask")
    for (at, entry), mask in zip(items, contents, strict=True):
        image_id = _locate(folder, content, entry, file, at)
        if isinstance(image_id, Finding):
            source.findings.append(image_id)
            continue
        source.entries.setdefault(image_id, ImageEntry(split_in_name(file) or split_in_path(image_id, file)))
        info = folder.images[image_id]
        try:
            segments = has_list(entry, "segments_info", "the annotation")
        except OutlineError as error:
            source.findings.append(found("annotation-unreadable", file, at, reason=told(error), image_id=image_id))
            continue
        if not mask.problem and drawn_size(info, mask.size_px) not in (mask.size_px, None):
            mask = MaskContent(problem="the PNG is {} x {} pixels, and the image is not".format(*mask.size_px))
        objects = segments_as_objects(segments, mask, content.classes)
        place_objects(objects, image_id, info, None if mask.problem else mask.size_px, (file, at), source)


def _read_png(root: Path, file: str) -> MaskContent:
    if not file:
        return MaskContent(problem="its PNG is not there")
    return read_mask(root, True, frozenset({0}), (file, ""))


def _name(entry: Any) -> str:
    name = entry.get("file_name") if isinstance(entry, dict) else None
    return name if isinstance(name, str) else ""


def _locate(folder: RawFolder, content: PanopticFile, entry: Any, file: str, at: str) -> str | Finding:
    key = entry.get("image_id") if isinstance(entry, dict) else None
    name = content.images.get(key) if isinstance(key, (int, str)) else None
    if name is None:
        reason = f"its image_id {str(key)[:40]!r} is not among the images"
        return found("annotation-unreadable", file, at, _name(entry)[:SHOWN], reason)
    return folder.locate(name, file, at)


def segments_as_objects(segments: list[Any], mask: MaskContent, classes: Mapping[Any, str]) -> Objects:
    """The segments of one image, with the areas that have their ids; an area without a segment is named."""
    areas = {id_of_colour(area.value): area.shape for area in mask.areas if area.value is not None}
    objects = Objects()
    for number, each in enumerate(segments, start=1):
        objects.add(each, f"segment {number}", lambda item: _row(item, areas, mask.problem, classes))
    known = {each.get("id") for each in segments if isinstance(each, dict) and isinstance(each.get("id"), int)}
    for key in sorted(areas.keys() - known):
        objects.lose("annotation-unreadable", f"pixels of id {key}", str(key), reason="no segment has this id")
    return objects


def id_of_colour(colour: int) -> int:
    """Of r << 16 | g << 8 | b."""
    return (colour >> 16) + 256 * (colour >> 8 & 255) + 65536 * (colour & 255)


def _row(item: dict[str, Any], areas: Mapping[int, Shape], problem: str, classes: Mapping[Any, str]) -> Annotation:
    category = item["category_id"]
    if not isinstance(category, (int, str)) or category not in classes:
        raise OutlineError(f"its category_id {str(category)[:40]} is not among the categories")
    if problem:
        raise OutlineError(problem)
    if item["id"] not in areas:
        raise OutlineError(f"no pixel of the PNG has its id {str(item['id'])[:40]}")
    row = row_of(classes[category], areas[item["id"]], is_crowd=item.get("iscrowd") in (1, True))
    row.area = number_of(item["area"], "its area", math.inf) if item.get("area") is not None else None
    return row
