"""DVC as a program, and its settings: the only module that runs it."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from collections import deque
from collections.abc import Collection, Iterator, Mapping
from configparser import ConfigParser
from configparser import Error as ConfigError
from itertools import groupby
from pathlib import Path

from shardsmith.dataset.errors import VersionError
from shardsmith.installation import need
from shardsmith.workspace.log import Log

# what dvc says at every stage, and what its hints say that a build does by itself
_ROUTINE = re.compile(
    r"\s*$|Stage '|Running stage|'.*didn't change|> |Updating lock|To track the changes|\s+git add|To enable auto|"
    r"\s+dvc config|Use `dvc push`|Verifying data sources|\S+ is already|Everything is up to date|"
    r"ERROR: failed to reproduce .* exited with|Generating lock"
)
_STAGE = re.compile(r"(?:Running stage|Stage) '([^']+)'")  # what it says when it comes to one
_NO_ROOM = 100_000  # bytes


def dvc(
    root: Path,
    *arguments: str,
    log: Log | None = None,
    python: str = sys.executable,
    env: Mapping[str, str] | None = None,
) -> str:
    """Run dvc; each line it prints goes to `log` as it comes.

    On a terminal its progress bars are left alone.

    Args:
        python: of another environment, whose DVC it is.
        env: the variables of its process; this process's by default.

    Raises:
        VersionError: dvc fails; the message holds what it said last.
    """
    lines = []
    for line in _lines(root, *arguments, shown=bool(log), python=python, env=env):
        lines.append(line)
        if log and not _ROUTINE.match(line):
            log(line)
    return "\n".join(lines)


def repro(root: Path, stages: Collection[str]) -> Iterator[tuple[str, Iterator[str]]]:
    """`dvc repro`, where DVC decides what there is to do: each stage as it comes to it, and what is said there.

    The first may be "", for what is said before any stage. The lines of one are to be read before the next.

    Raises:
        VersionError: a stage or dvc fails; from the lines of that stage.
    """
    stage = ""

    def stage_of(line: str) -> str:
        nonlocal stage
        if (found := _STAGE.match(line)) and found[1] in stages:
            stage = found[1]
        return stage

    for name, lines in groupby(_lines(root, "repro", shown=True), key=stage_of):
        yield name, _of_stage(name, lines)


def cache_folder(root: Path) -> Path:
    """Where DVC keeps its cache, as .dvc/config.local or .dvc/config says: to ask dvc takes a second."""
    return root / ".dvc" / Path(_cache_config(root).get("dir", "cache")).expanduser()


def cache_links(root: Path) -> bool:
    """Whether DVC puts links to its cache into the workspace, and no copies."""
    return "link" in _cache_config(root).get("type", "").replace("reflink", "")


def has_remote(root: Path) -> bool:
    """Whether a default remote is configured."""
    return bool(dvc(root, "config", "core.remote").strip()) if mentions_remote(root) else False


def mentions_remote(root: Path) -> bool:
    """Whether there may be one: to ask dvc takes a second."""
    configs = [root / ".dvc" / name for name in ("config", "config.local")]
    return any("remote" in path.read_text("utf-8") for path in configs if path.exists())


def remote_address(root: Path) -> str:
    """Of the default remote, as .dvc/config.local or .dvc/config says; "" where neither does."""
    return _config(root, f"""'remote "{_config(root, "core").get("remote", "")}"'""").get("url", "")


def _cache_config(root: Path) -> dict[str, str]:
    return _config(root, "cache")


def _config(root: Path, section: str) -> dict[str, str]:
    config = ConfigParser(interpolation=None)
    try:
        config.read([root / ".dvc" / name for name in ("config", "config.local")], encoding="utf-8")
        return dict(config[section]) if section in config else {}
    except ConfigError:
        return {}  # dvc itself will say what is wrong


def _lines(
    root: Path, *arguments: str, shown: bool, python: str = sys.executable, env: Mapping[str, str] | None = None
) -> Iterator[str]:
    if python == sys.executable:
        need("dvc")
    command = [python, "-u", "-m", "dvc", *arguments]  # else its lines come after those of its stages
    bars = None if shown and sys.stderr.isatty() else subprocess.STDOUT if shown else subprocess.PIPE
    process = subprocess.Popen(
        command, cwd=root, env=env, stdout=subprocess.PIPE, stderr=bars, text=True, errors="replace"
    )
    last: deque[str] = deque(maxlen=5)
    try:
        for line in process.stdout or ():
            last.append(line.rstrip())
            yield line.rstrip()
        errors = process.stderr.read() if process.stderr else ""
    except BaseException:
        process.terminate()
        raise
    finally:
        code = process.wait()
    if code:
        said = ": see above" if shown else f": {errors.strip() or ' '.join(last)}"
        raise VersionError(f"dvc {shlex.join(arguments)} failed{said}{_if_full(root)}")


def _if_full(root: Path) -> str:
    """What DVC says on a full disk may be of the files that it left half written."""
    full = [
        place for place in (root, cache_folder(root)) if place.exists() and shutil.disk_usage(place).free < _NO_ROOM
    ]
    return f"\nNo space left on device: {full[0]}; free some space and try again" if full else ""


def _of_stage(stage: str, lines: Iterator[str]) -> Iterator[str]:
    try:
        yield from (line for line in lines if not _ROUTINE.match(line))
    except VersionError as error:
        raise VersionError(f"{stage}: {error}" if stage else str(error)) from None
