"""A workspace to measure in: a copy of this repository's files with the images as its raw data."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow.compute as pc
from ruamel.yaml import YAML

from shardsmith.dataset.manifest import Manifest
from shardsmith.workspace.template.files import add_decisions
from shardsmith.workspace.template.pin import pin_code
from shardsmith.workspace.workspace import Workspace

REPOSITORY = Path(__file__).resolve().parents[1]

_LEFT = {"SHARDSMITH_WORKERS", "PYTHONDONTWRITEBYTECODE"}


def environment(workers: int | None = None) -> dict[str, str]:
    """This one's Python first on the path, as `shardsmith` has it; no telemetry; perhaps a number of workers.

    Bytecode is kept, as where a user has installed the package.
    """
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    extra = {"DVC_NO_ANALYTICS": "1", "NO_ALBUMENTATIONS_UPDATE": "1", "PATH": path}
    kept = {key: value for key, value in os.environ.items() if key not in _LEFT}
    return kept | extra | ({"SHARDSMITH_WORKERS": str(workers)} if workers else {})


def make(root: Path, images: Path) -> None:
    """Files, a git repository with one commit, DVC, and data/raw."""
    listing = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=REPOSITORY, capture_output=True, check=True, text=True,
    )  # fmt: skip
    for name in filter(None, listing.stdout.split("\0")):
        source = REPOSITORY / name
        if source.is_file() and not name.startswith("data/"):
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, root / name)
    run(root, "git", "init", "--quiet")
    add_decisions(Workspace(root))
    pin_code(Workspace(root))
    commit(root, "the code that is measured")
    if not (root / ".dvc" / "config").exists():
        run(root, sys.executable, "-m", "dvc", "init", "--quiet")
    (root / "data").mkdir(exist_ok=True)
    shutil.copytree(images, root / "data" / "raw")


def commit(root: Path, message: str) -> None:
    """All that git does not ignore."""
    identity = ["-c", "user.name=bench", "-c", "user.email=bench@localhost"]
    run(root, "git", "add", "--all")
    run(root, "git", *identity, "commit", "--quiet", "--message", message)


def run(root: Path, *command: str) -> None:
    subprocess.run(command, cwd=root, env=environment(), check=True, capture_output=True)


def stage_command(root: Path, stage: str, paths: Mapping[str, str] | None = None) -> list[str]:
    """What dvc.yaml runs for a stage, with other paths in the place of some."""
    command = shlex.split(YAML(typ="safe").load(root / "dvc.yaml")["stages"][stage]["cmd"])
    return [(paths or {}).get(part, part) for part in command]


def set_params(root: Path, blocks: Mapping[str, Mapping[str, Any]]) -> None:
    """Change keys of some blocks of params.yaml."""
    path = root / "params.yaml"
    params = YAML(typ="safe").load(path)
    for name, block in blocks.items():
        params[name] |= block
    YAML().dump(params, path)


def take_part(folder: Path, out: Path, count: int) -> None:
    """A stage's folder with its first `count` images only; the images stay in place, and no ledger counts them."""
    manifest = Manifest.read(folder)
    images = manifest.images.slice(0, count)
    kept = pc.is_in(manifest.annotations["image_id"], value_set=images["image_id"].combine_chunks())
    shutil.copytree(folder, out, ignore=shutil.ignore_patterns("images", "ledger.csv"))
    Manifest(images, manifest.annotations.filter(kept)).write(out)
