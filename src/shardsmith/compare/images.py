"""What two versions differ in, as to their images; see versions.py for what is compared with what."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa


@dataclass(frozen=True, slots=True)
class ImageRow:
    """An image of one version; `source` is the image of data/raw it comes from, `stages` what was done to that."""

    sha256: str
    size: tuple[int, int]
    split: str | None
    copy: int
    tags: list[str]
    source: str
    source_sha256: str
    stages: list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class ImageAt:
    image_id: str
    split: str | None


@dataclass(frozen=True, slots=True)
class Moved:
    """old, new: splits."""

    image_id: str
    old: str | None
    new: str | None


@dataclass(frozen=True, slots=True)
class Changed:
    """old, new: sha256. in_raw_data: the image of data/raw is another one; else only what steps make of it."""

    image_id: str
    old: str
    new: str
    in_raw_data: bool


@dataclass(frozen=True, slots=True)
class Retagged:
    image_id: str
    old: list[str]
    new: list[str]


@dataclass(frozen=True)
class ImageChanges:
    """total: images of old and new without copies; copies: those.

    added, removed and moved are images of data/raw. remade_added and remade_removed: images of one version that steps
    made, or left out, of an image of data/raw that both have.
    """

    total: tuple[int, int]
    copies: tuple[int, int]
    added: list[ImageAt]
    removed: list[ImageAt]
    changed: list[Changed]
    moved: list[Moved]
    retagged: list[Retagged]
    remade_added: list[str]
    remade_removed: list[str]


def image_rows(table: pa.Table) -> dict[str, ImageRow]:
    """image_id -> its row.

    Raises:
        KeyError: a column is missing.
    """
    names = ("image_id", "sha256", "width", "height", "split", "copy", "tags", "origin")
    rows = {}
    for image_id, sha256, width, height, split, copy, tags, text in zip(
        *(table[name].to_pylist() for name in names), strict=True
    ):
        origin = json.loads(text) if text else {"image_id": image_id, "sha256": sha256, "stages": []}
        rows[image_id] = ImageRow(
            sha256=sha256,
            size=(width or 1, height or 1),
            split=split,
            copy=copy,
            tags=tags or [],
            source=origin["image_id"],
            source_sha256=origin["sha256"],
            stages=origin["stages"],
        )
    return rows


def changed_images(old: Mapping[str, ImageRow], new: Mapping[str, ImageRow]) -> ImageChanges:
    splits_old, splits_new = ({row.source: row.split for row in side.values()} for side in (old, new))
    originals = [{name: row for name, row in side.items() if not row.copy} for side in (old, new)]
    a, b = originals
    both = [(name, row, b[name]) for name, row in a.items() if name in b]
    return ImageChanges(
        total=(len(a), len(b)),
        copies=(len(old) - len(a), len(new) - len(b)),
        added=[ImageAt(name, split) for name, split in splits_new.items() if name not in splits_old],
        removed=[ImageAt(name, split) for name, split in splits_old.items() if name not in splits_new],
        changed=[
            Changed(name, was.sha256, now.sha256, was.source_sha256 != now.source_sha256)
            for name, was, now in both
            if was.sha256 != now.sha256
        ],
        moved=[
            Moved(name, split, splits_new[name])
            for name, split in splits_old.items()
            if splits_new.get(name, split) != split
        ],
        retagged=[Retagged(name, was.tags, now.tags) for name, was, now in both if was.tags != now.tags],
        remade_added=[name for name, row in b.items() if name not in a and row.source in splits_old],
        remade_removed=[name for name, row in a.items() if name not in b and row.source in splits_new],
    )
