"""What the YOLO formats share on disk: which text file belongs to which image, and which names to which text file."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path, PurePosixPath

from shardsmith.dataset.errors import RawDataError
from shardsmith.dataset.findings import Finding, found
from shardsmith.dataset.images import ImageInfo
from shardsmith.dataset.workers import map_items
from shardsmith.formats.shapes import placement
from shardsmith.formats.shapes.placement import Size, corners, drawn_size, on_displayed
from shardsmith.formats.shared.raw_folder import ImageEntry, RawFolder, Source
from shardsmith.formats.shared.splits import split_in_path
from shardsmith.formats.yolo.lines import (
    ClassNames,
    LabelFile,
    add_classes,
    is_image_list,
    is_label_line,
    lines_of,
    parse,
    parse_names,
)
from shardsmith.formats.yolo.pose import Pose

_IMAGE_FOLDERS = ("images", "JPEGImages")  # beside them stands `labels`: Ultralytics' rule, Darknet's rule
_NAMES_STEMS = frozenset({"classes", "obj_names", "class_names", "obj.names", "names", "labels", "predefined_classes"})
_NAMES_KEY = re.compile(r"^[\"']?names[\"']?\s*:", re.MULTILINE)
_COUNT_KEYS = (re.compile(r"^nc\s*:", re.MULTILINE), re.compile(r"^train\s*:", re.MULTILINE))
_HEAD = 1 << 18
_TRIED = 200  # label files looked at before a folder is said to be no YOLO


@dataclass
class Labels:
    """of: image_id -> its label file; strays: other text files, of which some may be labels without an image."""

    of: dict[str, str] = field(default_factory=dict)
    strays: list[str] = field(default_factory=list)


def find_labels(folder: RawFolder) -> Labels:
    """The text file of each image: where a trainer looks for it, else the one with its stem that is nearest."""
    texts = set(folder.with_suffix(".txt")) - set(names_files(folder))
    labels = Labels()
    for image_id in folder.image_files:
        if file := next((file for file in _expected(image_id) if file in texts), None):
            labels.of[image_id] = file
    for file in sorted(texts - set(labels.of.values())):
        image = folder.locate_stem(file)
        if image and image not in labels.of and not is_image_list(folder.head(file)):
            labels.of[image] = file
        else:
            labels.strays.append(file)
    _add_near(folder, labels)
    return labels


def _add_near(folder: RawFolder, labels: Labels) -> None:
    """Give strays with lines of YOLO, or without any, to the images whose names they nearly have."""
    near: dict[str, list[str]] = defaultdict(list)
    for file in labels.strays:
        head = folder.head(file)
        if folder.locate_stem(file) is None and (is_label_line(head) or _is_blank_label(file, head)):
            image = folder.near_stem(file)
            if image and image not in labels.of:
                near[image].append(file)
    for image, files in near.items():
        if len(files) == 1:
            labels.of[image] = files[0]
            labels.strays.remove(files[0])
            folder.note(image, PurePosixPath(files[0]).stem + PurePosixPath(image).suffix, files[0])


def _is_blank_label(file: str, head: str) -> bool:
    return not head.strip() and PurePosixPath(file).parent.name == "labels"


def _expected(image_id: str) -> Iterator[str]:
    path = PurePosixPath(image_id).with_suffix(".txt")
    for at in reversed(range(len(path.parts) - 1)):
        if path.parts[at] in _IMAGE_FOLDERS:
            yield str(PurePosixPath(*path.parts[:at], "labels", *path.parts[at + 1 :]))
            break
    yield str(path)


def are_labels(folder: RawFolder, labels: Labels, blank_will_do: bool) -> bool:
    """Whether the images' text files hold lines of YOLO, by the first line that could be one.

    Args:
        blank_will_do: whether empty files alone are labels: of negatives.
    """
    files = list(dict.fromkeys(labels.of.values()))[:_TRIED]
    heads = [folder.head(file) for file in files]
    return any(is_label_line(line) for head in heads for line in lines_of(head)) or (
        blank_will_do and bool(heads) and not any(map(str.strip, heads))
    )


def data_files(folder: RawFolder) -> list[str]:
    """YAML files with `names`, or with `nc` and `train`, at the top."""
    files = [*folder.with_suffix(".yaml"), *folder.with_suffix(".yml")]
    heads = {file: folder.head(file, _HEAD) for file in files}
    return [
        file for file, head in heads.items() if _NAMES_KEY.search(head) or all(key.search(head) for key in _COUNT_KEYS)
    ]


def names_files(folder: RawFolder) -> list[str]:
    """obj.names and every other .names, _darknet.labels, classes.txt, _classes.txt and the like."""
    return [file for file in folder.files if _holds_names(folder, PurePosixPath(file))]


def _holds_names(folder: RawFolder, path: PurePosixPath) -> bool:
    if path.suffix.lower() != ".txt":
        return path.suffix.lower() in (".names", ".labels")
    stem = path.stem.lower().strip("_")
    return (stem in _NAMES_STEMS or stem.endswith("_classes")) and folder.locate_stem(str(path)) is None


def read_names(folder: RawFolder, files: Iterable[str]) -> list[ClassNames]:
    """
    Raises:
        RawDataError: a file is not text, or has no name.
    """
    classes = [parse_names(folder.text(file), file) for file in files]
    for one in classes:
        if not one.names:
            raise RawDataError(f"{one.file}: the file is empty; write the name of a class on each line")
    return classes


class Nearest:
    """The class names that hold for a file: those that share the most folders with it."""

    def __init__(self, choices: list[ClassNames], remedy: str) -> None:
        self.choices, self.remedy = choices, remedy
        self.known: dict[PurePosixPath, ClassNames] = {}

    def to(self, file: str) -> ClassNames:
        """
        Raises:
            RawDataError: there are none, or several that differ.
        """
        parent = PurePosixPath(file).parent
        if parent not in self.known:
            self.known[parent] = self._choose(file)
        return self.known[parent]

    def _choose(self, file: str) -> ClassNames:
        if not self.choices:
            raise RawDataError(f"{file}: its classes are numbers, and no file names them; {self.remedy}")
        ranks = [_distance(one.file, file) for one in self.choices]
        nearest = [one for one, rank in zip(self.choices, ranks, strict=True) if rank == min(ranks)]
        if len({one.names for one in nearest}) > 1:
            files = " and ".join(one.file for one in nearest)
            raise RawDataError(f"{files} name the classes differently; keep the one that is right")
        return nearest[0]


def _distance(one: str, other: str) -> tuple[int, int]:
    """Fewer is nearer: folders up from `other` to the one that holds both, then down to `one`."""
    mine, theirs = PurePosixPath(one).parent.parts, PurePosixPath(other).parent.parts
    shared = _shared(mine, theirs)
    return len(theirs) - shared, len(mine) - shared


class ImagePaths:
    """Images by a path with any prefix: `build/darknet/x64/data/obj/a.jpg` means obj/a.jpg."""

    def __init__(self, folder: RawFolder) -> None:
        self.folder = folder
        self.by_name: dict[str, list[str]] = defaultdict(list)
        for image_id in folder.image_files:
            self.by_name[PurePosixPath(image_id).name].append(image_id)

    def locate(self, path: str, file: str, place: str) -> str | Finding:
        """The image whose path ends as `path` does for the most folders."""
        parts = plain_parts(path)
        same_name = self.by_name.get(parts[-1] if parts else "", [])
        shared = [_shared(PurePosixPath(image_id).parts[::-1], parts[::-1]) for image_id in same_name]
        best = [image_id for image_id, count in zip(same_name, shared, strict=True) if count == max(shared)]
        return best[0] if len(best) == 1 else self.folder.locate(path, file, place)

    def listed(self, file: str) -> tuple[list[str], list[Finding]]:
        """The images that a list names, one a line, and a finding for each that is not there.

        Raises:
            RawDataError: the file is not text.
        """
        images: list[str] = []
        findings: list[Finding] = []
        for number, line in enumerate(lines_of(self.folder.text(file)), start=1):
            if line.strip():
                image = self.locate(line.strip(), file, f"line {number}")
                if isinstance(image, Finding):
                    findings.append(image)
                else:
                    images.append(image)
        return images, findings


def plain_parts(path: str) -> list[str]:
    """The parts of a path of any system, without its drive or root and without `.` and `..`."""
    return [part for part in path.replace("\\", "/").split("/") if part not in ("", ".", "..") and part[-1] != ":"]


def _shared(one: Sequence[str], other: Sequence[str]) -> int:
    """How many parts at the start are the same."""
    pairs = zip(one, other, strict=False)
    return next((at for at, (a, b) in enumerate(pairs) if a != b), min(len(one), len(other)))


def one_split(splits: Mapping[str, set[str]], image_id: str, label_file: str = "") -> str | None:
    """The split of an image: as the lists say, or its path where they put it into none, or into several."""
    said = splits.get(image_id, set())
    return next(iter(said)) if len(said) == 1 else split_in_path(image_id, label_file)


def read_images(
    folder: RawFolder,
    labels: Labels,
    names: Nearest,
    splits: Mapping[str, set[str]],
    poses: Callable[[str], Pose | None],
) -> Source:
    """Every image with a label file, and a finding for each label file that has no image.

    A file without a line is a negative; one of which no line can be read is none: its findings name its image.

    Args:
        splits: image_id -> the splits that list it.
        poses: label file -> what the keypoints are that follow a box in it.
    """
    source = Source(shapes=0)
    tasks = [(file, names.to(file), size_px(folder.images[id_]), poses(file)) for id_, file in labels.of.items()]
    add_classes(source, (task[1] for task in tasks))
    parsed = map_items(partial(_read_file, folder.root), tasks, "ingest: reading YOLO", "file", chunk=64)
    for (image_id, file), content in zip(labels.of.items(), parsed, strict=True):
        source.entries[image_id] = ImageEntry(one_split(splits, image_id, file))
        source.shapes = (source.shapes or 0) + content.shapes
        place(content, file, image_id, folder.images[image_id], source)
    strays = _without_image(folder, labels)
    source.shapes = (source.shapes or 0) + sum(bool(one.image_id) for one in strays)
    source.findings += strays
    return source


def size_px(info: ImageInfo) -> Size:
    """Of the image that the shares are of; one without a size is dropped, whatever its boxes."""
    return drawn_size(info, None) or (1, 1)


def place(content: LabelFile, file: str, image_id: str, info: ImageInfo, source: Source) -> None:
    """Add what a label file says of an image to the source."""
    boxes, findings = on_displayed([corners(row) for row in content.rows], info, None, file)
    source.findings += [replace(one, image_id=image_id) for one in [*content.findings, *findings]]
    for row, box in zip(content.rows, boxes, strict=True):
        row.image_id = image_id
        row.xmin, row.ymin, row.xmax, row.ymax = box
        row.segmentation = placement.outline_on_displayed(row.segmentation, info, None) if row.segmentation else None
        row.keypoints = placement.keypoints_on_displayed(row.keypoints, info, None) if row.keypoints else None
    for label in content.labels:
        label.image_id = image_id
    source.annotations += [*content.rows, *content.labels]


def _read_file(root: Path, task: tuple[str, ClassNames, Size, Pose | None]) -> LabelFile:
    file, names, size_px, pose = task
    try:
        text = RawFolder(root, []).text(file)
    except RawDataError as error:
        reason = str(error).removeprefix(f"{file}: ")
        return LabelFile(findings=[found("annotation-unreadable", file, reason=reason)], shapes=1)
    return parse(text, file, names, size_px, pose)


def _without_image(folder: RawFolder, labels: Labels) -> list[Finding]:
    """A finding for each label file that no image claims; a README, a list of images and the like are none."""
    folders = {PurePosixPath(file).parent for file in labels.of.values()}
    findings = []
    for file in labels.strays:
        head = folder.head(file)
        if is_label_line(head) or (not head.strip() and PurePosixPath(file).parent in folders):
            image = folder.locate_stem(file)
            reason = f"{image} has its annotations from {labels.of[image]}" if image else ""
            code = "annotation-unreadable" if image else "image-missing"
            findings.append(found(code, file, "", PurePosixPath(file).stem, reason, image or ""))
    return findings
