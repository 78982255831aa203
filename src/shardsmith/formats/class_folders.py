"""Class folders: one class for each image, the name of the folder it stands in: `cat/1.jpg`, `train/cat/1.jpg`.

Source: the layout of torchvision's ImageFolder and Keras's image_dataset_from_directory.
"""

from __future__ import annotations

import itertools
import re
from collections import defaultdict
from pathlib import Path, PurePosixPath

from shardsmith.dataset.errors import StageError
from shardsmith.dataset.manifest import Annotation, Image
from shardsmith.formats.format import Format
from shardsmith.formats.shared.job import ExportJob, leaving_names, write_images
from shardsmith.formats.shared.raw_folder import ImageEntry, RawFolder, Source
from shardsmith.formats.shared.splits import split_in_path

# a folder of images in some other format, whose labels stand elsewhere
_NO_CLASS = frozenset({
    "images", "image", "jpegimages", "imgs", "img", "photos", "pictures", "data", "labels", "masks", "annotations",
    "segmentationclass", "segmentationobject", "thumbnails", "leftimg8bit",
})  # fmt: skip
_NUMBER = re.compile(r"[-_ ]?\d*$")  # KITTI's image_2
# where FiftyOne and Datumaro put images without a class
_UNLABELLED = frozenset({"_unlabeled", "_unlabelled", "no_label"})
_ANNOTATION_SUFFIXES = frozenset({
    ".xml", ".json", ".jsonl", ".ndjson", ".csv", ".tsv", ".txt", ".yaml", ".yml", ".record", ".tfrecord", ".pbtxt",
    ".mat", ".parquet", ".arrow", ".db", ".npy", ".npz", ".h5", ".hdf5", ".datum",
})  # fmt: skip
_ABOUT = re.compile(r"(readme|licen[cs]e|copyright|changelog)\b.*|(classes|labels|class_names)\.txt", re.IGNORECASE)

_LOADING = """
`SPLIT/CLASS/NAME.jpg`: the folder is the class. Only images of exactly one class can be here. Loaders number the
folders that they find, so each split has one for every class, with a file `.keep` where no image is in it;
`classes.txt` has their names in that order:

```python
from pathlib import Path

import keras

names = Path("classes.txt").read_text(encoding="utf-8").splitlines()
train = keras.utils.image_dataset_from_directory("train", class_names=names)
valid = keras.utils.image_dataset_from_directory("valid", class_names=names)
```

With torchvision: `ImageFolder("train", allow_empty=True)`, and the same for the other splits.
"""


def detect(folder: RawFolder) -> list[str]:
    """The images, where most stand in class folders, at least two of these, or one below folders of splits, and no
    other file could be their annotation.
    """
    if any(map(_may_annotate, folder.files)):
        return []
    placed = place_images(folder.image_files)
    classes = {label for label, _ in placed.values()}
    sure = len(classes) > 1 or (classes and all(split for _, split in placed.values()))
    sure = sure and 2 * len(placed) > len(folder.image_files)
    return sorted(placed) if sure and not {_NUMBER.sub("", label.lower()) for label in classes} & _NO_CLASS else []


def _may_annotate(file: str) -> bool:
    path = PurePosixPath(file)
    return path.suffix.lower() in _ANNOTATION_SUFFIXES and not _ABOUT.fullmatch(path.name)


def read(folder: RawFolder, files: list[str]) -> Source:
    """Every image in a class folder, whatever `files` are; one that stands in none is left unlabelled."""
    placed = place_images(folder.image_files)
    source = Source(shapes=len(placed))
    for image_id, (label, split) in placed.items():
        source.entries[image_id] = ImageEntry(split)
        source.annotations.append(Annotation(image_id, label, None, None, None, None))
    return source


def place_images(files: list[str]) -> dict[str, tuple[str, str | None]]:
    """Image -> (class, split) of those that stand in a class folder.

    Below the folder that holds all images, the first folder is the class, or the split and the second is the class. A
    folder called `train` is a split if no image stands right in it, or if all folders beside it are splits too: so
    `bus/1.jpg, train/2.jpg` are vehicles, and `train/1.jpg, test/2.jpg` have no class.
    """
    depth = _common_depth(files)
    below = {file: PurePosixPath(file).parts[depth:] for file in files}
    tops: dict[str, bool] = defaultdict(bool)  # folder -> whether an image stands right in it
    for parts in below.values():
        if len(parts) > 1:
            tops[parts[0]] |= len(parts) == 2
    all_splits = all(map(_split_word, tops))
    splits = {top for top, holds_images in tops.items() if _split_word(top) and (all_splits or not holds_images)}
    placed = {}
    for file, parts in below.items():
        at = 1 if parts[0] in splits else 0
        if len(parts) > at + 1 and parts[at].lower() not in _UNLABELLED:
            above = file.removesuffix("/".join(parts[at:]))
            placed[file] = (parts[at], split_in_path(f"{above}x"))
    return placed


def _common_depth(files: list[str]) -> int:
    """How many leading folders all the files share; where they all stand in one folder, that one is not counted."""
    folders = {PurePosixPath(file).parts[:-1] for file in files}
    levels = zip(*folders, strict=False)
    shared = len(list(itertools.takewhile(lambda names: len(set(names)) == 1, levels)))
    return shared - 1 if shared and len(folders) == 1 else shared


def _split_word(folder: str) -> bool:
    return split_in_path(f"{folder}/x") is not None


def write(job: ExportJob, out: Path) -> None:
    """classes.txt, and SPLIT/CLASS/NAME.jpg for each image of exactly one class; an image of none or of several is left
    out. Every split has every class's folder: DVC and zips know no empty one, so such a one has a file.

    Raises:
        StageError: a class's name cannot be a folder's.
    """
    names = leaving_names(job.manifest.image_rows())
    for name in job.label_map.names:
        _check_folder_name(name)
    out.mkdir(parents=True, exist_ok=True)
    classes = sorted(job.label_map.names)
    (out / "classes.txt").write_text("".join(f"{name}\n" for name in classes), encoding="utf-8")
    for split, rows in job.by_split():
        by_class: dict[str, list[Image]] = defaultdict(list)
        for image, of_image in rows:
            labels = {row.label for row in of_image if row.xmin is None}
            if len(labels) == 1:
                by_class[labels.pop()].append(image)
        for label in classes:
            write_images(by_class[label], names, out / split / label)
            if not by_class[label]:
                (out / split / label / ".keep").touch()


def _check_folder_name(name: str) -> None:
    if name.startswith(".") or re.search(r"[/\\\x00-\x1f]", name) or len(name.encode()) > 255:
        raise StageError(
            f"class {name!r} cannot be the name of a folder; rename it with ingest.classes in params.yaml, "
            "or leave class_folders out of export.formats"
        )


FORMAT = Format(
    name="class_folders",
    title="Class folders",
    carries=frozenset({"labels", "splits"}),
    detect=detect,
    read=read,
    write=write,
    loading=_LOADING,
)
