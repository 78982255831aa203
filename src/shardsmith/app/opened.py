"""The datasets that the page has open: the workspaces it was started with, and those made on it since."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from fastapi import Depends, HTTPException
from starlette.requests import Request

from shardsmith.app.render import texts
from shardsmith.dataset.errors import VersionError
from shardsmith.workspace.paths import BUILDS, PARAMS, PIPELINE
from shardsmith.workspace.workspace import Workspace


@dataclass(frozen=True)
class Dataset:
    """An open workspace; key: its name in the page's addresses."""

    key: str
    workspace: Workspace

    @property
    def root(self) -> Path:
        return self.workspace.root

    @property
    def name(self) -> str:
        """The dataset's, as params.yaml has it."""
        from shardsmith.versions.version import own_dataset

        return own_dataset(self.workspace)

    @property
    def url(self) -> str:
        return f"/d/{self.key}"

    def kept(self, name: str) -> Path:
        """A folder of the page's own in the workspace: of no commit, and safe to delete."""
        return kept(self.root, name)


@dataclass
class Opened:
    """folder: where the page was started; new workspaces are made in it."""

    folder: Path
    datasets: dict[str, Dataset] = field(default_factory=dict)

    def add(self, root: Path) -> Dataset:
        """
        Raises:
            VersionError: the folder is no workspace.
        """
        workspace = Workspace.find(root)
        for known in self.datasets.values():
            if known.root == workspace.root:
                return known
        plain = re.sub(r"[^A-Za-z0-9_.-]+", "-", workspace.root.name).strip(".-") or "dataset"
        keys = (plain if number == 1 else f"{plain}-{number}" for number in range(1, len(self.datasets) + 3))
        key = next(key for key in keys if key not in self.datasets)
        self.datasets[key] = Dataset(key, workspace)
        return self.datasets[key]


def open_folders(folder: Path, roots: list[Path]) -> Opened:
    """The workspaces given; without any, the one that `folder` is in, or those directly below it, or none.

    Raises:
        VersionError: a folder given is no workspace.
    """
    opened = Opened(folder.resolve())
    if not roots:
        try:
            roots = [Workspace.find(folder).root]
        except VersionError:
            roots = [path.parent for path in sorted(folder.glob(f"*/{PIPELINE}")) if path.with_name(PARAMS).is_file()]
    for root in roots:
        opened.add(root)
    return opened


def kept(root: Path, name: str) -> Path:
    return root / BUILDS / "page" / name


def _of_request(request: Request, key: str) -> Dataset:
    found: Dataset | None = request.app.state.opened.datasets.get(key)
    if found is None:
        raise HTTPException(404, texts()["errors"]["dataset"])
    return found


Open = Annotated[Dataset, Depends(_of_request)]  # of routes whose address has {key}
