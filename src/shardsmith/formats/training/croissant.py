"""Croissant: what a version is, in JSON-LD that search engines, hubs and `mlcroissant` read.

Its records are the rows of the version's tables. Files have their SHA-256, but for shards, images and files about one
image: these are sets, and to hash them would make an export a quarter slower; the table of images has each one's.
Nothing depends on the clock: there is no date. Source: the specification of Croissant 1.0.
"""

from __future__ import annotations

import glob
import hashlib
import re
from pathlib import Path, PurePosixPath
from typing import Any

from shardsmith.dataset.images import EXTENSIONS
from shardsmith.dataset.manifest import SPLITS
from shardsmith.formats.readme import Description

FILE = "croissant.json"
_SHARD = re.compile(r"(.*[.-])\d{5,6}(-of-\d{5}|\.tar)")
_OF_ONE_IMAGE = (*EXTENSIONS, ".txt", ".xml")
_TYPES = {  # mimetypes knows others on each machine
    **dict.fromkeys((".jpg", ".jpeg", ".jpe", ".jfif"), "image/jpeg"),
    **{f".{kind}": f"image/{kind}" for kind in ("png", "webp")},
    **{".csv": "text/csv", ".md": "text/markdown", ".txt": "text/plain", ".xml": "text/xml"},
    **{".json": "application/json", ".jsonl": "application/jsonlines", ".yaml": "application/yaml"},
    **{".parquet": "application/x-parquet", ".tar": "application/x-tar"},
}
_ANY = "application/octet-stream"
_SPLIT_TYPES = {"train": "cr:TrainingSplit", "valid": "cr:ValidationSplit", "test": "cr:TestSplit"}
_IMAGES = {
    "image_id": ("sc:Text", "the path of the image in the raw data; of a copy, with # and its number"),
    "sha256": ("sc:Text", "of the file in the raw data, or of the one that a step made"),
    "width": ("sc:Integer", "in pixels"),
    "height": ("sc:Integer", "in pixels"),
    "split": ("sc:Text", "train, valid or test"),
    "captions": ("sc:Text", "texts about the whole image; none for an image without"),
    "annotated": ("sc:Boolean", "false for an image that nobody looked at; true without annotations is a negative"),
}
_ANNOTATIONS = {
    "image_id": ("sc:Text", "of the image, as in images"),
    "label": ("sc:Text", "the name of the class"),
    **dict.fromkeys(("xmin", "ymin", "xmax", "ymax"), ("sc:Float", "in pixels; none for a label of the whole image")),
    "kind": ("sc:Text", "label (of the whole image), box, oriented, polygon, mask or keypoints"),
    "is_crowd": ("sc:Boolean", "true for a box around a crowd"),
    "segmentation": ("sc:Text", "JSON: polygons or run lengths as in COCO; none for a box alone"),
    "keypoints": ("sc:Text", "JSON: x, y, v of each point as in COCO"),
    "skeleton": ("sc:Text", "JSON: what the keypoints are"),
    "attributes": ("sc:Text", "JSON: what else the source says"),
}
_LISTS = ("captions",)
_REFERENCES = {"images/split": "splits/name"}  # mlcroissant fails at one to the rows of another table
_CONTEXT = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "cr": "http://mlcommons.org/croissant/",
    "dct": "http://purl.org/dc/terms/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "sc": "https://schema.org/",
    "conformsTo": "dct:conformsTo",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "examples": {"@id": "cr:examples", "@type": "@json"},
    **{
        word: f"cr:{word}"
        for word in (
            *("citeAs", "column", "equivalentProperty", "extract", "field", "fileObject", "fileProperty", "fileSet"),
            *("format", "includes", "isLiveDataset", "jsonPath", "key", "md5", "parentField", "path", "recordSet"),
            *("references", "regex", "repeated", "replace", "samplingRate", "separator", "source", "subField"),
            "transform",
        )
    },
}  # fmt: skip


