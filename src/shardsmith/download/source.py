"""Where a version's files can be had: a workspace's repository, here or at an address, or the DVC remote alone.

The remote alone is read by the manifest that publish.py puts beside the data. Either way objects are read as they lie
there, several at once, and hashed as they come.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

from shardsmith.dataset.errors import VersionError
from shardsmith.store.objects import Seen, hash_file, run_parallel
from shardsmith.store.release import read_release
from shardsmith.store.store import Store
from shardsmith.store.stores import open_stores
from shardsmith.versions.lineage import check_unmoved
from shardsmith.versions.page import page_of
from shardsmith.versions.version import find_version
from shardsmith.workspace.git import opened
from shardsmith.workspace.lock_file import content
from shardsmith.workspace.paths import EXPORT, LABEL_MAP
from shardsmith.workspace.workspace import Workspace

_JOBS = 8


@dataclass(frozen=True)
class VersionSource:
    """A version that can be pulled.

    record: what VERSION.json says of it.
    files: of its export, path -> MD5.
    fetch: writes the object of an MD5 into a file.
    committed: when its commit was made: from a repository as from the remote alone.
    page: the MD5 of its page; None where there is none.
    label_map: the text of its label map; None where nobody but its TFRecord has it.
    """

    record: dict[str, Any]
    files: Mapping[str, str]
    fetch: Callable[[str, Path], Seen]
    committed: str
    page: str | None
    label_map: str | None

    @property
    def tag(self) -> str:
        return self.record["tag"]


def open_source(name: str, repo: str | None, remote: str | None) -> AbstractContextManager[VersionSource]:
    """
    Args:
        name: NAME, or DATASET@NAME.
        repo: a path or URL of a workspace's repository.
        remote: the address of a DVC remote to read alone, for example s3://bucket/path.

    Raises:
        VersionError: no such version, its tag was moved, or the list of its files cannot be had.
    """
    if remote:
        return _remote(name, remote)
    if repo is None:
        raise VersionError(f"{name}: pull from where? Name a repository or a remote")
    return _repository(name, repo)


@contextmanager
def _repository(name: str, repo: str) -> Iterator[VersionSource]:
    dataset = name.partition("@")[0] if "@" in name else ""
    with (
        opened(repo, "--repo", dataset=dataset) as root,
        open_stores(workspace := Workspace(root), is_clone=root != Path(repo).resolve()) as stores,
    ):
        version = find_version(workspace, name)
        check_unmoved(workspace, version.tag)
        expected = content(workspace.lock_file(version.tag))[EXPORT]
        files = stores.listing(expected)
        if files is None:
            raise VersionError(
                f"{version.tag}: the list of its files is neither in the cache nor in the remote as it was recorded; "
                f"`shardsmith repair {version.name}` where the version was built brings it back"
            )
        record = {**asdict(version), "tag": version.tag, "hashes": {EXPORT: expected}}
        committed = workspace.git("show", "-s", "--format=%cI", version.commit).strip()
        page, label_map = page_of(workspace, stores, version.tag), workspace.file_at(version.tag, LABEL_MAP)
        yield VersionSource(record, files, stores.fetch, committed, page, label_map)


@contextmanager
def _remote(name: str, address: str) -> Iterator[VersionSource]:
    store = Store.bare(address)
    manifest = read_release(store, name)
    record = {"tag": manifest["version"], **{key: manifest[key] for key in ("dataset", "name", "commit", "created")}}
    record["hashes"] = {EXPORT: manifest["hashes"][EXPORT]}
    files = {path: entry["md5"] for path, entry in manifest["files"].items()}
    page = (manifest.get("page") or {}).get("md5")
    yield VersionSource(record, files, store.fetch, manifest["created"], page, manifest.get("label_map"))


def bring(source: VersionSource, files: Mapping[str, str], folder: Path) -> None:
    """Fetch files (path below the folder -> MD5); what is there already stays, any other file goes.

    Raises:
        VersionError: a file cannot be had as it was recorded; what has come is kept.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for left in sorted(folder.rglob("*"), reverse=True):
        if left.is_dir() and not any(left.iterdir()):
            left.rmdir()
        elif left.is_file() and left.relative_to(folder).as_posix() not in files:
            left.unlink()
    add(source, files, folder)


def add(source: VersionSource, files: Mapping[str, str], folder: Path) -> None:
    """As `bring`, and everything else in the folder stays.

    Raises:
        VersionError: a file cannot be had as it was recorded; what has come is kept.
    """
    work = partial(_have, source, files, folder)
    seen = run_parallel(work, sorted(files), _JOBS, f"pulling {source.tag}", "file")
    bad = [(path, found) for path, found in zip(sorted(files), seen, strict=True) if found]
    if bad:
        path, why = bad[0]
        more = f", and {len(bad) - 1} more files" if len(bad) > 1 else ""
        raise VersionError(
            f"{source.tag}: {path}: {why}{more}; `shardsmith repair` where the version was built brings it back; pull "
            "again then, what has come is kept"
        )


def _have(source: VersionSource, files: Mapping[str, str], folder: Path, file: str) -> str:
    """Why a file is not there as it was recorded, or ""."""
    target, md5 = folder / file, files[file]
    if not target.resolve().is_relative_to(folder.resolve()):
        return "its path leaves the folder"
    if target.is_file() and hash_file(target).md5 == md5:
        return ""
    coming = target.with_name(f"{target.name}.coming")
    seen = source.fetch(md5, coming)
    if seen.md5 == md5:
        coming.replace(target)
        return ""
    coming.unlink(missing_ok=True)
    if seen.problem:
        return seen.problem
    if seen.missing:
        return "it is not there (deleted, as `dvc gc` does once a tag is gone, or never pushed)"
    return f"what came is not what was recorded ({seen.md5}, recorded {md5})"
