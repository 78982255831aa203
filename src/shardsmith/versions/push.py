"""Before a version gets its name: its data is in the cache, and with a DVC remote there too, each object by its hash.

DVC's word is not enough: where a disk is full for a moment it goes on, and ends well.
"""

from __future__ import annotations

from typing import Any

from shardsmith.dataset.errors import VersionError
from shardsmith.store.confirm import harmed
from shardsmith.store.copies import Files, bring
from shardsmith.store.objects import run_parallel
from shardsmith.store.store import Store
from shardsmith.store.stores import Stores, open_stores
from shardsmith.workspace.lock_file import content, page_hash, raw_hash
from shardsmith.workspace.log import Log
from shardsmith.workspace.paths import EXPORT, RAW, REPORT
from shardsmith.workspace.retry import is_final, retried
from shardsmith.workspace.workspace import Workspace


def check_stored(workspace: Workspace, log: Log, everything: bool = False) -> None:
    """See every object that what stands in the workspace needs in the cache, else in the remote.

    What the cache lacks, or has damaged, is brought from the workspace's own files. Hashed is what the last version did
    not have; of the rest size and time are those of then.

    Args:
        everything: hash all.

    Raises:
        VersionError: an object is nowhere as it was recorded.
    """
    with open_stores(workspace) as stores:
        folders = needed_folders(workspace.lock_file())
        for path, md5 in folders.items():
            if stores.listing(md5) is None:
                bring(stores.cache, [md5], [Files(path, workspace.root / path, md5, {})], stores.scratch)
        own = [Files(path, workspace.root / path, md5, stores.listing(md5) or {}) for path, md5 in folders.items()]
        places = places_of(folders, stores)
        found = harmed(stores.cache, set(places), stores.known, everything)
        bad = set(found)
        if came := bring(stores.cache, bad, own, stores.scratch):
            log(f"objects that were not in the cache as they should be, written anew: {len(came):,}")
            bad = bad - (came.keys() - harmed(stores.cache, set(came)).keys())
        if bad and stores.remote:
            there = bad - harmed(stores.remote, bad, etags=lambda _: None).keys()
            bring(stores.cache, {md5 for md5 in there if not found[md5].missing}, [stores.remote], stores.scratch)
            bad = bad - there
        if bad:
            file = min(places[md5] for md5 in bad)
            folder = next(path for path in folders if file.startswith(path))
            many = f" ({len(bad):,} such objects)" if len(bad) > 1 else ""
            remedy = f"put it back there, or run `dvc commit {RAW}.dvc`" if folder == RAW else f"remove {folder}"
            for md5 in bad:
                if not found[md5].missing and not places[md5].startswith(RAW):
                    stores.cache.remove(md5)  # else DVC gives it out again
            raise VersionError(
                f"{file}: in no store, and not here as it was recorded{many}; {remedy}, and build again: the version "
                "is not recorded"
            )


def push_data(workspace: Workspace, log: Log, check_all: bool = False, verify: bool = False) -> None:
    """Push what the version needs, and see it there: every object by its hash.

    What the remote holds otherwise is written anew: DVC takes an object that is there for whole, and one that it once
    pushed for there.

    Args:
        check_all: do not believe what was seen there before.
        verify: read all back, whatever the store says of it.

    Raises:
        VersionError: an object does not get into the remote as it is here.
    """
    log("pushing to the DVC remote")
    retried(lambda: _push(workspace, log), "pushing to the DVC remote", log)
    with open_stores(workspace) as stores:
        assert stores.remote
        confirm(stores, stores.remote, needed(workspace, stores), log, check_all, verify)


def _push(workspace: Workspace, log: Log) -> None:
    try:
        workspace.dvc("push", log=log)
    except VersionError as error:
        if is_final(error):
            raise
        with open_stores(workspace) as stores:  # dvc stops at a list of files that is damaged in the remote
            lists = set(needed_folders(workspace.lock_file()).values())
            seen = stores.remote.read_many(lists) if stores.remote else {}
            if stores.remote and (bad := {md5 for md5, one in seen.items() if one.md5 != md5 and not one.missing}):
                _write(stores.cache, stores.remote, bad, log)
        raise


def confirm(
    stores: Stores, remote: Store, objects: set[str], log: Log, check_all: bool = False, verify: bool = False
) -> None:
    """
    Raises:
        VersionError: an object does not get into the remote as it is here.
    """
    etags = None if verify else stores.cache.path
    bad = harmed(remote, objects, stores.known, check_all or verify, etags)
    if bad:
        here = stores.cache.holds(bad)
        if nowhere := sorted(bad.keys() - here):
            raise VersionError(
                f"{nowhere[0]}: neither in the cache nor, as it was, in {remote.name} ({len(nowhere)} such objects); "
                "build again: the version is not recorded"
            )
        _write(stores.cache, remote, here, log)
        bad = harmed(remote, here, etags=etags)
    if bad:
        raise VersionError(
            f"{remote.place(min(bad))}: not in {remote.name} as it is here, and cannot be written; "
            f"see to the remote ({len(bad)} such objects), then build again: the version is not recorded"
        )
    log(f"{len(objects):,} objects confirmed in {remote.name}")


def _write(cache: Store, remote: Store, md5s: set[str], log: Log) -> None:
    """
    Raises:
        VersionError: an object here is damaged itself.
    """
    log(f"{len(md5s):,} objects in {remote.name} are not as they are here, and are written anew")
    here = cache.read_many(md5s)
    if bad := sorted(md5 for md5 in md5s if here[md5].md5 != md5):
        raise VersionError(
            f"{cache.place(bad[0])}: damaged in the cache ({len(bad)} such objects), so the remote cannot get it; "
            "build again with --check-all: the version is not recorded"
        )
    paths = {md5: path for md5 in md5s if (path := cache.path(md5))}
    run_parallel(
        lambda md5: remote.write(md5, paths[md5]), sorted(paths), remote.jobs, f"writing {remote.name}", "object"
    )


def needed_folders(lock: dict[str, Any]) -> dict[str, str]:
    """Raw data, export and page, all that a version needs: path -> the object with the list of its files."""
    found = {RAW: raw_hash(lock), EXPORT: content(lock)[EXPORT], REPORT: page_hash(lock) or ""}
    return {path: md5 for path, md5 in found.items() if md5}


def needed(workspace: Workspace, stores: Stores, revision: str | None = None) -> set[str]:
    """The objects of raw data, export and page: all that a version needs from a store."""
    return set(places_of(needed_folders(workspace.lock_file(revision)), stores))


def places_of(folders: dict[str, str], stores: Stores) -> dict[str, str]:
    """Object -> the first path that it has: of the lists, and of the files in them."""
    places: dict[str, str] = {}
    for path, md5 in reversed(folders.items()):
        places |= {one: f"{path}/{file}" for file, one in (stores.listing(md5) or {}).items()}
    return places | {md5: path for path, md5 in folders.items()}


def sizes_here(stores: Stores, md5s: set[str]) -> dict[str, int]:
    """MD5 -> size in bytes, of those that are in the cache."""
    paths = {md5: stores.cache.path(md5) for md5 in sorted(md5s)}
    return {md5: path.stat().st_size for md5, path in paths.items() if path}
