"""LabelMe JSON: one file an image, shapes in pixels of the displayed image, and flags of the image and of each shape.

A flag of the image that is set becomes a label of it; `__ignore__` and its like are no label. An image file that is
missing may stand inside the JSON file. Shapes of one `group_id` stay apart, and keep it as an attribute.
Source: labelme 6.3 (its label file, and utils/shape.py for masks); X-AnyLabeling adds `rotation` and `quadrilateral`.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import math
import posixpath
import re
import struct
import zlib
from collections.abc import Callable
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from shardsmith.dataset.errors import RawDataError
from shardsmith.dataset.findings import Finding, found
from shardsmith.dataset.images import ImageInfo, opened, probe
from shardsmith.dataset.manifest import Annotation
from shardsmith.dataset.shapes import OutlineError
from shardsmith.formats.format import Format
from shardsmith.formats.shared.figures import (
    NotCarriedError, Point, Shape, circle, number_of, pasted_mask, points_of, polygon, rectangle,
)  # fmt: skip
from shardsmith.formats.shared.json import clear_errors, paired
from shardsmith.formats.shared.placement import Size, drawn_on_stored, to_json
from shardsmith.formats.shared.raw_folder import SHOWN, ImageEntry, RawFolder, Source, split_in_path
from shardsmith.formats.shared.sheet import Sheet, put, put_nowhere

_KEYS = ("imagePath", "imageData", "imageHeight", "shape_type", "lineColor")
_SIGNS = re.compile(r'"(shapes|' + "|".join(_KEYS) + r')"\s*:')
_FLAGS = ("difficult", "occluded", "truncated")
_HEAD, _TAIL = 1 << 16, 1 << 12
_READ = frozenset({
    "label", "points", "shape_type", "mask", "flags", "attributes", "group_id", "line_color", "fill_color",
})  # fmt: skip
_DECODE_ERRORS = (
    OSError, ValueError, SyntaxError, MemoryError, EOFError, TypeError, ArithmeticError, LookupError, RuntimeError,
    struct.error, zlib.error,
)  # fmt: skip


def detect(folder: RawFolder) -> list[str]:
    """JSON objects with the keys of a label file, at their beginning or, after a long polygon, at their end."""
    return [file for file in folder.with_suffix(".json") if _is_labelme(folder, file)]


def _is_labelme(folder: RawFolder, file: str) -> bool:
    head = folder.head(file, _HEAD)
    if not head.lstrip().startswith("{"):
        return False
    signs = set(_SIGNS.findall(head))
    if signs & {"shapes", "imagePath"} and len(signs) == 1:
        path = folder.root / file
        with path.open("rb") as stream:
            stream.seek(max(0, path.stat().st_size - _TAIL))
            signs |= set(_SIGNS.findall(stream.read().decode("utf-8", errors="replace")))
    return len(signs) > 1 and bool(signs & {"shapes", "imagePath"})


def unpack(folder: RawFolder, files: list[str], out: Path | None) -> None:
    """Write the images that stand in the files alone to `out`, named after their file, and tell `folder` of them.

    Raises:
        RawDataError: there is one, and no `out`.
    """
    unpacked: dict[str, Path] = {}
    for file in files:
        if _beside(folder, file):
            continue
        try:
            content = parse_json(folder.text(file), file)
        except RawDataError:
            continue  # `read` names it
        if not isinstance(_locate(folder, file, content), Finding):
            continue
        name, data = _unpacked_name(file, content), embedded_image(content)
        if data is None or name in folder.files:
            continue
        if out is None:
            raise RawDataError(f"{file}: its image stands inside it (imageData); say where to unpack it")
        digest = hashlib.sha256(data).hexdigest()
        path = out / digest[:2] / f"{digest}{PurePosixPath(name).suffix}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        unpacked[name] = path
    if unpacked:
        folder.add_unpacked(unpacked)


def embedded_image(content: dict[str, Any]) -> bytes | None:
    """The bytes in `imageData`, where they are an image's."""
    text = content.get("imageData")
    if not isinstance(text, str) or not text:
        return None
    try:
        data = base64.b64decode(text)
    except (binascii.Error, ValueError):
        return None
    return data if probe(data).format else None


