"""Record what stands in the workspace as a version: its data seen in the stores, then commit, and last the tag."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from shardsmith.dataset.errors import RawDataError, VersionError
from shardsmith.sample.recognise import check_unmixed
from shardsmith.versions.labels import check_labels, is_restarted
from shardsmith.versions.lineage import message_lines
from shardsmith.versions.publish import (  # fmt: skip
    Publishing,
    check_name_is_free,
    is_published,
    manifest_digest,
    publish_name,
    sync,
)
from shardsmith.versions.push import check_stored, push_data
from shardsmith.versions.space import check_space
from shardsmith.versions.tree import bring_outs, kept_tree, restore_recorded
from shardsmith.versions.version import (
    check_history,
    check_images,
    check_not_withdrawn,
    last_tag,
    own_dataset,
    same_inputs,
)
from shardsmith.workspace.git import pack, top_folder
from shardsmith.workspace.lock_file import content
from shardsmith.workspace.log import Log
from shardsmith.workspace.paths import EXPORT, FILES, METRICS, POINTER, RAW
from shardsmith.workspace.settings import applied
from shardsmith.workspace.template.files import add_decisions
from shardsmith.workspace.template.pin import pin_code, pin_requirements
from shardsmith.workspace.workspace import Workspace


@dataclass(frozen=True)
class Outcome:
    """What a build came to: `made` is False when nothing changed since the version.

    digest: of a version that is made, the hash of its export, as dvc.lock has it.
    """

    tag: str
    made: bool
    message: str
    digest: str = ""


def default_name() -> str:
    """The UTC time, as a name that git takes: 2026-11-22T14-05-00."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H-%M-%S")


def check_name(workspace: Workspace, dataset: str, name: str) -> str:
    """The tag for a name.

    Raises:
        VersionError: git would refuse it, or a store would take a part of it for a folder.
    """
    tag = f"{dataset}@{name}"
    if not name or "@" in name or "/" in name or not workspace.git_ok("check-ref-format", f"refs/tags/{tag}"):
        raise VersionError(
            f"--name {name!r}: not a version's name; use letters, digits, `.`, `_` and `-`, for example v1.0.0"
        )
    return tag


def check_ready(workspace: Workspace) -> None:
    """Stop a build that could not be recorded, before any work.

    Raises:
        VersionError: no commit yet, a merge or rebase under way, or code that differs from HEAD.
    """
    if not workspace.git_ok("rev-parse", "--git-dir"):
        raise VersionError(f"{workspace.root}: not a git repository; run `git init` and commit the workspace first")
    if not (workspace.root / ".dvc").is_dir():
        sub = "" if top_folder(workspace.root).resolve() == workspace.root else " --subdir"
        raise VersionError(f"{workspace.root}: DVC does not know this folder; run `dvc init{sub}` in it")
    if not workspace.git_ok("rev-parse", "--verify", "-q", "HEAD"):
        raise VersionError(f"{workspace.root}: no commit yet; run `git add -A && git commit` first")
    git_dir = Path(workspace.git("rev-parse", "--absolute-git-dir").strip())
    for state in ("MERGE_HEAD", "rebase-merge", "rebase-apply", "CHERRY_PICK_HEAD"):
        if (git_dir / state).exists():
            raise VersionError(f"{state} in .git: a merge or rebase is under way; finish or abort it first")
    changed = workspace.git("status", "--porcelain", "--untracked-files=all", "--", *workspace.code()).splitlines()
    if changed:
        files = ", ".join(line[3:] for line in changed[:5]) + (" ..." if len(changed) > 5 else "")
        raise VersionError(
            f"{files}: code that differs from HEAD; commit it first: a version names code that every clone has"
        )


def prepare(workspace: Workspace, name: str | None, log: Log) -> str:
    """Bring the workspace to where a build starts; returns its dataset.

    Raises:
        VersionError: the build could not be recorded.
    """
    check_ready(workspace)
    dataset = own_dataset(workspace)
    check_history(workspace, dataset)
    if name is not None:
        check_not_withdrawn(workspace, check_name(workspace, dataset, name))
    check_space(workspace)
    check_unmixed(workspace.root / RAW)
    restore_recorded(workspace, log)
    add_decisions(workspace)
    bring_outs(workspace)
    if pin_code(workspace):
        pin_requirements(workspace, log)
    add_raw(workspace, log)
    return dataset


def add_raw(workspace: Workspace, log: Log) -> None:
    """Let DVC store data/raw where it does not yet; from then on `dvc repro` keeps it up to date.

    Raises:
        RawDataError: there is nothing to store.
    """
    raw = workspace.root / RAW
    pointer = workspace.root / POINTER
    if not raw.is_dir() or not any(raw.iterdir()):
        pull = f"`dvc pull {RAW}.dvc` brings it, or " if pointer.exists() else ""
        raise RawDataError(
            f"{RAW}: {'the folder is empty' if raw.is_dir() else 'no such folder'}; {pull}"
            f"put images and annotations there, or draw the sample: shardsmith sample {RAW}"
        )
    if not pointer.exists():
        workspace.dvc("add", RAW)
        log(f"{RAW}: stored by DVC as {RAW}.dvc")


