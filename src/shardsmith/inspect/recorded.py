"""A version as its last stage left it: its tables, its findings, and where the bytes of its images are."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from shardsmith.dataset.errors import VersionError
from shardsmith.dataset.findings import Finding, read_findings
from shardsmith.dataset.manifest import SUMS, Manifest
from shardsmith.pipeline.stage import FINDINGS
from shardsmith.store.stores import Stores, open_stores
from shardsmith.versions.version import Version
from shardsmith.workspace.lock_file import hashes, raw_hash
from shardsmith.workspace.paths import AUGMENTED, RAW, TABLES
from shardsmith.workspace.workspace import Workspace


@dataclass(frozen=True)
class Recorded:
    """objects: path of an image's file, relative to the workspace -> MD5 of its bytes, where a store lists it."""

    manifest: Manifest
    findings: list[Finding]
    objects: Mapping[str, str]


def read_recorded(workspace: Workspace, version: Version) -> Recorded:
    """
    Raises:
        VersionError: what its stages left is in no store, as of a version that was pulled or of one made before they
            were kept.
        StageError: its tables are of a version too old to be read here.
    """
    lock = workspace.lock_file(version.tag)
    folders = {path: md5 for path, md5 in (hashes(lock) | {RAW: raw_hash(lock)}).items() if md5.endswith(".dir")}
    with open_stores(workspace) as stores, tempfile.TemporaryDirectory(prefix="shardsmith-") as work:
        files = (stores.listing(folders[AUGMENTED]) or {}) if AUGMENTED in folders else {}
        for name in (*TABLES, FINDINGS, SUMS):
            if name in files and stores.fetch(files[name], Path(work) / name).md5 != files[name]:
                files = {}
        if not {*TABLES, FINDINGS} <= files.keys():
            raise VersionError(
                f"{version.tag}: the tables of its images are neither in the cache nor in the remote; "
                f"`shardsmith repair {version.name}` where the version was built brings them back"
            )
        manifest, findings = Manifest.read(Path(work)), read_findings(Path(work) / FINDINGS)
        paths = set(manifest.images["path"].to_pylist())
        listed = (
            (f"{folder}/{file}", md5)
            for folder, of in folders.items()
            if any(path.startswith(f"{folder}/") for path in paths)
            for file, md5 in (stores.listing(of) or {}).items()
        )
        objects = {path: md5 for path, md5 in listed if path in paths}
    return Recorded(manifest, findings, objects)


def fetch_object(workspace: Workspace, md5: str, into: Path) -> Path | None:
    """The file of an object: the cache's own, else written to `into` from the remote; None where neither has it."""
    with open_stores(workspace) as stores:
        return stores.cache.path(md5) or _from_remote(stores, md5, into)


def _from_remote(stores: Stores, md5: str, into: Path) -> Path | None:
    if not stores.remote or stores.remote.fetch(md5, into).md5 != md5:
        return None
    return into
