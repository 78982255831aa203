"""The files that a workspace begins with: those of this repository's own root, which is a workspace, and two more.

A wheel carries them (pyproject.toml, force-include). An editable install has them where it was installed from, as its
HEAD has them.
"""

from __future__ import annotations

import hashlib
from importlib import resources
from pathlib import Path

from shardsmith.dataset.errors import VersionError
from shardsmith.installation import is_editable
from shardsmith.workspace.git import file_at
from shardsmith.workspace.paths import DECISIONS, FLOW, PARAMS, PIPELINE
from shardsmith.workspace.workspace import Workspace

STAGES = tuple(
    f"stages/{name}.py" for name in ("ingest", "validate", "split", "preprocess", "augment", "export", "report")
)
OF_ROOT = (
    PARAMS, PIPELINE, "prefect.yaml", FLOW, *STAGES, "pipelines/README.md", DECISIONS,
    ".dvcignore", ".gitattributes", ".dvc/plots/bars.json", ".dvc/plots/split_bars.json",
)  # fmt: skip
# of the package, since the repository's own are about the product: file of a workspace -> its name in own/
OF_PACKAGE = {"README.md": "README.md", ".gitignore": "gitignore"}
# those that stay as they were made: they are the user's from the start
_OWN_NAME = ("README.md", PARAMS, DECISIONS)
_NAME = "$DATASET"


def template(dataset: str) -> dict[str, str]:
    """Each file that a new workspace has -> its text; params.yaml with its defaults.

    Raises:
        VersionError: the files are not there.
    """
    texts = {file: _of_root(file) for file in OF_ROOT}
    texts |= {
        file: (Path(__file__).with_name("own") / name).read_text(encoding="utf-8") for file, name in OF_PACKAGE.items()
    }
    return {file: text.replace(_NAME, dataset) for file, text in texts.items()}


def upgradable(texts: dict[str, str]) -> dict[str, str]:
    """Those that `shardsmith upgrade` brings up to date where the user has not changed them."""
    return {file: text for file, text in texts.items() if file not in _OWN_NAME}


def add_decisions(workspace: Workspace) -> bool:
    """Put data/decisions.csv, without a row, where dvc.yaml asks for it and it is not there; whether it was put."""
    path = workspace.root / DECISIONS
    if path.exists() or DECISIONS not in (workspace.root / PIPELINE).read_text(encoding="utf-8"):
        return False
    path.parent.mkdir(exist_ok=True)
    path.write_text(_of_root(DECISIONS), encoding="utf-8")
    return True


def text_hash(text: str) -> str:
    """32 hex digits that tell whether a file is as the template has it."""
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _of_root(file: str) -> str:
    packed = resources.files("shardsmith").joinpath("workspace", "template", "files", file)
    if packed.is_file():
        return packed.read_text(encoding="utf-8")
    root = Path(__file__).parents[4]
    text = file_at(root, "HEAD", file) if is_editable() else None
    if text is None:
        raise VersionError(f"{file}: not in this installation of shardsmith; install it again")
    return text
