"""Ultralytics YOLO: data.yaml names the classes and the splits' folders, and a text file an image has its boxes.

`images/train/a.jpg` or `train/images/a.jpg`: the text file stands below `labels/` as the image stands below `images/`.
An image without one is a negative, as Ultralytics has it. Its loader takes a whole dataset for boxes or for outlines:
where some lines have outlines and others not it drops every outline, and inside one file it misreads the boxes. So
what is written has boxes alone, or outlines alone, in which a box without one stands as its four corners.

Sources: Ultralytics' documentation of detection and segmentation datasets; its check_det_dataset, verify_image_label
(ultralytics/data/utils.py) and YOLODataset.get_labels (ultralytics/data/dataset.py).
"""

from __future__ import annotations

import io
import reprlib
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.scalarstring import DoubleQuotedScalarString

from shardsmith.dataset.errors import RawDataError
from shardsmith.dataset.findings import Finding, found
from shardsmith.dataset.manifest import Annotation, Image
from shardsmith.dataset.yaml import YamlError, load_yaml
from shardsmith.formats.format import Format
from shardsmith.formats.shapes.placement import corners
from shardsmith.formats.shared.facts import MAIN
from shardsmith.formats.shared.job import ExportJob, leaving_names, write_images
from shardsmith.formats.shared.raw_folder import SHOWN, ImageEntry, RawFolder, Source
from shardsmith.formats.yolo.files import (
    ImagePaths,
    Nearest,
    are_labels,
    data_files,
    find_labels,
    one_split,
    plain_parts,
    read_images,
)
from shardsmith.formats.yolo.lines import ClassNames, format_box, format_outline, outline_of, trainer_names

_SPLITS = {"train": "train", "val": "valid", "valid": "valid", "validation": "valid", "test": "test"}
_MOST_CLASSES = 100_000
_REMEDY = "add the data.yaml that names them"

_LOADING = """
```python
from ultralytics import YOLO

YOLO("yolo11n.pt").train(data="data.yaml")  # where the labels have outlines, yolo11n-seg.pt learns them
```
"""


@dataclass(frozen=True)
class DataFile:
    """data.yaml: the classes, the paths of each split as written, and how many columns of keypoints follow a box."""

    classes: ClassNames
    paths: dict[str, list[str]] = field(default_factory=dict)
    keypoint_columns: int = 0


def detect(folder: RawFolder) -> list[str]:
    """A YAML file that names classes, with text files that have lines of YOLO and the names of images."""
    files = data_files(folder)
    labels = find_labels(folder) if files else None
    sure = labels and are_labels(folder, labels, blank_will_do=True)
    return [*files, *dict.fromkeys(labels.of.values())] if labels and sure else []


def parse_data(text: str, file: str) -> DataFile:
    """
    Raises:
        RawDataError: it is no YAML, or names no classes.
    """
    try:
        content = load_yaml(text)
    except YamlError as error:
        raise RawDataError(f"{file}{error.place}: {error}; correct it") from None
    if not isinstance(content, dict):
        raise RawDataError(f"{file}: has no keys; {_REMEDY}")
    paths = {}
    for key in _SPLITS:
        values = content.get(key)
        paths[key] = [value for value in (values if isinstance(values, list) else [values]) if isinstance(value, str)]
    return DataFile(ClassNames(file, _names(content, file)), paths, _keypoint_columns(content.get("kpt_shape")))


def _keypoint_columns(shape: object) -> int:
    """Of `kpt_shape: [how many, values of each]`; 0 for anything else."""
    if not isinstance(shape, list) or len(shape) != 2 or not all(isinstance(n, int) and n > 0 for n in shape):
        return 0
    return shape[0] * shape[1]


def _names(content: dict[str, Any], file: str) -> tuple[str, ...]:
    names, count = content.get("names"), content.get("nc")
    if names is None and isinstance(count, int) and 0 < count <= _MOST_CLASSES:
        return tuple(f"class_{number}" for number in range(count))  # as Ultralytics calls them
    if isinstance(names, list):
        names = dict(enumerate(names))
    if not isinstance(names, dict) or not names:
        raise RawDataError(f"{file}: names: {reprlib.repr(names)} is no list of names, and no numbers with names")
    by_number = {}
    for key, name in names.items():
        if not str(key).isdecimal() or int(key) >= _MOST_CLASSES:
            raise RawDataError(f"{file}: names: {str(key)[:60]!r} is not the number of a class; count from 0")
        if not isinstance(name, str | int | float | None):
            raise RawDataError(f"{file}: names: class {key} is no name; write it in quotes")
        by_number[int(key)] = "" if name is None else _name(name)
    return tuple(by_number.get(number, "") for number in range(max(by_number) + 1))


def _name(name: str | int | float) -> str:
    """On one line, and without the half of a surrogate pair that YAML can escape and no file can hold."""
    return " ".join(str(name).split("\n")).strip().encode("utf-8", "replace").decode()


