"""Files of kinds that are known and not read, and what to export or convert instead: one table."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass, replace
from pathlib import PurePosixPath

from shardsmith.dataset.findings import Finding, found
from shardsmith.formats.shared.raw_folder import RawFolder

_VIDEOS = (".mp4", ".mov", ".avi", ".mkv", ".webm", ".m4v", ".mpg", ".mpeg", ".wmv", ".mts")
_RAW = (".cr2", ".cr3", ".nef", ".arw", ".dng", ".raf", ".orf", ".rw2")
_TEXTS = re.compile(r'"(messages|conversations|prefix|suffix|caption|captions|prompt|text|answer)"\s*:')

_RESULTS = re.compile(r'^\s*\[\s*\{(?=[^{}]*"image_id")(?=[^{}]*"category_id")[^{}]*"score"')


@dataclass(frozen=True)
class Unread:
    """One kind.

    suffixes: the ends of its files' names.
    head: what the first bytes must hold besides; None for nothing.
    """

    kind: str
    suffixes: tuple[str, ...]
    remedy: str
    head: re.Pattern[str] | None = None


UNREAD = (
    Unread("a HEIC photo", (".heic", ".heif"), "convert it to JPEG (heif-convert, or Preview on a Mac)"),
    Unread("a video", _VIDEOS, "export its frames as images, with annotations for images (CVAT for images, COCO)"),
    Unread("an image of a camera's raw data", _RAW, "convert it to JPEG"),
    Unread("a JSONL file of images and texts", (".jsonl", ".ndjson"), "export boxes or classes as COCO JSON", _TEXTS),
    Unread("a detector's results and no labels", (".json",), "export labels, if there are any, as COCO JSON", _RESULTS),
    Unread("a MATLAB file", (".mat",), "export the annotations as COCO JSON or as CSV"),
    Unread("a table of Arrow or Parquet", (".parquet", ".arrow"), "export images and annotations as COCO JSON"),
    Unread("an HDF5 or NumPy file", (".h5", ".hdf5", ".npz", ".npy"), "export images and annotations as COCO JSON"),
    Unread("a database", (".mdb", ".lmdb", ".db", ".sqlite", ".sqlite3"), "export the annotations as COCO JSON"),
    Unread("a DICOM or NIfTI image", (".dcm", ".nii", ".nii.gz"), "export its slices as PNG"),
    Unread("an archive", (".zip", ".tar", ".gz", ".tgz", ".bz2", ".xz", ".7z", ".rar"), "unpack it"),
)


def find_unread(folder: RawFolder, claimed: Collection[str] = ()) -> list[Finding]:
    """A finding for each kind, about the first file of it.

    Args:
        claimed: files that a format reads.
    """
    findings = []
    rest = [file for file in folder.files if file not in claimed]
    for one in UNREAD:
        files = [file for file in rest if _fits(folder, file, one)]
        rest = [file for file in rest if file not in files] if files else rest
        if files:
            count = f"{len(files):,} files" if len(files) > 1 else ""
            findings.append(found("file-not-read", files[0], value=count, reason=f"it is {one.kind}; {one.remedy}"))
    return findings


def unread_in_words(folder: RawFolder) -> str:
    """ "; clip.mp4: it is a video; ...", for an error; "" for nothing."""
    return "".join(f"; {one.file}: {one.reason}" for one in find_unread(folder))


def with_kind(finding: Finding) -> Finding:
    """An image that is not there, and is none by its name."""
    kinds = (one for one in UNREAD if one.head is None and finding.value.lower().endswith(one.suffixes))
    if finding.code != "image-missing" or not (kind := next(kinds, None)):
        return finding
    return replace(finding, reason=f"what it names is {kind.kind}; {kind.remedy}")


def _fits(folder: RawFolder, file: str, one: Unread) -> bool:
    if not PurePosixPath(file).name.lower().endswith(one.suffixes):
        return False
    return one.head is None or one.head.search(folder.head(file)) is not None
