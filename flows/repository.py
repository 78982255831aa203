"""The workspace: one git repository with DVC. The only module that runs git or dvc."""

from __future__ import annotations

import fcntl
import json
import os
import re
import secrets
import shlex
import shutil
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator
from configparser import ConfigParser
from configparser import Error as ConfigError
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

from flows.leftovers import MARK, clear
from stages.dataset.errors import VersionError
from stages.dataset.yaml_text import YamlError, load_yaml

Log = Callable[[str], None]
# what dvc says at every stage, and what its hints say that a build does by itself
_ROUTINE = re.compile(
    r"\s*$|Stage '|Running stage|'.*didn't change|> |Updating lock|To track the changes|\s+git add|To enable auto|"
    r"\s+dvc config|Use `dvc push`|Verifying data sources|\S+ is already|Everything is up to date|"
    r"ERROR: failed to reproduce .* exited with|Generating lock"
)
_STAGE = re.compile(r"(?:Running stage|Stage) '([^']+)'")  # what it says when it comes to one
# a git server that does not answer is given up after a minute
_NO_STALL = {"GIT_HTTP_LOW_SPEED_LIMIT": "1", "GIT_HTTP_LOW_SPEED_TIME": "60"}
_NO_ROOM = 100_000  # bytes
_IDENTITY = {"NAME": "Shardsmith", "EMAIL": "shardsmith@localhost"}


