"""The clone that scheduled builds work in, `.builds/`: nobody's checkout, with the DVC cache of its workspace.

Each build starts from the branch that the workspace is on. Where versions are published, that is the branch of the git
remote, and the version goes there. Elsewhere it is the workspace's own, joined with its branch `builds`, on which the
versions are kept until somebody merges it.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from shardsmith.dataset.errors import VersionError
from shardsmith.dataset.yaml import load_yaml
from shardsmith.workspace.git import git_remote, subfolder, top_folder
from shardsmith.workspace.log import Log
from shardsmith.workspace.paths import BUILDS, CODE, LOCK, METRICS, PLOTS, POINTER, RAW
from shardsmith.workspace.retry import retried
from shardsmith.workspace.workspace import Workspace

BRANCH = "builds"
_PATHS = ("url", "configpath", "credentialpath", "keyfile", "cert_path", "key_path")  # of a DVC remote
_MADE_ANEW = (LOCK, CODE, METRICS, f"{PLOTS}/", POINTER)  # by every build: which side a merge takes is the same


def refresh(workspace: Workspace, log: Log) -> Workspace:
    """Bring the clone to where a build starts: newest commit, newest raw data. To do it again does no harm.

    Raises:
        VersionError: git or dvc refuses, or the source of the raw data cannot be had.
    """
    top = workspace.root / BUILDS
    clone = Workspace(top / subfolder(workspace.root))
    branch = workspace.git("branch", "--show-current").strip()
    if not branch:
        raise VersionError(f"{workspace.root}: HEAD is on no branch; run `git switch BRANCH`: builds follow a branch")
    remote = git_remote(workspace.root, branch) if workspace.has_remote() else None
    address = _address(workspace, remote) if remote else str(top_folder(workspace.root))
    if not (top / ".git").exists():
        log(f"making {BUILDS}, the clone that builds are made in")
        shutil.rmtree(top, ignore_errors=True)
        workspace.git("clone", "--quiet", "--no-checkout", str(top_folder(workspace.root)), str(top))
    with clone.lock(log):
        _end_merge(clone)
        clone.git("remote", "set-url", "origin", address)
        _fetch(clone, log)
        _start_from(clone, branch, remote is not None)
        _share_dvc(workspace, clone)
        if remote and not clone.has_remote():
            raise VersionError(f".dvc/config: its DVC remote is not on {remote}/{branch} yet; commit and push it")
        _refresh_raw(workspace, clone, log)
    log(f"building {clone.git('log', '-1', '--format=%h %s').strip()} of {branch}")
    return clone


def hand_over(clone: Workspace, tag: str) -> None:
    """Give a version that no git remote got to the workspace's repository, on the branch `builds`: its checkout stays.

    Raises:
        VersionError: git refuses.
    """
    if clone.git("branch", "--show-current").strip() == BRANCH:
        clone.git("push", "--quiet", "--atomic", "origin", f"HEAD:refs/heads/{BRANCH}", f"refs/tags/{tag}")


def _fetch(clone: Workspace, log: Log) -> None:
    """Commits and tags as origin has them: a tag that a killed build did not get there is as if it never was."""
    fetch = ("fetch", "--quiet", "--force", "--prune", "--prune-tags", "origin")
    retried(lambda: clone.git(*fetch), "fetching from git", log)


def _start_from(clone: Workspace, branch: str, is_shared: bool) -> None:
    """Check the newest commit out; what a killed build left there goes."""
    tip = f"refs/remotes/origin/{branch}"
    if not clone.git_ok("rev-parse", "-q", "--verify", tip):
        raise VersionError(f"{branch}: the git remote has no such branch; run `git push -u origin {branch}`")
    if is_shared:
        clone.git("checkout", "--quiet", "--force", "-B", branch, tip)
        return
    kept = f"refs/remotes/origin/{BRANCH}"
    has_kept = clone.git_ok("rev-parse", "-q", "--verify", kept)
    clone.git("checkout", "--quiet", "--force", "-B", BRANCH, kept if has_kept else tip)
    try:
        clone.git("merge", "--quiet", "--no-edit", tip)
    except VersionError:
        unmerged = clone.git("diff", "--name-only", "--diff-filter=U").splitlines()
        prefix = clone.git("rev-parse", "--show-prefix").strip()
        made_anew = tuple(f"{prefix}{file}" for file in _MADE_ANEW)
        if settle := [file for file in unmerged if not file.startswith(made_anew)]:
            _end_merge(clone)
            raise VersionError(
                f"{', '.join(settle)}: {branch}, and {BRANCH} with the versions made apart, changed the same lines; "
                f"run `git merge {BRANCH}` in the workspace, settle them there, and start again"
            ) from None
        files = [f":/{file}" for file in unmerged]
        clone.git("checkout", "--theirs", "--", *files)
        clone.git("add", "--", *files)
        clone.git("commit", "--quiet", "--no-edit")


def _end_merge(clone: Workspace) -> None:
    if clone.git_ok("rev-parse", "-q", "--verify", "MERGE_HEAD"):
        clone.git("merge", "--abort")


def _address(workspace: Workspace, remote: str) -> str:
    """Of a git remote, from anywhere on this machine: a path is relative to the workspace's repository."""
    address = workspace.git("remote", "get-url", remote).strip()
    is_path = ":" not in address.partition("/")[0]  # as git tells a path from HOST:PATH and from a URL
    return os.path.normpath(top_folder(workspace.root) / address) if is_path else address


