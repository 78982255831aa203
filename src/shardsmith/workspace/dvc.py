"""DVC as a program, and its settings: the only module that runs it."""

from __future__ import annotations

import errno
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections import deque
from collections.abc import Collection, Iterator, Mapping
from configparser import ConfigParser
from configparser import Error as ConfigError
from itertools import groupby
from pathlib import Path
from typing import Any

from shardsmith.dataset.errors import VersionError
from shardsmith.installation import need
from shardsmith.workspace.log import Log
from shardsmith.workspace.retry import FULL

# what dvc says at every stage, and what its hints say that a build does by itself
_ROUTINE = re.compile(
    r"\s*$|Stage '|Running stage|'.*didn't change|> |Updating lock|To track the changes|\s+git add|To enable auto|"
    r"\s+dvc config|Use `dvc push`|Verifying data sources|\S+ is already|Everything is up to date|"
    r"ERROR: failed to reproduce .* exited with|Generating lock"
)
_STAGE = re.compile(r"(?:Running stage|Stage) '([^']+)'")  # what it says when it comes to one
_UNSTORED = re.compile(r"(?m)^ERROR: (failed to transfer .*)")  # said, and passed over: it goes on, and exits with 0
_FULL = tuple(map(os.strerror, FULL))
_NO_ROOM = 100_000  # bytes

