"""Single files of a version's export, each checked against the hash that the version's list of files has for it.

DVC's cache is read as it lies there, in milliseconds. DVC itself is imported, which takes a second, only where the
cache lacks something and the remote has to be asked.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
from pathlib import Path

from flows.repository import Workspace
from flows.versions import EXPORT, Version, content
from stages.dataset.errors import VersionError


def read_files(workspace: Workspace, version: Version, files: list[str]) -> list[bytes]:
    """The contents of files, named relative to the export.

    Raises:
        VersionError: the version has no such file, or neither cache nor remote has it as it was recorded.
    """
    folder = content(workspace.lock_file(version.tag))[EXPORT]
    listing = files_of(workspace, version) or _listed(_from_stores(workspace, version, folder))
    for file in files:
        if file not in listing:
            raise VersionError(
                f"{version.tag}: has no {EXPORT}/{file}: it was recorded before versions carried their tables; "
                "`dvc metrics diff` compares its counts"
            )
    cached = [_cached(workspace, listing[file]) for file in files]
    return [
        _from_stores(workspace, version, listing[file]) if data is None else data
        for file, data in zip(files, cached, strict=True)
    ]


def files_of(workspace: Workspace, version: Version) -> dict[str, str]:
    """Each file of the export -> its MD5; {} where the cache does not have the list."""
    listed = _cached(workspace, content(workspace.lock_file(version.tag))[EXPORT])
    return _listed(listed) if listed else {}


def read_me(workspace: Workspace, version: Version) -> tuple[str, str] | None:
    """Path and text of the README.md of the version's first format; None where the cache has none."""
    listing = files_of(workspace, version)
    files = sorted((file for file in listing if file.endswith("/README.md")), key=lambda file: "tfrecord" not in file)
    data = _cached(workspace, listing[files[0]]) if files else None
    return (f"{EXPORT}/{files[0]}", data.decode()) if data else None


def _listed(listing: bytes) -> dict[str, str]:
    return {entry["relpath"]: entry["md5"] for entry in json.loads(listing)}


def _cached(workspace: Workspace, digest: str) -> bytes | None:
    """An object of DVC's cache; None where it is not there, or is damaged."""
    path = workspace.cache_folder() / "files" / "md5" / digest[:2] / digest[2:]
    data = path.read_bytes() if path.is_file() else None
    is_whole = data is not None and hashlib.md5(data, usedforsecurity=False).hexdigest() == digest.removesuffix(".dir")
    return data if is_whole else None


def _from_stores(workspace: Workspace, version: Version, digest: str) -> bytes:
    """An object of the cache, else the remote, as DVC finds them."""
    from flows.stored import open_stores

    with open_stores(workspace) as stores, tempfile.TemporaryDirectory(prefix="shardsmith-") as folder:
        path = Path(folder) / "object"
        seen = stores.fetch(digest, path)
        if seen.md5 != digest:
            where = "the DVC remote" if stores.remote else "a DVC remote, for none is configured"
            raise VersionError(
                f"{version.tag}: a part of {EXPORT} ({digest}) is, as it was recorded, neither in the cache nor in "
                f"{where}; `shardsmith verify --remote` where the version was built says how to repair it"
            )
        return path.read_bytes()
