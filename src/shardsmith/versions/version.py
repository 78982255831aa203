"""Versions: list, find and show them. A version is an annotated git tag DATASET@NAME; nothing here changes anything."""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from shardsmith.dataset.errors import VersionError, near
from shardsmith.pipeline.params import parse_params
from shardsmith.workspace.lock_file import content, read_leniently
from shardsmith.workspace.paths import METRICS, PARAMS
from shardsmith.workspace.workspace import Workspace

_TAG = re.compile(r"[a-z][a-z0-9_]*@.+")


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
