"""Long work in a process of its own: the page stays answerable, may be closed and opened again, and can cancel it.

    python -m shardsmith.app.job FOLDER COMMAND ...

runs the command, and keeps what becomes of it in FOLDER: job.json (who, what, since when), log.txt (what it says),
result.txt (what it prints), progress.json (how far it is) and exit.json (its end).
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from shardsmith.dataset.workers import PROGRESS

State = Literal["none", "running", "done", "failed", "cancelled", "lost"]
_LINES = 400
_NICE = 5  # below the page, which people wait for


@dataclass(frozen=True)
class Job:
    """One piece of work, whose files are in `folder`; the last one of its kind stays there."""

    folder: Path

    def start(self, command: Sequence[str], cwd: Path, about: Mapping[str, Any] | None = None) -> bool:
        """Begin, unless it runs already; whether it began.

        Args:
            about: what the page wants to know of it later.
        """
        if self.state == "running":
            return False
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        runner = [sys.executable, "-P", "-m", "shardsmith.app.job", str(self.folder), *command]
        process = subprocess.Popen(runner, cwd=cwd, stdin=subprocess.DEVNULL, start_new_session=True)
        job = {"pid": process.pid, "born": _born(process.pid), "since": time.time(), "about": dict(about or {})}
        _write(self.folder / "job.json", job)
        return True

    @property
    def about(self) -> dict[str, Any]:
        return _read(self.folder / "job.json").get("about", {})

    @property
    def state(self) -> State:
        job, end = _read(self.folder / "job.json"), _read(self.folder / "exit.json")
        if not job:
            return "none"
        if end:
            return "cancelled" if end["cancelled"] else "failed" if end["code"] else "done"
        return "running" if job["born"] is not None and _born(job["pid"]) == job["born"] else "lost"

    @property
    def seconds(self) -> float:
        """How long it has run, or ran."""
        job, end = _read(self.folder / "job.json"), _read(self.folder / "exit.json")
        return end.get("at", time.time()) - job.get("since", time.time())

    @property
    def progress(self) -> dict[str, Any]:
        """As `workers.note_stage` and `workers.progress` say it: stage, begun; label, done, total, unit, rate, at."""
        return _read(self.folder / "progress.stage.json") | _read(self.folder / "progress.json")

    @property
    def lines(self) -> list[str]:
        """The last of what it says."""
        try:
            text = (self.folder / "log.txt").read_text(encoding="utf-8", errors="replace")
        except FileNotFoundError:
            return []
        return [line.rpartition("\r")[2].rstrip() for line in text.splitlines()][-_LINES:]

    @property
    def result(self) -> str:
        """What it prints."""
        try:
            return (self.folder / "result.txt").read_text(encoding="utf-8", errors="replace")
        except FileNotFoundError:
            return ""

    def cancel(self, patience_s: float = 0) -> None:
        """Ctrl-C: the command puts things back, and ends."""
        if self.state == "running":
            with contextlib.suppress(ProcessLookupError):
                os.kill(_read(self.folder / "job.json")["pid"], signal.SIGTERM)
        end = time.monotonic() + patience_s
        while self.state == "running" and time.monotonic() < end:
            time.sleep(0.05)


def _born(pid: int) -> str | None:
    """When a process began, in the kernel's ticks: numbers are used again. None for one that is no more."""
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)  # one that has ended is no zombie then
    try:
        state, *rest = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
    except OSError:
        return None
    return None if state == "Z" else rest[18]


def _write(path: Path, content: Mapping[str, Any]) -> None:
    part = path.with_suffix(".part")
    part.write_text(json.dumps(content), encoding="utf-8")
    part.replace(path)


def _read(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def main() -> None:
    folder, command = Path(sys.argv[1]), sys.argv[2:]
    os.nice(_NICE)
    # a server in a shell's background ignores Ctrl-C, and so would the command
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    env = os.environ | {PROGRESS: str(folder / "progress.json"), "PYTHONUNBUFFERED": "1", "NO_COLOR": "1"}
    with (folder / "log.txt").open("wb") as log, (folder / "result.txt").open("wb") as result:
        process = subprocess.Popen(command, stdout=result, stderr=log, env=env, start_new_session=True)
        cancelled = False

        def cancel(*_: object) -> None:
            nonlocal cancelled
            cancelled = True
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGINT)

        signal.signal(signal.SIGTERM, cancel)
        code = process.wait()
    _write(folder / "exit.json", {"code": code, "cancelled": cancelled and code != 0, "at": time.time()})


if __name__ == "__main__":
    main()
