"""What a build that did not finish leaves: processes, locks, half-written files. The next build clears it away.

Killed, it leaves any of them; where the disk was full, DVC leaves half a dvc.lock, which can be mended only later.

Nothing here is a user's: processes carry the mark of the dead build, and a file that another process has open stays.
"""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from shardsmith.workspace.dvc import cache_folder
from shardsmith.workspace.git import file_at, git
from shardsmith.workspace.lock_file import is_readable
from shardsmith.workspace.paths import EXPORT, LOCK, POINTER

MARK = "SHARDSMITH_BUILD"  # in the environment of a build and all that it starts
_DYING_S = 3.0
_PROC = Path("/proc")


def clear(root: Path, mark: str, log: Callable[[str], None]) -> None:
    """Bring the workspace to where a build can start, after one with that mark did not finish; say what it had left."""
    left = ["processes"] if end_processes(mark) else []
    rwlock = root / ".dvc" / "tmp" / "rwlock"
    locks = [*_git_locks(root), *([rwlock] if rwlock.exists() and not _holds_rwlock(rwlock) else [])]
    parts = unused(half_written(root))
    for path in (*locks, *parts):
        path.unlink(missing_ok=True)
    left += (["locks"] if locks else []) + (["half-written files"] if parts else [])
    for file in (LOCK, POINTER):
        if (path := root / file).exists() and not is_readable(path):
            _as_committed(root, path)
            left.append(f"half of {file}, now as committed")
    if left:
        log(f"cleared away what a build that did not finish had left: {', '.join(left)}")


def end_processes(mark: str) -> bool:
    """End what a dead build has started and what still is at work: killed alone, it leaves dvc and stages behind.

    Whether there was any.
    """
    until, found = time.monotonic() + _DYING_S, False
    while (marked := list(_marked(mark))) and time.monotonic() < until:
        found = True
        for process in marked:
            try:
                os.kill(process, signal.SIGKILL)
            except ProcessLookupError:
                continue
        time.sleep(0.05)
    return found


def _marked(mark: str) -> Iterator[int]:
    wanted = f"{MARK}={mark}".encode()
    for path in _PROC.glob("[0-9]*/environ"):
        try:
            found = wanted in path.read_bytes().split(b"\0")
        except OSError:
            continue  # somebody else's, or gone
        if found and int(path.parent.name) != os.getpid():
            yield int(path.parent.name)


def _git_locks(root: Path) -> list[Path]:
    """Locks that stop a commit, a tag or a push."""
    own, common = (
        Path(git(root, "rev-parse", "--path-format=absolute", which).strip())
        for which in ("--git-dir", "--git-common-dir")
    )
    locks = [*own.glob("*.lock"), *(path for path in (common / "packed-refs.lock",) if path.exists())]
    return [*locks, *(common / "refs").rglob("*.lock")]


def _holds_rwlock(rwlock: Path) -> bool:
    """Whether a dvc that is alive has an entry: DVC asks for its number alone, which another process may have now."""
    try:
        entries = json.loads(rwlock.read_text(encoding="utf-8"))
        readers = [info for infos in entries.get("read", {}).values() for info in infos]
        pids = {int(info["pid"]) for info in (*readers, *entries.get("write", {}).values())}
    except (ValueError, KeyError, TypeError, AttributeError):
        return False
    return any(b"dvc" in _command(pid) for pid in pids)


def _command(pid: int) -> bytes:
    try:
        return (_PROC / str(pid) / "cmdline").read_bytes()
    except OSError:
        return b""


def half_written(root: Path) -> list[Path]:
    """Files under a temporary name, of ours and of DVC."""
    kept = [path for folder in ("preprocess", "augment") for path in (root / "data" / folder).rglob("*.part")]
    exported = [path for path in (root / f"{EXPORT}.part").rglob("*") if path.is_file()]
    cached = list((cache_folder(root) / "files" / "md5").glob("*/.*.tmp"))
    return [*kept, *exported, *cached, *(path for path in (root / ".params.yaml.part",) if path.exists())]


def unused(files: list[Path]) -> list[Path]:
    """Those that no process has open: a cache may serve several workspaces."""
    if not files:
        return []
    open_now = set()
    for path in _PROC.glob("[0-9]*/fd/*"):
        try:
            open_now.add(str(path.readlink()))
        except OSError:
            continue
    return [path for path in files if str(path.resolve()) not in open_now]


def _as_committed(root: Path, path: Path) -> None:
    """The file as it is at HEAD; gone where it is not there. What it recorded since is found again by the build."""
    text = file_at(root, "HEAD", path.relative_to(root).as_posix())
    if text is None:
        path.unlink()
    else:
        path.write_text(text, encoding="utf-8")
