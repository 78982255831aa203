"""Open Images as it is published: a CSV of boxes in shares of the sides, and one of labels of whole images.

`ImageID` is the image's name without its extension. Classes are codes (`/m/01g317`), whose names stand in another CSV,
`class-descriptions-boxable.csv` or the like. A group of more than five objects is a crowd. A label of a whole image
counts where people verified that it is there (Confidence 1); that a class is absent (0), and what a machine says, is no
label. Source: the download page of Open Images V7 (formats of its annotations).
"""

from __future__ import annotations

import csv
import re
from collections import Counter, defaultdict
from functools import partial
from pathlib import PurePosixPath

from shardsmith.dataset.findings import Finding, found
from shardsmith.dataset.images import EXTENSIONS, ImageInfo
from shardsmith.dataset.manifest import Annotation
from shardsmith.dataset.shapes import OutlineError
from shardsmith.formats.csv.lines import head_lines, numbered
from shardsmith.formats.format import Format
from shardsmith.formats.shapes.outlines import number_of
from shardsmith.formats.shapes.placement import to_json
from shardsmith.formats.shapes.sheet import Sheet, put, put_nowhere
from shardsmith.formats.shared.raw_folder import SHOWN, ImageEntry, RawFolder, Source
from shardsmith.formats.shared.splits import split_in_name, split_in_path

_SIDES = ("XMin", "YMin", "XMax", "YMax")
_FLAGS = {"IsOccluded": "occluded", "IsTruncated": "truncated", "IsDepiction": "depiction", "IsInside": "inside"}
_KNOWN = {"ImageID", "Source", "LabelName", "Confidence", "IsGroupOf", *_SIDES, *_FLAGS}
_MACHINES = re.compile(r"machine", re.IGNORECASE)
_CODE = re.compile(r"/[mgt]/[0-9a-z_]+")
_OTHERS = {"MaskPath": "masks", "LabelName1": "relationships between objects"}

Row = dict[str, str]  # a line's cells by the header, with "" for its place in the file


def detect(folder: RawFolder) -> list[str]:
    return [file for file in folder.with_suffix(".csv") if _kind(_header(folder, file))]


def _header(folder: RawFolder, file: str) -> list[str]:
    try:
        lines = head_lines(folder, file)
    except csv.Error:
        return []
    return lines[0] if lines else []


def _kind(header: list[str]) -> str:
    """What the file holds, by its columns; "" for none of Open Images'."""
    columns = set(header)
    if {"ImageID", "LabelName", *_SIDES} <= columns:
        return "boxes"
    if {"ImageID", "LabelName", "Confidence"} <= columns:
        return "labels"
    return next((kind for column, kind in _OTHERS.items() if {"ImageID", column} <= columns), "")


def read(folder: RawFolder, files: list[str]) -> Source:
    """
    Raises:
        RawDataError: a file is not text.
    """
    source = Source(shapes=0)
    names = class_names(folder)
    for file in files:
        header, rows = parse_table(folder.text(file))
        kind = _kind(header)
        if kind in ("boxes", "labels"):
            _add(folder, file, kind, rows, names, source)
            _name_columns(file, header, source)
        else:
            reason = f"{kind} are not read: of Open Images, boxes and labels of whole images are"
            source.findings.append(found("not-carried", file, value=len(rows), reason=reason))
    return source


def class_names(folder: RawFolder) -> dict[str, str]:
    """Code -> name, of the CSV files that have two columns and begin with a code, or with LabelName,DisplayName."""
    names: dict[str, str] = {}
    for file in folder.with_suffix(".csv"):
        lines = head_lines(folder, file)
        if not lines or any(len(cells) != 2 for cells in lines):
            continue
        if lines[0][0] == "LabelName" or _CODE.fullmatch(lines[0][0]):
            names |= {cells[0]: cells[1] for _, cells in numbered(folder.text(file)) if len(cells) == 2 and cells[1]}
    return names


