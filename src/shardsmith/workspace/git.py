"""git: the only module that runs it. Nobody is ever asked for a password, and a silent server is given up."""

from __future__ import annotations

import os
import shlex
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from shardsmith.dataset.errors import VersionError
from shardsmith.workspace.addresses import clean, without_secrets

# a server that does not answer is given up after a minute; one that wants a password fails at once
_QUIET = {"GIT_HTTP_LOW_SPEED_LIMIT": "1", "GIT_HTTP_LOW_SPEED_TIME": "60"}
_NO_PROMPT = {"GIT_TERMINAL_PROMPT": "0"}
# programs that a repository's own settings name to read with: handed over with its .git, they would be a stranger's
_NO_PROGRAMS = ("-c", "log.showSignature=false", "-c", "core.fsmonitor=false")
_AUTHOR = {"NAME": "Shardsmith", "EMAIL": "shardsmith@localhost"}


def git(root: Path, *arguments: str) -> str:
    """What git prints.

    Raises:
        VersionError: git fails.
    """
    env = {**_QUIET, **os.environ, **_NO_PROMPT}
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
    return not subprocess.run(["git", *arguments], cwd=root, capture_output=True, check=False).returncode


def file_at(root: Path, revision: str, path: str) -> str | None:
    """A file's text at a commit or tag; None where it has none."""
    spec = f"{revision}:{path}"
    return git(root, "show", spec) if git_ok(root, "cat-file", "-e", spec) else None


def git_remote(root: Path, branch: str) -> str | None:
    """The branch's own git remote, else origin, else none."""
    own = f"branch.{branch}.remote"
    if branch and git_ok(root, "config", own):
        return git(root, "config", own).strip()
    return "origin" if "origin" in git(root, "remote").split() else None


@contextmanager
def opened(address: str, option: str, depth: int | None = None) -> Iterator[Path]:
    """The folder of a repository: the one at a path where it is a workspace, else a temporary clone.

    Args:
        address: a folder, or what git can clone.
        option: "--repo", for messages.
        depth: how many commits to clone; None for all, which versions need.

    Raises:
        VersionError: git cannot clone it.
    """
    if (Path(address) / ".dvc").is_dir() or (Path(address) / "dvc.yaml").is_file():
        yield Path(address).resolve()
        return
    with tempfile.TemporaryDirectory(prefix="shardsmith-") as folder:
        root = Path(folder)
        place = str(Path(address).absolute()) if Path(address).exists() else address
        try:
            git(root, "clone", "--quiet", *(["--depth", str(depth)] if depth else []), "--", place, ".")
        except VersionError as error:
            said = clean(str(error).partition(": ")[2], address)
            shown = without_secrets(address)
            raise VersionError(f"{option} {shown}: {said}; give a folder or URL that git can clone") from None
        if not (root / ".dvc").is_dir():  # a server's HEAD may name a branch that nobody ever pushed
            newest = git(root, "for-each-ref", "--sort=-committerdate", "--format=%(refname)", "refs/remotes")
            git(root, "checkout", "--quiet", "--detach", *newest.split()[:1])
        yield root


def _identity(root: Path) -> dict[str, str]:
    """An author where the user has configured none."""
    missing = [role for role in ("AUTHOR", "COMMITTER") if not git_ok(root, "var", f"GIT_{role}_IDENT")]
    return {f"GIT_{role}_{key}": value for role in missing for key, value in _AUTHOR.items()}
