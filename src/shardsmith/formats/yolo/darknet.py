"""YOLO Darknet TXT: a text file an image, with boxes in shares of its sides, and the names of the classes in a file.

The text file stands beside its image, or below `labels/` as the image stands below `images/`. An empty one is a
negative; an image without one is unlabelled. Lists of images (train.txt, valid.txt, test.txt, or those that a .data
file names) are the source's split. Outlines, which some tools write into such files, are read too.

Sources: AlexeyAB/darknet, "How to train (to detect your custom objects)" and its src/data.c; the exports of CVAT and
Roboflow.
"""

from __future__ import annotations

import re
from collections import defaultdict
from pathlib import Path, PurePosixPath

from shardsmith.dataset.manifest import Annotation, Image
from shardsmith.formats.format import Format
from shardsmith.formats.shapes.placement import corners
from shardsmith.formats.shared.job import ExportJob, leaving_names, write_images
from shardsmith.formats.shared.raw_folder import RawFolder, Source
from shardsmith.formats.shared.splits import split_in_name
from shardsmith.formats.yolo.files import (
    ImagePaths,
    Nearest,
    are_labels,
    data_files,
    find_labels,
    names_files,
    plain_parts,
    read_images,
    read_names,
)
from shardsmith.formats.yolo.lines import format_box, format_names, is_image_list, lines_of, trainer_names

_SPLITS = {"train": "train", "valid": "valid", "val": "valid", "test": "test"}
_REMEDY = "add obj.names or classes.txt (a name a line, that of class 0 first), or an Ultralytics data.yaml"

_LOADING = """
From this folder, with your network's .cfg (`classes` and `filters` in it must fit):

```console
darknet detector train data/obj.data yolo.cfg yolov4.conv.137 -map
```
"""


def detect(folder: RawFolder) -> list[str]:
    """Text files with lines of YOLO and the names of images, where no data.yaml says that it is Ultralytics'."""
    if data_files(folder):
        return []
    names, labels = names_files(folder), find_labels(folder)
    sure = are_labels(folder, labels, blank_will_do=bool(names))
    return [*names, *dict.fromkeys(labels.of.values())] if sure else []


def read(folder: RawFolder, files: list[str]) -> Source:
    """
    Raises:
        RawDataError: no file names the classes, or several do so differently.
    """
    options = _options(folder)
    said = [file for path in options["names"] if (file := _named(folder, path))]
    names = Nearest(read_names(folder, said or names_files(folder)), _REMEDY)
    paths, findings = ImagePaths(folder), []
    splits: dict[str, set[str]] = defaultdict(set)
    for file, of_list in _lists(folder, options).items():
        images, missing = paths.listed(file)
        findings += missing
        for image_id in images:
            splits[image_id] |= of_list
    source = read_images(folder, find_labels(folder), names, splits, poses=lambda file: None)
    source.findings += findings
    return source


def _options(folder: RawFolder) -> dict[str, list[str]]:
    """names, train, valid, test -> the paths that .data files give for them."""
    options: dict[str, list[str]] = defaultdict(list)
    for file in folder.with_suffix(".data"):
        for key, path in parse_options(folder.text(file)).items():
            options[key].append(path)
    return options


def parse_options(text: str) -> dict[str, str]:
    """The `key = value` lines of a .data file."""
    pairs = (line.partition("=") for line in lines_of(text))
    options = {key.strip(): value.strip() for key, _, value in pairs}
    return {key: value for key, value in options.items() if re.fullmatch(r"\w+", key) and value}


def _named(folder: RawFolder, path: str) -> str | None:
    """The file that a path with any prefix means: of those with its name, the one with the most of its folders."""
    parts = plain_parts(path)
    same_name = [file for file in folder.files if parts and PurePosixPath(file).name == parts[-1]]
    fitting = [file for file in same_name if "/".join(parts).endswith(file)] or same_name
    return max(fitting, key=len, default=None)


def _lists(folder: RawFolder, options: dict[str, list[str]]) -> dict[str, set[str]]:
    """List of images -> the splits it is for."""
    lists: dict[str, set[str]] = defaultdict(set)
    for key, split in _SPLITS.items():
        for path in options.get(key, []):
            if file := _named(folder, path):
                lists[file].add(split)
    for file in folder.with_suffix(".txt"):
        split_name = split_in_name(file)
        if file not in lists and split_name and is_image_list(folder.head(file)):
            lists[file].add(split_name)
    return lists


def write(job: ExportJob, out: Path) -> None:
    """data/obj.names, data/obj.data, data/SPLIT.txt, and each split's images and text files in data/obj_SPLIT_data/.

    Images without a split are listed in data/all.txt, for training and for validation.
    """
    data = out / "data"
    data.mkdir(parents=True, exist_ok=True)
    images = job.manifest.image_rows()
    names = trainer_names(leaving_names(images), images, blanks=True)
    lists = {}
    for split, rows in job.by_split():
        folder = data / f"obj_{split}_data" if split else data / "obj_data"
        write_images([image for image, _ in rows], names, folder)
        for image, boxes in rows:
            if image.annotated:
                (folder / names[image.image_id]).with_suffix(".txt").write_text(
                    _text(image, boxes, job), encoding="utf-8"
                )
        listing = "".join(f"data/{folder.name}/{names[image.image_id]}\n" for image, _ in rows)
        lists[split] = f"data/{split or 'all'}.txt"
        (out / lists[split]).write_text(listing, encoding="utf-8")
    class_names = job.label_map.names_by_id()[1:]
    (out / "backup").mkdir(exist_ok=True)  # Darknet saves nothing where it is not there, and DVC knows no empty folder
    (out / "backup/.keep").touch()
    (data / "obj.names").write_text(format_names(class_names), encoding="utf-8")
    (data / "obj.data").write_text(format_options(len(class_names), lists), encoding="utf-8")


def _text(image: Image, boxes: list[Annotation], job: ExportJob) -> str:
    size = (image.width or 1, image.height or 1)
    lines = [format_box(job.label_map.ids[row.label] - 1, corners(row), size) for row in boxes if row.xmin is not None]
    return "".join(f"{line}\n" for line in lines)


def format_options(classes: int, lists: dict[str, str]) -> str:
    """obj.data: split -> its list; Darknet finds the paths from the folder it runs in."""
    files = {split: file for split, file in lists.items() if split}
    if "" in lists:
        files = {"train": lists[""], "valid": lists[""]} | files
    options = {"classes": classes, **files, "names": "data/obj.names", "backup": "backup/"}
    return "".join(f"{key} = {value}\n" for key, value in options.items())


FORMAT = Format(
    name="yolo_darknet",
    title="YOLO Darknet TXT",
    carries=frozenset({"boxes", "negatives", "splits"}),
    detect=detect,
    read=read,
    write=write,
    loading=_LOADING,
)