def parse_table(text: str) -> tuple[list[str], list[Row]]:
    """The header, and each line by it."""
    lines = numbered(text)
    _, header = next(lines, ("", [""]))
    return header, [dict(zip(header, cells, strict=False)) | {"": place} for place, cells in lines]


def _name_columns(file: str, header: list[str], source: Source) -> None:
    if others := [name for name in header if name and name not in _KNOWN]:
        value = ", ".join(others)[:SHOWN]
        source.findings.append(found("not-carried", file, value=value, reason="columns that have no place here"))


def _add(folder: RawFolder, file: str, kind: str, rows: list[Row], names: dict[str, str], source: Source) -> None:
    not_labels: Counter[str] = Counter()
    of_image: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        if kind == "labels" and (why := _no_label(row)):
            not_labels[why] += 1
        else:
            of_image[row.get("ImageID", "")].append(row)
    for name, own in of_image.items():
        image_id = _locate(folder, name, file, own[0][""])
        info = None if isinstance(image_id, Finding) else folder.images[image_id]
        sheet = make_sheet(own, kind, file, info, names)
        if isinstance(image_id, Finding):
            put_nowhere(sheet, image_id, source)
        else:
            entry = ImageEntry(split_in_name(file) or split_in_path(image_id, file))
            put(sheet, image_id, folder, source, entry)
    for why, count in sorted(not_labels.items()):
        source.findings.append(found("not-carried", file, value=count, reason=why))


def _no_label(row: Row) -> str:
    """Why a line of a whole image's labels is none, else ""."""
    if _MACHINES.search(row.get("Source", "")):
        return "labels that a machine made, and nobody verified, are no labels"
    if row.get("Confidence", "").strip("0.") == "" and row.get("Confidence"):
        return "labels that say that a class is not there are no labels"
    return ""


def make_sheet(rows: list[Row], kind: str, file: str, info: ImageInfo | None, names: dict[str, str]) -> Sheet:
    """The lines of one image."""
    sheet = Sheet(file, rows[0][""])
    for row in rows:
        code = row.get("LabelName", "")
        make = _box if kind == "boxes" else _label
        sheet.take(row[""], partial(make, row, names.get(code, code), info))
    return sheet


def _label(row: Row, label: str, info: ImageInfo | None) -> Annotation:
    confidence = number_of(row.get("Confidence"), "Confidence")
    if confidence != 1:
        raise OutlineError(f"its Confidence is {confidence:g}: people say 0 or 1")
    return Annotation("", label, None, None, None, None)


def _box(row: Row, label: str, info: ImageInfo | None) -> Annotation:
    xmin, ymin, xmax, ymax = (number_of(row.get(side), side) for side in _SIDES)
    if info is not None and (info.width is None or info.height is None):
        raise OutlineError("its image does not open, so its size is not known")
    width, height = (info.width or 0, info.height or 0) if info else (1, 1)
    flags = {name: int(row[column]) for column, name in _FLAGS.items() if row.get(column) in ("0", "1")}
    box = (xmin * width, ymin * height, xmax * width, ymax * height)
    return Annotation("", label, *box, is_crowd=row.get("IsGroupOf") == "1", attributes=to_json(flags))


def _locate(folder: RawFolder, name: str, file: str, place: str) -> str | Finding:
    """The image with the stem `name`, else the one that it names with its extension."""
    if not name:
        return found("image-missing", file, place, reason="the line names no image")
    if PurePosixPath(name).suffix.lower() not in EXTENSIONS:
        by_stem = folder.locate_stem(str(PurePosixPath(file).parent / f"{name}.csv"))
        if by_stem:
            return by_stem
    return folder.locate(name, file, place)


FORMAT = Format(
    name="open_images",
    title="Open Images CSV",
    carries=frozenset({"boxes", "labels", "several_labels", "splits", "crowd", "truncated", "occluded", "attributes"}),
    detect=detect,
    read=read,
)
