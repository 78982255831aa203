"""`shardsmith verify NAME --rebuild`: build a version again from nothing but git and its raw data, and compare.

In a clean clone in a temporary folder, with empty stage folders and a cache of its own, so that nothing can be reused;
with the packages and the code that the version was made with.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from shardsmith.dataset.errors import VersionError
from shardsmith.proof.checks import Check, Damage, Recorded
from shardsmith.proof.environment import environment_of
from shardsmith.proof.records.contents import first_difference
from shardsmith.proof.records.sets import is_shard
from shardsmith.proof.verify import read_recorded
from shardsmith.store.objects import Seen, hash_file, hash_folder, run_parallel
from shardsmith.store.stores import Stores, open_stores
from shardsmith.versions.version import Version
from shardsmith.workspace.dvc import dvc
from shardsmith.workspace.git import git, subfolder, top_folder
from shardsmith.workspace.lock_file import content
from shardsmith.workspace.log import Log
from shardsmith.workspace.paths import EXPORT, LABEL_MAP, METRICS, RAW, SHARDS, SPLITS
from shardsmith.workspace.workspace import Workspace

_AGAIN = ("repro", "--force", "--no-run-cache", "--no-commit")
_REMEDY = "the version cannot be made again as it is; build another one and trust that"


def rebuild(workspace: Workspace, version: Version, log: Log) -> Check:
    """
    Args:
        log: is told each step, and what the stages say.

    Raises:
        VersionError: the raw data or a package cannot be had unharmed, the disk is too small, or a stage fails.
    """
    recorded = read_recorded(workspace, version.tag)
    with open_stores(workspace) as stores, rebuilt(workspace, version, log) as root:
        log("rebuild: comparing")
        damage = _compare(stores, recorded, root, root.with_name("stored"))
    return Check("rebuild", f"{EXPORT}, label map, splits and metrics came out byte for byte the same", damage)


@contextmanager
def rebuilt(workspace: Workspace, version: Version, log: Log) -> Iterator[Path]:
    """The folder of a clean clone in which every stage has run.

    Raises:
        VersionError: as `rebuild`.
    """
    recorded = read_recorded(workspace, version.tag)
    with open_stores(workspace) as stores, tempfile.TemporaryDirectory(prefix="shardsmith-rebuild-") as folder:
        check_room(needed_bytes(recorded.lock), shutil.disk_usage(folder).free, folder)
        clone = _clone(workspace, version.tag, Path(folder) / "workspace")
        log(f"rebuild: a clean clone of {version.tag} in {clone.root}")
        environment = environment_of(recorded, clone.root, log)
        count = _bring_raw(stores, recorded.raw, clone.root / RAW)
        log(f"rebuild: {count:,} files of raw data, each checked against its hash")
        dvc(clone.root, *_AGAIN, log=log, python=str(environment.python), env=environment.variables)
        yield clone.root


def needed_bytes(lock: Mapping[str, Any]) -> int:
    """The raw data and what every stage writes, as dvc.lock says."""
    stages = lock.get("stages", {}).values()
    outs = sum(out.get("size", 0) for stage in stages for out in stage.get("outs", []))
    return outs + max((dep.get("size", 0) for stage in stages for dep in stage.get("deps", [])), default=0)


def check_room(needed: int, free: int, folder: str) -> None:
    """
    Raises:
        VersionError: the disk will not hold it.
    """
    if needed > free:
        raise VersionError(
            f"--rebuild: {folder}: needs {needed / 1e9:,.1f} GB, and {free / 1e9:,.1f} GB are free; "
            "set TMPDIR to a folder on a larger disk"
        )


def _clone(workspace: Workspace, tag: str, folder: Path) -> Workspace:
    """The tag's commit alone, with a cache of its own whatever the configuration says."""
    workspace.git("clone", "--quiet", "--local", "--no-checkout", str(top_folder(workspace.root)), str(folder))
    git(folder, "-c", "advice.detachedHead=false", "checkout", "--quiet", "--detach", f"refs/tags/{tag}")
    root = folder / subfolder(workspace.root)
    local = root / ".dvc" / "config.local"
    local.write_text(f"[cache]\n    dir = {root / '.dvc' / 'cache'}\n", encoding="utf-8")
    return Workspace(root)


def _bring_raw(stores: Stores, md5: str, raw: Path) -> int:
    """Write the raw data, each file checked; returns how many.

    Raises:
        VersionError: one is missing or damaged.
    """
    listed = stores.listing(md5)
    if listed is None:
        raise VersionError(f"{RAW}: its list of files ({md5}) is missing or damaged in cache and remote")
    files = sorted(listed)
    seen = run_parallel(
        lambda file: stores.fetch(listed[file], raw / file), files, stores.jobs, f"bringing {RAW}", "file"
    )
    wrong = [file for file, found in zip(files, seen, strict=True) if found.md5 != listed[file]]
    if wrong:
        raise VersionError(
            f"{RAW}/{wrong[0]}: missing or damaged in cache and remote"
            + (f", like {len(wrong) - 1:,} more" if wrong[1:] else "")
            + "; nothing can be rebuilt without it: `shardsmith verify` says what to do"
        )
    return len(files)


def _compare(stores: Stores, recorded: Recorded, root: Path, scratch: Path) -> list[Damage]:
    """What came out against what dvc.lock recorded; of TFRecords the first record that differs."""
    damage = [
        Damage(path, f"rebuilt otherwise than at {recorded.tag}", _REMEDY)
        for path in (LABEL_MAP, SPLITS, SHARDS, METRICS)
        if (md5 := recorded.hashes("outs").get(path)) and hash_file(root / path).md5 != md5
    ]
    md5 = content(recorded.lock)[EXPORT]
    stored = stores.listing(md5)
    rebuilt = hash_folder(root / EXPORT, "hashing what was rebuilt")
    if stored is None:
        why = f"what {recorded.tag} stands for ({md5}) is missing or damaged in cache and remote"
        return [*damage, Damage(EXPORT, why, "`shardsmith verify` says what to do")]
    for file, why in differing_files(stored, rebuilt):
        where = _where(stores, stored[file], root / EXPORT / file, scratch) if not why and is_shard(file) else ""
        damage.append(Damage(f"{EXPORT}/{file}", why or where or "other bytes", _REMEDY))
    return damage


def differing_files(stored: Mapping[str, str], rebuilt: Mapping[str, Seen]) -> list[tuple[str, str]]:
    """(file, why) of each that differs; "" for other bytes."""
    differing = []
    for file in sorted({*stored, *rebuilt}):
        if file not in rebuilt:
            differing.append((file, "was recorded, and does not come out"))
        elif file not in stored:
            differing.append((file, "comes out, and was not recorded"))
        elif stored[file] != rebuilt[file].md5:
            differing.append((file, ""))
    return differing


def _where(stores: Stores, md5: str, rebuilt: Path, scratch: Path) -> str:
    """The first record that differs; "" where the stored file cannot be had."""
    if stores.fetch(md5, scratch).md5 != md5:
        return "other bytes (and the stored file is missing or damaged: `shardsmith verify` says what to do)"
    return first_difference(scratch, rebuilt)
