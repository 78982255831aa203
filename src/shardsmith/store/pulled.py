"""VERSION.json, the record in a pulled folder: which version it is, and the MD5 of every file."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from shardsmith.dataset.images import EXTENSIONS
from shardsmith.store.objects import hash_folder

RECORD = "VERSION.json"
README = "README.md"
PAGE_FILE = "page.html"
ADDED = frozenset({README, "label_map.pbtxt", PAGE_FILE})  # at the top of what is pulled: the export has no such files

_SYSTEM = frozenset({"thumbs.db", "ehthumbs.db", "desktop.ini"})
_DATA = EXTENSIONS | {
    ".txt", ".xml", ".json", ".jsonl", ".ndjson", ".csv", ".yaml", ".yml", ".names", ".data", ".parquet", ".pbtxt",
}  # fmt: skip


def stored_files(files: Mapping[str, str]) -> dict[str, str]:
    """Those of a whole version that are its export's own."""
    return {file: md5 for file, md5 in files.items() if file not in ADDED}


def hash_files(folder: Path) -> dict[str, str]:
    """Path below the folder -> MD5, which is the hash that DVC records; without VERSION.json."""
    seen = hash_folder(folder, f"reading {folder.name}")
    return {file: found.md5 for file, found in seen.items() if file != RECORD}


def listing_bytes(files: Mapping[str, str]) -> bytes:
    """The list of files that DVC stores for a folder of these (dvc_data.hashfile.tree.Tree)."""
    return json.dumps([{"md5": files[path], "relpath": path} for path in sorted(files)], sort_keys=True).encode()


def tree_hash(files: Mapping[str, str]) -> str:
    """The hash that DVC gives a folder of these files."""
    return hashlib.md5(listing_bytes(files), usedforsecurity=False).hexdigest() + ".dir"


def foreign_files(found: Iterable[str], files: Collection[str]) -> list[str]:
    """What of a pulled folder is not of its version, and no data to any reader: what tools and systems leave there, as
    .DS_Store, Thumbs.db, Ultralytics' labels/train.cache, a log, weights.

    Args:
        found: paths below the folder.
        files: those of the version.
    """
    return sorted(file for file in {*found} - {*files} if not _may_be_data(PurePosixPath(file)))


def note(foreign: Sequence[str]) -> str:
    """For the end of a line; "" for no such file."""
    shown = ", ".join(foreign[:3]) + (" ..." if len(foreign) > 3 else "")
    return f"; files that are not of it: {len(foreign):,} ({shown})" if foreign else ""


def _may_be_data(path: PurePosixPath) -> bool:
    if any(part.startswith(".") for part in path.parts) or path.name.lower() in _SYSTEM:
        return False
    return path.suffix.lower() in _DATA or ".tfrec" in path.name or ".record" in path.name


def read_record(folder: Path) -> dict[str, Any]:
    """VERSION.json; {} where there is none that can be read."""
    try:
        record = json.loads((folder / RECORD).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return record if isinstance(record, dict) else {}


def part_of(record: Mapping[str, Any]) -> dict[str, Any] | None:
    """What of the version VERSION.json says a folder holds: format, splits and classes; None for all of it."""
    said = record.get("part")
    return said if isinstance(said, dict) else None
