"""`shardsmith verify NAME`: a version against what was recorded. Everything is read; nothing is changed."""

from __future__ import annotations

import json
import tarfile
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from shardsmith.dataset.errors import VersionError
from shardsmith.proof.checkout import verify_checkout
from shardsmith.proof.checks import (
    Check,
    Damage,
    Recorded,
    check_code,
    check_committed,
    check_params,
    check_tag,
)
from shardsmith.proof.objects import Folder, verify_between, verify_cache, verify_manifest, verify_remote
from shardsmith.proof.records.check import is_of_records, verify_records
from shardsmith.proof.runs import verify_runs
from shardsmith.store.store import Store
from shardsmith.store.stores import open_stores
from shardsmith.versions.lineage import parse_message, tag_message
from shardsmith.versions.version import Version, last_tag, own_dataset, tombstones
from shardsmith.workspace.lock_file import content, read_leniently
from shardsmith.workspace.paths import EXPORT, LABEL_MAP, LOCK, METRICS, PARAMS, RAW, REPORT
from shardsmith.workspace.workspace import Workspace


def verify_version(workspace: Workspace, version: Version, remote: bool) -> list[Check]:
    """Every check of a version in a workspace.

    Args:
        remote: read every object in the DVC remote, too.

    Raises:
        VersionError: git or DVC cannot be read, or there is no remote to read.
    """
    recorded = read_recorded(workspace, version.tag)
    checks = [
        check_tag(recorded),
        check_committed(recorded),
        Check(
            "params", "params.yaml has the values with which each stage ran", check_params(recorded, recorded.params)
        ),
    ]
    checks += [found] if (found := check_code(recorded)) else []
    made = recorded.folders(recorded.lock)
    needed = {EXPORT: content(recorded.lock)[EXPORT], RAW: recorded.raw}
    needed |= {REPORT: page} if (page := made.get(REPORT)) else {}
    between = [Folder(path, md5, None) for path, md5 in made.items() if path not in needed]
    with open_stores(workspace) as stores, tempfile.TemporaryDirectory(prefix="shardsmith-") as temporary:
        if remote and not stores.remote:
            raise VersionError("--remote: no DVC remote is configured; `dvc remote add -d NAME URL` names one")
        folders = [Folder(path, md5, stores.listing(md5)) for path, md5 in needed.items()]
        checks += [verify_cache(stores, folder, version.tag) for folder in folders]
        between = [replace(folder, files=stores.listing(folder.md5, here=True)) for folder in between]
        checks += [verify_between(stores.cache, between), verify_runs(workspace.cache_folder(), recorded.lock)]
        export = folders[0].files
        into: dict[str, Path] = {}
        if remote and stores.remote:
            into = _only_there(stores.cache, export or {}, Path(temporary))
            checks += [verify_remote(stores.remote, folder, version.tag, into) for folder in folders]
            checks.append(verify_between(stores.remote, between))
            digest = parse_message(recorded.message).get("manifest")
            published = verify_manifest(stores.remote, version.tag, digest, content(recorded.lock))
            checks += [published] if published else []
        if export is not None:
            places = {file: stores.cache.path(md5) or into.get(md5) for file, md5 in export.items()}
            checks.append(_verify_export(places, export, recorded))
        if is_current(workspace, version):
            checks.append(verify_checkout(workspace, recorded, _files_at(workspace, "HEAD"), stores))
    return checks


def read_recorded(workspace: Workspace, tag: str) -> Recorded:
    """
    Raises:
        VersionError: git cannot read what the tag names.
    """
    files = _files_at(workspace, tag)
    lock, params = (read_leniently(files.get(name, b"").decode(errors="replace")) for name in (LOCK, PARAMS))
    return Recorded(tag, tag_message(workspace, tag), lock, params, files)


def _files_at(workspace: Workspace, revision: str) -> dict[str, bytes]:
    with tempfile.TemporaryDirectory(prefix="shardsmith-") as folder:
        archive = Path(folder) / "files.tar"
        workspace.git("archive", "--format=tar", "--output", str(archive), revision)
        with tarfile.open(archive) as tar:
            return {member.name: _read(tar, member) for member in tar if member.isfile()}


def _read(tar: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    stream = tar.extractfile(member)
    return stream.read() if stream else b""


def _only_there(cache: Store, export: Mapping[str, str], folder: Path) -> dict[str, Path]:
    """MD5 -> where to keep it: of the TFRecords, and what is compared with them, all that is in the remote alone."""
    wanted = [md5 for file, md5 in export.items() if is_of_records(file)]
    return {md5: folder / md5 for md5 in wanted if cache.path(md5) is None}


def _verify_export(places: Mapping[str, Path | None], export: Mapping[str, str], recorded: Recorded) -> Check:
    """The records of the version, and the label map beside them."""
    counts: dict[str, Any] = json.loads(recorded.files.get(METRICS, b"{}"))
    label_map = recorded.files.get(LABEL_MAP, b"").decode(errors="replace")
    remedy = "see its object above; if that is right, build again under another name"
    expected = content(recorded.lock)[LABEL_MAP]
    damage = [
        Damage(f"{EXPORT}/{file}", f"not {LABEL_MAP} of {recorded.tag}", remedy)
        for file, md5 in export.items()
        if Path(file).name == "label_map.pbtxt" and md5 != expected
    ]
    check = verify_records(places, label_map, counts, remedy, f"{EXPORT}/")
    return Check(check.title, check.found, damage + check.damage, check.here)


def is_current(workspace: Workspace, version: Version) -> bool:
    """Whether the workspace stands at the version, or was changed since without recording another.

    What is left of a version that was withdrawn is no change of the one before it.
    """
    if content(workspace.lock_file())[EXPORT] in {one.hash for one in tombstones(workspace)}:
        return False
    tag = last_tag(workspace, version.dataset) if own_dataset(workspace) == version.dataset else None
    return tag is not None and workspace.git("rev-parse", f"refs/tags/{tag}^{{commit}}").strip() == version.commit
