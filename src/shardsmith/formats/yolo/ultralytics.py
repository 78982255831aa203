"""Ultralytics YOLO: data.yaml names the classes and the splits' folders, and a text file an image has its boxes.

`images/train/a.jpg` or `train/images/a.jpg`: the text file stands below `labels/` as the image stands below `images/`.
An image without one is a negative, as Ultralytics has it.

Sources: Ultralytics' documentation of detection, segmentation, pose and OBB datasets; its check_det_dataset and
verify_image_label (ultralytics/data/utils.py).
"""

from __future__ import annotations

import json
import reprlib
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

from shardsmith.dataset.errors import RawDataError
from shardsmith.dataset.findings import Finding, found
from shardsmith.dataset.manifest import Annotation
from shardsmith.dataset.yaml import YamlError, load_yaml
from shardsmith.formats.format import Format
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
from shardsmith.formats.yolo.lines import (
    ClassNames,
)
from shardsmith.formats.yolo.pose import Pose, pose_of
from shardsmith.formats.yolo.writer import write, write_oriented, write_pose

_SPLITS = {"train": "train", "val": "valid", "valid": "valid", "validation": "valid", "test": "test"}
_MOST_CLASSES = 100_000
_REMEDY = "add the data.yaml that names them"

_LOADING = """
```python
from ultralytics import YOLO

YOLO("{weights}").train(data="data.yaml"){note}
```
"""


@dataclass(frozen=True)
class DataFile:
    """data.yaml: the classes, the paths of each split as written, and the keypoints that follow a box."""

    classes: ClassNames
    paths: dict[str, list[str]] = field(default_factory=dict)
    pose: Pose | None = None


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
    return DataFile(ClassNames(file, _names(content, file)), paths, pose_of(content))


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
    source = read_images(folder, labels, names, splits, lambda file: governing(file).pose)
    _name_oriented(source.annotations)
    for image_id in folder.image_files:
        if image_id not in labels.of and (image_id in splits or not any(governing(image_id).paths.values())):
            source.entries[image_id] = ImageEntry(one_split(splits, image_id), implied=True)
    source.findings += findings
    return source


def _name_oriented(rows: list[Annotation]) -> None:
    """Where each line has four corners, they are those of oriented boxes: nothing else tells the two kinds apart."""
    if all(row.segmentation and len(json.loads(row.segmentation)[0]) == 8 for row in rows):
        for row in rows:
            row.kind = "oriented"


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


FORMAT = Format(
    name="ultralytics",
    title="Ultralytics YOLO",
    carries=frozenset({"boxes", "outlines", "masks", "negatives", "splits"}),
    reads=frozenset({"boxes", "outlines", "oriented", "keypoints"}),
    detect=detect,
    read=read,
    write=write,
    loading=_LOADING.format(
        weights="yolo11n.pt", note="  # where the labels have outlines, yolo11n-seg.pt learns them"
    ),
)
POSE = Format(
    name="ultralytics_pose",
    title="Ultralytics YOLO pose",
    carries=frozenset({"boxes", "keypoints", "negatives", "splits"}),
    write=write_pose,
    loading=_LOADING.format(weights="yolo11n-pose.pt", note=""),
)
OBB = Format(
    name="ultralytics_obb",
    title="Ultralytics YOLO OBB",
    carries=frozenset({"boxes", "oriented", "negatives", "splits"}),
    write=write_oriented,
    loading=_LOADING.format(weights="yolo11n-obb.pt", note=""),
)