def is_current(workspace: Workspace, dataset: str) -> str | None:
    """The last version's tag, if a build would change nothing since."""
    tag = last_tag(workspace, dataset)
    return tag if tag and same_inputs(workspace, tag) and not workspace.status() else None


def record_if_current(
    workspace: Workspace, name: str | None, log: Log, how: Publishing, wait: bool = True
) -> Outcome | None:
    """The outcome of a build that has nothing to compute, in seconds and without Prefect; None if it has."""
    with workspace.lock(log, wait), applied(workspace, {}), kept_tree(workspace) as tree:
        dataset = prepare(workspace, name, log)
        outcome = record(workspace, dataset, name, log, how) if is_current(workspace, dataset) else None
        tree.recorded = outcome is not None and outcome.made
        return outcome


def record(
    workspace: Workspace,
    dataset: str,
    name: str | None,
    log: Log,
    how: Publishing,
    flow_run: str | None = None,
) -> Outcome:
    """Record what stands in the workspace as a version: data stored, pushed and confirmed; commit, tag, name pushed,
    manifest.

    Args:
        flow_run: id of the Prefect flow run, for the tag's message.

    Raises:
        VersionError: the name stands for other content, or git or dvc refuses.
    """
    check_not_withdrawn(workspace, f"{dataset}@{name}", workspace.lock_file())
    check_images(workspace)
    before = last_tag(workspace, dataset)
    unchanged = before is not None and same_inputs(workspace, before)
    publishes = how.push and workspace.has_remote()
    if unchanged and (name is None or before == f"{dataset}@{name}"):
        if how.check_all:
            check_stored(workspace, log, everything=True)
        if publishes and (how.verify_remote or how.check_all or not is_published(workspace, str(before))):
            push_data(workspace, log, how.check_all, how.verify_remote)
            publish_name(workspace, str(before), log)
        if is_restarted(workspace):
            _commit(workspace, str(before))  # the same ids again
        return Outcome(str(before), False, f"nothing changed since {before}")
    tag = check_name(workspace, dataset, name or default_name())
    if workspace.git_ok("rev-parse", "--verify", "-q", f"refs/tags/{tag}"):
        if content(workspace.lock_file(tag)) == content(workspace.lock_file()):
            return Outcome(tag, False, f"nothing to record: identical to {tag}")
        raise VersionError(f"{tag} stands for other content, and a name never changes its meaning; choose another name")
    if before and not how.allow_label_change and not is_restarted(workspace):
        check_labels(workspace, dataset)
    if publishes:
        check_name_is_free(workspace, tag)
    check_stored(workspace, log, how.check_all)
    if publishes:
        push_data(workspace, log, how.check_all, how.verify_remote)
    elif how.push:
        log("no DVC remote is configured: the version stays on this machine (`dvc remote add -d NAME URL` to share it)")
    sync(workspace.cache_folder())
    commit = workspace.git("rev-parse", f"{before}^{{commit}}").strip() if unchanged else _commit(workspace, tag)
    pack(workspace.root)
    sync(workspace.root)
    published_as = manifest_digest(workspace, tag, commit) if publishes else None
    workspace.git("tag", "--annotate", "-m", _message(workspace, tag, flow_run, published_as), tag, commit)
    if publishes:
        publish_name(workspace, tag, log)
    digest = content(workspace.lock_file())[EXPORT]
    return Outcome(tag, True, f"recorded {tag} at {commit[:9]}", digest)


def _commit(workspace: Workspace, tag: str) -> str:
    """Commit the version's files as they stand, leaving whatever else is changed or staged as it is."""
    pointers = [path.relative_to(workspace.root).as_posix() for path in (workspace.root / "data").glob("*.dvc")]
    files = [file for file in (*FILES, *pointers) if (workspace.root / file).exists()]
    workspace.git("add", "--", *files)
    if workspace.git("status", "--porcelain", "--", *files):
        workspace.git("commit", "--quiet", "--no-verify", "--only", "-m", f"Version {tag}", "--", *files)
    return workspace.git("rev-parse", "HEAD").strip()


def _message(workspace: Workspace, tag: str, flow_run: str | None, published_as: str | None) -> str:
    metrics = json.loads((workspace.root / METRICS).read_text(encoding="utf-8"))
    hashes = content(workspace.lock_file())
    return (
        f"{tag}: {metrics['images']} images, {metrics['boxes']} boxes, {len(metrics['classes'])} classes\n\n"
        + "".join(f"{path}: {value}\n" for path, value in hashes.items())
        + "\n".join(message_lines(workspace, flow_run))
        + (f"\nmanifest: {published_as}" if published_as else "")
    )
