"""Publish a version, once its data is in the DVC remote: its name to the git remote, last its manifest.

The manifest, `versions/DATASET@NAME.json` beside the data, says what a version holds: whoever can read the remote pulls
by name, without git or DVC. Its SHA-256 stands in the tag's message. It is made of what the version's commit says, so
that a run after a killed one publishes the same bytes.
"""

from __future__ import annotations

import ctypes
import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

from shardsmith.dataset.errors import VersionError, WithdrawnError
from shardsmith.store.release import format_release, parse_release, place
from shardsmith.store.stores import Stores, open_stores
from shardsmith.versions.lineage import parse_message, tag_message
from shardsmith.versions.page import page_of
from shardsmith.versions.push import sizes_here
from shardsmith.workspace.git import git_remote
from shardsmith.workspace.lock_file import content
from shardsmith.workspace.log import Log
from shardsmith.workspace.paths import EXPORT, LABEL_MAP, PUBLISHED
from shardsmith.workspace.retry import retried
from shardsmith.workspace.workspace import Workspace


@dataclass(frozen=True)
class Publishing:
    """
    push: whether a version leaves this machine, where a DVC remote is configured.
    verify_remote: read every pushed object back and hash it; else what the store says of its hash is enough.
    allow_label_change: record a label map that breaks readers of the version before.
    check_all: hash all that the version needs, not what is new alone.
    """

    push: bool = True
    verify_remote: bool = False
    allow_label_change: bool = False
    check_all: bool = False


def manifest_of(workspace: Workspace, stores: Stores, tag: str, commit: str) -> bytes:
    """The manifest of what a commit holds, as it is published; JSON.

    Raises:
        VersionError: the export's listing is neither here nor in the remote.
    """
    hashes = content(workspace.lock_file(commit))
    listing = stores.listing(hashes[EXPORT])
    if listing is None:
        raise VersionError(f"{tag}: the listing of {EXPORT} is neither in the cache nor in the remote; build again")
    page = page_of(workspace, stores, commit)
    objects = {*listing.values(), *([page] if page else [])}
    sizes = sizes_here(stores, objects)
    if missing := objects - sizes.keys():
        remote = stores.remote.sizes(missing) if stores.remote else {}
        sizes |= {md5: size for md5, size in remote.items() if size is not None}
    dataset, _, name = tag.partition("@")
    manifest = {
        "version": tag,
        "dataset": dataset,
        "name": name,
        "commit": commit,
        "created": workspace.git("show", "-s", "--format=%cI", commit).strip(),
        "hashes": hashes,
        "label_map": workspace.file_at(commit, LABEL_MAP),
        "files": {path: {"md5": md5, "size": sizes[md5]} for path, md5 in sorted(listing.items())},
        "page": {"md5": page, "size": sizes.get(page)} if page else None,
    }
    return format_release(manifest, parse_message(tag_message(workspace, tag)).get("manifest"))


def manifest_digest(workspace: Workspace, tag: str, commit: str) -> str:
    """The SHA-256 of the manifest that a version is published with: one that is there for the same content stays."""
    with open_stores(workspace) as stores:
        there = _published(stores, tag, content(workspace.lock_file(commit)))
        return hashlib.sha256(there or manifest_of(workspace, stores, tag, commit)).hexdigest()


def check_name_is_free(workspace: Workspace, tag: str, revision: str | None = None) -> None:
    """
    Args:
        revision: whose content is to have the name; what stands in the workspace by default.

    Raises:
        VersionError: the remote has a version of this name with other content, from another clone.
    """
    with open_stores(workspace) as stores:
        _published(stores, tag, content(workspace.lock_file(revision)))


