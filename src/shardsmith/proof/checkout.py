"""`shardsmith verify`: the workspace that stands at a version, file by file: what a later build would start from."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

from shardsmith.proof.checks import Check, Damage, Recorded, check_bytes, check_folder, check_params
from shardsmith.store.objects import hash_folder
from shardsmith.store.stores import Stores
from shardsmith.workspace.lock_file import content, read_leniently
from shardsmith.workspace.paths import CODE, EXPORT, FILES, FLOW, LOCK, METRICS, PARAMS, PLOTS, POINTER, RAW
from shardsmith.workspace.paths import REQUIREMENTS as PINS
from shardsmith.workspace.workspace import Workspace

_OTHERS = (FLOW, "prefect.yaml", ".gitattributes")
_MADE = (LOCK, POINTER, CODE, PINS, METRICS, PLOTS)  # what `dvc repro` and `shardsmith pin` write


def verify_checkout(workspace: Workspace, recorded: Recorded, head: Mapping[str, bytes], stores: Stores) -> Check:
    """
    Args:
        head: the files at HEAD, which may have gone on since the version.
    """
    root, tag = workspace.root, recorded.tag
    undo = f"`git checkout {tag} -- {{}}` undoes that"
    params = read_leniently((root / PARAMS).read_text(encoding="utf-8", errors="replace"))
    damage = check_params(recorded, params, undo.format(PARAMS) + ", `shardsmith build` makes a version of it")
    lock = _read_lock(root / LOCK) or recorded.lock
    is_rebuilt = content(lock)[EXPORT] != content(recorded.lock)[EXPORT]
    if is_rebuilt:
        remedy = f"`shardsmith build` records it, `git checkout {tag} && dvc checkout` goes back"
        damage.append(Damage(EXPORT, f"rebuilt since {tag}, and not recorded", remedy))
    for file in _edited(workspace, head):
        if not (is_rebuilt and _is_of(file, _MADE)):
            damage.append(Damage(file, f"edited since {tag}", undo.format(file)))
    for path, md5 in recorded.folders(lock).items():
        if (files := stores.listing(md5, here=True)) is not None and (root / path).is_dir():
            remedy = f"`dvc checkout --force {path}` brings the version's files back"
            damage += check_folder(files, hash_folder(root / path, f"reading {path}"), f"{path}/", remedy)
    more = 0
    files = stores.listing(recorded.raw, here=True)
    if files is not None and (root / RAW).is_dir():
        seen = hash_folder(root / RAW, f"reading {RAW}")
        more = len(seen.keys() - files.keys())
        damage += check_bytes(
            {f"{RAW}/{file}": md5 for file, md5 in files.items()},
            {f"{RAW}/{file}": found for file, found in seen.items()},
            lambda file: (
                f"`dvc get . {file} --rev {tag} --force --out {file}` brings it back; if it is a change of yours, "
                "`shardsmith build` makes a version of it"
            ),
        )
    found = f"code, params, raw data and what the stages made are those of {tag}"
    return Check("workspace", found + (f"; {more:,} files in {RAW} are in no version yet" if more else ""), damage)


def _read_lock(path: Path) -> dict[str, Any]:
    """A dvc.lock; {} for what is none, which is named as edited."""
    try:
        lock = read_leniently(path.read_text(encoding="utf-8", errors="replace"))
        return lock if content(lock)[EXPORT] else {}
    except (OSError, KeyError, TypeError, AttributeError):
        return {}


def _edited(workspace: Workspace, head: Mapping[str, bytes]) -> Iterator[str]:
    """Each file of the version, and of what builds the next one, that is not as git has it; params.yaml is compared by
    its values alone.
    """
    parts = {*FILES, *_OTHERS, *workspace.code(), "data"} - {PARAMS}
    for file, data in sorted(head.items()):
        path = workspace.root / file
        if _is_of(file, parts) and (path.read_bytes() if path.is_file() else None) != data:
            yield file


def _is_of(file: str, parts: Collection[str]) -> bool:
    return any(file == part or file.startswith(f"{part}/") for part in parts)
