"""KITTI object labels: a text file an image, 15 columns an object, boxes in pixels from 0.

`DontCare` marks a region in which nobody labelled: a finding, no class, and an image with nothing else is no negative.
`truncated` (a share) and `occluded` (0 to 2) are the flags of a dataset here, and are kept as they are where they say
more; the observation angle, size, place and turn in space are attributes. A 16th column is the score of a detector's
result, which is no label; Datumaro writes 1 where there is none. Image sets of `ImageSets/` give the split.
Source: readme.txt of KITTI's object development kit; ImageSets as OpenPCDet and MMDetection3D have them.
"""

from __future__ import annotations

import math
from functools import partial
from pathlib import PurePosixPath

from shardsmith.dataset.errors import RawDataError
from shardsmith.dataset.findings import found
from shardsmith.dataset.manifest import Annotation
from shardsmith.dataset.shapes import OutlineError
from shardsmith.formats.format import Format
from shardsmith.formats.shapes.placement import to_json
from shardsmith.formats.shapes.sheet import Sheet, put
from shardsmith.formats.shared.raw_folder import ImageEntry, RawFolder, Source
from shardsmith.formats.shared.splits import split_in_path

_COLUMNS = 15
_OCCLUDED = (-1, 0, 1, 2, 3)
_NUMBERS = _COLUMNS - 1  # after the class, whose name may have blanks
_SETS = {"train": "train", "val": "valid", "test": "test"}
_IGNORED = "DontCare"
_UNKNOWN = 3  # of occluded
_IN_SPACE = {
    "alpha_rad": (2, -10),
    "height_m": (7, -1),
    "width_m": (8, -1),
    "length_m": (9, -1),
    "x_m": (10, -1000),
    "y_m": (11, -1000),
    "z_m": (12, -1000),
    "rotation_y_rad": (13, -10),
}  # fmt: skip; the number's place after the class, and what stands there where it is not known


def detect(folder: RawFolder) -> list[str]:
    """Text files whose first line has the columns, and those beside them that have an image: empty, or broken."""
    texts = folder.with_suffix(".txt")
    files = {file for file in texts if is_kitti(folder.head(file, 1 << 12).lstrip().partition("\n")[0])}
    folders = {PurePosixPath(file).parent for file in files}
    images = _images_by_path(folder) if files else {}
    beside = [file for file in texts if PurePosixPath(file).parent in folders and _locate(folder, file, images)]
    return sorted({*files, *beside})


def is_kitti(line: str) -> bool:
    """A class, which is no number, and 14 numbers or 15, of which the second says how far the object is occluded."""
    words = line.split()
    if len(words) < _COLUMNS or _number(words[0]) is not None:
        return False
    numbers = [_number(word) for word in words[-_NUMBERS:]]
    scored = len(words) > _COLUMNS and _number(words[-_COLUMNS]) is not None
    return None not in numbers and numbers[0 if scored else 1] in _OCCLUDED


def _images_by_path(folder: RawFolder) -> dict[str, str]:
    """Path without an extension -> image."""
    return {str(PurePosixPath(image).with_suffix("")): image for image in folder.image_files}


def _locate(folder: RawFolder, file: str, images: dict[str, str]) -> str | None:
    """The image of a label file: label_2/000001.txt means image_2/000001.png, though image_3 has one of that stem."""
    path = PurePosixPath(file)
    for parent in path.parents:
        if parent.name.startswith("label"):
            twin = parent.with_name(parent.name.replace("label", "image", 1)) / path.relative_to(parent).with_suffix("")
            if str(twin) in images:
                return images[str(twin)]
    return folder.locate_stem(file)


def _number(word: str) -> float | None:
    try:
        return float(word)
    except ValueError:
        return None


def read(folder: RawFolder, files: list[str]) -> Source:
    """A file that is not text costs its own image alone."""
    source = Source(shapes=0)
    splits, images = _image_sets(folder), _images_by_path(folder)
    for file in files:
        image_id = _locate(folder, file, images)
        if image_id is None:
            source.findings.append(found("image-missing", file))
            continue
        try:
            sheet = parse(folder.text(file), file)
        except RawDataError as error:
            sheet = Sheet(file)
            sheet.lose_all(str(error))
        split = splits.get(PurePosixPath(file).stem) or split_in_path(image_id, file)
        put(sheet, image_id, folder, source, ImageEntry(split))
    return source


def _image_sets(folder: RawFolder) -> dict[str, str]:
    """Stem -> split, of ImageSets/{train,val,test}.txt."""
    splits: dict[str, str] = {}
    for file in folder.with_suffix(".txt"):
        path = PurePosixPath(file)
        if path.parent.name == "ImageSets" and path.stem in _SETS:
            splits |= {PurePosixPath(line.strip()).name: _SETS[path.stem] for line in folder.text(file).splitlines()}
    return splits


def parse(text: str, file: str) -> Sheet:
    """One file's objects; a line that cannot be read is a finding."""
    sheet = Sheet(file)
    for number, line in enumerate(text.split("\n"), start=1):
        words = line.split()
        if words[:1] == [_IGNORED]:
            sheet.shapes += 1
            sheet.note("region-ignored", f"line {number}", _IGNORED)
        elif words:
            sheet.take(f"line {number}", partial(parse_line, words))
    return sheet


def parse_line(words: list[str]) -> Annotation:
    """
    Raises:
        OutlineError: why it cannot be read.
    """
    numbers = [_number(word) for word in words[-_NUMBERS:]]
    if len(words) < _COLUMNS or None in numbers:
        raise OutlineError(f"it has {len(words)} columns, not a class and {_NUMBERS} numbers")
    if len(words) > _COLUMNS and _number(words[-_COLUMNS]) is not None:
        if numbers[-1] != 1:
            raise OutlineError("its last column is a detector's score, so it is a result and no label")
        return parse_line(words[:-1])
    values = [value for value in numbers if value is not None]
    left, top, right, bottom = values[3:7]
    label = " ".join(words[:-_NUMBERS])
    return Annotation("", label, left, top, right, bottom, attributes=to_json(_attributes(values)))


def _attributes(values: list[float]) -> dict[str, object]:
    truncated, occluded = values[:2]
    attributes: dict[str, object] = {}
    if 0 <= truncated <= 1:
        attributes["truncated"] = int(truncated > 0)
        attributes |= {"truncated_share": truncated} if 0 < truncated < 1 else {}
    if 0 <= occluded < _UNKNOWN:
        attributes["occluded"] = int(occluded > 0)
        attributes |= {"occlusion": int(occluded)} if occluded > 1 else {}
    in_space = {name: (values[at], unknown) for name, (at, unknown) in _IN_SPACE.items()}
    if any(value for value, _ in in_space.values()):  # sets without a third dimension have zeros in all of them
        attributes |= {name: value for name, (value, unknown) in in_space.items() if value != unknown}
    return {name: value for name, value in attributes.items() if not isinstance(value, float) or math.isfinite(value)}


FORMAT = Format(
    name="kitti",
    title="KITTI object labels",
    carries=frozenset({"boxes", "negatives", "splits", "truncated", "occluded", "attributes"}),
    detect=detect,
    read=read,
)
