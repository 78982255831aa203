"""What any file of the VGG Image Annotator says, whichever version wrote it; and which attribute names the class.

VIA has no classes, only attributes of regions. The class is what the attribute says that is called so (`class`,
`label`, ...), else the only attribute, else the first with options to choose from, else the first. The others stay
attributes of the object.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from shardsmith.dataset.findings import Finding
from shardsmith.formats.shapes.outlines import Shape
from shardsmith.formats.shared.json import paired

Values = dict[str, list[str]]  # attribute -> what it says; several where several options are ticked
_CLASS_NAMES = (
    "class", "label", "class_name", "classname", "category", "category_name", "name", "object", "object_name", "type",
)  # fmt: skip


@dataclass
class Region:
    """One region: `shape` raises what is wrong with it."""

    place: str
    shape: Callable[[], Shape]
    values: Values
    key: str = ""


@dataclass
class ViaImage:
    """names: what the image may be called, the best first. problem: why its regions cannot be told."""

    names: list[str]
    place: str
    regions: list[Region] = field(default_factory=list)
    values: Values = field(default_factory=dict)
    problem: str = ""


@dataclass
class ViaFile:
    """chosen: attributes of regions, and of files, that have options to choose from."""

    images: list[ViaImage] = field(default_factory=list)
    chosen: set[str] = field(default_factory=set)
    findings: list[Finding] = field(default_factory=list)


def class_of_regions(content: ViaFile) -> str:
    """The attribute of a region that names its class, "" for none."""
    said = [name for image in content.images for region in image.regions for name in region.values]
    names = list(dict.fromkeys(said))
    named = _called_so(names)
    chosen = [name for name in names if name in content.chosen]
    return named or (names[:1] if len(names) == 1 else chosen[:1] or names[:1] or [""])[0]


def class_of_images(content: ViaFile) -> str:
    """The attribute of an image that names its class, "" for none: one that is called so, or the only one to choose."""
    names = list(dict.fromkeys(name for image in content.images for name in image.values))
    chosen = [name for name in names if name in content.chosen]
    return _called_so(names) or (chosen[0] if len(chosen) == 1 else "")


def _called_so(names: Sequence[str]) -> str:
    folded = {name.strip().lower().replace(" ", "_"): name for name in reversed(names)}
    return next((folded[known] for known in _CLASS_NAMES if known in folded), "")


def attribute_value(value: Any, options: Mapping[str, Any]) -> list[str]:
    """What an attribute says, in the words of its options; a ticked list is {option: true}."""
    if isinstance(value, dict):
        said = [name for name, ticked in value.items() if ticked is True or ticked in ("true", "1", 1)]
    elif isinstance(value, list):
        said = [str(each) for each in value]
    else:
        said = [] if value is None else [str(value)]
    words = [(_word(options.get(name)) or name).strip() for name in said]
    return [word for word in words if word]


def _word(value: Any) -> str:
    return str(value).strip() if isinstance(value, str | int | float) else ""


def as_dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def parsed_cell(text: str) -> Any:
    """JSON in a cell of a table; None where it is none."""
    try:
        return json.loads(paired(text))
    except (ValueError, RecursionError):
        return None
