"""The release record of a published version: `versions/DATASET@NAME.json` beside its data in a store.

It is believed only where it is the very text that was written for this name: its digest covers all of it, and with it
the name, the commit and the label map. Records of older versions have none, and are believed as far as their parts
prove each other.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from shardsmith.dataset.errors import VersionError, WithdrawnError
from shardsmith.store.names import is_wide, newest
from shardsmith.store.pulled import tree_hash
from shardsmith.store.store import Store
from shardsmith.workspace.paths import EXPORT, LABEL_MAP

VERSIONS = "versions"

_Md5 = Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]


class _File(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid")

    md5: _Md5
    size: Annotated[int, Field(ge=0)] | None = None


class _Release(BaseModel):
    """label_map, page: None in what has none; older records lack them. schema: of a record with a digest."""

    model_config = ConfigDict(strict=True, extra="allow")

    version: str
    dataset: str
    name: str
    commit: Annotated[str, Field(pattern=r"^([0-9a-f]{40}|[0-9a-f]{64})$")]
    created: str
    hashes: dict[str, str]
    files: dict[str, _File]
    label_map: str | None = None
    page: _File | None = None
    schema_: Literal[2] | None = Field(None, alias="schema")
    digest: str | None = None


def place(tag: str) -> str:
    """Where the record of a version is, from the root of the store."""
    return f"{VERSIONS}/{tag}.json"


def format_release(content: Mapping[str, Any], published_as: str | None = None) -> bytes:
    """The record as it is published, with its digest.

    Args:
        published_as: its SHA-256, as the tag's message has it; one from before there were digests stays as it was.
    """
    if published_as and hashlib.sha256(before := _as_json(content)).hexdigest() == published_as:
        return before
    whole = {**content, "schema": 2}
    return _as_json({**whole, "digest": hashlib.sha256(_as_json(whole)).hexdigest()})


def parse_release(data: bytes, tag: str, where: str) -> dict[str, Any]:
    """
    Args:
        tag: DATASET@NAME, whose record it is to be.
        where: it stands, for messages.

    Raises:
        WithdrawnError: it says that the version was withdrawn.
        VersionError: it is no release record, another version's, or not as it was published.
    """
    try:
        record: dict[str, Any] = json.loads(data)
        if isinstance(record, dict) and "withdrawn" in record:
            raise WithdrawnError(f"{tag}: withdrawn on {record['withdrawn']}: {record.get('why', '')}")
        problem = _find_problem(record, _Release.model_validate(record), tag, data)
    except ValidationError as error:
        first = error.errors()[0]
        problem = f"{'.'.join(map(str, first['loc'])) or 'the record'}: {first['msg']}"
    except (ValueError, RecursionError):
        problem = "it is no JSON"
    if problem:
        raise VersionError(f"{where}: not the record of {tag} as it was published: {problem}; run `shardsmith repair`")
    return record


def _find_problem(record: dict[str, Any], release: _Release, tag: str, data: bytes) -> str:
    if release.version != tag or f"{release.dataset}@{release.name}" != tag:
        return f"it is that of {release.version} ({release.dataset}@{release.name})"
    if release.schema_ or release.digest:
        content = {key: value for key, value in record.items() if key not in ("schema", "digest")}
        return "" if release.schema_ and data == format_release(content) else "it is damaged"
    if release.model_extra:
        return f"{min(release.model_extra)!r} is no key of it"
    try:
        datetime.fromisoformat(release.created)
    except ValueError:
        return f"created: {release.created!r} is no time"
    if tree_hash({file: entry.md5 for file, entry in release.files.items()}) != release.hashes.get(EXPORT):
        return f"its list of files is not that of {EXPORT}"
    text = release.label_map
    if text is not None and hashlib.md5(text.encode(), usedforsecurity=False).hexdigest() != release.hashes.get(
        LABEL_MAP
    ):
        return f"its label map is not that of {LABEL_MAP}"
    return ""


def _as_json(content: Mapping[str, Any]) -> bytes:
    return json.dumps(content, indent=1, sort_keys=True, ensure_ascii=False).encode()


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
        VersionError: the store cannot be read, or no such version is published in it as it was.
    """
    shown = store.name.removeprefix("--remote ")

    def read(tag: str) -> dict[str, Any] | None:
        data = store.read_file(place(tag))
        return None if data is None else parse_release(data, tag, f"{shown}/{place(tag)}")

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
