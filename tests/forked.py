"""DVC and the programs of stages without their start, most of a small build's time: each is a fork of one process.

`python forked.py repro` is `dvc repro` so.
"""

from __future__ import annotations

import importlib
import os
import runpy
import shlex
import signal
import subprocess
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import IO, Any


class Fork:
    """As subprocess.Popen, as far as it is asked here: `work` in a fork of this process."""

    def __init__(
        self,
        work: Callable[[], int],
        cwd: Path | str,
        env: Mapping[str, str] | None = None,
        stdin: int | None = None,
        stdout: int | None = None,
        stderr: Any = None,
        **_: Any,
    ) -> None:
        theirs_in, ours_in = os.pipe() if stdin == subprocess.PIPE else (0, None)
        ours_out, theirs_out = os.pipe() if stdout == subprocess.PIPE else (None, 1)
        sys.stdout.flush()
        sys.stderr.flush()
        self.pid = os.fork()
        if not self.pid:
            os.dup2(theirs_in, 0)
            os.dup2(theirs_out, 1)
            os.dup2(1 if stderr == subprocess.STDOUT else stderr.fileno() if stderr else 2, 2)
            if ours_in is not None:
                os.close(ours_in)
                sys.stdin = open(0, closefd=False)  # noqa: SIM115
            end(work, cwd, env)
        self.stdin: IO[str] | None = None
        self.stdout: IO[str] | None = None
        if ours_in is not None:
            os.close(theirs_in)
            self.stdin = os.fdopen(ours_in, "w")
        if ours_out is not None:
            os.close(theirs_out)
            self.stdout = os.fdopen(ours_out, errors="replace")

    def communicate(self, text: str) -> tuple[str, None]:
        assert self.stdin
        assert self.stdout
        with self.stdin, self.stdout:
            self.stdin.write(text)
            self.stdin.close()
            said = self.stdout.read()
        self.wait()
        return said, None

    def wait(self) -> int:
        if self.returncode is None:
            self.returncode = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        return self.returncode

    returncode: int | None = None

    def terminate(self) -> None:
        os.kill(self.pid, signal.SIGTERM)

    def kill(self) -> None:
        if self.returncode is None:
            os.kill(self.pid, signal.SIGKILL)


def end(work: Callable[[], int], cwd: Path | str, env: Mapping[str, str] | None) -> None:
    """In the fork: work, and end without what the process that was forked has registered for its end."""
    code = 1
    try:
        os.chdir(cwd)
        if env is not None:
            os.environ.clear()
            os.environ.update(env)
        code = work()
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
        if isinstance(ended.code, str):
            print(ended.code, file=sys.stderr)
    except BaseException:
        traceback.print_exc()
    finally:
        with suppress(OSError):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)


def _program(file: str, arguments: Sequence[str]) -> int:
    """A stage's program, as `python FILE ARGUMENTS` runs it."""
    sys.argv = [file, *arguments]
    sys.path[0] = str(Path(file).parent.resolve())
    runpy.run_path(file, run_name="__main__")
    return 0


def _module(name: str, arguments: Sequence[str]) -> int:
    """As `python -m NAME ARGUMENTS`."""
    if name == "dvc":
        import dvc.cli

        return int(dvc.cli.main([*arguments]))
    sys.argv = [name, *arguments]
    sys.modules.pop(name, None)
    runpy.run_module(name, run_name="__main__", alter_sys=True)
    return 0


def fork_programs() -> None:
    """From here on DVC and the stages that it runs, a flow and the read back are forks of this process."""
    for name in ("dvc.cli", "dvc.commands.add", "dvc.commands.data_sync", "dvc.repo.reproduce"):
        importlib.import_module(name)
    from dvc.stage import run as dvc_run
    from dvc.stage.exceptions import StageCmdFailedError

    from shardsmith.flow import build, steps
    from shardsmith.workspace import dvc as ours

    for stage in (Path(__file__).parents[1] / "stages").glob("*.py"):
        runpy.run_path(str(stage), run_name=stage.stem)

    def start(command: list[str], **how: Any) -> Any:
        if command[0] != sys.executable:  # of another environment, which has code of its own
            return subprocess.Popen(command, **how)
        name, *arguments = command[command.index("-m") + 1 :]
        return Fork(lambda: _module(name, arguments), **how)

    def run_stage(executable: str, command: str, cwd: str, env: dict[str, str], **_: Any) -> None:
        python, file, *arguments = shlex.split(command)
        assert python == "python"
        if code := Fork(lambda: _program(file, arguments), cwd, env).wait():
            raise StageCmdFailedError(command, code)

    for module in (build, steps, ours):
        module.subprocess = SimpleNamespace(**vars(subprocess) | {"Popen": start})  # type: ignore[attr-defined]
    dvc_run._run = run_stage


if __name__ == "__main__":
    fork_programs()
    from dvc.cli import main

    sys.exit(main(sys.argv[1:]))
