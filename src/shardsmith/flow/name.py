"""What a workspace is called on a server of Prefect's, which it may share with others."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any

from shardsmith.dataset.errors import ShardsmithError
from shardsmith.versions.version import own_dataset
from shardsmith.workspace.workspace import Workspace


def name_of(workspace: Workspace) -> str:
    """The dataset, and six hex digits of the folder's path: birds-3fa2b1.

    Raises:
        ShardsmithError: params.yaml does not name the dataset.
    """
    path = str(workspace.root.resolve())
    return f"{own_dataset(workspace)}-{hashlib.sha256(os.fsencode(path)).hexdigest()[:6]}"


def of_workspace(root: str) -> dict[str, Any]:
    """A step of prefect.yaml: the workspace's `name`, and `tags` with the dataset's.

    Args:
        root: its folder.
    """
    workspace = Workspace(Path(root))
    return {"name": (name := name_of(workspace)), "tags": [own_dataset(workspace), name]}


def flow_name(workspace: Workspace) -> str:
    """The name of its flow; "build" where params.yaml gives the dataset none, which the flow then says."""
    try:
        return name_of(workspace)
    except ShardsmithError:
        return "build"