def _unpacked_name(file: str, content: dict[str, Any]) -> str:
    suffix = PurePosixPath(_image_path(content)).suffix.lower()
    known = suffix if suffix in (".jpg", ".jpeg", ".png") else ".jpg"  # what LabelMe puts there
    return str(PurePosixPath(file).with_suffix(known))


def _image_path(content: dict[str, Any]) -> str:
    path = content.get("imagePath")
    return path.replace("\\", "/") if isinstance(path, str) else ""


def read(folder: RawFolder, files: list[str]) -> Source:
    """After `unpack`. A file that cannot be read costs its own image alone."""
    source = Source(shapes=0)
    for file in files:
        try:
            content = parse_json(folder.text(file), file)
        except RawDataError as error:
            _lose(folder, file, str(error), source)
            continue
        image_id = _locate(folder, file, content)
        info = None if isinstance(image_id, Finding) else folder.images[image_id]
        sheet = parse(content, file, info)
        if isinstance(image_id, Finding):
            put_nowhere(sheet, image_id, source)
        else:
            put(sheet, image_id, folder, source, ImageEntry(split_in_path(image_id, file)))
    return source


def _lose(folder: RawFolder, file: str, reason: str, source: Source) -> None:
    image_id = _beside(folder, file) or folder.locate_stem(file)
    if image_id is None:
        source.findings.append(found("annotation-unreadable", file, reason=reason))
        return
    sheet = Sheet(file)
    sheet.lose_all(reason)
    put(sheet, image_id, folder, source, ImageEntry(split_in_path(image_id, file)))


def _beside(folder: RawFolder, file: str) -> str | None:
    """The image of the file's own stem in its folder."""
    image = folder.locate_stem(file)
    return image if image and PurePosixPath(image).parent == PurePosixPath(file).parent else None


def _locate(folder: RawFolder, file: str, content: dict[str, Any]) -> str | Finding:
    """The image that was unpacked from the file, that `imagePath` names (from the file's folder), or of its stem."""
    if (unpacked := _unpacked_name(file, content)) in folder.unpacked:
        return unpacked
    name = _image_path(content)
    wanted = posixpath.normpath(posixpath.join(posixpath.dirname(file), name)) if name else ""
    by_name = folder.locate(wanted, file) if PurePosixPath(name).name else found("image-missing", file)
    by_stem = folder.locate_stem(file) if isinstance(by_name, Finding) else None
    if isinstance(by_name, Finding) and by_stem is None:
        return found(by_name.code, file, value=name[:SHOWN], reason=by_name.reason)
    return by_stem or by_name


def parse_json(text: str, file: str) -> dict[str, Any]:
    """
    Raises:
        RawDataError: it is no JSON object.
    """
    with clear_errors(file):
        content = json.loads(paired(text))
    if not isinstance(content, dict):
        raise RawDataError(f"{file}: it is no JSON object, so it is no file of LabelMe")
    return content


def parse(content: dict[str, Any], file: str, info: ImageInfo | None) -> Sheet:
    """One file's shapes and flags.

    Args:
        info: the image's, for masks; None where it is not there.
    """
    sheet = Sheet(file, declared_px=_declared_size(content))
    flags = content.get("flags")
    for flag, is_set in flags.items() if isinstance(flags, dict) else ():
        if is_set is True and flag.startswith("__"):
            sheet.note("not-carried", f"flag {flag[:SHOWN]}", reason="it marks the image, and is no label of it")
        elif is_set is True:
            sheet.take(f"flag {flag[:SHOWN]}", partial(Annotation, "", flag, None, None, None, None))
    shapes = content.get("shapes")
    if not isinstance(shapes, list):
        problem = "has no list `shapes`" if shapes is None else f"`shapes` is a {type(shapes).__name__}, and no list"
        sheet.lose_all(f"the file {problem}")
        return sheet
    canvas = _canvas(info, sheet.declared_px)
    for number, shape in enumerate(shapes, start=1):
        sheet.take(f"shape {number}", partial(_annotation, shape, canvas))
    return sheet


