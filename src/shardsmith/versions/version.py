"""Versions: list, find and show them. A version is an annotated git tag DATASET@NAME; nothing here changes anything."""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from shardsmith.dataset.errors import VersionError, WithdrawnError, near
from shardsmith.store.names import is_wide, newest
from shardsmith.store.stores import open_stores
from shardsmith.store.tombstone import Tombstone, read_tombstones
from shardsmith.workspace.git import git_remote, remote_tags
from shardsmith.workspace.lock_file import content, raw_hash, read_leniently
from shardsmith.workspace.paths import EXPORT, LOCK, METRICS, PARAMS, RAW, WITHDRAWN
from shardsmith.workspace.workspace import Workspace

_TAG = re.compile(r"[a-z][a-z0-9_]*@.+")
_NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")


@dataclass(frozen=True)
class Version:
    """A recorded version, as `shardsmith versions` lists it."""

    dataset: str
    name: str
    commit: str
    created: str
    images: int
    boxes: int
    classes: int
    bytes: int

    @property
    def tag(self) -> str:
        return f"{self.dataset}@{self.name}"


def own_dataset(workspace: Workspace) -> str:
    """The dataset that params.yaml names."""
    is_here = (workspace.root / PARAMS).exists()
    text = workspace.params_text() if is_here else workspace.file_at("HEAD", PARAMS)
    block = read_leniently(text or "").get("dataset")
    name = block.get("name") if isinstance(block, dict) else None
    if isinstance(name, str) and _NAME.fullmatch(name):
        return name
    from shardsmith.pipeline.params import parse_params  # which says what is wrong; and with it numpy and pyarrow

    return parse_params(text or "", PARAMS, workspace.root).dataset.name


def tombstones(workspace: Workspace) -> list[Tombstone]:
    """What was withdrawn, as data/withdrawn.csv has it here."""
    path = workspace.root / WITHDRAWN
    return read_tombstones(path.read_text(encoding="utf-8")) if path.exists() else []


def check_not_withdrawn(workspace: Workspace, tag: str | None = None, lock: dict[str, Any] | None = None) -> None:
    """
    Args:
        tag: a name that a version is to get.
        lock: dvc.lock of what it is to stand for.

    Raises:
        WithdrawnError: a version of this name, or the same content, was withdrawn.
    """
    for gone in tombstones(workspace):
        if gone.name == tag:
            raise WithdrawnError(f"{gone}; the name is not used again: choose another")
        if lock and gone.what == "version" and gone.hash == content(lock)[EXPORT]:
            raise WithdrawnError(
                f"{gone}; what stands here is the same content: change the data or the parameters first, or take its "
                f"line out of {WITHDRAWN} where it is right after all"
            )


def check_images(workspace: Workspace) -> None:
    """
    Raises:
        WithdrawnError: an image that was withdrawn is in the raw data again, under whatever name.
    """
    gone = {one.hash: one for one in tombstones(workspace) if one.what == "image" and one.hash}
    if not gone:
        return
    with open_stores(workspace) as stores:
        listing = stores.listing(raw_hash(workspace.lock_file())) or {}
    for file, md5 in sorted(listing.items()):
        if md5 in gone:
            raise WithdrawnError(f"{RAW}/{file}: {gone[md5]}; delete it, and build again")


def list_versions(workspace: Workspace, withdrawn: bool = False) -> list[Version]:
    """Every version in the repository, oldest first.

    Args:
        withdrawn: those alone that were withdrawn, and whose tag is here still; else those alone that were not.
    """
    gone = {one.name for one in tombstones(workspace) if one.what == "version"}
    fields = "%(refname:strip=2)	%(*objectname)	%(taggerdate:unix)"
    listed = workspace.git("for-each-ref", "--sort=creatordate", f"--format={fields}", "refs/tags")
    versions = []
    for line in listed.splitlines():
        tag, commit, seconds = line.split("\t")
        if (tag in gone) != withdrawn:
            continue
        metrics = workspace.file_at(tag, METRICS) if commit and _TAG.fullmatch(tag) else None
        if metrics is None:
            continue  # a tag of another kind
        counts = json.loads(metrics)
        dataset, _, name = tag.partition("@")
        if counts.get("dataset", dataset) != dataset:
            continue  # of another workspace in this repository
        created = datetime.fromtimestamp(int(seconds), UTC).isoformat().replace("+00:00", "Z")
        of_content = counts["images"], counts["boxes"], len(counts["classes"]), counts.get("bytes", 0)
        versions.append(Version(dataset, name, commit, created, *of_content))
    return versions


def find_version(workspace: Workspace, name: str) -> Version:
    """A version by NAME (of the workspace's own dataset) or DATASET@NAME, or by words for the newest of several.

    Args:
        name: also `latest`, a pattern (`v1.*`), or what GTO has assigned to a stage (`raccoon#prod`).

    Raises:
        WithdrawnError: it was withdrawn.
        VersionError: there is none; the message lists those there are.
    """
    versions = list_versions(workspace)
    if "#" in name and (found := _at_stage(workspace, versions, name)):
        return found
    tag = name if "@" in name else f"{own_dataset(workspace)}@{name}"
    for version in versions:
        if version.tag == tag:
            return version
    check_not_withdrawn(workspace, tag)
    by_name = [version for version in versions if version.name == name]
    if len(by_name) == 1:
        return by_name[0]
    if chosen := newest(tag, [version.tag for version in versions]):
        return next(version for version in versions if version.tag == chosen)
    known = ", ".join(version.tag for version in versions[-8:]) or "none yet; `shardsmith build` makes one"
    guess = near(tag, [version.tag for version in versions])
    kind = f"{name}: no version is in such a stage" if "#" in name else f"{tag}: no such version"
    raise VersionError(f"{kind}; {guess}the versions are: {known}")


