"""How many objects a file of each form holds, image by image, told without panlabel: what it leaves out is then known.

The lists are those of the content itself, so that a bad item can be taken out of it. Source: what panlabel 0.7.0 writes
and reads of each form, and the documentation of BDD100K, Cityscapes, Edge Impulse, VoTT, Scale AI, SuperAnnotate,
SageMaker Ground Truth, Unity Perception, ASAM OpenLABEL, WIDER FACE and OIDv4 ToolKit.
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

from shardsmith.formats.panlabel.prepare import BOXES
from shardsmith.formats.shared.json import paired

_COMPOSITE = re.compile(r"<Composite[\s>]")
_ERRORS = (KeyError, TypeError, ValueError, AttributeError, IndexError, RecursionError, csv.Error)


@dataclass
class Group:
    """The objects of one image in one file.

    count: how many there are; one where there is no list of them, as its key may be misspelt.
    items: the list itself, for taking items out; None where that would need other changes, too.
    """

    name: str
    count: int
    items: list[Any] | None = None


@dataclass
class Counted:
    """One file: its objects, and its text as it is without the items that were taken out."""

    groups: list[Group] = field(default_factory=list)
    text: Callable[[], str] = lambda: ""


def count(form: str, text: str, file: str) -> Counted | None:
    """None for a form that is not counted here, or a file that is not of it."""
    try:
        if form in _JSON:
            content = json.loads(paired(text))
            return Counted(list(_JSON[form](content, file)), lambda: json.dumps(content))
        if form in _LINES and not (form in _TABLES and text.lstrip()[:1] in ("[", "{", "<")):
            cells = [[line] for line in text.splitlines()]
            return Counted(list(_LINES[form](cells, file)), lambda: "".join(f"{cell[0]}\n" for cell in cells if cell))
    except _ERRORS:
        pass
    return None


def _listed(name: Any, items: Any) -> Iterator[Group]:
    """The objects of an image; nothing where it has no name."""
    if isinstance(name, str) and name:
        yield Group(name, len(items), items) if isinstance(items, list) else Group(name, 1)


def _bdd(content: Any, file: str) -> Iterator[Group]:
    for entry in content["frames"] if isinstance(content, dict) else content:
        yield from _listed(entry["name"], entry.get("labels"))


def _cityscapes(content: Any, file: str) -> Iterator[Group]:
    stem = PurePosixPath(file).name.removesuffix(".json")
    name = stem.removesuffix("_gtFine_polygons").removesuffix("_gtCoarse_polygons")
    objects = content["objects"]
    deleted = sum(one.get("deleted") in (1, True) for one in objects)
    yield Group(f"{name}_leftImg8bit", len(objects) - deleted, objects)


def _edge_impulse(content: Any, file: str) -> Iterator[Group]:
    if "files" in content:
        for entry in content["files"]:
            yield from _listed(entry["path"], entry.get("boundingBoxes"))
            whole = (entry.get("label") or {}).get("type") == "label"
            yield Group(entry["path"], int(whole))
    else:
        for name, items in content["boundingBoxes"].items():
            yield from _listed(name, items)


def _ibm(content: Any, file: str) -> Iterator[Group]:
    for name, items in content["annotations"].items():
        yield from _listed(name, items)


def _openlabel(content: Any, file: str) -> Iterator[Group]:
    """Numbers, texts and the like say something of an object and are none."""
    for frame in content["openlabel"]["frames"].values():
        said = [
            items
            for thing in (frame.get("objects") or {}).values()
            for kind, items in (thing.get("object_data") or {}).items()
            if kind not in ("boolean", "num", "text", "vec")
        ]
        yield Group(frame["frame_properties"]["file_name"], sum(map(len, said)))


def _scale(content: Any, file: str) -> Iterator[Group]:
    for task in content if isinstance(content, list) else [content]:
        params, answer = task["params"], task.get("response") or {}
        name = (params.get("metadata") or {}).get("file_name") or params["attachment"]
        yield from _listed(name, answer.get("annotations"))


def _superannotate(content: Any, file: str) -> Iterator[Group]:
    yield from _listed(content["metadata"]["name"], content.get("instances"))


def _unity(content: Any, file: str) -> Iterator[Group]:
    for capture in content["captures"]:
        for annotation in capture.get("annotations") or []:
            yield from _listed(capture["filename"], annotation.get("values"))


def _vott(content: Any, file: str) -> Iterator[Group]:
    """A region of several tags is as many."""
    for entry in content["assets"].values() if "assets" in content else [content]:
        for group in _listed(entry["asset"]["name"], entry.get("regions")):
            tags = [region.get("tags") for region in group.items or [] if isinstance(region, dict)]
            group.count += sum(max(0, len(each) - 1) for each in tags if isinstance(each, list))
            yield group


def _rows(name: str, needed: Iterable[str]) -> Callable[[list[list[str]], str], Iterator[Group]]:
    """A row an object, with a header; a row in which a needed column is empty is a negative.

    Args:
        name: the column with the image's name.
    """

    def groups(cells: list[list[str]], file: str) -> Iterator[Group]:
        header = next(csv.reader([cells[0][0].removeprefix("\ufeff")]))
        at, columns = header.index(name), [header.index(one) for one in needed]
        for cell in cells[1:]:
            row = next(csv.reader(cell), [])
            if row:
                whole = len(row) > max(at, *columns)
                said = not whole or any(row[one].strip() not in ("", "{}") for one in columns)
                yield Group(row[at] if len(row) > at else "", int(said), cell if said else None)

    return groups


def _automl(cells: list[list[str]], file: str) -> Iterator[Group]:
    for cell in cells:
        row = next(csv.reader(cell), [])
        if len(row) > 1:
            yield Group(PurePosixPath(row[1]).name, int(any(row[2:])), cell)


def _hf(cells: list[list[str]], file: str) -> Iterator[Group]:
    for cell in cells:
        row = json.loads(paired(cell[0])) if cell[0].strip() else {}
        if row:
            boxes = (row.get("objects") or {}).get("bbox")
            whole = sum(row.get(key) is not None for key in ("label", "text"))
            yield Group(row["file_name"], whole + (len(boxes) if isinstance(boxes, list) else not whole))


def _sagemaker(cells: list[list[str]], file: str) -> Iterator[Group]:
    for cell in cells:
        row = json.loads(paired(cell[0])) if cell[0].strip() else {}
        lists = [one["annotations"] for one in row.values() if isinstance(one, dict) and "annotations" in one]
        others = sum(key.endswith("-metadata") and one["type"] != BOXES for key, one in row.items())
        if row:
            count = sum(map(len, lists)) + others
            yield Group(PurePosixPath(row["source-ref"]).name, count if lists or others else 1)


def _oidv4(cells: list[list[str]], file: str) -> Iterator[Group]:
    for cell in cells:
        if cell[0].strip():
            yield Group(PurePosixPath(file).stem, 1, cell)


def _wider_face(cells: list[list[str]], file: str) -> Iterator[Group]:
    name = ""
    for cell in cells:
        words = cell[0].split()
        if len(words) > 3 and name:
            yield Group(name, int(any(word.strip("0") for word in words)))  # noughts stand for no face
        elif words and not words[-1].isdecimal():
            name = cell[0].strip()


def _marmot(cells: list[list[str]], file: str) -> Iterator[Group]:
    yield Group(PurePosixPath(file).stem, sum(len(_COMPOSITE.findall(cell[0])) for cell in cells))


_JSON: dict[str, Callable[[Any, str], Iterator[Group]]] = {
    "bdd100k": _bdd, "cityscapes": _cityscapes, "edge-impulse": _edge_impulse, "ibm-cloud-annotations": _ibm,
    "openlabel": _openlabel, "scale-ai": _scale, "superannotate": _superannotate,
    "unity-perception": _unity, "vott-json": _vott,
}  # fmt: skip
_LINES: dict[str, Callable[[list[list[str]], str], Iterator[Group]]] = {
    "automl-vision": _automl, "hf": _hf, "kaggle-wheat": _rows("image_id", ["bbox"]), "marmot": _marmot,
    "oidv4": _oidv4, "sagemaker": _sagemaker,
    "vott-csv": _rows("image", ["xmin", "ymin", "xmax", "ymax"]), "wider-face": _wider_face,
}  # fmt: skip
_TABLES = frozenset({"automl-vision", "kaggle-wheat", "oidv4", "vott-csv"})
COUNTED = tuple(sorted([*_JSON, *_LINES]))
