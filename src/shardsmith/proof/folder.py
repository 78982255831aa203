"""`shardsmith verify DIR`: a pulled folder or zip against its VERSION.json, and that against the tag if we have it."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from shardsmith.dataset.archive import opened
from shardsmith.dataset.errors import VersionError, WithdrawnError
from shardsmith.proof.checks import Check, Damage, check_folder
from shardsmith.proof.objects import measured
from shardsmith.proof.records.check import verify_records
from shardsmith.proof.records.sets import is_shard
from shardsmith.store.objects import hash_folder
from shardsmith.store.pulled import PAGE_FILE, RECORD, foreign_files, note, part_of, stored_files, tree_hash
from shardsmith.versions.files import files_of
from shardsmith.versions.version import find_version
from shardsmith.workspace.lock_file import content
from shardsmith.workspace.paths import EXPORT
from shardsmith.workspace.workspace import Workspace


def is_pulled(path: Path) -> bool:
    return (path / RECORD).is_file() or (path.is_file() and path.suffix == ".zip")


def verify_pulled(place: Path, workspace: Workspace | None, strict: bool = False) -> tuple[str, list[Check]]:
    """
    Args:
        place: a folder, or a zip file.
        workspace: where its tag may be; None for none.
        strict: a file that is not of the version is damage, whatever it is.

    Returns:
        the version's tag, and the checks.

    Raises:
        RawDataError: the zip cannot be unpacked.
        VersionError: VERSION.json cannot be read.
    """
    with opened(place) as folder:
        try:
            record = json.loads((folder / RECORD).read_text(encoding="utf-8"))
            tag, files = str(record["tag"]), {file: _md5_of(entry) for file, entry in record["files"].items()}
            again = f"pull again: {_command(record, tag, place)}"
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise VersionError(f"{place / RECORD}: cannot be read ({error!r}); pull again") from None
        seen = {file: found for file, found in hash_folder(folder, f"reading {place}").items() if file != RECORD}
        foreign = [] if strict else foreign_files(seen, files)
        own = {file: found for file, found in seen.items() if file not in foreign}
        maps = [folder / file for file in files if Path(file).name == "label_map.pbtxt" and file in seen]
        texts = dict.fromkeys(path.read_text(encoding="utf-8", errors="replace") for path in maps)
        label_map = next(iter(texts), "")
        damage = check_folder(files, own, "", again)
        if len(texts) > 1:
            damage.append(Damage("label_map.pbtxt", "not that of the TFRecords", again))
        counts = {key: record[key] for key in ("images", "boxes") if key in record}
        return tag, [
            Check("files", measured(len(files), own.values()) + note(foreign), damage),
            _check_record(record, files, tag, again, workspace),
            verify_records({file: folder / file for file in files}, label_map, counts, again),
        ]


def _md5_of(entry: Any) -> str:
    return str(entry["md5"] if isinstance(entry, dict) else entry)


def _command(record: Mapping[str, Any], tag: str, place: Path) -> str:
    part, words = part_of(record), ["shardsmith", "pull", tag, "--out", str(place)]
    if part:
        asked = {"--format": [part["format"]], "--split": part["splits"], "--class": part["classes"]}
        words += [word for option, values in asked.items() for value in values for word in (option, str(value))]
    words += ["--page"] * (PAGE_FILE in record["files"])
    return shlex.join([*words, *["--zip"] * place.is_file(), "--force"])


def _check_record(
    record: Mapping[str, Any], files: Mapping[str, str], tag: str, again: str, workspace: Workspace | None
) -> Check:
    """VERSION.json agrees with itself, and with the tag where there is one."""
    hashes, part = record.get("hashes"), part_of(record)
    said = hashes.get(EXPORT) if isinstance(hashes, dict) else None
    damage = []
    if not part and tree_hash(stored_files(files)) != said:
        damage.append(Damage(RECORD, f"its list of files is not that of the version ({said})", again))
    what = "says which part of the version it is" if part else "agrees with itself"
    try:
        if workspace is None:
            raise VersionError("no workspace here")
        version = find_version(workspace, tag)
        at_tag = content(workspace.lock_file(version.tag))[EXPORT]
    except WithdrawnError as error:
        return Check(RECORD, what, [*damage, Damage(RECORD, str(error), "delete what was pulled")])
    except VersionError:
        return Check(RECORD, f"{what} (no workspace here that has the tag, to compare it with)", damage)
    if at_tag != said:
        damage.append(Damage(RECORD, f"says that {EXPORT} is {said}, and {tag} stands for {at_tag}", again))
    elif part and not part["classes"]:
        damage += _check_shards(files, files_of(workspace, version), tag, again)
    return Check(RECORD, f"{what}, and agrees with the tag {tag}", damage)


def _check_shards(files: Mapping[str, str], stored: Mapping[str, str], tag: str, again: str) -> list[Damage]:
    """Shards of whole splits are those of the version, byte for byte."""
    return [
        Damage(file, f"not that of {tag} (MD5 {md5}, recorded {stored[file]})", again)
        for file, md5 in files.items()
        if is_shard(file) and stored.get(file, md5) != md5
    ]
