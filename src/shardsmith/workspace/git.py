"""git: the only module that runs it. Nobody is ever asked for a password, and a silent server is given up."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any

from shardsmith.dataset.errors import VersionError
from shardsmith.workspace.addresses import clean, without_secrets
from shardsmith.workspace.lock_file import read_leniently, value_at
from shardsmith.workspace.paths import PARAMS, PIPELINE

# a server that does not answer is given up after a minute; one that wants a password fails at once
_QUIET = {"GIT_HTTP_LOW_SPEED_LIMIT": "1", "GIT_HTTP_LOW_SPEED_TIME": "60"}
_OF_A_HOOK = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX", "GIT_OBJECT_DIRECTORY", "GIT_COMMON_DIR")
_NO_PROMPT = {"GIT_TERMINAL_PROMPT": "0"}
# programs that a repository's own settings name to read with: handed over with its .git, they would be a stranger's
_NO_PROGRAMS = ("-c", "log.showSignature=false", "-c", "core.fsmonitor=false")
_NO_LINKS = ("-c", "core.symlinks=false")  # of a clone: a file of it could be any file of this machine
_LOOSE_KB = 50_000
_AUTHOR = {"NAME": "Shardsmith", "EMAIL": "shardsmith@localhost"}


def git(root: Path, *arguments: str) -> str:
    """What git prints.

    Raises:
        VersionError: git fails.
    """
    env = _environment()
    if arguments[0] in ("commit", "tag", "merge"):
        env |= _identity(root)
    done = subprocess.run(
        ["git", *_NO_PROGRAMS, *arguments],
        cwd=root,
        env=env,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    if done.returncode:
        raise VersionError(f"git {shlex.join(arguments)}: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout


def git_ok(root: Path, *arguments: str) -> bool:
    """Whether git exits with 0."""
    return not subprocess.run(
        ["git", *arguments], cwd=root, env=_environment(), capture_output=True, check=False
    ).returncode


def file_at(root: Path, revision: str, path: str) -> str | None:
    """A file's text at a commit or tag; None where it has none.

    Args:
        path: from `root`, which may be a sub-folder of the repository.
    """
    spec = f"{revision}:./{path}"
    return git(root, "show", spec) if git_ok(root, "cat-file", "-e", spec) else None


def git_remote(root: Path, branch: str) -> str | None:
    """The branch's own git remote, else origin, else the only one, else none."""
    own = f"branch.{branch}.remote"
    if branch and git_ok(root, "config", own):
        return git(root, "config", own).strip()
    remotes = git(root, "remote").split()
    return "origin" if "origin" in remotes else remotes[0] if len(remotes) == 1 else None


def top_folder(root: Path) -> Path:
    """The top of the repository that `root` is in."""
    return Path(git(root, "rev-parse", "--show-toplevel").strip())


def subfolder(root: Path) -> str:
    """Where `root` lies in its repository, `ml/birds`; "." at the top."""
    return git(root, "rev-parse", "--show-prefix").strip().rstrip("/") or "."


def remote_tags(root: Path, remote: str, dataset: str) -> dict[str, str]:
    """The dataset's tags as the git remote has them: tag -> commit.

    Raises:
        VersionError: it does not answer.
    """
    listed = git(root, "ls-remote", "--tags", remote, f"refs/tags/{dataset}@*").splitlines()
    pairs = (line.partition("\trefs/tags/")[::2] for line in listed)
    return {tag.removesuffix("^{}"): commit for commit, tag in pairs}  # the commit's line comes after the tag's own


def set_merge_driver(root: Path) -> None:
    """Let git merge .dvc files file by file, as .gitattributes says: without a driver in the clone's own config it
    does not.

    A config that cannot be written, or a machine without git, is left as it is: then the two files conflict.
    """
    if shutil.which("git") is None:
        return
    command = f"{shlex.quote(sys.executable)} -P -m shardsmith.store.merge %O %A %B %P"
    if git_ok(root, "config", "--local", "--get", "--fixed-value", "merge.dvc.driver", command):
        return
    for key, value in (("name", "DVC"), ("driver", command)):
        git_ok(root, "config", "--local", f"merge.dvc.{key}", value)


def pack(root: Path) -> None:
    """Pack loose objects past 50 MB: each version adds its splits whole, and packed only what changed since."""
    counts = dict(line.split(": ") for line in git(root, "count-objects", "-v").splitlines())
    if int(counts["size"]) > _LOOSE_KB:
        git_ok(root, "repack", "-d", "-q")


@contextmanager
def opened(address: str, option: str, depth: int | None = None, dataset: str = "") -> Iterator[Path]:
    """The folder of a workspace: the one at a path, else the one in a temporary clone.

    Args:
        address: a folder, or what git can clone.
        option: "--repo", for messages.
        depth: how many commits to clone; None for all, which versions need.
        dataset: the one that is wanted, where the repository has several workspaces; "" for any.

    Raises:
        VersionError: git cannot clone it, or it does not say which workspace is meant.
    """
    if (Path(address) / ".dvc").is_dir() or (Path(address) / "dvc.yaml").is_file():
        yield Path(address).resolve()
        return
    with tempfile.TemporaryDirectory(prefix="shardsmith-") as folder:
        root = Path(folder)
        place = str(Path(address).absolute()) if Path(address).exists() else address
        try:
            git(root, "clone", "--quiet", *_NO_LINKS, *(["--depth", str(depth)] if depth else []), "--", place, ".")
        except VersionError as error:
            said = clean(str(error).partition(": ")[2], address)
            shown = without_secrets(address)
            raise VersionError(f"{option} {shown}: {said}; give a folder or URL that git can clone") from None
        if not git_ok(root, "rev-parse", "-q", "--verify", "HEAD"):  # a branch that nobody ever pushed
            newest = git(root, "for-each-ref", "--sort=-committerdate", "--format=%(refname)", "refs/remotes")
            git(root, "checkout", "--quiet", "--detach", *newest.split()[:1])
        yield _workspace_in(root, dataset, f"{option} {without_secrets(address)}")


def _workspace_in(root: Path, dataset: str, shown: str) -> Path:
    """The only workspace of a clone, or of several that of the dataset."""
    files = git(root, "ls-files", "-z", "--", f"*{PIPELINE}").split("\0")
    folders = [(root / file).parent for file in files if PurePosixPath(file).name == PIPELINE]
    found = [folder for folder in folders if (folder / PARAMS).is_file()]
    if (root in found) or not found:
        return root
    own = [one for one in found if dataset in ("", _dataset_of(one))]
    if len(own) != 1:
        listed = ", ".join(folder.relative_to(root).as_posix() for folder in found)
        wanted = f" of {dataset}" if dataset else ", so the dataset must be named: DATASET@NAME"
        raise VersionError(f"{shown}: {len(own) or 'none'} of its workspaces ({listed}) is the one{wanted}")
    return own[0]


def _dataset_of(root: Path) -> Any:
    params = read_leniently(file_at(root, "HEAD", PARAMS) or "")
    return value_at(params, "dataset.name")


def _environment() -> dict[str, str]:
    """Without what a git hook says of its own repository: the one meant is that of the folder."""
    own = {name: value for name, value in os.environ.items() if name not in _OF_A_HOOK}
    return {**_QUIET, **own, **_NO_PROMPT}


def _identity(root: Path) -> dict[str, str]:
    """An author where the user has configured none."""
    missing = [role for role in ("AUTHOR", "COMMITTER") if not git_ok(root, "var", f"GIT_{role}_IDENT")]
    return {f"GIT_{role}_{key}": value for role in missing for key, value in _AUTHOR.items()}
