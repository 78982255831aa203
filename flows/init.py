"""`shardsmith init`: a new workspace from another: code and pipeline, params with their defaults, and no data."""

from __future__ import annotations

import re
import shutil
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from flows.repository import Log, Workspace
from flows.settings import with_settings
from flows.versions import read_leniently
from stages.dataset.errors import VersionError
from stages.params import Params

_CONFIG = "[core]\n    analytics = false\n    check_update = false\n    autostage = false\n"
# the key is params.yaml's: whoever renames the dataset need not know of this
_ARTIFACT = """\
# what `dvc artifacts get` and GTO find under the dataset's name, for versions called v1.2.3
artifacts:
  ${dataset.name}:
    path: data/export
    type: dataset
    desc: dataset versions made by Shardsmith
"""
_OLD_ARTIFACT = re.compile(r"(?:^#.*\n)*^artifacts:.*\n(?:[ \t#].*\n|\n)*", re.MULTILINE)


def init(folder: Path, source: str | None, name: str | None, log: Log) -> str:
    """Make a workspace at `folder`, whole or not at all; returns its dataset's name.

    Args:
        source: a workspace's folder, or a URL that git can clone; None for the workspace we stand in.
        name: the dataset's name; made from the folder's by default.

    Raises:
        VersionError: the folder holds something or lies in a workspace, or the source is no workspace.
        ParamsError: the name is not allowed.
    """
    folder = folder.resolve()  # `..` must not look like a folder above
    name = name or dataset_name(folder.name)
    _check_place(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with _opened(source) as origin, tempfile.TemporaryDirectory(prefix=f".{folder.name}.", dir=folder.parent) as near:
        part = Path(near) / "workspace"
        _copy_code(origin, part, log)
        for file, text in (
            ("params.yaml", default_params((part / "params.yaml").read_text("utf-8"), name)),
            ("dvc.yaml", with_artifact((part / "dvc.yaml").read_text("utf-8"))),
        ):
            (part / file).write_text(text, encoding="utf-8")
        _set_up(Workspace(part), name)
        if folder.exists():
            folder.rmdir()
        part.rename(folder)
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


def _check_place(folder: Path) -> None:
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise VersionError(f"{folder}: holds something already; choose an empty folder, or one to make")
    for above in folder.parents:
        if (above / "dvc.yaml").exists() and (above / ".dvc").exists():
            raise VersionError(f"{folder}: lies in the workspace {above}; a workspace is a repository of its own")


@contextmanager
def _opened(source: str | None) -> Iterator[Workspace]:
    """The workspace to take code from: ours, one in a folder, or a temporary clone."""
    if source is None:
        yield Workspace.find()
    elif (Path(source) / "dvc.yaml").is_file():
        yield Workspace.find(Path(source))
    else:
        address = str(Path(source).absolute()) if Path(source).exists() else source
        with tempfile.TemporaryDirectory(prefix="shardsmith-") as folder:
            clone = Workspace(Path(folder))
            try:
                clone.git("clone", "--quiet", "--depth", "1", "--", address, ".")
            except VersionError as error:
                raise VersionError(f"--from {source}: {error}; give a folder or URL that git can clone") from None
            yield clone


def _copy_code(origin: Workspace, folder: Path, log: Log) -> None:
    """What is committed, without what belongs to the dataset: data, its pointers, dvc.lock and DVC's settings."""
    changed = origin.git("status", "--porcelain", "--untracked-files=no").splitlines()
    if changed:
        log(f"{origin.root}: {len(changed)} changed files are taken as they are committed")
    folder.mkdir()
    archive = folder.with_suffix(".tar")
    origin.git("archive", "--format=tar", "--output", str(archive), "HEAD")
    with tarfile.open(archive) as tar:
        tar.extractall(folder, filter="data")
    archive.unlink()
    if not all((folder / file).is_file() for file in ("dvc.yaml", "params.yaml", "data/.gitignore")):
        raise VersionError(
            f"{origin.root}: no workspace (dvc.yaml, params.yaml and data/ in git); choose another --from"
        )
    for path in (folder / "data").iterdir():
        if path.name != ".gitignore":
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    shutil.rmtree(folder / ".dvc", ignore_errors=True)
    (folder / "dvc.lock").unlink(missing_ok=True)


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


def _short(default: Any) -> Any:
    """A block without what it leaves open."""
    if not isinstance(default, dict):
        return default
    return {key: value for key, value in default.items() if value not in (None, [])}


def with_artifact(text: str) -> str:
    """dvc.yaml with the dataset as its one artifact."""
    if "${dataset.name}:" in text:
        return text
    return _OLD_ARTIFACT.sub("", text).rstrip("\n") + f"\n\n{_ARTIFACT}"


def _set_up(workspace: Workspace, name: str) -> None:
    """git, DVC, DVC's hooks, and the first commit."""
    root = workspace.root
    workspace.git("init", "--quiet", "--initial-branch", "main")
    workspace.dvc("init", "--quiet")
    (root / ".dvc" / "config").write_text(_CONFIG, encoding="utf-8")
    workspace.dvc("install")
    for hook in ("pre-commit", "post-checkout", "pre-push"):
        _find_dvc(root / ".git" / "hooks" / hook)
    workspace.git("add", "--all")
    workspace.git("commit", "--quiet", "--no-verify", "-m", f"A workspace for the dataset {name}")


def _find_dvc(hook: Path) -> None:
    """The hooks run `dvc`: without an activated environment `git commit` would fail for want of it."""
    shebang, _, rest = hook.read_text(encoding="utf-8").partition("\n")
    hook.write_text(f'{shebang}\nPATH="$PATH:{Path(sys.executable).parent}"\n{rest}', encoding="utf-8")
