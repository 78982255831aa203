"""A pulled version as one zip file: what is in it."""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from shardsmith.dataset.workers import progress

_IS = {
    "annotations.parquet": "every annotation, in pixels",
    "croissant.json": "files, classes and tables, as JSON-LD that `mlcroissant` reads",
    "description.json": "what the version says of itself, as data",
    "images.parquet": "every image, and which one of the source it comes from",
    "label_map.pbtxt": "which class has which id",
    "ledger.csv": "what became of each image and box of the raw data, counted",
}
_IS_FORMAT = "the records; README.md there says what is in them, and how to load them"


def read_zip(path: Path, record_name: str) -> tuple[dict[str, Any], dict[str, str]]:
    """(VERSION.json, file -> MD5 without it); ({}, {}) for what is no such zip."""
    hashes = {}
    try:
        with zipfile.ZipFile(path) as packed:
            names = [entry.filename for entry in packed.infolist() if entry.filename != record_name]
            with progress(len(names), f"reading {path.name}", "file") as bar:
                for name in names:
                    with packed.open(name) as stream:
                        hashes[name] = hashlib.file_digest(stream, "md5").hexdigest()  # type: ignore[arg-type]
                    bar.update()
            record = json.loads(packed.read(record_name))
            return (record, hashes) if isinstance(record, dict) else ({}, {})
    except (OSError, ValueError, KeyError, zipfile.BadZipFile, NotImplementedError, RuntimeError):
        return {}, {}


def format_readme(record: Mapping[str, Any], names: list[str], part: str) -> str:
    """README.md at the top of the zip: which version, of when, and where what is.

    Args:
        names: of the files and folders at the top.
        part: in words; "" for all of the version.
    """
    counts = " and ".join(f"{record[key]:,} {key}" for key in ("images", "boxes") if key in record)
    lines = [
        f"# {record['tag']}",
        "",
        f"Version {record['name']} of the dataset {record['dataset']}, recorded {record['created'][:10]} "
        f"(commit {record['commit']}).",
        "",
        *([f"A part of it: {part}.", ""] if part else []),
        *([f"{counts}.", ""] if counts else []),
        *(f"- `{name}`: {_IS.get(name, _IS_FORMAT)}" for name in names),
        "- `VERSION.json`: the MD5 of every file, which `shardsmith verify` compares",
        "",
    ]
    return "\n".join(lines)