def _declared_size(content: dict[str, Any]) -> Size | None:
    try:
        return int(content["imageWidth"]), int(content["imageHeight"])
    except (KeyError, TypeError, ValueError, OverflowError):
        return None


def _canvas(info: ImageInfo | None, declared_px: Size | None) -> Size | None:
    """(width, height) of the pixels that were drawn on; None where the image does not say."""
    if info is None:
        return None
    width, height = info.stored_size if drawn_on_stored(info, declared_px) else (info.width, info.height)
    return None if width is None or height is None else (width, height)


def _annotation(shape: Any, canvas: Size | None) -> Annotation:
    """
    Raises:
        OutlineError: it cannot be read.
        NotCarriedError: it is of a kind without an area.
    """
    if not isinstance(shape, dict):
        raise OutlineError("it is no JSON object")
    kind = shape.get("shape_type") or "polygon"  # of files older than 3.0
    make = _KINDS.get(str(kind))
    if kind == "mask":
        box, outline = _mask(shape, canvas)
    elif make is None:
        raise NotCarriedError(str(kind))
    else:
        box, outline = make(points_of(shape.get("points")))
    label = shape.get("label")
    label = str(label).strip() if isinstance(label, str | int | float) else ""
    return Annotation("", label, *box, segmentation=outline, attributes=to_json(_attributes(shape)))


def _circle(points: list[Point]) -> Shape:
    if len(points) != 2:
        raise OutlineError(f"a circle has a centre and a point on it, this one {len(points)} points")
    (x, y), (x2, y2) = points
    return circle(x, y, math.hypot(x2 - x, y2 - y))


_KINDS: dict[str, Callable[[list[Point]], Shape]] = {
    "polygon": polygon, "rectangle": rectangle, "circle": _circle, "oriented_rectangle": polygon, "rotation": polygon,
    "quadrilateral": polygon,
}  # fmt: skip


def _mask(shape: dict[str, Any], canvas: Size | None) -> Shape:
    """A PNG of the part of the image between two points, both included."""
    points = points_of(shape.get("points"))
    text = shape.get("mask")
    if not points or not isinstance(text, str):
        raise OutlineError("its mask or its place is missing")
    if canvas is None:
        raise OutlineError("its image does not open, so its mask has no place")
    x, y = (int(number_of(at)) for at in map(min, zip(*points, strict=True)))
    try:
        with opened(base64.b64decode(text)) as image:
            mask = np.array(image.convert("L"))
    except _DECODE_ERRORS as error:
        raise OutlineError(f"its mask is no image: {error}") from None
    return pasted_mask(mask, x, y, canvas)


def _attributes(shape: dict[str, Any]) -> dict[str, object]:
    """Flags, `attributes`, the group, and what else the shape says in one word or number."""
    attributes = {key: value for key, value in shape.items() if key not in _READ and _is_plain(value)}
    for key in ("attributes", "flags"):
        own = shape.get(key)
        attributes |= own if isinstance(own, dict) else {}
    attributes |= {flag: int(attributes[flag]) for flag in _FLAGS if isinstance(attributes.get(flag), bool)}
    return attributes | ({} if shape.get("group_id") is None else {"group_id": shape["group_id"]})


def _is_plain(value: Any) -> bool:
    return isinstance(value, str | int | float) and value != ""


FORMAT = Format(
    name="labelme",
    title="LabelMe JSON",
    carries=frozenset({"boxes", "outlines", "masks", "labels", "several_labels", "negatives", "splits", "attributes"}),
    detect=detect,
    read=read,
    unpack=unpack,
)
