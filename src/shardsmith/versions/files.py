"""Single files of a version's export, each checked against the hash that the version's list of files has for it."""

from __future__ import annotations

from collections.abc import Iterable

from shardsmith.dataset.errors import VersionError
from shardsmith.store.stores import Stores, open_stores
from shardsmith.versions.version import Version
from shardsmith.workspace.lock_file import content
from shardsmith.workspace.paths import EXPORT
from shardsmith.workspace.workspace import Workspace


def read_files(workspace: Workspace, version: Version, files: Iterable[str]) -> list[bytes]:
    """The contents of files, named relative to the export.

    Raises:
        VersionError: the version has no such file, or neither cache nor remote has it as it was recorded.
    """
    folder = content(workspace.lock_file(version.tag))[EXPORT]
    with open_stores(workspace) as stores:
        if (listing := stores.listing(folder)) is None:
            raise _nowhere(version, folder, stores)
        for file in files:
            if file not in listing:
                raise VersionError(
                    f"{version.tag}: has no {EXPORT}/{file}: it was recorded before versions carried their tables; "
                    "`dvc metrics diff` compares its counts"
                )
        return [_load(version, listing[file], stores) for file in files]


def files_of(workspace: Workspace, version: Version) -> dict[str, str]:
    """Each file of the export -> its MD5; {} where neither cache nor remote has the list."""
    with open_stores(workspace) as stores:
        return stores.listing(content(workspace.lock_file(version.tag))[EXPORT]) or {}


def read_me(workspace: Workspace, version: Version) -> tuple[str, str] | None:
    """Path and text of the README.md of the version's first format; None where the cache has none."""
    with open_stores(workspace) as stores:
        listing = stores.listing(content(workspace.lock_file(version.tag))[EXPORT], here=True) or {}
        files = sorted(
            (file for file in listing if file.endswith("/README.md")), key=lambda file: "tfrecord" not in file
        )
        data = stores.cache.load(listing[files[0]]) if files else None
    return (f"{EXPORT}/{files[0]}", data.decode()) if data else None


def _load(version: Version, md5: str, stores: Stores) -> bytes:
    if (data := stores.load(md5)) is None:
        raise _nowhere(version, md5, stores)
    return data


def _nowhere(version: Version, md5: str, stores: Stores) -> VersionError:
    where = "the DVC remote" if stores.remote else "a DVC remote, for none is configured"
    return VersionError(
        f"{version.tag}: a part of {EXPORT} ({md5}) is, as it was recorded, neither in the cache nor in {where}; "
        "`shardsmith verify --remote` where the version was built says how to repair it"
    )
