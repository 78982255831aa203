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
import posixpath
import re
from pathlib import Path, PurePosixPath
from typing import Any

from shardsmith.dataset.errors import RawDataError
from shardsmith.dataset.findings import Finding, found
from shardsmith.dataset.images import probe
from shardsmith.formats.format import Format
from shardsmith.formats.labelme.shapes import parse
from shardsmith.formats.shapes.named_points import Named, give_points
from shardsmith.formats.shapes.sheet import Sheet, named_in, put, put_nowhere
from shardsmith.formats.shared.json import clear_errors, paired
from shardsmith.formats.shared.raw_folder import SHOWN, ImageEntry, RawFolder, Source
from shardsmith.formats.shared.splits import split_in_path

_KEYS = ("imagePath", "imageData", "imageHeight", "shape_type", "lineColor")
_SIGNS = re.compile(r'"(shapes|' + "|".join(_KEYS) + r')"\s*:')
_HEAD, _TAIL = 1 << 16, 1 << 12


def detect(folder: RawFolder) -> list[str]:
    """JSON objects with the keys of a label file, at their beginning or, after a long polygon, at their end."""
    return [file for file in folder.with_suffix(".json") if _is_labelme(folder, file)]


def _is_labelme(folder: RawFolder, file: str) -> bool:
    head = folder.head(file, _HEAD)
    if not head.lstrip().startswith("{"):
        return False
    signs = set(_SIGNS.findall(head))
    path = folder.root / file
    if len(signs) < 2 and (size := path.stat().st_size) > _HEAD:
        with path.open("rb") as stream:
            stream.seek(size - _TAIL)
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
    named: list[Named] = []
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
            named += named_in(sheet, folder.images[image_id])
    give_points(named)
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


FORMAT = Format(
    name="labelme",
    title="LabelMe JSON",
    carries=frozenset(
        {
            *("boxes", "outlines", "oriented", "keypoints", "masks", "labels", "several_labels", "negatives", "splits"),
            *("attributes",),
        }
    ),
    detect=detect,
    read=read,
    unpack=unpack,
)
