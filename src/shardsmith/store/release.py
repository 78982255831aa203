"""The release record of a published version: `versions/DATASET@NAME.json` beside its data in a store."""

from __future__ import annotations

import json
from typing import Any

from shardsmith.dataset.errors import VersionError
from shardsmith.store.store import Store

VERSIONS = "versions"


def place(tag: str) -> str:
    """Where the record of a version is, from the root of the store."""
    return f"{VERSIONS}/{tag}.json"


def parse_manifest(data: bytes, where: str) -> dict[str, Any]:
    """
    Raises:
        VersionError: it is no release record.
    """
    try:
        manifest = json.loads(data)
        assert isinstance(manifest["files"], dict)
        assert all(isinstance(entry["md5"], str) for entry in manifest["files"].values())
    except (ValueError, KeyError, TypeError, AssertionError):
        raise VersionError(f"{where}: no manifest of a version; publish it again where it was built") from None
    return manifest


def read_release(store: Store, name: str) -> dict[str, Any]:
    """The record of a version by name alone, from a store that is not a workspace's.

    Args:
        name: DATASET@NAME, or NAME where one dataset alone has it.

    Raises:
        VersionError: the store cannot be read, or no such version is published in it.
    """
    listed = [file.removesuffix(".json") for file in store.list_files(VERSIONS)]
    tags = [tag for tag in listed if name in (tag, tag.partition("@")[2])]
    shown = store.name.removeprefix("--remote ")
    if len(tags) != 1:
        known = ", ".join(listed[-8:]) or "none: no build has published here"
        raise VersionError(f"{name}: {'more than one' if tags else 'no such'} version in {shown}; there are: {known}")
    data = store.read_file(place(tags[0]))
    return parse_manifest(data or b"", f"{shown}/{place(tags[0])}")
