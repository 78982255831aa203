"""`shardsmith verify DIR`: a pulled folder against its VERSION.json, and that against the tag where we have it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from flows.checks import Check, Damage, check_folder
from flows.pull import tree_hash
from flows.repository import Workspace
from flows.stored import hash_folder
from flows.verify_records import verify_records
from flows.verify_stored import measured
from flows.versions import EXPORT, content, find_version
from stages.dataset.errors import VersionError

RECORD = "VERSION.json"


def is_pulled(path: Path) -> bool:
    return (path / RECORD).is_file()


def verify_pulled(folder: Path) -> tuple[str, list[Check]]:
    """
    Returns:
        the version's tag, and the checks.

    Raises:
        VersionError: VERSION.json cannot be read.
    """
    try:
        record = json.loads((folder / RECORD).read_text(encoding="utf-8"))
        tag, files = str(record["tag"]), {file: _md5_of(entry) for file, entry in record["files"].items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise VersionError(f"{folder / RECORD}: cannot be read ({error!r}); pull again") from None
    again = f"pull again: shardsmith pull {tag} --out {folder} --force"
    seen = {file: found for file, found in hash_folder(folder, f"reading {folder}").items() if file != RECORD}
    maps = [folder / file for file in files if Path(file).name == "label_map.pbtxt" and file in seen]
    label_map = maps[0].read_text(encoding="utf-8", errors="replace") if maps else ""
    counts = {key: record[key] for key in ("images", "boxes") if key in record}
    return tag, [
        Check("files", measured(len(files), seen.values()), check_folder(files, seen, "", again)),
        _check_record(record, files, tag, again),
        verify_records({file: folder / file for file in files}, label_map, counts, again),
    ]


def _md5_of(entry: Any) -> str:
    return str(entry["md5"] if isinstance(entry, dict) else entry)


def _check_record(record: Mapping[str, Any], files: Mapping[str, str], tag: str, again: str) -> Check:
    """VERSION.json agrees with itself, and with the tag where there is one."""
    said = record.get("hashes", {}).get(EXPORT)
    damage = []
    if tree_hash(dict(files)) != said:
        damage.append(Damage(RECORD, f"its list of files is not that of the version ({said})", again))
    try:
        workspace = Workspace.find()
        at_tag = content(workspace.lock_file(find_version(workspace, tag).tag))[EXPORT]
    except VersionError:
        return Check(RECORD, "agrees with itself (no workspace here that has the tag, to compare it with)", damage)
    if at_tag != said:
        damage.append(Damage(RECORD, f"says that {EXPORT} is {said}, and {tag} stands for {at_tag}", again))
    return Check(RECORD, f"agrees with itself and with the tag {tag}", damage)