def _at_stage(workspace: Workspace, versions: list[Version], name: str) -> Version | None:
    """The version that GTO's last tag of the stage assigns: DATASET#STAGE, or DATASET#STAGE#N; `!` takes it back."""
    dataset, _, stage = name.partition("#")
    stage = f"{dataset or own_dataset(workspace)}#{stage}"
    fields = "--format=%(refname:strip=2)\t%(objectname)\t%(*objectname)"
    patterns = [f"refs/tags/{stage}{end}" for end in ("", "!", "#*", "!#*")]
    lines = workspace.git("for-each-ref", "--sort=creatordate", fields, *patterns).splitlines()
    if not lines:
        return None
    tag, own, commit = max((line.split("\t") for line in lines), key=lambda line: _number(line[0]))
    if tag.startswith(f"{stage}!"):
        raise VersionError(f"{stage}: no version is in this stage since {tag}; `gto show` lists what is assigned")
    at = [version for version in versions if version.commit == (commit or own) and f"{version.dataset}#" in stage]
    if not at:
        raise VersionError(f"{stage}: {tag} assigns it to a commit that is no version, or no longer; assign another")
    return at[-1]


def _number(tag: str) -> int:
    """GTO counts a stage's assignments, whatever the clocks say; without numbers the newest tag is the last."""
    end = tag.rpartition("#")[2]
    return int(end) if end.isdecimal() else 0


def choose_version(workspace: Workspace, name: str | None) -> Version:
    """The version of that name, or the dataset's last.

    Raises:
        VersionError: there is none, or its tag is not one that a build makes.
    """
    dataset = own_dataset(workspace)
    if name is None:
        versions = [version for version in list_versions(workspace) if version.dataset == dataset]
        if not versions:
            raise VersionError("no version yet; `shardsmith build` makes one")
        return versions[-1]
    tag = name if "@" in name else f"{dataset}@{name}"
    if not is_wide(tag) and workspace.git_ok("rev-parse", "-q", "--verify", f"refs/tags/{tag}"):
        kind = workspace.git("cat-file", "-t", f"refs/tags/{tag}").strip()
        if kind != "tag":
            raise VersionError(
                f"{tag}: a lightweight tag, without the hashes that a build writes into its message; "
                f"`git tag -d {tag}`, and fetch it again from where it was built"
            )
    return find_version(workspace, name)


def last_tag(workspace: Workspace, dataset: str) -> str | None:
    """The version of the dataset that is nearest below HEAD, whatever the clocks said; of its names, the newest."""
    gone = [f"--exclude={one.name}" for one in tombstones(workspace) if one.what == "version"]
    nearest = ("describe", "--abbrev=0", f"--match={dataset}@*", *gone, "HEAD")
    return workspace.git(*nearest).strip() if workspace.git_ok(*nearest) else None


def check_history(workspace: Workspace, dataset: str) -> None:
    """A clone without the tags or commits of earlier versions would make the same content a second time.

    Raises:
        VersionError: the git remote has versions below HEAD that this clone lacks.
    """
    if workspace.file_at("HEAD", LOCK) is None:
        return  # no version below
    is_shallow = workspace.git("rev-parse", "--is-shallow-repository").strip() == "true"
    said = workspace.git("log", "-1", "--format=%s", "--grep", f"^Version {dataset}@").strip()
    here = set(workspace.git("tag", "--list", f"{dataset}@*").split())
    remote = git_remote(workspace.root, workspace.git("branch", "--show-current").strip())
    if remote is None or not (is_shallow or (said and said.removeprefix("Version ") not in here)):
        return
    try:
        there = remote_tags(workspace.root, remote, dataset)
    except VersionError:
        return  # which a push will say
    below = [tag for tag, commit in there.items() if workspace.git_ok("merge-base", "--is-ancestor", commit, "HEAD")]
    if missing := sorted(there if is_shallow else {*below} - here):
        more = f" and {len(missing) - 1} more" if missing[1:] else ""
        raise VersionError(
            f"{missing[0]}{more}: {remote} has it, and this clone {'is shallow' if is_shallow else 'lacks it'}; run "
            f"`git fetch --tags{' --unshallow' if is_shallow else ''} {remote}`, so that the same content gets no "
            "second name"
        )


def same_inputs(workspace: Workspace, tag: str) -> bool:
    """Whether what dvc.lock records now is what it recorded at the tag: data, params, code and results."""
    return workspace.lock_file() == workspace.lock_file(tag)


def show(workspace: Workspace, name: str) -> dict[str, Any]:
    """A version's record: its row of the list, metrics, hashes and params."""
    version = find_version(workspace, name)
    params = read_leniently(workspace.file_at(version.tag, PARAMS) or "")
    metrics = json.loads(workspace.file_at(version.tag, METRICS) or "{}")
    return {
        **asdict(version),
        "hashes": content(workspace.lock_file(version.tag)),
        "metrics": metrics,
        "params": params,
    }