# settings of a remote that are believed where git brings them: of anyone's repository what an address needs, ...
_ADDRESS = {"url", "endpointurl", "region", "allow_anonymous_login"}
# ... of the one that is worked in also names, numbers, choices and its own secrets; never a file, program or prompt
_PLAIN = _ADDRESS | {
    "jobs", "checksum_jobs", "no_traverse", "version_aware", "worktree", "verify", "type", "shared",
    "slow_link_warning", "profile", "access_key_id", "secret_access_key", "session_token", "use_ssl", "ssl_verify",
    "listobjects", "sse", "sse_kms_key_id", "sse_customer_algorithm", "sse_customer_key", "acl", "grant_read",
    "grant_read_acp", "grant_write_acp", "grant_full_control", "cache_regions", "read_timeout", "connect_timeout",
    "connection_timeout", "timeout", "user", "password", "port", "max_sessions", "auth", "method",
    "custom_auth_header", "token", "projectname", "account_name", "account_key", "connection_string", "sas_token",
    "tenant_id", "client_id", "client_secret", "oss_key_id", "oss_key_secret", "oss_endpoint",
}  # fmt: skip


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
        VersionError: dvc fails, or did not store all; the message holds what it said last. Where a disk is full, its
            cause says so.
    """
    lines: list[str] = []
    unstored: list[str] = []
    for line in _lines(root, *arguments, shown=bool(log), python=python, env=env, unstored=unstored):
        lines.append(line)
        if log and not _ROUTINE.match(line):
            log(line)
    _check_stored(root, arguments, unstored)
    return "\n".join(lines)


def repro(root: Path, stages: Collection[str]) -> Iterator[tuple[str, Iterator[str]]]:
    """`dvc repro`, where DVC decides what there is to do: each stage as it comes to it, and what is said there.

    The first may be "", for what is said before any stage. The lines of one are to be read before the next.

    Raises:
        VersionError: a stage or dvc fails; from the lines of that stage. At the end: dvc did not store all.
    """
    stage = ""
    unstored: list[str] = []

    def stage_of(line: str) -> str:
        nonlocal stage
        if (found := _STAGE.match(line)) and found[1] in stages:
            stage = found[1]
        return stage

    for name, lines in groupby(_lines(root, "repro", shown=True, unstored=unstored), key=stage_of):
        yield name, _of_stage(name, lines)
    _check_stored(root, ("repro",), unstored)


def cache_folder(root: Path) -> Path:
    """Where DVC keeps its cache, as its settings say: to ask dvc takes a second."""
    return Path(_cache_config(root).get("dir", str(root / ".dvc" / "cache")))


def cache_links(root: Path) -> bool:
    """Whether DVC puts links to its cache into the workspace, and no copies."""
    return "link" in _cache_config(root).get("type", "").replace("reflink", "")


def has_remote(root: Path) -> bool:
    """Whether a default remote is configured."""
    return bool(dvc(root, "config", "core.remote").strip()) if mentions_remote(root) else False


def mentions_remote(root: Path) -> bool:
    """Whether there may be one: to ask dvc takes a second."""
    return any("remote" in path.read_text("utf-8", errors="replace") for path in _configs(root) if path.is_file())


def remote_config(root: Path, is_clone: bool, is_local_own: bool) -> dict[str, Any]:
    """DVC's settings `core` and `remote`, as far as they are believed: git brings .dvc/config, whoever wrote it.

    Args:
        is_clone: it was cloned to look into it; the machine's own settings of a remote count if they name its url.
        is_local_own: .dvc/config.local was written here.

    Raises:
        VersionError: .dvc/config names a file or a program, or cannot be read.
    """
    need("dvc")
    from dvc.config import Config, ConfigError, merge

    try:
        own = Config(local_dvc_dir=str(root / ".dvc") if is_local_own else None, validate=False)
        brought = _believed(root / ".dvc" / "config", is_clone)
        levels: dict[str, Any] = {level: own.load_one(level) for level in own.files}
        believed: dict[str, Any] = {"core": {}, "remote": {}}
        for level in Config.SYSTEM_LEVELS:
            merge(believed, {key: levels[level][key] for key in believed})
        if is_clone:
            urls = {name: remote.get("url") for name, remote in brought["remote"].items()}
            same = {name: one for name, one in believed["remote"].items() if one.get("url") == urls.get(name)}
            believed = {"core": {}, "remote": same}
        merge(believed, brought)
        if is_local_own:
            merge(believed, {key: levels["local"][key] for key in believed})
        return Config.validate(believed)
    except (ConfigError, SyntaxError, TypeError, AttributeError, ValueError) as error:  # of its parser, for odd values
        raise VersionError(f"{root / '.dvc/config'}: cannot be read ({error}); see `dvc config --list`") from None


def _believed(path: Path, is_clone: bool) -> dict[str, Any]:
    """The default remote and the addresses of a .dvc/config that git brings.

    Raises:
        VersionError: of the repository that is worked in, a remote has a setting that is not believed.
        ConfigError: DVC cannot read the file.
    """
    from dvc.config import Config

    config = Config.load_file(str(path)) if path.is_file() else {}
    remotes: dict[str, Any] = {}
    for name, settings in config.get("remote", {}).items():
        if (unsafe := sorted(settings.keys() - _PLAIN)) and not is_clone:
            raise VersionError(
                f".dvc/config: the remote {name!r} has `{unsafe[0]}`, which may name a file or a program, and comes "
                f"with the repository; if it is yours: `dvc remote modify --local {name} {unsafe[0]} ...`, and delete "
                "it there"
            )
        remotes[name] = {key: settings[key] for key in sorted(settings.keys() & (_ADDRESS if is_clone else _PLAIN))}
        url = settings.get("url")
        if isinstance(url, str) and "://" not in url:
            remotes[name]["url"] = str(path.parent / Path(url).expanduser())
    core = config.get("core")
    name = core.get("remote") if isinstance(core, dict) else None
    return {"core": {"remote": name} if name else {}, "remote": remotes}


def remote_address(root: Path) -> str:
    """Of the default remote, as .dvc/config.local or .dvc/config says; "" where neither does."""
    return _config(root, f"""'remote "{_config(root, "core").get("remote", "")}"'""").get("url", "")


def _configs(root: Path) -> list[Path]:
    return [root / ".dvc" / name for name in ("config", "config.local")]


def _cache_config(root: Path) -> dict[str, str]:
    """The section `cache`, of machine, user and workspace, the last to speak; a path in one is relative to its file."""
    settings: dict[str, str] = {}
    for file in (*_machine_settings(), *_configs(root)):
        section = _section(file, "cache")
        folder = {"dir": str(file.parent / Path(section["dir"]).expanduser())} if "dir" in section else {}
        settings |= section | folder
    return settings


def _config(root: Path, section: str) -> dict[str, str]:
    shared, own = (_section(file, section) for file in _configs(root))
    return shared | own


def _section(file: Path, name: str) -> dict[str, str]:
    """{} where it cannot be read: dvc itself will say what is wrong."""
    config = ConfigParser(interpolation=None)
    try:
        config.read_string(file.read_text("utf-8", errors="replace"))
    except (OSError, ConfigError):
        return {}
    return dict(config[name]) if name in config else {}


def _machine_settings() -> tuple[Path, Path]:
    """The files of the machine and of the user, where dvc.dirs has them on Linux."""
    env, home = os.environ, Path.home() / ".config"
    machine = env.get("DVC_SYSTEM_CONFIG_DIR") or (env.get("XDG_CONFIG_DIRS") or "/etc/xdg").partition(":")[0] + "/dvc"
    user = env.get("DVC_GLOBAL_CONFIG_DIR") or f"{env.get('XDG_CONFIG_HOME') or home}/dvc"
    return Path(machine) / "config", Path(user) / "config"


def _lines(
    root: Path,
    *arguments: str,
    shown: bool,
    unstored: list[str],
    python: str = sys.executable,
    env: Mapping[str, str] | None = None,
) -> Iterator[str]:
    """
    Args:
        unstored: gets what dvc says it could not store. On a terminal its errors are not seen here.
    """
    if python == sys.executable:
        need("dvc")
    # -P: no module that lies in the workspace; -u: else its lines come after those of its stages
    command = [python, "-P", "-u", "-m", "dvc", *arguments]
    last: deque[str] = deque(maxlen=5)
    with tempfile.TemporaryFile("w+", errors="replace") as errors:  # a pipe that nobody reads would fill
        bars = None if shown and sys.stderr.isatty() else subprocess.STDOUT if shown else errors
        process = subprocess.Popen(
            command, cwd=root, env=env, stdout=subprocess.PIPE, stderr=bars, text=True, errors="replace"
        )
        try:
            for line in process.stdout or ():
                last.append(line.rstrip())
                unstored += _UNSTORED.findall(line)
                yield line.rstrip()
        except BaseException:
            process.terminate()
            raise
        finally:
            code = process.wait()
        errors.seek(0)
        said = errors.read().strip()
    unstored += _UNSTORED.findall(said)
    if code:
        shown_as = ": see above" if shown else f": {said or ' '.join(last)}"
        raise _failed(root, f"dvc {shlex.join(arguments)} failed{shown_as}", [*unstored, said, *last])


def _check_stored(root: Path, arguments: Collection[str], unstored: list[str]) -> None:
    """
    Raises:
        VersionError: dvc said of objects that it could not store them.
    """
    if unstored:
        many = f", and {len(unstored) - 1:,} more" if len(unstored) > 1 else ""
        raise _failed(root, f"dvc {shlex.join(arguments)}: {unstored[0]}{many}; try again", unstored)


def _failed(root: Path, text: str, said: Collection[str]) -> VersionError:
    """What dvc says on a full disk may be of the files that it left half written, so the disks are asked too."""
    places = [place for place in (root, cache_folder(root)) if place.exists()]
    full = next((f": {place}" for place in places if shutil.disk_usage(place).free < _NO_ROOM), None)
    if full is None and not any(word in line for word in _FULL for line in said):
        return VersionError(text)
    error = VersionError(f"{text}\nNo space left on device{full or ''}; free some space and try again")
    error.__cause__ = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    return error


def _of_stage(stage: str, lines: Iterator[str]) -> Iterator[str]:
    try:
        yield from (line for line in lines if not _ROUTINE.match(line))
    except VersionError as error:
        raise VersionError(f"{stage}: {error}" if stage else str(error)) from None
