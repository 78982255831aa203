"""`shardsmith init`: a new workspace: the template's files, git and DVC set up, and no data."""

from __future__ import annotations

import re
import shlex
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from shardsmith.dataset.errors import VersionError
from shardsmith.pipeline.params import Params
from shardsmith.workspace.git import git, git_ok, opened, set_merge_driver, top_folder
from shardsmith.workspace.lock_file import read_leniently
from shardsmith.workspace.log import Log
from shardsmith.workspace.paths import DECISIONS, PARAMS, PIPELINE, RAW
from shardsmith.workspace.settings import with_settings
from shardsmith.workspace.template.files import template
from shardsmith.workspace.template.pin import pin
from shardsmith.workspace.workspace import Workspace

_CONFIG = "[core]\n    analytics = false\n    check_update = false\n    autostage = false\n"
_TAKEN = ("stages/", "flows/", "pipelines/", ".dvc/plots/")  # of another workspace, beside the template's own files
_HOOKS = ("pre-commit", "post-checkout", "pre-push")


def init(folder: Path, source: str | None, name: str | None, log: Log) -> str:
    """Make a workspace at `folder`, whole or not at all; returns its dataset's name.

    Args:
        source: a workspace whose stages, flow and pipeline to take: a folder, or a URL that git can clone; None for
            the installed template.
        name: the dataset's name; made from the folder's by default.

    Raises:
        VersionError: the folder holds something or lies in a workspace, or the source is no workspace.
        ParamsError: the name is not allowed.
    """
    folder = folder.resolve()  # `..` must not look like a folder above
    name = name or dataset_name(folder.name)
    _check_place(folder)
    texts = template(name) | (_texts_of(source, log) if source else {})
    texts[PARAMS] = default_params(texts[PARAMS], name)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{folder.name}.", dir=folder.parent) as near:
        part = Path(near) / "workspace"
        _set_up(Workspace(part), texts, name, log)
        if folder.exists():
            folder.rmdir()
        part.rename(folder)
    if git_ok(folder.parent, "rev-parse", "--git-dir"):
        log(
            f"{folder}: a repository of its own, inside {top_folder(folder.parent)}; "
            f"to make it a part of that one: rm -rf {shlex.quote(str(folder / '.git'))}"
        )
    return name


def dataset_name(text: str) -> str:
    """A dataset's name made from a folder's.

    Raises:
        VersionError: nothing of it can be one.
    """
    name = re.sub(r"[^a-z0-9]+", "_", text.lower())
    name = re.sub(r"^[^a-z]+", "", name).rstrip("_")[:64]
    if not name:
        raise VersionError(
            f"{text}: no dataset's name can be made of it; give one with --name, for example --name birds"
        )
    return name


def default_params(text: str, name: str) -> str:
    """params.yaml with every value as the code has it by default, and the dataset's name; comments stay.

    Lists of steps stay, too: they are off by default, and show what can be asked for.

    Raises:
        ParamsError: the name is not allowed.
    """
    given = read_leniently(text)
    settings: dict[str, Any] = {
        f"{block}.{key}": default
        for block, values in Params().model_dump(by_alias=True).items()
        for key, default in ((key, _short(value)) for key, value in values.items())
        if key != "steps" and key in (given.get(block) or {}) and given[block][key] != default
    }
    return with_settings(text, settings | {"dataset.name": name})


def _check_place(folder: Path) -> None:
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise VersionError(f"{folder}: holds something already; choose an empty folder, or one to make")
    for above in folder.parents:
        if (above / PIPELINE).exists() and (above / ".dvc").exists():
            raise VersionError(f"{folder}: lies in the workspace {above}; a workspace is a repository of its own")


def _texts_of(source: str, log: Log) -> dict[str, str]:
    """What another workspace has committed of the template's files, and of its own stages, flow and pipelines."""
    with opened(source, "--from", depth=1) as root:
        listed = git(root, "ls-tree", "-r", "--name-only", "-z", "HEAD").split("\0")
        if not {PARAMS, PIPELINE} <= {*listed}:
            raise VersionError(f"--from {source}: no workspace (dvc.yaml and params.yaml in git); choose another")
        if "stages/__init__.py" in listed:
            raise VersionError(
                f"--from {source}: made before Shardsmith was a package; leave --from out, and copy params.yaml"
            )
        if changed := git(root, "status", "--porcelain", "--untracked-files=no").splitlines():
            log(f"{root}: {len(changed)} changed files are taken as they are committed")
        wanted = {*template("x")} - {"README.md", ".gitignore", DECISIONS}
        taken = [file for file in listed if file in wanted or (file.startswith(_TAKEN) and file.endswith(_READABLE))]
        return {file: git(root, "show", f"HEAD:./{file}") for file in taken}


_READABLE = (".py", ".yaml", ".yml", ".json", ".md", ".txt")


def _short(default: Any) -> Any:
    """A block without what it leaves open."""
    if not isinstance(default, dict):
        return default
    return {key: value for key, value in default.items() if value not in (None, [])}


def _set_up(workspace: Workspace, texts: Mapping[str, str], name: str, log: Log) -> None:
    """git, DVC, DVC's hooks, the files, the code and environment written down, and the first commit."""
    root = workspace.root
    root.mkdir()
    workspace.git("init", "--quiet", "--initial-branch", "main")
    workspace.dvc("init", "--quiet")
    workspace.dvc("install")
    for hook in _HOOKS:
        _find_dvc(root / ".git" / "hooks" / hook)
    for file, text in {**texts, ".dvc/config": _CONFIG}.items():
        (root / file).parent.mkdir(parents=True, exist_ok=True)
        (root / file).write_text(text, encoding="utf-8")
    pin(workspace, log)
    (root / ".dvc" / ".gitignore").unlink()  # what it says stands in the one at the top
    workspace.git("add", "--all")
    workspace.git("commit", "--quiet", "--no-verify", "-m", f"A workspace for the dataset {name}")
    (root / RAW).mkdir(parents=True)
    set_merge_driver(root)


def _find_dvc(hook: Path) -> None:
    """The hooks run `dvc`: without an activated environment `git commit` would fail for want of it."""
    shebang, _, rest = hook.read_text(encoding="utf-8").partition("\n")
    # where there is no DVC remote, `git push` pushes what there is
    only = '[ -n "$(dvc config core.remote 2> /dev/null)" ] || exit 0\n' if hook.name == "pre-push" else ""
    hook.write_text(f'{shebang}\nPATH="$PATH:{Path(sys.executable).parent}"\n{only}{rest}', encoding="utf-8")