def publish_name(workspace: Workspace, tag: str, log: Log, is_new: bool = True) -> None:
    """What comes after the tag: the push to the git remote, and last the manifest. To do it again changes nothing.

    Args:
        is_new: see `push_name`.

    Raises:
        VersionError: the git remote refuses the tag, or the DVC remote has other content under this name.
    """
    done = _mark(workspace, tag)
    push_name(workspace, tag, log, is_new)
    with open_stores(workspace) as stores:
        assert stores.remote
        there = _published(stores, tag, content(workspace.lock_file(tag)))
        if there is None or hashlib.sha256(there).hexdigest() not in workspace.git("cat-file", "-p", tag):
            commit = workspace.git("rev-parse", f"{tag}^{{commit}}").strip()
            stores.remote.write_file(place(tag), manifest_of(workspace, stores, tag, commit))
    done.parent.mkdir(parents=True, exist_ok=True)
    done.touch()


def _published(stores: Stores, tag: str, hashes: dict[str, str]) -> bytes | None:
    """The manifest that the remote has of this very content; None where it has none that can be read.

    Raises:
        VersionError: it is of other content.
    """
    there = stores.remote.read_file(place(tag)) if stores.remote else None
    try:
        manifest = parse_release(there, tag, place(tag)) if there is not None else None
    except WithdrawnError as error:
        raise WithdrawnError(f"{error}; the name is not used again: choose another") from None
    except VersionError:
        manifest = None  # cut short, or damaged: nobody can pull by it
    if manifest is None:
        return None
    if manifest.get("hashes") != hashes:
        raise VersionError(
            f"{tag}: the remote has a version of this name with other content, from another clone; run "
            "`git fetch --tags`, or choose another name"
        )
    return there


def is_published(workspace: Workspace, tag: str) -> bool:
    """Whether publish_name came to its end here, with the remote of today."""
    return _mark(workspace, tag).exists()


def _mark(workspace: Workspace, tag: str) -> Path:
    remote = hashlib.sha256(workspace.remote_address().encode()).hexdigest()[:8]
    return workspace.root / PUBLISHED / remote / tag


def push_name(workspace: Workspace, tag: str, log: Log, is_new: bool = True) -> None:
    """Push the branch and the tag to the git remote, both or neither; nothing where there is no git remote.

    Args:
        is_new: whether the tag was made just now; an older one is pushed alone, and never taken back.

    Raises:
        VersionError: the push is refused: the tag is taken back, the commit stays. Or there is no answer: whether the
            remote has the tag is not known then, so it stays, and the next build publishes it.
    """
    branch = workspace.git("branch", "--show-current").strip()
    remote = git_remote(workspace.root, branch)
    if remote is None:
        log("no git remote is configured: the name stays in this repository")
        return
    refs = [f"HEAD:refs/heads/{branch}"] * (bool(branch) and is_new) + [f"refs/tags/{tag}"]
    try:
        retried(lambda: workspace.git("push", "--quiet", "--atomic", remote, *refs), f"pushing {tag}", log, is_refused)
    except VersionError as error:
        if not is_refused(error):
            raise VersionError(
                f"{tag}: {remote} cannot be reached, so it is recorded here, and not published; build again when it "
                f"can ({_last_line(error)})"
            ) from None
        if not is_new:
            raise VersionError(
                f"{tag}: {remote} refuses the tag; its data is in the DVC remote, and the tag stays here "
                f"({_last_line(error)})"
            ) from None
        workspace.git("tag", "--delete", tag)
        raise VersionError(
            f"{tag}: {remote} refuses it, so the name is taken back; the commit stays, nothing is lost. Someone else "
            f"may have published: run `git pull --no-rebase --tags {remote} {branch}`, then build again; of what "
            f"conflicts docs/share.md says what to keep ({_last_line(error)})"
        ) from None
    log(f"{tag} pushed to {remote}")


def is_refused(error: BaseException) -> bool:
    """Whether git's remote has answered no to a push; one that is at work for someone else has not."""
    said = str(error)
    return "rejected]" in said and "cannot lock ref" not in said and "failed to update ref" not in said


def sync(path: Path) -> None:
    """Let the kernel write what it holds for the file system of `path`: DVC and git leave that to chance."""
    libc = ctypes.CDLL(None, use_errno=True)
    if not hasattr(libc, "syncfs"):
        os.sync()
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        libc.syncfs(descriptor)
    finally:
        os.close(descriptor)


def _last_line(error: Exception) -> str:
    return " ".join(str(error).split())[-200:]