def read(folder: RawFolder, files: list[str]) -> Source:
    """
    Raises:
        RawDataError: there is no data.yaml, it cannot be read, or there are two that differ.
    """
    data = {file: parse_data(folder.text(file), file) for file in data_files(folder)}
    names = Nearest([one.classes for one in data.values()], _REMEDY)
    if not data:
        raise RawDataError(f"{folder.root}: no YAML file names the classes; {_REMEDY}")
    splits: dict[str, set[str]] = defaultdict(set)
    findings: list[Finding] = []
    for file, one in data.items():
        for key, paths in one.paths.items():
            for path in paths:
                images, missing = _images_at(folder, path, file, key)
                findings += missing
                for image_id in images:
                    splits[image_id].add(_SPLITS[key])

    def governing(file: str) -> DataFile:
        return data[names.to(file).file]

    labels = find_labels(folder)
    source = read_images(folder, labels, names, splits, lambda file: governing(file).keypoint_columns)
    for image_id in folder.image_files:
        if image_id not in labels.of and (image_id in splits or not any(governing(image_id).paths.values())):
            source.entries[image_id] = ImageEntry(one_split(splits, image_id), implied=True)
    source.findings += findings
    return source


def _images_at(folder: RawFolder, path: str, file: str, key: str) -> tuple[list[str], list[Finding]]:
    """The images of a split: those below a folder, or those that a list names; a finding where there are none."""
    parts = plain_parts(path)
    if path.lower().endswith(".txt"):
        lists = [name for name in folder.with_suffix(".txt") if PurePosixPath(name).name == parts[-1]]
        if lists:
            return ImagePaths(folder).listed(
                min(lists, key=lambda name: (PurePosixPath(name).parent != PurePosixPath(file).parent, name))
            )
    else:
        absolute = path.startswith(("/", "\\")) or ":" in path[:3]
        for start in range(len(parts) if absolute else 1):
            if images := _below(folder, parts[start:], file):
                return images, []
    return [], [found("split-empty", file, key, path[:SHOWN], "there is no such folder with images, and no such list")]


def _below(folder: RawFolder, parts: list[str], file: str) -> list[str]:
    """The images below the folder of this path beside `file`, else below the only one whose path ends so."""
    images = {image_id: PurePosixPath(image_id).parents for image_id in folder.image_files}
    wanted = PurePosixPath(file).parent.joinpath(*parts)
    beside = [image_id for image_id, parents in images.items() if wanted in parents]
    if beside or not parts:
        return beside
    ending = {parent for parents in images.values() for parent in parents if list(parent.parts[-len(parts) :]) == parts}
    return [image_id for image_id, parents in images.items() if ending & set(parents)] if len(ending) == 1 else []


def write(job: ExportJob, out: Path) -> None:
    """data.yaml, images/SPLIT/ and labels/SPLIT/.

    Images without a split stand in images/all/, for training and for validation; an unlabelled image has no text file,
    which Ultralytics takes for a negative.
    """
    images = job.manifest.image_rows()
    names = trainer_names(leaving_names(images), images, blanks=True)
    outlined = any(outline_of(row) for row in job.manifest.annotation_rows())
    folders = {}
    if any(image.split for image in images):  # readers want both folders, even an empty one
        for folder in ("images/train", "labels/train", "images/valid", "labels/valid"):
            (out / folder).mkdir(parents=True, exist_ok=True)
    for split, rows in job.by_split():
        folders[split] = f"images/{split or 'all'}"
        write_images([image for image, _ in rows], names, out / folders[split])
        labels = out / "labels" / (split or "all")
        labels.mkdir(parents=True, exist_ok=True)
        for image, boxes in rows:
            if image.annotated:
                path = (labels / names[image.image_id]).with_suffix(".txt")
                path.write_text(_text(image, boxes, job, outlined), encoding="utf-8")
    text = format_data(job.label_map.names_by_id()[1:], folders, job.facts)
    (out / "data.yaml").write_text(text, encoding="utf-8")


def _text(image: Image, rows: list[Annotation], job: ExportJob, outlined: bool) -> str:
    size, lines = (image.width or 1, image.height or 1), []
    for row in rows:
        if row.xmin is not None:
            number, box = job.label_map.ids[row.label] - 1, corners(row)
            xmin, ymin, xmax, ymax = box
            outline = outline_of(row) or [xmin, ymin, xmax, ymin, xmax, ymax, xmin, ymax]
            lines.append(format_outline(number, outline, size) if outlined else format_box(number, box, size))
    return "".join(f"{line}\n" for line in lines)


def format_data(names: list[str], folders: dict[str, str], facts: Mapping[str, str]) -> str:
    """data.yaml. Ultralytics needs `train` and `val` even where a split has no image. Without `path` it looks beside
    the file; `path: .` would be the folder that it runs in. Names are quoted: it reads YAML 1.1, where `no` is false.
    """
    alone = folders.get("")
    content: dict[str, Any] = {
        "train": folders.get("train") or alone or "images/train",
        "val": folders.get("valid") or alone or "images/valid",
    }
    if "test" in folders:
        content["test"] = folders["test"]
    content |= {name: DoubleQuotedScalarString(facts[name]) for name in MAIN if name in facts}
    content["names"] = {number: DoubleQuotedScalarString(name) for number, name in enumerate(names)}
    yaml, stream = YAML(), io.StringIO()
    yaml.width = 1 << 30
    yaml.dump(content, stream)
    return stream.getvalue()


FORMAT = Format(
    name="ultralytics",
    title="Ultralytics YOLO",
    carries=frozenset({"boxes", "outlines", "negatives", "splits"}),
    detect=detect,
    read=read,
    write=write,
    loading=_LOADING,
)
