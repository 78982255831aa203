"""What a killed build leaves is cleared away by whoever takes the workspace next, and nothing else is."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from shardsmith.workspace.workspace import Workspace

LOCK = "schema: '2.0'\nstages:\n  a:\n    cmd: a\n    outs:\n    - path: data/a\n      md5: abcd\n"
RAW = "outs:\n- md5: abcd.dir\n  size: 1\n  path: raw\n"
HOLDER = """
import subprocess, sys, time
from shardsmith.workspace.workspace import Workspace
with Workspace.find().lock(print):
    print(subprocess.Popen(["sleep", "600"]).pid, flush=True)
    time.sleep(600)
"""


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    made = Workspace(tmp_path / "work")
    for file, text in {"dvc.yaml": "", "params.yaml": "", "dvc.lock": LOCK, "data/raw.dvc": RAW}.items():
        (made.root / file).parent.mkdir(parents=True, exist_ok=True)
        (made.root / file).write_text(text)
    made.git("init", "-q")
    made.git("add", "-A")
    made.git("commit", "-qm", "start")
    return made


def kill_a_holder(workspace: Workspace) -> int:
    """A build takes the lock, starts a process, and is killed alone: the number of the process that it started."""
    env = os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])}
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER], cwd=workspace.root, env=env, stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout
    started = int(holder.stdout.readline())
    while not Path(f"/proc/{started}/environ").read_bytes():  # the kernel says it a moment after the start
        time.sleep(0.01)
    holder.kill()
    holder.wait()
    return started


def is_alive(pid: int) -> bool:
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return status.rpartition(")")[2].split()[0] not in "ZX"


def take(workspace: Workspace) -> list[str]:
    said: list[str] = []
    with workspace.lock(said.append):
        return said


def test_the_next_build_starts_within_seconds_and_ends_what_the_dead_one_started(workspace: Workspace) -> None:
    started = kill_a_holder(workspace)
    assert is_alive(started)
    began = time.monotonic()
    assert take(workspace) == ["cleared away what a build that did not finish had left: processes"]
    assert time.monotonic() - began < 5
    assert not is_alive(started)
    assert take(workspace) == []


def test_git_locks_go(workspace: Workspace) -> None:
    kill_a_holder(workspace)
    for lock in ("index.lock", "HEAD.lock", "next-index-7.lock", "packed-refs.lock", "refs/tags/x.lock"):
        (workspace.root / ".git" / lock).write_text("")
    take(workspace)
    assert list((workspace.root / ".git").rglob("*.lock")) == []
    (workspace.root / ".git/index.lock").write_text("")  # of somebody's git at work now
    take(workspace)
    assert (workspace.root / ".git/index.lock").exists()


def test_half_written_files_go_but_one_that_is_open_stays(workspace: Workspace) -> None:
    kill_a_holder(workspace)
    names = [
        ".params.yaml.part", "data/export.part/tfrecord/a", "data/augment/images/a.1.part",
        ".dvc/cache/files/md5/aa/.x.tmp", ".dvc/cache/files/md5/aa/.open.tmp", ".dvc/cache/files/md5/aa/whole",
    ]  # fmt: skip
    for name in names:
        (workspace.root / name).parent.mkdir(parents=True, exist_ok=True)
        (workspace.root / name).write_text("half")
    with (workspace.root / ".dvc/cache/files/md5/aa/.open.tmp").open():
        take(workspace)
    assert [name for name in names if (workspace.root / name).exists()] == names[-2:]


@pytest.mark.parametrize(
    ("text", "stays"),
    [
        ("{", False),  # killed while it was written
        ("{}", False),
        (json.dumps({"write": {"data/a": {"pid": os.getpid(), "cmd": "dvc repro"}}}), False),  # a number used again
        ("dvc", True),  # stands for: of a dvc that is alive
    ],
    ids=["cut short", "empty", "number used again", "alive"],
)
def test_a_lock_of_dvc_goes_unless_a_dvc_holds_it(workspace: Workspace, text: str, stays: bool) -> None:
    kill_a_holder(workspace)
    rwlock = workspace.root / ".dvc/tmp/rwlock"
    alive = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)", "dvc"])
    rwlock.write_text(
        json.dumps({"read": {"data/a": [{"pid": alive.pid, "cmd": "dvc"}]}, "write": {}}) if stays else text
    )
    take(workspace)
    alive.send_signal(signal.SIGKILL)
    alive.wait()
    assert rwlock.exists() == stays


@pytest.mark.parametrize(
    ("file", "text", "after"),
    [
        ("dvc.lock", LOCK[:-8], LOCK),  # a key that DVC does not know
        ("dvc.lock", "", LOCK),
        ("dvc.lock", LOCK.replace("abcd", "efab"), None),  # whole: as it is
        ("data/raw.dvc", RAW[:12], RAW),
        ("data/raw.dvc", RAW.replace("size: 1", "size: 2"), None),
        ("data/raw.dvc", RAW[:-2], RAW),
        ("data/raw.dvc", RAW[:-8], RAW),
    ],
)
def test_a_file_of_dvc_that_was_cut_short_is_that_of_head(
    workspace: Workspace, file: str, text: str, after: str | None
) -> None:
    path = workspace.root / file
    with pytest.raises(OSError, match="full"), workspace.lock(print):
        path.write_text(text)
        raise OSError("the disk is full")
    said = take(workspace)
    assert path.read_text() == (text if after is None else after)
    assert [f"half of {file}" in line for line in said] == ([True] if after else [])
    assert take(workspace) == []
