"""What a workspace is called on a server of Prefect's, which it may share with others."""

from __future__ import annotations

import hashlib
from pathlib import Path

from shardsmith.dataset.errors import ShardsmithError
from shardsmith.versions.version import own_dataset
from shardsmith.workspace.workspace import Workspace


def of_workspace(root: str = ".") -> dict[str, str]:
    """`dataset`, and `name`, which is that and six digits of the folder's path: birds-3fa2b1. A step of prefect.yaml.

    Raises:
        ShardsmithError: there is no workspace, or params.yaml does not name the dataset.
    """
    workspace = Workspace.find(Path(root))
    dataset = own_dataset(workspace)
    path = str(workspace.root.resolve())
    return {"dataset": dataset, "name": f"{dataset}-{hashlib.sha256(path.encode()).hexdigest()[:6]}"}


def flow_name() -> str:
    """The name of the flow of the workspace here; "build" where the dataset has none, which the build then says."""
    try:
        return of_workspace()["name"]
    except (ShardsmithError, OSError):
        return "build"
