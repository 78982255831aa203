"""The release record of a published version: `versions/DATASET@NAME.json` beside its data in a store."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from typing import Any

from shardsmith.dataset.errors import VersionError, WithdrawnError
from shardsmith.store.store import Store

VERSIONS = "versions"


def place(tag: str) -> str:
    """Where the record of a version is, from the root of the store."""
    return f"{VERSIONS}/{tag}.json"


def parse_manifest(data: bytes, where: str) -> dict[str, Any]:
    """
    Raises:
        WithdrawnError: it says that the version was withdrawn.
        VersionError: it is no release record.
    """
    try:
        manifest = json.loads(data)
        if "withdrawn" in manifest:
            raise WithdrawnError(f"{manifest['version']}: withdrawn on {manifest['withdrawn']}: {manifest['why']}")
        assert isinstance(manifest["files"], dict)
        assert all(isinstance(entry["md5"], str) for entry in manifest["files"].values())
    except (ValueError, KeyError, TypeError, AssertionError):
        raise VersionError(f"{where}: no manifest of a version; publish it again where it was built") from None
    return manifest


def is_wide(name: str) -> bool:
    """Whether it may mean one of several: `latest`, or a pattern; no tag of git's can have these characters."""
    return name.rpartition("@")[2] == "latest" or any(each in name for each in "*?[")


def newest(name: str, tags: Sequence[str]) -> str | None:
    """The last of the tags that `latest` or a pattern means.

    Args:
        name: DATASET@latest or DATASET@PATTERN.
        tags: the oldest first.
    """
    if not is_wide(name):
        return None
    dataset, _, wanted = name.rpartition("@")
    pattern = f"{dataset or '*'}@{'*' if wanted == 'latest' else wanted}"
    return next((tag for tag in reversed(tags) if fnmatchcase(tag, pattern)), None)


def _made(record: dict[str, Any]) -> datetime:
    try:
        return datetime.fromisoformat(record["created"]).astimezone(UTC)
    except (KeyError, TypeError, ValueError):
        return datetime.min.replace(tzinfo=UTC)


def read_release(store: Store, name: str) -> dict[str, Any]:
    """The record of a version by name alone, from a store that is not a workspace's.

    Args:
        name: DATASET@NAME, which needs no list of files; NAME, `latest` or a pattern where one dataset alone has it.

    Raises:
        VersionError: the store cannot be read, or no such version is published in it.
    """
    shown = store.name.removeprefix("--remote ")

    def read(tag: str) -> dict[str, Any] | None:
        data = store.read_file(place(tag))
        return None if data is None else parse_manifest(data, f"{shown}/{place(tag)}")

    if "#" in name:
        raise VersionError(f"{name}: stages are git tags, which a store does not hold; use --repo")
    if "@" in name and not is_wide(name) and (record := read(name)):
        return record
    try:
        listed = [file.removesuffix(".json") for file in store.list_files(VERSIONS)]
    except VersionError as error:
        raise VersionError(f"{error}; where files cannot be listed, give the whole name: DATASET@NAME") from None
    wide = name if "@" in name else f"*@{name}"
    tags = [tag for tag in listed if name in (tag, tag.partition("@")[2])]
    tags = tags or [tag for tag in listed if newest(wide, [tag])]
    records = []
    for tag in tags:
        try:
            records += [record] if (record := read(tag)) else []
        except WithdrawnError:
            if not is_wide(name):
                raise
    if not records or len({record.get("dataset") for record in records}) > 1:
        known = ", ".join(listed[-8:]) or "none: no build has published here"
        raise VersionError(f"{name}: {'more than one' if tags else 'no such'} version in {shown}; there are: {known}")
    return max(records, key=_made)
