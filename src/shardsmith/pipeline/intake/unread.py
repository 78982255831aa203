"""Files of kinds that are known and not read, and what to export or convert instead: one table."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass, replace
from functools import cache
from pathlib import PurePosixPath

from shardsmith.dataset.findings import Finding, found
from shardsmith.formats.shared.raw_folder import RawFolder

_MOST_HEADS = 100  # files of a kind are alike
_VIDEOS = (".mp4", ".mov", ".avi", ".mkv", ".webm", ".m4v", ".mpg", ".mpeg", ".wmv", ".mts")
_RAW = (".cr2", ".cr3", ".nef", ".arw", ".dng", ".raf", ".orf", ".rw2")
_COCO = "export COCO JSON instead"
_LISTS = "put each image into a folder of its class, or export COCO JSON"
_TEXTS = re.compile(r'[\s\S]*?"(messages|conversations|prefix|suffix|caption|captions|prompt|text|answer)"\s*:')
_NUMBER = r"-?\d+(?:\.\d+)?"
_ICDAR = rf"(?:{_NUMBER}(?:,\s*|\s+)){{4,}}(?:\".*\"|[^\s\d\-,].*)\s*$"
_NUMBERED = r"\S[^\n]*\.(?:jpe?g|png|bmp|tiff?|webp)(?: \d+)+\s*(?:\n|\Z)"
_SEGMENT_ANYTHING = r'\s*\{\s*"image"\s*:\s*\{[^}]*"image_id"[^}]*\}\s*,\s*"annotations"\s*:\s*\['
_PREDICTIONS = r'\s*\{\s*"file_name"\s*:[^{}\[]*"predictions"\s*:\s*\['
_RESULTS = re.compile(r'^\s*\[\s*\{(?=[^{}]*"image_id")(?=[^{}]*"category_id")[^{}]*"score"')


@dataclass(frozen=True)
class Unread:
    """One kind.

    suffixes: the ends of its files' names.
    head: what its text begins with; None for what its name tells.
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
    Unread("a binary file of Datumaro", (".datum",), "export Datumaro JSON or COCO JSON instead"),
    Unread("a file of MNIST or CIFAR", ("-ubyte", "-ubyte.gz", "batches.meta"), "save its images into class folders"),
    Unread("a file of VGGFace2", (".csv",), _COCO, re.compile(r"NAME_ID,")),
    Unread("a label file of ICDAR", (".txt",), _COCO, re.compile(_ICDAR, re.MULTILINE)),
    Unread("a list of WIDER FACE", (".txt",), _COCO, re.compile(r".+\.\w{3,4}\n\d+\s*\n(-?[\d.]+ ){4}", re.IGNORECASE)),
    Unread(
        "a file of MOT",
        (".txt",),
        f"{_COCO}, or CVAT for images",
        re.compile(r"\d+,-?\d+,(-?[\d.]+,){4,}-?[\d.]+\s*(\n|\Z)"),
    ),
    Unread("a list of faces, as LFW's", ("pairs.txt", "people.txt"), _LISTS),
    Unread("a list of images and class numbers", (".txt",), _LISTS, re.compile(_NUMBERED, re.IGNORECASE)),
    Unread("a file of Segment Anything, which has no classes", (".json",), _COCO, re.compile(_SEGMENT_ANYTHING)),
    Unread("a labels.json of FiftyOne", (".json",), _COCO, re.compile(r'\s*\{\s*"classes"\s*:[^{}]*"labels"\s*:\s*\{')),
    Unread("a file of predictions", (".json",), "export labels that a person has seen", re.compile(_PREDICTIONS)),
    Unread("an archive", (".zip", ".tar", ".gz", ".tgz", ".bz2", ".xz", ".7z", ".rar"), "unpack it"),
)


def find_unread(folder: RawFolder, claimed: Collection[str] = ()) -> list[Finding]:
    """A finding for each kind, about the first file of it.

    Args:
        claimed: files that a format reads.
    """
    head = cache(folder.head)
    findings = []
    rest = [file for file in folder.files if file not in claimed]
    for one in UNREAD:
        fits = [file for file in rest if PurePosixPath(file).name.lower().endswith(one.suffixes)]
        if one.head is not None:
            fits = [file for file in fits[:_MOST_HEADS] if one.head.match(head(file))]
        if fits:
            rest = sorted(set(rest) - set(fits))
            count = f"{len(fits):,} files" if len(fits) > 1 else ""
            findings.append(found("file-not-read", fits[0], value=count, reason=f"it is {one.kind}; {one.remedy}"))
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
