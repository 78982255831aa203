"""Push a version's data to the DVC remote, and see it there: DVC's word that it is there is not enough."""

from __future__ import annotations

from shardsmith.dataset.errors import VersionError
from shardsmith.store.objects import run_parallel
from shardsmith.store.store import Store
from shardsmith.store.stores import Stores, open_stores
from shardsmith.workspace.lock_file import page_hash
from shardsmith.workspace.log import Log
from shardsmith.workspace.paths import EXPORT, RAW
from shardsmith.workspace.retry import retried
from shardsmith.workspace.workspace import Workspace


def push_data(workspace: Workspace, log: Log, verify: bool = False) -> None:
    """Push what the version needs, and see it there: every object with its size; with `verify`, read back and hashed.

    What the remote holds otherwise is written anew: DVC takes an object that is there for whole, and one that it once
    pushed for there.

    Raises:
        VersionError: an object does not get into the remote as it is here.
    """
    log("pushing to the DVC remote")
    retried(lambda: _push(workspace, log), "pushing to the DVC remote", log)
    with open_stores(workspace) as stores:
        assert stores.remote
        confirm(stores, stores.remote, needed(workspace, stores), log, verify)


def _push(workspace: Workspace, log: Log) -> None:
    try:
        workspace.dvc("push", log=log)
    except VersionError:
        with open_stores(workspace) as stores:  # dvc stops at a list of files that is damaged in the remote
            lists = {md5 for md5 in needed(workspace, stores) if md5.endswith(".dir")}
            if stores.remote and (there := stores.remote.holds(lists)):
                confirm(stores, stores.remote, there, log, verify=True)
        raise


def confirm(stores: Stores, remote: Store, objects: set[str], log: Log, verify: bool) -> None:
    """
    Raises:
        VersionError: an object does not get into the remote as it is here.
    """
    sizes = sizes_here(stores, objects)
    if lost := _lost(remote, objects - sizes.keys(), verify):
        raise VersionError(
            f"{lost[0]}: neither in the cache nor, as it was, in {remote.name} ({len(lost)} such objects); run "
            "`dvc commit` and `dvc repro`, then build again: the version is not recorded"
        )
    if bad := _unlike(remote, sizes, verify):
        log(f"{len(bad):,} objects in {remote.name} are not as they are here, and are written anew")
        _write(stores.cache, remote, bad)
        bad = _unlike(remote, {md5: sizes[md5] for md5 in bad}, verify=True)
    if bad:
        raise VersionError(
            f"{remote.place(bad[0])}: not in {remote.name} as it is here, and cannot be written; "
            f"see to the remote ({len(bad)} such objects), then build again: the version is not recorded"
        )
    log(f"{len(objects):,} objects confirmed in {remote.name}")


def _lost(remote: Store, absent: set[str], verify: bool) -> list[str]:
    """Of objects that are not in the cache, those that are not in the remote either."""
    to_read = {md5 for md5 in absent if verify or md5.endswith(".dir")}
    seen = remote.read_many(to_read)
    kept = remote.holds(absent - to_read) | {md5 for md5 in to_read if seen[md5].md5 == md5}
    return sorted(absent - kept)


def _write(cache: Store, remote: Store, md5s: list[str]) -> None:
    """
    Raises:
        VersionError: an object here is damaged itself.
    """
    here = cache.read_many(md5s)
    if harmed := [md5 for md5 in md5s if here[md5].md5 != md5]:
        raise VersionError(
            f"{cache.place(harmed[0])}: damaged in the cache ({len(harmed)} such objects), so the remote cannot get "
            "it; `shardsmith verify` says how to repair it, then build again: the version is not recorded"
        )
    paths = {md5: path for md5 in md5s if (path := cache.path(md5))}
    run_parallel(lambda md5: remote.write(md5, paths[md5]), md5s, remote.jobs, f"writing {remote.name}", "object")


def _unlike(remote: Store, sizes: dict[str, int], verify: bool) -> list[str]:
    if verify:
        seen = remote.read_many(sizes)
        return [md5 for md5 in sizes if seen[md5].md5 != md5]
    there = remote.sizes(sizes)
    return [md5 for md5, size in sizes.items() if there[md5] != size]


def needed(workspace: Workspace, stores: Stores, revision: str | None = None) -> set[str]:
    """The objects of raw data, export and page: all that a version needs from the remote."""
    lock = workspace.lock_file(revision)
    folders = {out["md5"] for stage in lock["stages"].values() for out in stage["outs"] if out["path"] == EXPORT}
    folders |= {dep["md5"] for stage in lock["stages"].values() for dep in stage["deps"] if dep["path"] == RAW}
    folders |= {page} if (page := page_hash(lock)) else set()
    objects = set(folders)
    for folder in folders:
        if folder.endswith(".dir"):
            objects |= set((stores.listing(folder) or {}).values())
    return objects


def sizes_here(stores: Stores, md5s: set[str]) -> dict[str, int]:
    """MD5 -> size in bytes, of those that are in the cache."""
    paths = {md5: stores.cache.path(md5) for md5 in sorted(md5s)}
    return {md5: path.stat().st_size for md5, path in paths.items() if path}
