"""Pull a version by name: what data/export held, checked against the recorded hash, and a VERSION.json."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from flows.repository import Log, Workspace
from flows.versions import EXPORT, Version, content, find_version
from stages.dataset.errors import VersionError

_RECORD = "VERSION.json"


def pull(name: str, out: Path, repo: str | None, force: bool, log: Log) -> dict[str, Any]:
    """Bring a version into `out`; returns what VERSION.json says.

    All is done in a folder beside `out` and moved into place once every file is checked. A folder that already holds
    this very version is left as it is.

    Args:
        repo: a path or URL of a workspace's repository; None for the workspace we stand in.
        force: replace a folder that holds something else.

    Raises:
        VersionError: no such version, its data cannot be had, a hash differs, or `out` holds something else.
    """
    out = out.absolute()
    with _opened(repo) as workspace:
        version = find_version(workspace, name)
        expected = content(workspace.lock_file(version.tag))[EXPORT]
        if out.exists() and any(out.iterdir() if out.is_dir() else [out]):
            record = _record_of(out)
            if record.get("commit") == version.commit and tree_hash(hash_files(out)) == expected:
                log(f"{out} already holds {version.tag}")
                return record
            if not force:
                raise VersionError(f"{out}: holds something else than {version.tag}; choose another folder, or --force")
        out.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{out.name}.", dir=out.parent) as folder:
            part = Path(folder) / "version"
            source = repo if repo and not Path(repo).exists() else str(workspace.root)
            workspace.dvc("get", source, EXPORT, "--rev", version.tag, "--out", str(part), "--force", log=log)
            record = _checked(part, version, expected)
            if out.is_dir() and not out.is_symlink():
                shutil.rmtree(out)
            elif out.exists():
                out.unlink()
            part.rename(out)
    return record


@contextmanager
def _opened(repo: str | None) -> Iterator[Workspace]:
    """The repository to pull from: ours, one at a path, or a temporary clone of one at a URL."""
    if repo is None:
        yield Workspace.find()
    elif Path(repo).is_dir():
        yield Workspace(Path(repo).resolve())
    else:
        with tempfile.TemporaryDirectory(prefix="shardsmith-") as folder:
            command = ["git", "clone", "--quiet", "--no-checkout", "--", repo, folder]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode:
                raise VersionError(f"--repo {repo}: {done.stderr.strip()}; give a folder or URL that git can clone")
            yield Workspace(Path(folder))


@contextmanager
def pull_file(workspace: Workspace, name: str, file: str, log: Log) -> Iterator[Path]:
    """One file of a version's export, in a temporary folder.

    Raises:
        VersionError: no such version, or it has no such file that could be had.
    """
    version = find_version(workspace, name)
    with tempfile.TemporaryDirectory(prefix="shardsmith-") as folder:
        path = Path(folder) / file
        source = f"{EXPORT}/{file}"
        workspace.dvc("get", str(workspace.root), source, "--rev", version.tag, "--out", str(path), log=log)
        if not path.exists():
            raise VersionError(f"{version.tag}: {source} did not come; was it built before this file was recorded?")
        yield path


def _checked(folder: Path, version: Version, expected: str) -> dict[str, Any]:
    """Hash every file, compare the whole with what dvc.lock recorded, and write VERSION.json."""
    files = hash_files(folder)
    if tree_hash(files) != expected:
        raise VersionError(
            f"{version.tag}: what came is not what was recorded ({tree_hash(files)}, recorded {expected}): "
            "the cache or remote is damaged; run `dvc push` again where the version was built"
        )
    record = {**asdict(version), "tag": version.tag, "hashes": {EXPORT: expected}, "files": files}
    (folder / _RECORD).write_text(json.dumps(record, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    return record


def hash_files(folder: Path) -> dict[str, str]:
    """Path below the folder -> MD5, which is the hash that DVC records; without VERSION.json."""
    hashes = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path != folder / _RECORD:
            with path.open("rb") as file:
                hashes[path.relative_to(folder).as_posix()] = hashlib.file_digest(file, "md5").hexdigest()
    return hashes


def tree_hash(files: dict[str, str]) -> str:
    """The hash that DVC gives a folder of these files (dvc_data.hashfile.tree.Tree.digest)."""
    listing = [{"md5": files[path], "relpath": path} for path in sorted(files)]
    return hashlib.md5(json.dumps(listing, sort_keys=True).encode(), usedforsecurity=False).hexdigest() + ".dir"


def _record_of(folder: Path) -> dict[str, Any]:
    try:
        return json.loads((folder / _RECORD).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
