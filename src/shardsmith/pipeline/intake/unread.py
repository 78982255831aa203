"""Files of kinds that are known and not read, and what to export or convert instead: one table."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import PurePosixPath

from shardsmith.dataset.findings import Finding, found
from shardsmith.formats.shared.raw_folder import RawFolder

_VIDEOS = (".mp4", ".mov", ".avi", ".mkv", ".webm", ".m4v", ".mpg", ".mpeg", ".wmv", ".mts")
_RAW = (".cr2", ".cr3", ".nef", ".arw", ".dng", ".raf", ".orf", ".rw2")
_TEXTS = re.compile(r'"(messages|conversations|prefix|suffix|caption|captions|prompt|text|answer)"\s*:')


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
    Unread("a MATLAB file", (".mat",), "export the annotations as COCO JSON or as CSV"),
    Unread("a table of Arrow or Parquet", (".parquet", ".arrow"), "export images and annotations as COCO JSON"),
    Unread("an HDF5 or NumPy file", (".h5", ".hdf5", ".npz", ".npy"), "export images and annotations as COCO JSON"),
    Unread("a database", (".mdb", ".lmdb", ".db", ".sqlite", ".sqlite3"), "export the annotations as COCO JSON"),
    Unread("a DICOM or NIfTI image", (".dcm", ".nii", ".nii.gz"), "export its slices as PNG"),
)


def find_unread(folder: RawFolder, claimed: Collection[str] = ()) -> list[Finding]:
    """A finding for each kind, about the first file of it.

    Args:
        claimed: files that a format reads.
    """
    findings = []
    for one in UNREAD:
        files = [file for file in folder.files if file not in claimed and _fits(folder, file, one)]
        if files:
            count = f"{len(files):,} files" if len(files) > 1 else ""
            findings.append(found("file-not-read", files[0], value=count, reason=f"it is {one.kind}; {one.remedy}"))
    return findings


def _fits(folder: RawFolder, file: str, one: Unread) -> bool:
    if not PurePosixPath(file).name.lower().endswith(one.suffixes):
        return False
    return one.head is None or one.head.search(folder.head(file)) is not None
