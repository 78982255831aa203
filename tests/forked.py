"""DVC and the programs of stages without their start, most of a small build's time: each is a fork of one process.

`python forked.py repro` is `dvc repro` so.
"""

from __future__ import annotations

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
        self, work: Callable[[], int], cwd: Path | str, env: Mapping[str, str] | None, stdout: int | None, stderr: Any
    ) -> None:
        read, write = os.pipe() if stdout == subprocess.PIPE else (None, 1)
        sys.stdout.flush()
        sys.stderr.flush()
        self.pid = os.fork()
        if not self.pid:
            os.dup2(write, 1)
            os.dup2(1 if stderr == subprocess.STDOUT else stderr.fileno() if stderr else 2, 2)
            end(work, cwd, env)
        self.stdout: IO[str] | None = None
        if read is not None:
            os.close(write)
            self.stdout = os.fdopen(read, errors="replace")

    def wait(self) -> int:
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])

    def terminate(self) -> None:
        os.kill(self.pid, signal.SIGTERM)


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


def fork_programs() -> None:
    """From here on DVC and the stages that it runs are forks of this process."""
    import dvc.cli
    import dvc.commands.add
    import dvc.commands.data_sync
    import dvc.repo.reproduce
    from dvc.stage import run as dvc_run
    from dvc.stage.exceptions import StageCmdFailedError

    from shardsmith.workspace import dvc as ours

    for stage in (Path(__file__).parents[1] / "stages").glob("*.py"):
        runpy.run_path(str(stage), run_name=stage.stem)

    def start(command: list[str], cwd: Path, env: Any, stdout: int, stderr: Any, **_: Any) -> Fork:
        return Fork(lambda: dvc.cli.main(command[command.index("dvc") + 1 :]), cwd, env, stdout, stderr)

    def run_stage(executable: str, command: str, cwd: str, env: dict[str, str], **_: Any) -> None:
        python, file, *arguments = shlex.split(command)
        assert python == "python"
        if code := Fork(lambda: _program(file, arguments), cwd, env, None, None).wait():
            raise StageCmdFailedError(command, code)

    ours.subprocess = SimpleNamespace(Popen=start, PIPE=subprocess.PIPE, STDOUT=subprocess.STDOUT)  # type: ignore[assignment]
    dvc_run._run = run_stage


if __name__ == "__main__":
    fork_programs()
    from dvc.cli import main

    sys.exit(main(sys.argv[1:]))
