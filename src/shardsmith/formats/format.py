"""What an annotation format is: one frozen value with its name, what it carries, and the functions that do the work.

A format is a module, or a family's folder, with a `FORMAT` at its end; registry.py lists them all. Another package adds
its own by an entry point of the group `shardsmith.formats` that names such a value.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from shardsmith.dataset.errors import ParamsError
from shardsmith.dataset.manifest import Manifest
from shardsmith.formats.shared.job import ExportJob
from shardsmith.formats.shared.raw_folder import RawFolder, Source

CARRYABLE = {
    "boxes": "boxes with a class",
    "outlines": "polygons",
    "masks": "masks as run lengths (RLE)",
    "oriented": "turned boxes, by their four corners",
    "keypoints": "named points of an object",
    "labels": "classes of a whole image",
    "several_labels": "more than one class of a whole image",
    "captions": "texts about a whole image",
    "negatives": "images that were looked at and hold nothing",
    "splits": "train, valid and test",
    "crowd": "boxes around a crowd",
    "area": "the area of an object, where the source says it",
    "difficult": "VOC difficult",
    "truncated": "VOC truncated",
    "occluded": "VOC occluded",
    "pose": "VOC pose",
    "attributes": "any other attribute of an object",
}


KINDS = {
    "captions": "caption",
    "labels": "label",
    "boxes": "box",
    "oriented": "oriented",
    "outlines": "polygon",
    "masks": "mask",
    "keypoints": "keypoints",
}  # word of CARRYABLE -> kind of an annotation, as the manifest has it


def finds_nothing(folder: RawFolder) -> list[str]:
    """The `detect` of a format that is not read."""
    return []


def cannot_read(folder: RawFolder, files: list[str]) -> Source:
    """The `read` of a format that is only written."""
    raise ParamsError(f"{folder.root}: this format is written, and not read; `shardsmith formats` lists those that are")


def cannot_write(job: ExportJob, out: Path) -> None:
    """The `write` of a format that is only read."""
    raise ParamsError(f"{out}: this format is read, and not written; `shardsmith formats` lists those that are")


@dataclass(frozen=True)
class Format:
    """One annotation format.

    name: as params.yaml and `--to` have it.
    title: its name for people.
    carries: what of a manifest it can hold, words of CARRYABLE.
    detect: folder -> the annotation files that it would read; [] for another format.
    read: folder, files -> what they say; called once `folder.images` is filled.
    write: writes a version into a folder of its own.
    loading: how to load it, for the version's README.
    unpack: where images stand inside the files: folder, files, out -> writes them below `out` before `read`, and tells
        `folder.add_unpacked`. Where there is no `out`, it refuses what it would have to write.
    annotation_images: which image files of a folder are annotations (masks), and no images of the dataset, whatever
        format is read.
    masks: what it carries besides, where masks are asked for.
    reads: the kinds of annotations (words of KINDS) that its reader finds, where these are not those that it carries.
    measure: where it carries masks, what of them it loses all the same: (how much, why) of each.
    """

    name: str
    title: str
    carries: frozenset[str]
    detect: Callable[[RawFolder], list[str]] = finds_nothing
    read: Callable[[RawFolder, list[str]], Source] = cannot_read
    write: Callable[[ExportJob, Path], None] = cannot_write
    loading: str = ""
    unpack: Callable[[RawFolder, list[str], Path | None], None] | None = None
    annotation_images: Callable[[RawFolder], list[str]] | None = None
    masks: frozenset[str] = frozenset()
    reads: frozenset[str] = frozenset()
    measure: Callable[[Manifest], list[tuple[str, str]]] | None = None

    @property
    def is_read(self) -> bool:
        return self.read is not cannot_read

    @property
    def is_written(self) -> bool:
        return self.write is not cannot_write

    @property
    def kinds_in(self) -> frozenset[str]:
        """The kinds of annotations (words of KINDS) that its reader finds."""
        return (self.reads or self.carries | self.masks) & KINDS.keys() if self.is_read else frozenset()

    @property
    def kinds_out(self) -> frozenset[str]:
        """Those that it writes."""
        return (self.carries | self.masks) & KINDS.keys() if self.is_written else frozenset()

    def carried(self, masks: bool) -> frozenset[str]:
        """What it carries, with masks asked for or not."""
        return self.carries | self.masks if masks else self.carries