def describe(folder: Path, about: Description) -> dict[str, Any]:
    """The description of what stands in `folder`, the export of a version with its tables."""
    facts = about.facts
    said = {
        "description": facts.get(
            "description", f"{about.label_map.dataset}: images with {about.counts['annotation_kind']}"
        ),
        "license": facts.get("license"),
        "citeAs": facts.get("citation"),
        "url": facts.get("homepage"),
        "creator": {"@type": "sc:Organization", "name": facts["contributor"]} if "contributor" in facts else None,
    }
    return {
        "@context": _CONTEXT,
        "@type": "sc:Dataset",
        "name": about.label_map.dataset,
        "conformsTo": "http://mlcommons.org/croissant/1.0",
        **{key: value for key, value in said.items() if value},
        "isLiveDataset": False,
        "distribution": _files(folder),
        "recordSet": [
            _listed(
                "splits",
                {"name": "sc:Text", "url": "sc:URL"},
                [(name, _SPLIT_TYPES[name]) for name in SPLITS],
                "cr:Split",
            ),
            _listed(
                "classes", {"name": "sc:Text", "id": "sc:Integer"}, [*about.label_map.ids.items()], "sc:Enumeration"
            ),
            _table("images", _IMAGES) | {"key": {"@id": "images/image_id"}},
            _table("annotations", _ANNOTATIONS),
        ],
    }


def _files(folder: Path) -> list[dict[str, Any]]:
    """A file each where it is alone of its kind, else a set for those that one pattern finds."""
    objects, patterns = [], set()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        name = path.relative_to(folder).as_posix()
        if shard := _SHARD.fullmatch(name):
            patterns.add(f"{shard[1]}*{shard[2]}")
        elif path.suffix.lower() in _OF_ONE_IMAGE and name.count("/") > 1:
            patterns.add(f"{glob.escape(str(PurePosixPath(name).parent))}/*{path.suffix}")
        else:
            objects.append(_object(path, name))
    return objects + [_set(number, pattern) for number, pattern in enumerate(sorted(patterns), start=1)]


def _object(path: Path, name: str) -> dict[str, Any]:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return {
        "@type": "cr:FileObject",
        "@id": name,
        "name": name,
        "contentUrl": name,
        "contentSize": f"{path.stat().st_size} B",
        "encodingFormat": _type(name),
        "sha256": digest,
    }


def _set(number: int, pattern: str) -> dict[str, Any]:
    known = {"encodingFormat": _type(pattern), "includes": pattern}
    return {"@type": "cr:FileSet", "@id": f"set-{number}", "name": f"set-{number}", **known}


def _type(name: str) -> str:
    return _TYPES.get(PurePosixPath(name).suffix.lower(), _ANY)


def _table(name: str, columns: dict[str, tuple[str, str]]) -> dict[str, Any]:
    """The rows of a Parquet table."""
    fields = [_field(name, column, kind, told) for column, (kind, told) in columns.items()]
    for field, column in zip(fields, columns, strict=True):
        field["source"] = {"fileObject": {"@id": f"{name}.parquet"}, "extract": {"column": column}}
    return {"@type": "cr:RecordSet", "@id": name, "name": name, "field": fields}


def _listed(name: str, columns: dict[str, str], rows: list[tuple], kind: str) -> dict[str, Any]:
    """Rows that stand in the description itself."""
    return {
        "@type": "cr:RecordSet",
        "@id": name,
        "name": name,
        "dataType": kind,
        "key": {"@id": f"{name}/name"},
        "field": [_field(name, column, of, "") for column, of in columns.items()],
        "data": [{f"{name}/{column}": value for column, value in zip(columns, row, strict=True)} for row in rows],
    }


def _field(table: str, column: str, kind: str, told: str) -> dict[str, Any]:
    id_ = f"{table}/{column}"
    reference = {"references": {"field": {"@id": _REFERENCES[id_]}}} if id_ in _REFERENCES else {}
    repeated = {"repeated": True} if column in _LISTS else {}
    field = {"@type": "cr:Field", "@id": id_, "name": id_, "dataType": kind, **reference, **repeated}
    return field | ({"description": told} if told else {})
