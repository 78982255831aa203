"""A process in which what commands import is imported: each command is a fork of it, and starts at once.

The tests' side is `run`; `python warm.py SOCKET` is the process, one for each process of pytest.
"""

from __future__ import annotations

import atexit
import gc
import importlib
import json
import os
import pkgutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import cache, partial
from pathlib import Path

import shardsmith

# what is read when Python or a package starts: another value needs a process of its own
_AT_START = ("PYTHON", "LC_", "LANG", "TZ", "OMP_", "FSSPEC_", "LD_")
_LONGEST = 1 << 20
# what DVC and our own functions import when they come to it
LATER = (
    "dulwich.index", "dulwich.worktree", "dvc.analytics", "dvc.cachemgr", "dvc.cli.parser", "dvc.data_cloud",
    "dvc.repo.index", "dvc.repo.stage", "dvc.rwlock", "dvc.scm", "dvc_data.hashfile.db.local",
    "dvc_data.hashfile.status", "dvc_data.index.fetch", "dvc_data.index.push", "networkx", "pandas", "pyarrow.dataset",
    "quick_build", "vl_convert",
)  # fmt: skip


def fits(env: Mapping[str, str]) -> bool:
    """Whether a fork is as good as a process with these variables."""
    return _at_start(env) == _at_start(_environment())


def run(
    command: tuple[str, ...], cwd: Path, env: Mapping[str, str], timeout: float = 300
) -> subprocess.CompletedProcess[str]:
    """As subprocess.run with its output captured, where `command` is one of `PROGRAMS` and its arguments."""
    client, server = socket.socketpair()
    files = [os.memfd_create(name) for name in ("out", "err")]
    with client, server:
        request = json.dumps({"command": command, "cwd": str(cwd), "env": dict(env)}).encode()
        socket.send_fds(_process(), [request], [server.fileno(), *files])
        server.close()
        client.settimeout(timeout)
        with client.makefile() as said:
            pid = int(said.readline())
            try:
                code = int(said.readline())
            except TimeoutError:
                os.kill(pid, signal.SIGKILL)
                raise
    texts = []
    for file in files:
        with os.fdopen(file, "rb") as stream:
            stream.seek(0)
            texts.append(stream.read().decode())
    return subprocess.CompletedProcess(command, code, *texts)


def command(program: str, *arguments: str) -> list[str]:
    """The process that a fork stands for."""
    starts = {
        "shardsmith": [str(Path(sys.executable).with_name("shardsmith"))],
        "dvc": [sys.executable, "-m", "dvc"],
        "quick_build": [sys.executable, str(Path(__file__).with_name("quick_build.py")), "--forked"],
    }
    return [*starts[program], *arguments]


def _at_start(env: Mapping[str, str]) -> dict[str, str]:
    return {key: value for key, value in env.items() if value and key.startswith(_AT_START)}


@cache
def _environment() -> dict[str, str]:
    own = ("GIT_", "PREFECT_", "DVC_", "PYTEST")
    kept = {key: value for key, value in os.environ.items() if not key.startswith(own)}
    return kept | {"PYTHONPATH": str(Path(__file__).parents[1] / "src")}


@cache
def _process() -> socket.socket:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _LONGEST)
    with theirs:
        command = [sys.executable, __file__, str(theirs.fileno())]
        process = subprocess.Popen(command, env=_environment(), pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL)
    atexit.register(process.wait)
    atexit.register(ours.close)  # the first to be called: it ends when nobody can ask any more
    return ours


def _shardsmith(arguments: list[str]) -> int:
    from shardsmith.cli.main import entry

    sys.argv = ["shardsmith", *arguments]
    entry()


def _dvc(arguments: list[str]) -> int:
    from dvc.cli import main

    return main(arguments)


def _quick_build(arguments: list[str]) -> int:
    import quick_build

    from shardsmith.dataset.errors import run

    sys.argv = ["quick_build.py", *arguments]
    run(quick_build.main)


PROGRAMS: dict[str, Callable[[list[str]], int]] = {
    "shardsmith": _shardsmith, "dvc": _dvc, "quick_build": _quick_build,
}  # fmt: skip


@cache
def _of_builds() -> None:
    """What the read back imports, and where there is a server, Prefect: it itself reads its settings then."""
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    for name in ("httpx", "sqlalchemy", "tensorflow"):
        importlib.import_module(name)
    gc.freeze()


def _serve(requests: socket.socket) -> None:
    from forked import end, fork_programs

    fork_programs()
    for package in pkgutil.walk_packages(shardsmith.__path__, "shardsmith."):
        if not package.name.startswith(("shardsmith.flow", "shardsmith.app")):
            importlib.import_module(package.name)
    for name in LATER:
        importlib.import_module(name)
    gc.freeze()
    while True:
        text, fds, *_ = socket.recv_fds(requests, _LONGEST, 3)
        with suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        if not text:
            return
        answer, out, err = fds
        request = json.loads(text)
        if request["command"][:2] == ["shardsmith", "build"]:
            _of_builds()
        if not os.fork():  # it waits for the command's own
            with os.fdopen(answer, "w") as said:
                if not (pid := os.fork()):
                    os.dup2(out, 1)
                    os.dup2(err, 2)
                    name, *arguments = request["command"]
                    end(partial(PROGRAMS[name], arguments), request["cwd"], request["env"])
                print(pid, file=said, flush=True)
                print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), file=said)
            os._exit(0)
        for fd in fds:
            os.close(fd)


if __name__ == "__main__":
    _serve(socket.socket(fileno=int(sys.argv[1])))
