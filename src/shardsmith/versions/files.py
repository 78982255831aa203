"""Single files of a version's export, each checked against the hash that the version's list of files has for it."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from shardsmith.dataset.errors import VersionError
from shardsmith.store.stores import Stores, open_stores
from shardsmith.versions.version import Version
from shardsmith.workspace.lock_file import content
from shardsmith.workspace.paths import DESCRIPTION, EXPORT
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


def read_words(workspace: Workspace, version: Version, here: bool = True) -> tuple[dict[str, Any], str | None]:
    """What the version says of itself: its description.json, {} for none, and the README.md of its first format.

    Args:
        here: from the cache alone: to look at a version costs no download.
    """
    with open_stores(workspace) as stores:
        listing = stores.listing(content(workspace.lock_file(version.tag))[EXPORT], here) or {}
        readmes = sorted(
            (file for file in listing if file.endswith("/README.md")), key=lambda file: "tfrecord" not in file
        )
        load = stores.cache.load if here else stores.load
        facts = load(listing[DESCRIPTION]) if DESCRIPTION in listing else None
        readme = load(listing[readmes[0]]) if readmes else None
    return json.loads(facts) if facts else {}, readme.decode() if readme else None


def _load(version: Version, md5: str, stores: Stores) -> bytes:
    if (data := stores.load(md5)) is None:
        raise _nowhere(version, md5, stores)
    return data


def _nowhere(version: Version, md5: str, stores: Stores) -> VersionError:
    where = "the DVC remote" if stores.remote else "a DVC remote, for none is configured"
    return VersionError(
        f"{version.tag}: a part of {EXPORT} ({md5}) is, as it was recorded, neither in the cache nor in {where}; "
        f"`shardsmith repair {version.name}` where the version was built brings it back"
    )
