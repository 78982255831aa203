"""`shardsmith verify`: every object of a version, in the cache here and in the remote, read and hashed."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from shardsmith.dataset.errors import VersionError
from shardsmith.proof.checks import Check, Damage, check_bytes
from shardsmith.store.objects import Seen
from shardsmith.store.release import parse_release, place
from shardsmith.store.store import Store
from shardsmith.store.stores import Stores
from shardsmith.workspace.paths import RAW


@dataclass(frozen=True)
class Folder:
    """A folder that DVC stores: its path, the hash of its listing, and file -> MD5; None where no listing is right."""

    path: str
    md5: str
    files: dict[str, str] | None

    @property
    def objects(self) -> dict[str, str]:
        """Path -> object: of the listing itself, and of each file."""
        return {self.path: self.md5, **{f"{self.path}/{file}": md5 for file, md5 in (self.files or {}).items()}}


def verify_cache(stores: Stores, folder: Folder, tag: str) -> Check:
    """Each object that the cache has is what it was; what it has not, the remote has."""
    title, objects = f"{folder.path} in the cache", folder.objects
    by_md5 = stores.cache.read_many(objects.values())
    absent = {file: md5 for file, md5 in objects.items() if by_md5[md5].missing}
    there = {file: md5 for file, md5 in objects.items() if file not in absent}
    seen = {file: by_md5[md5] for file, md5 in there.items()}
    damage = check_bytes(there, seen, lambda _: remedy(tag), " in the cache")
    if not there and folder.path == RAW and not stores.remote:
        return Check(title, "not here, and there is no DVC remote to ask for it", here=False)
    kept = stores.remote.holds(set(absent.values())) if absent and stores.remote else set()
    damage += _lost(stores, folder, {file for file, md5 in absent.items() if md5 not in kept}, tag)
    if absent and stores.remote:
        found = f"{len(absent):,} of {len(objects):,} objects are not here; {stores.remote.name} has them"
        return Check(title, found, damage, here=False)
    return Check(title, measured(len(there), by_md5.values()), damage)


def verify_between(store: Store, folders: Sequence[Folder]) -> Check:
    """What the stages hand on, which a store need not have: the next build makes it again."""
    objects = {path: md5 for folder in folders for path, md5 in folder.objects.items()}
    by_md5 = store.read_many(objects.values())
    there = {file: by_md5[md5] for file, md5 in objects.items() if not by_md5[md5].missing}
    damage = check_bytes(
        {file: objects[file] for file in there},
        there,
        lambda file: f"remove {store.place(objects[file])}; the next build, or `dvc push`, writes it again",
        f" in {store.name}",
    )
    found = measured(len(there), there.values())
    return Check(f"what stages hand on, in {store.name}", found, damage, here=bool(there))


def _lost(stores: Stores, folder: Folder, files: set[str], tag: str) -> list[Damage]:
    """One line, however many files are nowhere."""
    if not files:
        return []
    where = f"the cache and {stores.remote.name}" if stores.remote else "the cache, and there is no DVC remote"
    file = folder.path if folder.path in files else min(files)
    many = f"; {len(files):,} files are" if len(files) > 1 else ""
    return [Damage(file, f"missing from {where}{many}", remedy(tag))]


def remedy(tag: str) -> str:
    return f"`shardsmith repair {tag}` where it was built brings it back from any good copy"


def verify_remote(remote: Store, folder: Folder, tag: str, into: Mapping[str, Path]) -> Check:
    """Each object, read back from the remote.

    Args:
        into: MD5 -> a file to write it to.
    """
    objects = folder.objects
    by_md5 = remote.read_many(objects.values(), into)
    seen = {file: by_md5[md5] for file, md5 in objects.items()}
    damage = check_bytes(objects, seen, lambda _: remedy(tag), f" in {remote.name}")
    return Check(f"{folder.path} in {remote.name}", measured(len(objects), by_md5.values()), damage)


def verify_manifest(remote: Store, tag: str, digest: str | None, hashes: Mapping[str, str]) -> Check | None:
    """The manifest beside the data, by which a version is pulled from the remote alone; None where there is none.

    Args:
        digest: its SHA-256, as the tag's message has it; None of a version that was recorded without a remote.
        hashes: of what the tag stands for.
    """
    file = place(tag)
    data = remote.read_file(file)
    if data is None and digest is None:
        return None
    found = "missing" if data is None else _unlike_tag(data, tag, digest, hashes)
    damage = [Damage(f"{file} in {remote.name}", found, remedy(tag))] if found else []
    return Check(f"manifest in {remote.name}", f"{file}, by which it is pulled without git, is that of the tag", damage)


def _unlike_tag(data: bytes, tag: str, digest: str | None, hashes: Mapping[str, str]) -> str:
    if digest == hashlib.sha256(data).hexdigest():
        return ""
    try:
        said = parse_release(data, tag, "it")["hashes"]
    except VersionError as error:
        return str(error)
    return "not that of the tag" if digest or said != hashes else ""


def measured(count: int, seen: Iterable[Seen]) -> str:
    return f"{count:,} objects, {sum(found.size for found in seen) / 1e6:,.1f} MB, each read and hashed"
