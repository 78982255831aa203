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
    pixels: str | None = None


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
class Leaked:
    """An image of data/raw that is in train of one version and in test of the other; its name there, where it has
    another one.
    """

    image_id: str
    train_of: str
    name_in_test: str


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
    made, or left out, of an image of data/raw that both have. leaked: a model of the one version must not be judged by
    the test images of the other, where those are among them: by name, bytes or pixels.
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
    leaked: list[Leaked]


def image_rows(table: pa.Table) -> dict[str, ImageRow]:
    """image_id -> its row.

    Raises:
        KeyError: a column is missing.
    """
    names = ("image_id", "sha256", "width", "height", "split", "copy", "tags", "origin")
    columns = [table[name].to_pylist() for name in names]
    columns.append(table["pixels"].to_pylist() if "pixels" in table.column_names else [None] * len(table))
    rows = {}
    for image_id, sha256, width, height, split, copy, tags, text, pixels in zip(*columns, strict=True):
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
            pixels=pixels,
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
        leaked=[*_leaked(old, new, "old"), *_leaked(new, old, "new")],
    )


def _leaked(train: Mapping[str, ImageRow], test: Mapping[str, ImageRow], train_of: str) -> list[Leaked]:
    """Images of data/raw in train of one version, and in test of the other."""
    in_test: dict[tuple[str, str | None], str] = {}
    for row in test.values():
        if row.split == "test":
            for key in _keys(row):
                in_test.setdefault(key, row.source)
    found = {}
    for row in train.values():
        if row.split == "train" and row.source not in found:
            names = [in_test[key] for key in _keys(row) if key in in_test]
            found.update({row.source: Leaked(row.source, train_of, names[0])} if names else {})
    return [found[name] for name in sorted(found)]


def _keys(row: ImageRow) -> list[tuple[str, str | None]]:
    keys = [("name", row.source), ("bytes", row.source_sha256), ("pixels", row.pixels)]
    return [key for key in keys if key[1]]
