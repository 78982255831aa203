"""Add an upload to a dataset, or make one of it; while a build is at work this waits for its end.

python -m shardsmith.app.uploads.adding FOLDER WORKSPACE WANTED
"""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, Field

from shardsmith.app.opened import Opened
from shardsmith.app.uploads.store import Upload
from shardsmith.dataset.errors import UsageError, run
from shardsmith.raw.classes import with_classes
from shardsmith.raw.fetch import fetch
from shardsmith.workspace.paths import PIPELINE
from shardsmith.workspace.settings import applied, with_settings
from shardsmith.workspace.template.init import dataset_name, init
from shardsmith.workspace.workspace import Workspace


class Choice(BaseModel):
    """How an upload is added.

    classes: a class of the upload -> its new name, null to leave it out. below: into a folder of its own in data/raw.
    name, annotation_group: of the new dataset, where it is for none.
    """

    classes: dict[str, str | None] = {}
    below: bool = False
    name: str = Field(default="", max_length=200)
    annotation_group: str = Field(default="", max_length=64)


def begin(opened: Opened, upload: Upload, choice: Choice) -> None:
    """
    Raises:
        UsageError: it has not been looked at, is being added, or a dataset of that name is there.
        VersionError: no dataset can be named so.
    """
    if upload.state not in ("seen", "not-added"):
        raise UsageError(f"the upload is {upload.state}: only one that was looked at can be added")
    if upload.about.dataset is None:
        root = opened.folder / dataset_name(choice.name or upload.name)
        if root.exists() and upload.adding.about.get("root") != str(root):
            raise UsageError(f"{root.name}: there is a folder of this name already; choose another")
    else:
        root = opened.datasets[upload.about.dataset].root
    command = [sys.executable, "-P", "-m", "shardsmith.app.uploads.adding", str(upload.folder), str(root)]
    upload.adding.start([*command, choice.model_dump_json()], upload.folder, {"root": str(root)})


def add(upload: Upload, root: Path, choice: Choice) -> None:
    """
    Raises:
        ShardsmithError: it cannot be added; then data/raw is as it was.
    """
    if not (root / PIPELINE).exists():
        init(root, None, root.name, _log)
    workspace = Workspace(root)
    settings = _settings(workspace, choice)
    with_settings(workspace.params_text(), settings, root)  # refused before anything is added
    fetch(workspace, str(upload.source), _log, add=True, below=upload.name if choice.below else "")
    if settings:
        with workspace.lock(_log), applied(workspace, _settings(workspace, choice)):
            pass
    for name in ("source", "parts", "taken"):
        shutil.rmtree(upload.folder / name, ignore_errors=True)


def _settings(workspace: Workspace, choice: Choice) -> Mapping[str, Any]:
    now = workspace.params().ingest.classes
    classes = with_classes(now, choice.classes)
    group = {"dataset.annotation_group": choice.annotation_group} if choice.annotation_group else {}
    return group | ({"ingest.classes": classes} if classes != now else {})


def _log(line: str) -> None:
    print(line, file=sys.stderr)


def main() -> None:
    folder, root, choice = sys.argv[1:]
    add(Upload(Path(folder)), Path(root), Choice.model_validate(json.loads(choice)))


if __name__ == "__main__":
    run(main)