def _share_dvc(workspace: Workspace, clone: Workspace) -> None:
    """The workspace's own settings of DVC, its remotes with their credentials among them, and its cache.

    Paths in them, and that of a remote in the clone's commit, are relative to the workspace's `.dvc`.
    """
    from configobj import ConfigObj  # which DVC reads them with

    here, there = workspace.root / ".dvc", clone.root / ".dvc"
    committed = ConfigObj(str(there / "config"), interpolation=False, encoding="utf-8")
    local = ConfigObj(str(here / "config.local"), interpolation=False, encoding="utf-8")
    for name in (name for name in {*committed, *local} if name.startswith("remote")):
        paths = {key: value for key, value in local.get(name, {}).items() if key in _PATHS}
        if "url" in committed.get(name, {}):  # and no other: git brings it, whoever wrote it
            paths = {"url": committed[name]["url"]} | paths
        for key, path in paths.items():
            if "://" not in path and not Path(path).expanduser().is_absolute():
                local.setdefault(name, {})[key] = os.path.normpath(here / path)
    local.setdefault("cache", {})["dir"] = str(workspace.cache_folder().absolute())
    local.filename = str(there / "config.local")
    (there / "config.local").unlink(missing_ok=True)
    (there / "config.local").touch(mode=0o600)  # it may hold secrets
    local.write()


def _refresh_raw(workspace: Workspace, clone: Workspace, log: Log) -> None:
    """Newest raw data: its source's where it was imported, else what lies in the workspace, else what is recorded."""
    pointer, here = clone.root / POINTER, workspace.root / RAW
    if pointer.exists() and _is_imported(pointer):
        log(f"{RAW}: looking for changes at its source")
        retried(lambda: clone.dvc("update", POINTER, log=log), "dvc update", log)
        clone.dvc("checkout", "--force", POINTER)
    elif here.is_dir() and any(here.iterdir()):
        mirror(here, clone.root / RAW)
    elif pointer.exists():
        retried(lambda: clone.dvc("pull", "--force", POINTER, log=log), "dvc pull", log)


def _is_imported(pointer: Path) -> bool:
    """Whether `dvc update` can refresh it: `dvc import-url` made it."""
    return "deps" in (load_yaml(pointer.read_text(encoding="utf-8")) or {})


def mirror(source: Path, target: Path) -> None:
    """Make `target` hold the files of `source`; one of the same size and time is not copied again."""
    wanted = {path.relative_to(source): path for path in source.rglob("*") if path.is_file()}
    there = {path.relative_to(target): path for path in target.rglob("*") if not path.is_dir() or path.is_symlink()}
    for name in there.keys() - wanted.keys():
        there[name].unlink()
    for name, path in wanted.items():
        copy, seen = target / name, path.stat()
        if name in there and (seen.st_size, seen.st_mtime_ns) == (copy.stat().st_size, copy.stat().st_mtime_ns):
            continue
        copy.parent.mkdir(parents=True, exist_ok=True)
        part = copy.with_name(f".{copy.name}.part")
        shutil.copy2(path, part)
        part.replace(copy)
