"""Pull a version by name: what data/export held, each file checked against its recorded hash, and a VERSION.json.

From a workspace's repository, here or at an address; or from the DVC remote alone, by the manifest that publish.py puts
beside the data. Either way objects are read as they lie there, several at once, and hashed as they come.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

from flows.alone import read_remote
from flows.repository import Log, Workspace
from flows.stored import Seen, hash_file, open_stores, run_parallel
from flows.versions import EXPORT, Version, content, find_version
from stages.dataset.errors import VersionError

_RECORD = "VERSION.json"
_JOBS = 8
_PATIENCE_S = (0.5, 2, 8)  # before the second, third and fourth try


@dataclass(frozen=True)
class Source:
    """A version to be had: what VERSION.json will say of it, its files (path -> MD5), and what fetches an object."""

    record: dict[str, Any]
    files: Mapping[str, str]
    fetch: Callable[[str, Path], Seen]

    @property
    def tag(self) -> str:
        return self.record["tag"]


def pull(
    name: str, out: Path, log: Log, repo: str | None = None, remote: str | None = None, force: bool = False
) -> dict[str, Any]:
    """Bring a version into `out`; returns what VERSION.json says.

    Files arrive in a folder beside `out`, which is moved into place once every one is checked; what is there from an
    interrupted pull is not fetched again. A folder that already holds this very version is left as it is.

    Args:
        repo: a path or URL of a workspace's repository; None for the workspace we stand in.
        remote: the address of a DVC remote to pull from alone, for example s3://bucket/path.
        force: replace a folder that holds something else.

    Raises:
        VersionError: no such version, its data cannot be had, a hash differs, or `out` holds something else.
    """
    out = out.absolute()
    with _remote(name, remote) if remote else _repository(name, repo) as source:
        if out.exists() and any(out.iterdir() if out.is_dir() else [out]):
            record = _record_of(out)
            if record.get("commit") == source.record["commit"] and hash_files(out) == source.files:
                log(f"{out} already holds {source.tag}")
                return record
            if not force:
                raise VersionError(f"{out}: holds something else than {source.tag}; choose another folder, or --force")
        part = out.with_name(f".{out.name}.part")
        _bring(source, part)
        record = {**source.record, "files": dict(sorted(source.files.items()))}
        (part / _RECORD).write_text(json.dumps(record, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        if out.is_dir() and not out.is_symlink():
            shutil.rmtree(out)
        elif out.exists():
            out.unlink()
        part.rename(out)
    return record


@contextmanager
def _repository(name: str, repo: str | None) -> Iterator[Source]:
    with _opened(repo) as workspace, open_stores(workspace) as stores:
        version = find_version(workspace, name)
        expected = content(workspace.lock_file(version.tag))[EXPORT]
        files = stores.listing(expected)
        if files is None:
            raise VersionError(
                f"{version.tag}: the list of its files is neither in the cache nor in the remote as it was recorded; "
                "`shardsmith verify --remote` where the version was built says how to repair it"
            )
        yield Source(_about(version, expected), files, stores.fetch)


@contextmanager
def _remote(name: str, address: str) -> Iterator[Source]:
    manifest, fetch = read_remote(name, address)
    files = {path: entry["md5"] for path, entry in manifest["files"].items()}
    expected = manifest["hashes"][EXPORT]
    if tree_hash(files) != expected:
        raise VersionError(f"{manifest['version']}: its manifest in {address} contradicts itself; publish it again")
    keys = ("dataset", "name", "commit", "created")
    yield Source(
        {"tag": manifest["version"], **{key: manifest[key] for key in keys}, "hashes": {EXPORT: expected}},
        files,
        fetch,
    )


def _about(version: Version, expected: str) -> dict[str, Any]:
    return {**asdict(version), "tag": version.tag, "hashes": {EXPORT: expected}}


def _bring(source: Source, part: Path) -> None:
    """
    Raises:
        VersionError: a file cannot be had as it was recorded.
    """
    part.mkdir(parents=True, exist_ok=True)
    for left in part.rglob("*"):
        if left.is_file() and left.relative_to(part).as_posix() not in source.files:
            left.unlink()
    work = partial(_have, source, part)
    seen = run_parallel(work, sorted(source.files), _JOBS, f"pulling {source.tag}", "file")
    bad = [(path, found) for path, found in zip(sorted(source.files), seen, strict=True) if found]
    if bad:
        path, why = bad[0]
        more = f", and {len(bad) - 1} more files" if len(bad) > 1 else ""
        raise VersionError(
            f"{source.tag}: {path}: {why}{more}; `shardsmith verify --remote` where the version was built says how to "
            "repair it; pull again then, what has come is kept"
        )


def _have(source: Source, part: Path, file: str) -> str:
    """Why a file is not there as it was recorded, or "". A source that fails is asked again."""
    target, md5 = part / file, source.files[file]
    if not target.resolve().is_relative_to(part.resolve()):
        return "its path leaves the folder"
    if target.is_file() and hash_file(target).md5 == md5:
        return ""
    coming = target.with_name(f"{target.name}.coming")
    for patience_s in (*_PATIENCE_S, 0):
        seen = source.fetch(md5, coming)
        if seen.md5 == md5:
            coming.replace(target)
            return ""
        coming.unlink(missing_ok=True)
        if seen.missing or not patience_s:
            break
        time.sleep(patience_s)
    if seen.problem:
        return seen.problem
    return "it is not there" if seen.missing else f"what came is not what was recorded ({seen.md5}, recorded {md5})"


@contextmanager
def _opened(repo: str | None) -> Iterator[Workspace]:
    """The repository to pull from: ours, one at a path, or a temporary clone of one at a URL."""
    if repo is None:
        yield Workspace.find()
    elif Path(repo).is_dir():
        yield Workspace(Path(repo).resolve())
    else:
        with tempfile.TemporaryDirectory(prefix="shardsmith-") as folder:
            command = ["git", "clone", "--quiet", "--", repo, folder]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode:
                raise VersionError(f"--repo {repo}: {done.stderr.strip()}; give a folder or URL that git can clone")
            yield Workspace(Path(folder))


def hash_files(folder: Path) -> dict[str, str]:
    """Path below the folder -> MD5, which is the hash that DVC records; without VERSION.json."""
    hashes = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path != folder / _RECORD:
            with path.open("rb") as file:
                hashes[path.relative_to(folder).as_posix()] = hashlib.file_digest(file, "md5").hexdigest()
    return hashes


def tree_hash(files: Mapping[str, str]) -> str:
    """The hash that DVC gives a folder of these files (dvc_data.hashfile.tree.Tree.digest)."""
    listing = [{"md5": files[path], "relpath": path} for path in sorted(files)]
    return hashlib.md5(json.dumps(listing, sort_keys=True).encode(), usedforsecurity=False).hexdigest() + ".dir"


def _record_of(out: Path) -> dict[str, Any]:
    try:
        return json.loads((out / _RECORD).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
