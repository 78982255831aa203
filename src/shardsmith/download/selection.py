"""A part of a version: some splits, some classes, one format. Which stored files it needs, and what of them it takes.

Nothing here knows git or DVC: `files` are the paths of a version's export, as `stages/export.py` writes them.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from shardsmith.dataset.errors import UsageError, VersionError, suggest
from shardsmith.dataset.images import EXTENSIONS
from shardsmith.dataset.label_map import LabelMap
from shardsmith.dataset.manifest import SPLITS, Manifest
from shardsmith.formats.choice import check_masks, check_writer
from shardsmith.formats.registry import WRITERS

TABLES = ("images.parquet", "annotations.parquet")
TFRECORD = "tfrecord"
_LAST = ("array_record", "class_folders")  # one wants a package of an extra, one has no image of several classes
_SHARD = re.compile(r".*-(train|valid|test)(\.(tfrecord|array_record)-\d{5}-of-\d{5}|-\d{6}\.tar)")


@dataclass(frozen=True)
class Part:
    """format: in which it is. splits, classes: () for all. as_stored: its records are files of the version.

    masks: whether they are asked for; otherwise there are masks where the version has them.
    """

    format: str
    splits: tuple[str, ...]
    classes: tuple[str, ...]
    as_stored: bool
    masks: bool = False

    def asked(self) -> dict[str, Any]:
        """As VERSION.json says it."""
        asked = {"format": self.format, "splits": list(self.splits), "classes": list(self.classes)}
        return asked | ({"masks": True} if self.masks else {})


def choose_part(
    files: Iterable[str],
    format: str | None,
    splits: Collection[str],
    classes: Collection[str],
    masks: bool = False,
) -> Part:
    """
    Args:
        format: None for the version's own: TFRecord where it has it, else the first by name.

    Raises:
        UsageError: no such format, or none that can be written; or masks are asked for, and it has none.
        VersionError: the version has no format that is known here.
    """
    stored = stored_formats(files)
    if format is not None:
        check_writer(format, "--format")
    if not stored:
        raise VersionError("the version has no format that is known here; pull all of it, without --format or --class")
    chosen = format or stored[0]
    some = tuple(split for split in SPLITS if split in splits)
    some = () if some == SPLITS else some
    if masks:
        check_masks(chosen)
    as_stored = chosen in stored and not (classes or masks) and (not some or chosen == TFRECORD)
    return Part(chosen, some, tuple(sorted(set(classes))), as_stored, masks)


def stored_formats(files: Iterable[str]) -> list[str]:
    """The formats of an export, the best to make others of first."""
    folders = {PurePosixPath(file).parts[0] for file in files if "/" in file}
    return sorted(folders & {*WRITERS}, key=lambda name: (name != TFRECORD, name in _LAST, name))


def needed_files(files: Collection[str], part: Part) -> list[str]:
    """The stored files that a part is made of, or, as stored, consists of; beside the tables."""
    origin = part.format if part.as_stored else stored_formats(files)[0]
    has_tables = all(table in files for table in TABLES)
    return [file for file in files if file.startswith(f"{origin}/") and _is_needed(file, part, has_tables)]


def _is_needed(file: str, part: Part, has_tables: bool) -> bool:
    if part.as_stored and not part.splits:
        return True
    if shard := _SHARD.fullmatch(file):
        return not part.splits or shard[1] in part.splits
    if not has_tables or file.startswith(f"{TFRECORD}/"):
        return True  # its reader wants all of it
    path = PurePosixPath(file)
    if path.suffix.lower() not in EXTENSIONS:
        return path.name == "README.md"
    split = next((folder for folder in path.parts[1:-1] if folder in SPLITS), None)
    return split is None or not part.splits or split in part.splits


def check_classes(classes: Collection[str], label_map: LabelMap) -> None:
    """
    Raises:
        ParamsError: the label map has not all of them.
    """
    for name in classes:
        if name not in label_map.ids:
            raise UsageError(f"--class {name}: no such class; {suggest(name, label_map.names)}")


def select(manifest: Manifest, part: Part) -> Manifest:
    """The images of the splits; with classes those that have an object of one, with these objects alone.

    Raises:
        VersionError: nothing is left.
    """
    images, annotations = manifest.images, manifest.annotations
    if part.splits:
        images = images.filter(pc.is_in(images["split"], pa.array(part.splits)))
    if part.classes:
        annotations = annotations.filter(pc.is_in(annotations["label"], pa.array(part.classes)))
        images = images.filter(pc.is_in(images["image_id"], annotations["image_id"].combine_chunks()))
    annotations = annotations.filter(pc.is_in(annotations["image_id"], images["image_id"].combine_chunks()))
    if not images.num_rows:
        counts = pc.value_counts(manifest.images["split"]).to_pylist()
        there = ", ".join(f"{count['values']} {count['counts']:,}" for count in counts)
        raise VersionError(f"{in_words(part)}: no image is left; the version's images: {there}")
    return Manifest(images.combine_chunks(), annotations.combine_chunks())


def in_words(part: Part) -> str:
    """ "coco; split train; class cat, dog"."""
    words = [part.format]
    words += [f"split {', '.join(part.splits)}"] * bool(part.splits)
    words += [f"class {', '.join(part.classes)}"] * bool(part.classes)
    words += ["with masks"] * part.masks
    return "; ".join(words)
