"""Files that are right by their tool's own documentation, written as panlabel 0.7.0 takes them.

It refuses a whole WIDER FACE file without a number of images at its head, a whole AutoML table for a row without a box,
a whole SageMaker manifest for a job that made no boxes, a whole OIDv4 file for a class with a blank, a whole set of
SuperAnnotate for a polygon as that writes it, a whole file of Scale AI for a line; and it takes deleted objects of
Cityscapes for real ones. counts.py counts the files as they are, so that nothing goes unnamed.
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable
from typing import Any

from shardsmith.formats.shared.json import paired

BLANK = "\u2423"  # stands for a blank in a class's name
_BOXED = ("bbox", "polygon", "rotated_bbox", "oriented_bbox")
_PICTURE = re.compile(r".+\.[A-Za-z]{3,4}")
_NOUGHTS = re.compile(r"[0 ]+")
_OIDV4 = re.compile(r"(\D+?)((?:\s+\d[\d.]*){4})\s*")
BOXES = "groundtruth/object-detection"
_ERRORS = (KeyError, TypeError, ValueError, AttributeError, IndexError, RecursionError, csv.Error)


def prepared(text: str, file: str) -> str | None:
    """The text as panlabel takes it; None where nothing of it changes."""
    name = file.lower()
    for ending, prepare in _BY_NAME.items():
        if name.endswith(ending):
            try:
                changed = prepare(text)
            except _ERRORS:
                continue
            if changed is not None and changed != text:
                return changed
    return None


def _automl(text: str) -> str | None:
    """Without the rows that have no box: negatives, and classes of the whole image."""
    lines = [line for line in text.splitlines() if line.strip()]
    rows = [next(csv.reader([line])) for line in lines]
    if not all(len(row) == 11 and "/" in row[1] for row in rows):
        return None
    return "".join(f"{line}\n" for line, row in zip(lines, rows, strict=True) if any(row[3:]))


def _cityscapes(text: str) -> str | None:
    content = json.loads(paired(text))
    there = [one for one in content["objects"] if one.get("deleted") not in (1, True)]
    return json.dumps(content | {"objects": there}) if len(there) < len(content["objects"]) else None


def _sagemaker(text: str) -> str | None:
    """Without the jobs that made no boxes, and the lines that have no other."""
    rows = [json.loads(line) for line in paired(text).splitlines() if line.strip()]
    others = [(row, key) for row in rows for key in row if key.endswith("-metadata") and row[key]["type"] != BOXES]
    for row, key in others:
        row.pop(key)
        row.pop(key.removesuffix("-metadata"), None)
    return "".join(f"{json.dumps(row)}\n" for row in rows if len(row) > 1) if others else None


def _geometries(text: str) -> str | None:
    """Of SuperAnnotate and of Scale AI: without what is neither a box nor an outline."""
    content = json.loads(paired(text))
    if isinstance(content, dict) and "instances" in content and isinstance(content["metadata"], dict):
        return json.dumps(content | {"instances": [one for each in content["instances"] if (one := _instance(each))]})
    for task in content if isinstance(content, list) else [content]:
        answer = task["params"] and task["response"]
        answer["annotations"] = [one for one in answer["annotations"] if one["type"] in ("box", "polygon")]
    return json.dumps(content)


def _instance(one: dict[str, Any]) -> dict[str, Any] | None:
    """Of SuperAnnotate: a box, a polygon with its points in pairs, a turned box as a polygon; None for the rest."""
    try:
        points = one["points"]
        if one["type"] == "rbbox":
            points = [points[f"{axis}{number}"] for number in range(1, 5) for axis in "xy"]
        if one["type"] in ("polygon", "rbbox") and not isinstance(points[0], list):
            return one | {"type": "polygon", "points": [points[at : at + 2] for at in range(0, len(points), 2)]}
        return one if one["type"] in _BOXED else None
    except _ERRORS:
        return None


def _wider_face(text: str) -> str | None:
    """With the number of images first, and without the row of noughts of an image that has no face."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    kept, at, images = list[str](), 0, 0
    while at < len(lines):
        if not _PICTURE.fullmatch(lines[at]):
            return None
        faces = int(lines[at + 1])
        kept += lines[at : at + 2 + faces]
        at, images = at + 2 + faces, images + 1
        at += not faces and at < len(lines) and bool(_NOUGHTS.fullmatch(lines[at]))
    return "".join(f"{line}\n" for line in [str(images), *kept]) if images else None


def _oidv4(text: str) -> str | None:
    lines = [line for line in text.splitlines() if line.strip()]
    found = [_OIDV4.fullmatch(line) for line in lines]
    if not all(found):
        return None
    return "".join(f"{BLANK.join(one[1].split())}{one[2]}\n" for one in found if one)


def _text_file(text: str) -> str | None:
    for prepare in (_wider_face, _oidv4):
        try:
            if (changed := prepare(text)) is not None:
                return changed
        except _ERRORS:
            continue
    return None


_BY_NAME: dict[str, Callable[[str], str | None]] = {
    ".csv": _automl, "_polygons.json": _cityscapes, ".json": _geometries, ".manifest": _sagemaker,
    ".jsonl": _sagemaker, ".txt": _text_file,
}  # fmt: skip
PREPARED = tuple(_BY_NAME)
