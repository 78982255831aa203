"""VIA 3: the project as JSON, and its CSV; no disk.

A view shows a file, metadata says a shape on it (`xy`) or a time (`z`), and `av` has the attributes by their ids.
Source: doc/CodeDoc.md, _via_data.js and _via_import_export.js of VIA 3.
"""

from __future__ import annotations

import json
from functools import partial
from typing import Any

from shardsmith.dataset.findings import found
from shardsmith.formats.csv.lines import numbered
from shardsmith.formats.shapes.outlines import NotCarriedError, Shape
from shardsmith.formats.shared.raw_folder import SHOWN
from shardsmith.formats.via.content import Region, Values, ViaFile, ViaImage, as_dict, attribute_value, parsed_cell
from shardsmith.formats.via.shapes import numbered_shape

HEADER = "# CSV_HEADER = "
_COLUMNS = ("metadata_id", "file_list", "flags", "temporal_coordinates", "spatial_coordinates", "metadata")
_IMAGE = 2  # a file's type; 4 is a video, 8 a sound
_CHECKBOX = 2  # an attribute's type: its value lists ids with commas
_OF_CHOICES = (2, 3, 4)  # check boxes, radio buttons, a list
_ATTRIBUTES = "# ATTRIBUTE"


def parse_project(content: dict[str, Any], file: str) -> ViaFile:
    via = ViaFile()
    defined = as_dict(content.get("attribute"))
    via.chosen = _chosen(defined)
    images: dict[str, ViaImage] = {}
    others: dict[str, str] = {}  # a view of something else -> what
    for view_id, view in as_dict(content.get("view")).items():
        _add_view(via, file, view_id, view, as_dict(content.get("file")), images, others)
    metadata = content.get("metadata")
    if not isinstance(metadata, dict):
        for image in images.values():
            image.problem = "the project has no `metadata`, where its shapes should stand"
        metadata = {}
    astray = 0
    for key, entry in metadata.items():
        place, said = f"metadata {key[:SHOWN]}", as_dict(entry)
        view_id = str(said.get("vid"))
        if view_id in images:
            _add_metadata(images[view_id], said.get("xy"), said.get("z"), said.get("av"), defined, place, key)
        elif view_id in others:
            via.findings.append(found("shape-not-carried", file, place, others[view_id]))
        else:
            reason = f"its view {view_id[:SHOWN]!r} is not in the project"
            via.findings.append(found("annotation-unreadable", file, place, reason=reason))
            astray += 1
    if astray and astray == len(metadata):
        for image in images.values():
            image.problem = "no shape of the project says which view it is on"
    if not isinstance(content.get("attribute"), dict):
        for image in images.values():
            if image.values and not image.regions:
                image.problem = "the project has no `attribute`, which should say what those of its files mean"
    via.images = list(images.values())
    return via


def _add_view(
    via: ViaFile,
    file: str,
    view_id: str,
    view: Any,
    files: dict[str, Any],
    images: dict[str, ViaImage],
    others: dict[str, str],
) -> None:
    shown = as_dict(view).get("fid_list")
    first, *more = shown if isinstance(shown, list) and shown else [None]
    said = as_dict(files.get(str(first)))
    names = [name for name in (said.get("src"), said.get("fname")) if isinstance(name, str) and name]
    place = f"view {view_id[:SHOWN]}"
    if said.get("type", _IMAGE) != _IMAGE:
        others[view_id] = {"4": "video", "8": "sound"}.get(str(said["type"]), "a file that is no image")
    elif not names:
        via.findings.append(found("annotation-unreadable", file, place, reason="it shows no file with a name"))
        others[view_id] = "a view without a file"
    else:
        images[view_id] = ViaImage(names, place)
        if more:
            reason = "further files of a view: its shapes are of the first"
            via.findings.append(found("not-carried", file, place, len(more), reason))


def _add_metadata(image: ViaImage, xy: Any, z: Any, av: Any, defined: dict[str, Any], place: str, key: str) -> None:
    values = _values(av, defined)
    if not xy and not z and isinstance(xy, list):  # of the whole file
        image.values |= values
    else:
        image.regions.append(Region(place, partial(_shape, xy, z), values, key))


def _shape(xy: Any, z: Any) -> Shape:
    if z:
        raise NotCarriedError("a time in a video")
    return numbered_shape(xy)


def _chosen(defined: dict[str, Any]) -> set[str]:
    known = {key: as_dict(one) for key, one in defined.items()}
    return {_name(key, one) for key, one in known.items() if one.get("type") in _OF_CHOICES}


def _name(key: str, defined: Any) -> str:
    """An attribute's name; in a CSV of VIA 3.0 it stands alone."""
    name = defined if isinstance(defined, str) else as_dict(defined).get("aname")
    return name if isinstance(name, str) and name else key


def _values(av: Any, defined: dict[str, Any]) -> Values:
    values: Values = {}
    for key, value in as_dict(av).items():
        one = as_dict(defined.get(key))
        if one.get("type") == _CHECKBOX and isinstance(value, str):
            value = [part.strip() for part in value.split(",")]
        options = as_dict(one.get("options")) if one.get("type") in _OF_CHOICES else {}
        ids = value if isinstance(value, list) else [value]
        words = [word for each in ids for word in attribute_value(each, options)]
        if words:
            values[_name(key, defined.get(key))] = words
    return values


def parse_table(text: str, file: str) -> ViaFile:
    """A line a shape; the first lines are notes, among them what the attributes are."""
    via = ViaFile()
    defined: dict[str, Any] = {}
    lines = text.split("\n")
    for line in lines:
        if line.startswith(_ATTRIBUTES):
            defined = as_dict(parsed_cell(line.partition("=")[2].strip()))
    via.chosen = _chosen(defined)
    images: dict[str, ViaImage] = {}
    for place, cells in numbered("\n".join("" if line.startswith("#") else line for line in lines)):
        row = dict(zip(_COLUMNS, cells, strict=False))
        names = parsed_cell(row.get("file_list", ""))
        if not isinstance(names, list) or not names or not isinstance(names[0], str):
            via.findings.append(found("annotation-unreadable", file, place, reason="it names no image"))
            continue
        image = images.setdefault(json.dumps(names), ViaImage([names[0]], place))
        xy, z = (parsed_cell(row.get(name, "")) for name in ("spatial_coordinates", "temporal_coordinates"))
        _add_metadata(image, xy, z, parsed_cell(row.get("metadata", "")), defined, place, row["metadata_id"])
    via.images = list(images.values())
    return via
