"""Withdraw versions: name, release record, and the objects that no other version needs; a tombstone says why.

First the plan, which changes nothing. It is carried out in an order that may stop anywhere and be run again: the
tombstone to git, then to the store, then the objects, and last the tags, by which it is known what there is to do.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

import pyarrow.parquet as pq

from shardsmith.dataset.errors import UsageError, VersionError
from shardsmith.store.objects import run_parallel
from shardsmith.store.release import place
from shardsmith.store.store import Store
from shardsmith.store.stores import Stores, open_stores
from shardsmith.store.tombstone import Tombstone, as_record, format_tombstones
from shardsmith.versions.files import read_files
from shardsmith.versions.publish import is_refused
from shardsmith.versions.recorded.objects import (
    all_objects,
    holds_image,
    images_like,
    of_others,
    raw_files,
    raw_of_branches,
)
from shardsmith.versions.version import Version, find_version, list_versions, own_dataset, tombstones
from shardsmith.workspace.git import git_remote, remote_tags
from shardsmith.workspace.lock_file import content
from shardsmith.workspace.log import Log
from shardsmith.workspace.paths import EXPORT, KEPT_PAGES, RAW, WITHDRAWN
from shardsmith.workspace.retry import retried
from shardsmith.workspace.workspace import Workspace


@dataclass(frozen=True)
class Plan:
    """What is to end.

    versions: those that end. images: image_id -> the MD5 of each file that it has been. raw: those in data/raw here.
    cache: objects that go from it. remotes: the same of each remote, object -> bytes. unread: remotes that cannot be
    looked into, and why; never the default one. others: versions of other repositories in the remotes, whose raw data
    is not known: then only exports, pages and the images go. alike: other images that are nearly identical to one of
    these, and do not go with it.
    """

    versions: list[Version]
    images: dict[str, list[str]]
    raw: list[str] = field(default_factory=list)
    cache: list[str] = field(default_factory=list)
    remotes: dict[str, dict[str, int]] = field(default_factory=dict)
    unread: list[str] = field(default_factory=list)
    others: list[str] = field(default_factory=list)
    alike: list[str] = field(default_factory=list)


def plan(workspace: Workspace, names: Sequence[str], images: Sequence[str]) -> Plan:
    """What withdrawing these versions, or all that hold one of these images, comes to.

    Args:
        names: NAME or DATASET@NAME; with neither names nor images, what data/withdrawn.csv says and is here still.
        images: image_ids.

    Raises:
        VersionError: no such version, no version holds the image, or it cannot be told which do.
    """
    with open_stores(workspace) as stores:
        kept = list_versions(workspace)
        ends = {version.tag: version for version in list_versions(workspace, withdrawn=True)}
        before = [one for one in tombstones(workspace) if one.what == "image"]
        alike: set[str] = set()
        files = {one.name: [other.hash for other in before if other.name == one.name and other.hash] for one in before}
        dataset = own_dataset(workspace)
        for name in names:
            if (name if "@" in name else f"{dataset}@{name}") not in ends:
                version = find_version(workspace, name)
                ends[version.tag] = version
        for image in images:
            found, md5s = _holding(workspace, stores, kept, image)
            if not found and image not in files:
                raise VersionError(f"{image}: no version holds this image; `shardsmith show NAME --image` finds one")
            ends |= {version.tag: version for version in found}
            alike |= {one for version in found for one in images_like(stores, workspace.lock_file(version.tag), image)}
            files[image] = sorted({*files.get(image, []), *md5s})
        kept = [version for version in kept if version.tag not in ends]
        whole = _with_objects(workspace, stores, list(ends.values()), kept, files)
        return replace(whole, alike=sorted(alike - files.keys()))


def _holding(
    workspace: Workspace, stores: Stores, versions: list[Version], image: str
) -> tuple[list[Version], set[str]]:
    """The versions that hold an image, under its name or another, and the MD5s that its file has had."""
    raw = {version.tag: raw_files(workspace, stores, version.tag) for version in versions}
    md5s = {listing[image] for listing in raw.values() if image in listing}
    found = []
    for version in versions:
        if md5s & set(raw[version.tag].values()) or holds_image(_rows(workspace, version), image):
            found.append(version)
    return found, md5s


def _rows(workspace: Workspace, version: Version) -> list[dict]:
    """Its images.parquet; none of a version from before there was one, of which the raw data says enough."""
    try:
        (table,) = read_files(workspace, version, ["images.parquet"])
    except VersionError:
        return []
    columns = [name for name in ("image_id", "parent_id", "origin") if name in pq.read_schema(io.BytesIO(table)).names]
    return pq.read_table(io.BytesIO(table), columns=columns).to_pylist()


def _with_objects(
    workspace: Workspace, stores: Stores, ends: list[Version], kept: list[Version], images: dict[str, list[str]]
) -> Plan:
    of_images = {md5 for md5s in images.values() for md5 in md5s}
    gone, needed = set(of_images), raw_of_branches(workspace, stores)
    for version in ends:
        gone |= all_objects(stores, workspace.lock_file(version.tag))
    for version in kept:
        needed |= all_objects(stores, workspace.lock_file(version.tag))
    readable, unread, others = [], [], set()
    for store in stores.remotes:
        try:
            tags, theirs = of_others(store, {version.tag for version in (*ends, *kept)})
        except VersionError as error:
            if store is stores.remote:
                raise
            unread.append(str(error))
            continue
        readable.append(store)
        others.update(tags)
        needed |= theirs
    if others:
        for version in ends:
            needed |= set(raw_files(workspace, stores, version.tag).values())
    gone -= needed - of_images
    sizes = {store.name: store.sizes(gone) for store in readable}
    there = {name: {md5: size for md5, size in held.items() if size is not None} for name, held in sizes.items()}
    raw = [image for image in images if (workspace.root / RAW / image).is_file()]
    return Plan(ends, images, raw, sorted(stores.cache.holds(gone)), there, unread, sorted(others))


def carry_out(workspace: Workspace, planned: Plan, why: str, log: Log) -> None:
    """
    Args:
        why: in a few words, for the tombstones; one that was withdrawn before keeps its own.

    Raises:
        VersionError: a remote refuses; to run it again goes on from there.
    """
    with workspace.lock(log):
        graves = _write_tombstones(workspace, planned, why)
        _push_branch(workspace, log)
        with open_stores(workspace) as stores:
            for store in stores.remotes:
                try:
                    _end_in(store, planned, graves, is_default=store is stores.remote)
                except VersionError as error:
                    if store is stores.remote:
                        raise
                    log(f"{error}; what it has of these versions is to be deleted there")
            _remove(stores.cache, planned.cache)
        for image in planned.raw:
            (workspace.root / RAW / image).unlink(missing_ok=True)
        for link in (workspace.root / "data").rglob("*"):
            if link.is_symlink() and not link.exists() and "/files/md5/" in str(link.readlink()):
                link.unlink()  # DVC's, into the cache, where its object is gone
        for version in planned.versions:
            (workspace.root / KEPT_PAGES / f"{version.tag}.html").unlink(missing_ok=True)
        _delete_tags(workspace, planned.versions, log)


def _end_in(store: Store, planned: Plan, graves: dict[str, Tombstone], is_default: bool) -> None:
    """Tombstones in place of the release records, in the default remote even where there is none; then the objects."""
    if store.name not in planned.remotes:
        return
    for version in planned.versions:
        if is_default or store.read_file(place(version.tag)) is not None:
            store.write_file(place(version.tag), as_record(graves[version.tag]))
    _remove(store, planned.remotes[store.name])


def _remove(store: Store, objects: Iterable[str]) -> None:
    run_parallel(store.remove, sorted(store.holds(objects)), store.jobs, f"removing from {store.name}", "object")


def _write_tombstones(workspace: Workspace, planned: Plan, why: str) -> dict[str, Tombstone]:
    """Commit them; returns those of versions by tag."""
    before = tombstones(workspace)
    known = {(one.what, one.name, one.hash) for one in before}
    today = datetime.now(UTC).date().isoformat()
    hashes = [("version", one.tag, content(workspace.lock_file(one.tag))[EXPORT]) for one in planned.versions]
    hashes += [("image", image, md5) for image, md5s in planned.images.items() for md5 in md5s or [""]]
    new = [Tombstone(*key, today, why) for key in hashes if key not in known]
    if new and not why:
        raise UsageError("--why: needed, for whoever asks for the version; for example --why 'consent withdrawn'")
    if new:
        path = workspace.root / WITHDRAWN
        path.write_text(format_tombstones([*before, *new]), encoding="utf-8")
        said = ", ".join(dict.fromkeys(one.name for one in new))
        workspace.git("add", "--", WITHDRAWN)
        message = f"Withdraw {said}\n\n{why}"
        workspace.git("commit", "--quiet", "--no-verify", "--only", "-m", message, "--", WITHDRAWN)
    return {one.name: one for one in [*before, *new] if one.what == "version"}


def _push_branch(workspace: Workspace, log: Log) -> None:
    branch = workspace.git("branch", "--show-current").strip()
    remote = git_remote(workspace.root, branch)
    if remote is None or not branch:
        log("no branch is pushed: others learn of it when the commit reaches them")
        return
    refs = f"HEAD:refs/heads/{branch}"
    try:
        retried(lambda: workspace.git("push", "--quiet", remote, refs), f"pushing {branch}", log, is_refused)
    except VersionError as error:
        raise VersionError(
            f"{remote}/{branch}: does not take the commit of {WITHDRAWN}, so nothing is deleted yet; run "
            f"`git pull --no-rebase {remote} {branch}`, or `git switch -c withdraw` where the branch is protected, and "
            f"then this again ({' '.join(str(error).split())[-200:]})"
        ) from None


def _delete_tags(workspace: Workspace, versions: list[Version], log: Log) -> None:
    remote = git_remote(workspace.root, workspace.git("branch", "--show-current").strip())
    for version in versions:
        try:
            if remote and version.tag in remote_tags(workspace.root, remote, version.dataset):
                workspace.git("push", "--quiet", remote, f":refs/tags/{version.tag}")
        except VersionError as error:
            said = " ".join(str(error).split())[-200:]
            log(f"{version.tag}: {remote} keeps the tag, which leads to no data any more; delete it there ({said})")
        workspace.git("tag", "--delete", version.tag)
