"""The objects of versions: what each is made of, and what each adds to the store."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from shardsmith.dataset.errors import VersionError, WithdrawnError
from shardsmith.dataset.findings import read_findings
from shardsmith.dataset.yaml import load_yaml
from shardsmith.pipeline.splits.links import Links
from shardsmith.pipeline.stage import FINDINGS
from shardsmith.store.release import VERSIONS, parse_release, place
from shardsmith.store.store import Store
from shardsmith.store.stores import Stores
from shardsmith.versions.push import needed, sizes_here
from shardsmith.versions.version import Version
from shardsmith.workspace.lock_file import hashes, raw_hash
from shardsmith.workspace.paths import AUGMENTED, POINTER
from shardsmith.workspace.workspace import Workspace


def added_bytes(workspace: Workspace, stores: Stores, versions: Iterable[Version]) -> dict[str, int | None]:
    """Tag -> the bytes of raw data, export and page that no version before it has; None where one is nowhere."""
    seen: set[str] = set()
    added: dict[str, int | None] = {}
    for version in versions:
        new = needed(workspace, stores, version.tag) - seen
        seen |= new
        sizes: dict[str, int | None] = {**sizes_here(stores, new)}
        if (absent := new - sizes.keys()) and stores.remote:
            sizes |= stores.remote.sizes(absent)
        known = [size for size in sizes.values() if size is not None]
        added[version.tag] = sum(known) if len(known) == len(new) else None
    return added


def all_objects(stores: Stores, lock: dict[str, Any]) -> set[str]:
    """Every folder that a build has stored, what it left between its stages too, and the files in each."""
    objects: set[str] = set()
    for stage in lock.get("stages", {}).values():
        for entry in (*stage["outs"], *stage["deps"]):
            if str(folder := entry.get("md5")).endswith(".dir") and folder not in objects:
                objects |= {folder, *(stores.listing(folder) or {}).values()}
    return objects


def raw_files(workspace: Workspace, stores: Stores, tag: str) -> dict[str, str]:
    """Path below data/raw -> MD5, of a version.

    Raises:
        VersionError: the list is neither in the cache nor in the remote.
    """
    listing = stores.listing(raw_hash(workspace.lock_file(tag)))
    if listing is None:
        raise VersionError(
            f"{tag}: the list of its raw data is neither in the cache nor in the remote, so what it holds is not "
            "known; withdraw it by its name, or run this where its data is"
        )
    return listing


def raw_of_branches(workspace: Workspace, stores: Stores) -> set[str]:
    """The raw data that a branch stands at, or the workspace: the next build starts from it."""
    refs = workspace.git("for-each-ref", "--format=%(refname)", "refs/heads", "refs/remotes").split()
    pointers = [workspace.file_at(ref, POINTER) for ref in refs]
    here = workspace.root / POINTER
    pointers += [here.read_text(encoding="utf-8")] if here.exists() else []
    objects: set[str] = set()
    for text in filter(None, pointers):
        md5 = load_yaml(text)["outs"][0]["md5"]
        objects |= {md5, *(stores.listing(md5) or {}).values()}
    return objects


def of_others(remote: Store, known: set[str]) -> tuple[list[str], set[str]]:
    """The versions that others have published in the remote, and the objects of their exports and pages.

    Args:
        known: the tags that this repository has.

    Raises:
        VersionError: a record is damaged: what it needs is not known.
    """
    tags, objects = [], set()
    for tag in (file.removesuffix(".json") for file in remote.list_files(VERSIONS)):
        if tag in known:
            continue
        try:
            record = parse_release(remote.read_file(place(tag)) or b"", tag, f"{place(tag)} in {remote.name}")
        except WithdrawnError:
            continue
        tags.append(tag)
        objects |= {entry["md5"] for entry in record["files"].values()} | set(record["hashes"].values())
        objects |= {record["page"]["md5"]} if record.get("page") else set()
    return tags, objects


def holds_image(rows: list[dict[str, Any]], image_id: str) -> bool:
    """Whether rows of a version's images.parquet are the image, or were made of it."""
    quoted = json.dumps(image_id, ensure_ascii=False)
    return any(
        image_id in (row["image_id"], row.get("parent_id")) or quoted in (row.get("origin") or "") for row in rows
    )


def images_like(stores: Stores, lock: dict[str, Any], image_id: str) -> set[str]:
    """The other images of a version that its build found nearly identical to one: saved again, resized, mirrored, ...

    Empty where no store has its stages' findings: a version does not need them.
    """
    files = stores.listing(md5) or {} if (md5 := hashes(lock).get(AUGMENTED)) else {}
    if FINDINGS not in files:
        return set()
    links: Links[str] = Links()
    with tempfile.TemporaryDirectory(prefix="shardsmith-") as folder:
        table = Path(folder) / FINDINGS
        if stores.fetch(files[FINDINGS], table).md5 != files[FINDINGS]:
            return set()
        for finding in read_findings(table):
            if finding.code == "image-near-duplicate":
                links.join(finding.image_id, finding.other)
    return {one for cluster in links.clusters() if image_id in cluster for one in cluster} - {image_id}