@dataclass(frozen=True)
class Workspace:
    """A folder with dvc.yaml, params.yaml, .git and .dvc."""

    root: Path

    @classmethod
    def find(cls, start: Path | None = None) -> Workspace:
        """
        Raises:
            VersionError: neither `start` (the current folder) nor a folder above it is a workspace.
        """
        here = (start or Path.cwd()).resolve()
        for folder in (here, *here.parents):
            if (folder / "dvc.yaml").is_file() and (folder / "params.yaml").is_file():
                return cls(folder)
        raise VersionError(f"{here}: no workspace here or above (dvc.yaml with params.yaml); go to one and try again")

    def git(self, *arguments: str) -> str:
        """What git prints.

        Raises:
            VersionError: git fails.
        """
        makes = arguments[0] in ("commit", "tag", "merge")
        env = self._identity() if makes else {**_NO_STALL, **os.environ, "GIT_TERMINAL_PROMPT": "0"}
        done = subprocess.run(["git", *arguments], cwd=self.root, env=env, capture_output=True, text=True, check=False)
        if done.returncode:
            raise VersionError(f"git {shlex.join(arguments)}: {done.stderr.strip() or done.stdout.strip()}")
        return done.stdout

    def git_ok(self, *arguments: str) -> bool:
        """Whether git exits with 0."""
        return not subprocess.run(["git", *arguments], cwd=self.root, capture_output=True, check=False).returncode

    def file_at(self, revision: str, path: str) -> str | None:
        """A file's text at a commit or tag; None where it has none."""
        spec = f"{revision}:{path}"
        return self.git("show", spec) if self.git_ok("cat-file", "-e", spec) else None

    def dvc(self, *arguments: str, log: Log | None = None) -> str:
        """Run dvc; each line it prints goes to `log` as it comes.

        On a terminal its progress bars are left alone.

        Raises:
            VersionError: dvc fails; the message holds what it said last.
        """
        lines = []
        for line in self._lines_of_dvc(*arguments, shown=bool(log)):
            lines.append(line)
            if log and not _ROUTINE.match(line):
                log(line)
        return "\n".join(lines)

    def repro(self) -> Iterator[tuple[str, Iterator[str]]]:
        """`dvc repro`, where DVC decides what there is to do: each stage as it comes to it, and what is said there.

        The first may be "", for what is said before any stage. The lines of one are to be read before the next.

        Raises:
            VersionError: a stage or dvc fails; from the lines of that stage.
        """
        stages, stage = self._stages(), ""

        def stage_of(line: str) -> str:
            nonlocal stage
            if (found := _STAGE.match(line)) and found[1] in stages:
                stage = found[1]
            return stage

        for name, lines in groupby(self._lines_of_dvc("repro", shown=True), key=stage_of):
            yield name, _of_stage(name, lines)

    def _lines_of_dvc(self, *arguments: str, shown: bool) -> Iterator[str]:
        command = [sys.executable, "-u", "-m", "dvc", *arguments]  # else its lines come after those of its stages
        bars = None if shown and sys.stderr.isatty() else subprocess.STDOUT if shown else subprocess.PIPE
        process = subprocess.Popen(
            command, cwd=self.root, stdout=subprocess.PIPE, stderr=bars, text=True, errors="replace"
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
            raise VersionError(f"dvc {shlex.join(arguments)} failed{said}{self._if_full()}")

    def _if_full(self) -> str:
        """What DVC says on a full disk may be of the files that it left half written."""
        full = [
            place
            for place in (self.root, self.cache_folder())
            if place.exists() and shutil.disk_usage(place).free < _NO_ROOM
        ]
        return f"\nNo space left on device: {full[0]}; free some space and try again" if full else ""

    def code(self) -> list[str]:
        """The deps of dvc.yaml that git tracks: all that is not data."""
        deps = {dep for stage in self._stages().values() for dep in stage["deps"]}
        return sorted(dep for dep in deps if not dep.startswith("data/"))

    def lock_file(self, revision: str | None = None) -> dict[str, Any]:
        """dvc.lock as of a commit or tag, or as it stands; {} where there is none."""
        path = self.root / "dvc.lock"
        text = self.file_at(revision, "dvc.lock") if revision else path.read_text("utf-8") if path.exists() else None
        return _as_mapping(text or "", "dvc.lock")

    def _stages(self) -> dict[str, Any]:
        stages = _as_mapping((self.root / "dvc.yaml").read_text(encoding="utf-8"), "dvc.yaml").get("stages")
        if not isinstance(stages, dict):
            raise VersionError("dvc.yaml: has no stages; restore it: git checkout dvc.yaml")
        return stages

    def status(self) -> dict[str, Any]:
        """What `dvc repro` would do: {} for nothing."""
        return json.loads(self.dvc("status", "--json") or "{}")

    def has_remote(self) -> bool:
        return bool(self.dvc("config", "core.remote").strip()) if self._mentions_remote() else False

    def _mentions_remote(self) -> bool:
        configs = [self.root / ".dvc" / name for name in ("config", "config.local")]
        return any("remote" in path.read_text("utf-8") for path in configs if path.exists())

    def cache_folder(self) -> Path:
        """Where DVC keeps its cache, as .dvc/config.local or .dvc/config says: to ask dvc takes a second."""
        return self.root / ".dvc" / Path(self._cache_config().get("dir", "cache")).expanduser()

    def cache_links(self) -> bool:
        """Whether DVC puts links to its cache into the workspace, and no copies."""
        return "link" in self._cache_config().get("type", "").replace("reflink", "")

    def _cache_config(self) -> dict[str, str]:
        config = ConfigParser(interpolation=None)
        try:
            config.read([self.root / ".dvc" / name for name in ("config", "config.local")], encoding="utf-8")
            return dict(config["cache"]) if "cache" in config else {}
        except ConfigError:
            return {}  # dvc itself will say what is wrong

    @contextmanager
    def lock(self, log: Log, wait: bool = True) -> Iterator[None]:
        """Hold the workspace for a build; wait while another build holds it. The kernel frees it when we die.

        Raises:
            VersionError: another build holds it, and we are not to wait.
        """
        folder = self.root / ".dvc" / "tmp"
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / "shardsmith.lock").open("a+") as file:
            if not _try_lock(file):
                if not wait:
                    raise VersionError("another build is at work in this workspace; try again when it has ended")
                log("another build is at work in this workspace; waiting for it to end (Ctrl-C to give up)")
                while not _try_lock(file):
                    time.sleep(0.2)
            file.seek(0)
            if mark := file.read():
                clear(self, mark, log)
            mark = secrets.token_hex(8)
            file.truncate(0)
            file.write(mark)
            file.flush()
            os.environ[MARK] = mark
            try:
                yield
                file.truncate(0)  # else it stays, so that the next build looks for what this one left
            finally:
                os.environ.pop(MARK, None)

    def _identity(self) -> dict[str, str]:
        """The environment for git, with an author where the user has configured none."""
        env = dict(os.environ)
        for role in ("AUTHOR", "COMMITTER"):
            if not self.git_ok("var", f"GIT_{role}_IDENT"):
                env |= {f"GIT_{role}_{key}": value for key, value in _IDENTITY.items()}
        return env


def _as_mapping(text: str, file: str) -> dict[str, Any]:
    try:
        content = load_yaml(text) or {}
    except YamlError as error:
        raise VersionError(f"{file}{error.place}: {error}; correct it, or restore it: git checkout {file}") from None
    return content if isinstance(content, dict) else {}


def _of_stage(stage: str, lines: Iterator[str]) -> Iterator[str]:
    try:
        yield from (line for line in lines if not _ROUTINE.match(line))
    except VersionError as error:
        raise VersionError(f"{stage}: {error}" if stage else str(error)) from None


def _try_lock(file: Any) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
