"""Versions: list, find and show them. A version is an annotated git tag DATASET@NAME; nothing here changes anything."""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from shardsmith.dataset.errors import VersionError, near
from shardsmith.workspace.lock_file import content, read_leniently
from shardsmith.workspace.paths import METRICS, PARAMS
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
    path = workspace.root / PARAMS
    text = path.read_text(encoding="utf-8") if path.exists() else workspace.file_at("HEAD", PARAMS)
    block = read_leniently(text or "").get("dataset")
    name = block.get("name") if isinstance(block, dict) else None
    if isinstance(name, str) and _NAME.fullmatch(name):
        return name
    from shardsmith.pipeline.params import parse_params  # which says what is wrong; and with it numpy and pyarrow

    return parse_params(text or "", PARAMS, workspace.root).dataset.name


def list_versions(workspace: Workspace) -> list[Version]:
    """Every version in the repository, oldest first."""
    fields = "%(refname:strip=2)	%(*objectname)	%(taggerdate:unix)"
    listed = workspace.git("for-each-ref", "--sort=creatordate", f"--format={fields}", "refs/tags")
    versions = []
    for line in listed.splitlines():
        tag, commit, seconds = line.split("\t")
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
    """A version by NAME (of the workspace's own dataset) or DATASET@NAME.

    Raises:
        VersionError: there is none; the message lists those there are.
    """
    versions = list_versions(workspace)
    tag = name if "@" in name else f"{own_dataset(workspace)}@{name}"
    for version in versions:
        if version.tag == tag:
            return version
    by_name = [version for version in versions if version.name == name]
    if len(by_name) == 1:
        return by_name[0]
    known = ", ".join(version.tag for version in versions[-8:]) or "none yet; `shardsmith build` makes one"
    guess = near(tag, [version.tag for version in versions])
    raise VersionError(f"{tag}: no such version; {guess}the versions are: {known}")


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
    if workspace.git_ok("rev-parse", "-q", "--verify", f"refs/tags/{tag}"):
        kind = workspace.git("cat-file", "-t", f"refs/tags/{tag}").strip()
        if kind != "tag":
            raise VersionError(
                f"{tag}: a lightweight tag, without the hashes that a build writes into its message; "
                f"`git tag -d {tag}`, and fetch it again from where it was built"
            )
    return find_version(workspace, name)


def last_tag(workspace: Workspace, dataset: str) -> str | None:
    """The newest version of the dataset that HEAD descends from."""
    tags = workspace.git("tag", "--merged", "HEAD", "--sort=-creatordate", "--list", f"{dataset}@*").split()
    return tags[0] if tags else None


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
