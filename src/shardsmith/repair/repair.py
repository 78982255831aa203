"""`shardsmith repair`: what is damaged or missing of a version comes back from any good copy.

Those are the cache, the remotes, the workspace's own files, the release record for the list of the export, and last a
rebuild. data/raw in the workspace is the user's, and read alone.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from shardsmith.dataset.errors import ShardsmithError, WithdrawnError
from shardsmith.proof.checks import Recorded
from shardsmith.proof.rebuild import rebuilt
from shardsmith.proof.verify import is_current, read_recorded
from shardsmith.repair.change import Change
from shardsmith.store.copies import Files, Lists, Source, bring, find
from shardsmith.store.objects import hash_folder
from shardsmith.store.release import parse_release, place
from shardsmith.store.store import Store
from shardsmith.store.stores import Stores, open_stores
from shardsmith.versions.lineage import parse_message
from shardsmith.versions.publish import is_published, manifest_of
from shardsmith.versions.push import needed_folders
from shardsmith.versions.version import Version, choose_version
from shardsmith.workspace.environment import prepare_environment
from shardsmith.workspace.lock_file import content
from shardsmith.workspace.log import Log
from shardsmith.workspace.paths import EXPORT, LABEL_MAP, METRICS, RAW
from shardsmith.workspace.workspace import Workspace

_AGAIN = "removed; the next build makes it again"


def repair(workspace: Workspace, name: str | None, log: Log, dry_run: bool = False) -> tuple[str, list[Change]]:
    """Heal the cache, the default remote if the version is in it, and the workspace if it stands at the version.

    Args:
        name: NAME, or DATASET@NAME; the last version by default.
        log: of a rebuild.
        dry_run: change nothing, and make no rebuild.

    Returns:
        the version's tag, and what was wrong.

    Raises:
        ShardsmithError: there is no such version, a build is at work, or a store cannot be read or written.
    """
    prepare_environment()
    version = choose_version(workspace, name)
    with ExitStack() as stack:
        if not dry_run:
            stack.enter_context(workspace.lock(log))
        stores = stack.enter_context(open_stores(workspace))
        stores.scratch.mkdir(parents=True, exist_ok=True)
        scratch = stack.enter_context(tempfile.TemporaryDirectory(prefix="shardsmith-", dir=stores.scratch))
        recorded = read_recorded(workspace, version.tag)
        mending = Mending(workspace, stores, recorded, Path(scratch), dry_run)
        lost = [path for path in mending.folders if mending.mend(path)]
        if lost and RAW not in lost:
            _mend_by_rebuild(mending, workspace, version, lost, log)
        if is_current(workspace, version):
            mending.mend_workspace()
        mending.mend_record()
    return version.tag, mending.changes


def _mend_by_rebuild(mending: Mending, workspace: Workspace, version: Version, lost: Sequence[str], log: Log) -> None:
    if mending.dry_run:
        mending.changes = [change if change.did else replace(change, did="by a rebuild") for change in mending.changes]
        return
    log(f"{', '.join(lost)}: no good copy of all of it, so it is made again from the raw data")
    try:
        with rebuilt(workspace, version, log) as root:
            for path in lost:
                files = {file: seen.md5 for file, seen in hash_folder(root / path, f"reading {path}").items()}
                mending.mend(path, [Files("a rebuild", root / path, mending.folders[path], files)])
    except ShardsmithError as error:
        log(f"it cannot be made again: {error}")


class Mending:
    """A version at work: `changes` is what was wrong so far. `folders`: path -> the object with the list of its files,
    what the version needs first, then what its stages hand on, which a clone's `dvc pull` asks for, too.
    """

    def __init__(self, workspace: Workspace, stores: Stores, recorded: Recorded, scratch: Path, dry_run: bool) -> None:
        self._workspace, self._stores, self._recorded = workspace, stores, recorded
        self._scratch, self.dry_run = scratch, dry_run
        self._needed = needed_folders(recorded.lock) | {RAW: recorded.raw}
        self.folders = self._needed | recorded.folders(recorded.lock)
        self._record = stores.remote.read_file(place(recorded.tag)) if stores.remote else None
        self._listed = self._list_of_record()
        self._digest = parse_message(recorded.message).get("manifest")
        was_published = self._digest or self._record is not None or is_published(workspace, recorded.tag)
        self._remote = stores.remote if was_published else None
        self._kept: set[str] = set()  # all that the version needs, damaged or not
        self.changes: list[Change] = []

    def mend(self, path: str, more: Sequence[Source] = ()) -> bool:
        """Heal a folder in the cache and the remote; whether something of it has no good copy."""
        self.changes = [change for change in self.changes if change.did or not change.is_of(path)]
        listing, stores = self.folders[path], self._stores
        own = Files(f"{path} here", self._workspace.root / path, listing, {})
        lists = [Lists("the release record", self._listed)] if path == EXPORT else []
        remotes = stores.remotes
        files = self._list(listing, [stores.cache, *remotes, own, *lists, *more])
        own = Files(own.name, self._workspace.root / path, listing, files or {})
        places = {md5: f"{path}/{file}" for file, md5 in (files or {}).items()} | {listing: path}
        copies: list[Source] = [stores.cache, own, *remotes, *lists, *more]
        known, is_lost, is_needed = len(self.changes), False, path in self._needed
        if self._remote:
            is_lost = self._mend_store(self._remote, path, places, copies)
        self._kept |= places.keys() if is_needed else set()
        is_elsewhere = not is_needed or (self._remote is not None and len(self.changes) == known)
        return self._mend_store(stores.cache, path, places, copies, is_elsewhere) or is_lost

    def _mend_store(
        self, target: Store, path: str, places: Mapping[str, str], copies: Sequence[Source], may_lack_all: bool = False
    ) -> bool:
        """Whether something that the version needs has no good copy."""
        sources = [source for source in copies if source is not target]
        seen = target.read_many(places)
        bad = {md5 for md5, one in seen.items() if one.md5 != md5}
        damaged = {md5 for md5 in bad if not seen[md5].missing}
        is_needed = path in self._needed
        if may_lack_all and bad == seen.keys() and not damaged:
            return False  # the remote has it all, or the next build makes it
        came = find(bad, sources) if self.dry_run else bring(target, bad, sources, self._scratch)
        for md5 in sorted(bad if is_needed else damaged | came.keys(), key=places.__getitem__):
            did = f"from {came[md5]}" if md5 in came else "" if is_needed else _AGAIN
            if did == _AGAIN and md5 not in self._kept and not self.dry_run:
                target.remove(md5)
            self.changes.append(Change(places[md5], target.name, "damaged" if md5 in damaged else "missing", did))
        return is_needed and came.keys() != bad

    def mend_workspace(self) -> None:
        """The files that a build wrote: those of the folders, the label map and the counts."""
        root, lock = self._workspace.root, self._workspace.lock_file()
        if content(lock) != content(self._recorded.lock):
            return  # rebuilt since, and not recorded
        for path in (path for path in self.folders if path != RAW and (root / path).is_dir()):
            files = self._list(self.folders[path], [self._stores.cache, *([self._remote] if self._remote else [])])
            seen = hash_folder(root / path, f"reading {path}")
            for file, md5 in (files or {}).items():
                if file not in seen or seen[file].md5 != md5:
                    self._mend_file(path, file, md5, "damaged" if file in seen else "missing")
        for file in (LABEL_MAP, METRICS):
            data = self._recorded.files.get(file)
            if data is not None and (root / file).exists() and (root / file).read_bytes() != data:
                self.changes.append(Change(file, "the workspace", "edited", "from git"))
                if not self.dry_run:
                    (root / file).write_bytes(data)

    def _mend_file(self, path: str, file: str, md5: str, was: str) -> None:
        target, part = self._workspace.root / path / file, self._scratch / md5
        if not target.parent.resolve().is_relative_to((self._workspace.root / path).resolve()):
            return  # its path leaves the folder
        sources = [self._stores.cache, *([self._stores.remote] if self._stores.remote else [])]
        source = next((source for source in sources if source.read(md5, part).md5 == md5), None)
        if source is None and (was == "missing" or path in self._needed):
            return  # a stage writes it again; or it is lost, as said of the stores
        self.changes.append(Change(f"{path}/{file}", "the workspace", was, f"from {source.name}" if source else _AGAIN))
        if self.dry_run:
            return
        target.unlink(missing_ok=True)
        if source:
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.move(part, target)

    def mend_record(self) -> None:
        """The release record beside the data in the remote."""
        tag, there = self._recorded.tag, self._record
        if not self._remote or (there is not None and self._is_record(there)):
            return
        was = "missing" if there is None else "damaged"
        try:
            commit = self._workspace.git("rev-parse", f"{tag}^{{commit}}").strip()
            made = manifest_of(self._workspace, self._stores, tag, commit)
        except ShardsmithError:
            made = b""  # its data is not whole
        did = "made again of what git and the data say" if self._is_record(made) else ""
        self.changes.append(Change(place(tag), self._remote.name, was, did))
        if did and not self.dry_run:
            self._remote.write_file(place(tag), made)

    def _is_record(self, data: bytes) -> bool:
        if self._digest:
            return hashlib.sha256(data).hexdigest() == self._digest
        try:
            return bool(parse_release(data, self._recorded.tag, ""))
        except ShardsmithError:
            return False

    def _list(self, md5: str, sources: Sequence[Source]) -> dict[str, str] | None:
        part = self._scratch / md5
        for source in sources:
            if source.read(md5, part).md5 == md5:
                return {entry["relpath"]: entry["md5"] for entry in json.loads(part.read_bytes())}
        return None

    def _list_of_record(self) -> dict[str, str]:
        """
        Raises:
            WithdrawnError: the version was withdrawn from another clone.
        """
        try:
            files = parse_release(self._record or b"", self._recorded.tag, place(self._recorded.tag))["files"]
        except WithdrawnError:
            raise
        except ShardsmithError:
            return {}
        return {path: entry["md5"] for path, entry in files.items()}
