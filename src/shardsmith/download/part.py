"""A part of a version in a folder: fetch the stored files that it needs, and make it of them."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from shardsmith.dataset.errors import VersionError
from shardsmith.dataset.findings import summarise
from shardsmith.dataset.label_map import parse_label_map
from shardsmith.download.images import count_rows, read_tables
from shardsmith.download.selection import TABLES, TFRECORD, Part, check_classes, needed_files, select
from shardsmith.download.source import VersionSource, bring
from shardsmith.download.writer import make_part
from shardsmith.workspace.log import Log
from shardsmith.workspace.paths import DESCRIPTION

_LABEL_MAP = "label_map.pbtxt"
_STORED_MAP = f"{TFRECORD}/{_LABEL_MAP}"


def bring_part(source: VersionSource, part: Part, folder: Path, log: Log) -> dict[str, Any]:
    """Bring a part into `folder`; returns what VERSION.json says of it beside its files.

    Raises:
        ShardsmithError: it cannot be had as it was recorded, or cannot be made.
    """
    files = {file: source.files[file] for file in needed_files(source.files, part)}
    files |= {table: source.files[table] for table in TABLES if table in source.files}
    if not part.as_stored or part.splits:
        return _make(source, part, files, folder, log) | {"part": part.asked()}
    if part.format != TFRECORD and _STORED_MAP in source.files:
        files[_LABEL_MAP] = source.files[_STORED_MAP]
    bring(source, files, folder)
    return count_rows(folder) | {"part": part.asked()}


def add_label_map(source: VersionSource, folder: Path) -> None:
    """Put label_map.pbtxt at the top, where none is in the folder and the repository has it."""
    places = (folder / _LABEL_MAP, folder / _STORED_MAP)
    if source.label_map and not any(place.is_file() for place in places):
        places[0].write_text(source.label_map, encoding="utf-8")


def _make(source: VersionSource, part: Part, files: Mapping[str, str], folder: Path, log: Log) -> dict[str, Any]:
    """What is fetched stays beside `folder` where its fetching is interrupted, and goes otherwise."""
    work = folder.with_name(f"{folder.name}.work")
    stored = work / "stored"
    small = {file: source.files[file] for file in (*TABLES, DESCRIPTION, _STORED_MAP) if file in source.files}
    bring(source, small, stored)
    try:
        text = _label_map(source, stored)
        label_map = parse_label_map(text, f"{source.tag}: {_LABEL_MAP}")
        check_classes(part.classes, label_map)
        if manifest := read_tables(stored):
            select(manifest, part)
    except BaseException:
        shutil.rmtree(work)
        raise
    bring(source, {**files, **small}, stored)
    shutil.rmtree(folder, ignore_errors=True)
    try:
        made = make_part(stored, part, label_map, source.tag, work / "images", folder)
        if part.format != TFRECORD:
            (folder / _LABEL_MAP).write_text(text, encoding="utf-8")
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    finally:
        shutil.rmtree(work, ignore_errors=True)
    if made.losses:
        log("\n".join(summarise(made.losses, examples=len(made.losses))))
    lost = {"not_carried": [loss.value for loss in made.losses]} if made.losses else {}
    return {"images": made.images, "boxes": made.boxes, **lost}


def _label_map(source: VersionSource, stored: Path) -> str:
    """
    Raises:
        VersionError: it is not stored with the version, or is damaged.
    """
    if _STORED_MAP in source.files:
        return (stored / _STORED_MAP).read_text(encoding="utf-8")
    if source.label_map is None:
        raise VersionError(
            f"{source.tag}: the remote alone has no label map of a version without TFRecord; pull from its repository "
            "with --repo, or pull what is stored"
        )
    return source.label_map
