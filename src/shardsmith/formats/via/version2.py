"""VIA 1 and 2: the project, the annotations as JSON, and those as CSV; no disk.

Source: via.js of VIA 2.0.12 (project_save, pack_via_metadata); in VIA 1 `regions` is an object with numbers for keys.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from shardsmith.dataset.findings import found
from shardsmith.formats.csv.lines import numbered
from shardsmith.formats.shared.raw_folder import SHOWN
from shardsmith.formats.via.content import Region, Values, ViaFile, ViaImage, as_dict, attribute_value, parsed_cell
from shardsmith.formats.via.shapes import named_shape

COLUMNS = ("filename", "region_count", "region_shape_attributes", "region_attributes", "file_attributes")
_OF_CHOICES = ("dropdown", "radio", "checkbox", "select")


def parse_project(content: dict[str, Any], file: str) -> ViaFile:
    """A project, or the annotations of one."""
    via = ViaFile()
    defined = as_dict(content.get("_via_attributes"))
    options = {kind: _options(defined.get(kind)) for kind in ("region", "file")}
    for kind in ("region", "file"):
        via.chosen |= {name for name, one in as_dict(defined.get(kind)).items() if _has_choices(one)}
    entries = content.get("_via_img_metadata", content)
    for key, entry in as_dict(entries).items():
        if key.startswith("_via_"):
            continue
        if not isinstance(entry, dict) or not isinstance(entry.get("filename"), str):
            reason = "the entry is no JSON object with a filename"
            via.findings.append(found("annotation-unreadable", file, f"entry {key[:SHOWN]}", reason=reason))
            continue
        via.images.append(_image(entry, f"entry {key[:SHOWN]}", options))
    return via


def _has_choices(defined: Any) -> bool:
    return as_dict(defined).get("type") in _OF_CHOICES


def _options(defined: Any) -> dict[str, dict[str, Any]]:
    """Attribute -> its options, by their ids."""
    return {name: as_dict(as_dict(one).get("options")) for name, one in as_dict(defined).items()}


def _image(entry: dict[str, Any], place: str, options: dict[str, dict[str, dict[str, Any]]]) -> ViaImage:
    image = ViaImage([entry["filename"]], place, values=_values(entry.get("file_attributes"), options["file"]))
    regions = entry.get("regions")
    regions = list(regions.values()) if isinstance(regions, dict) else regions
    if not isinstance(regions, list):
        image.problem = "it has no list `regions`" if regions is None else "`regions` is no list"
        return image
    for number, region in enumerate(regions, start=1):
        said = as_dict(region)
        shape = partial(named_shape, said.get("shape_attributes"))
        values = _values(said.get("region_attributes"), options["region"])
        image.regions.append(Region(f"{place}, region {number}", shape, values))
    return image


def _values(attributes: Any, options: dict[str, dict[str, Any]]) -> Values:
    """Those that say anything."""
    said = {name: attribute_value(value, options.get(name, {})) for name, value in as_dict(attributes).items()}
    return {name: words for name, words in said.items() if words}


def is_header(cells: list[str]) -> bool:
    return {*COLUMNS} <= {cell.lstrip("#") for cell in cells}


def parse_table(text: str, file: str) -> ViaFile:
    """A line a region; an image without one has a line of its own that counts none."""
    via = ViaFile()
    lines = numbered(text)
    _, first = next(lines, ("", []))
    header = [cell.lstrip("#") for cell in first]
    images: dict[str, ViaImage] = {}
    for place, cells in lines:
        row = dict(zip(header, cells, strict=False))
        name = row.get("filename", "")
        if not name:
            via.findings.append(found("annotation-unreadable", file, place, reason="it names no image"))
            continue
        image = images.setdefault(name, ViaImage([name], place))
        image.values |= _values(parsed_cell(row.get("file_attributes", "")), {})
        shape = parsed_cell(row.get("region_shape_attributes", ""))
        if row.get("region_count") == "0" and shape == {}:
            continue
        values = _values(parsed_cell(row.get("region_attributes", "")), {})
        image.regions.append(Region(place, partial(named_shape, shape), values))
    via.images = list(images.values())
    return via
