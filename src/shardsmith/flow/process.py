"""A process that `shardsmith serve` keeps running."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from shardsmith.dataset.errors import ShardsmithError
from shardsmith.workspace.environment import state_home

_START_S, _STOP_S = 120, 20
_SHORT_S, _SHORT_LIVES = 30, 3  # a process that ends this soon, this often, is not started again


class KeptProcess:
    """A process that is started again when it ends; its log goes to NAME.log in our home."""

    def __init__(self, name: str, arguments: list[str], root: Path) -> None:
        """
        Args:
            arguments: Python's.
            root: the folder that it runs in.
        """
        self._name, self._command, self._root = name, [sys.executable, *arguments], root
        self._log = state_home() / f"{name}.log"
        self._process: subprocess.Popen[bytes] | None = None
        self._started, self._short_lives = 0.0, 0

    @contextlib.contextmanager
    def ended(self) -> Iterator[None]:
        """It ends when the block does."""
        try:
            yield
        finally:
            if self._process:
                self._process.terminate()
                try:
                    self._process.wait(timeout=_STOP_S)
                except subprocess.TimeoutExpired:
                    self._process.kill()

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def keep(self) -> None:
        """Start it if it does not run.

        Raises:
            ShardsmithError: it ends again and again.
        """
        if self.is_running:
            return
        mode = "a" if self._process else "w"
        if self._process:
            self._short_lives = self._short_lives + 1 if time.monotonic() - self._started < _SHORT_S else 0
            if self._short_lives >= _SHORT_LIVES:
                raise ShardsmithError(f"Prefect's {self._name} ends again and again; see {self._log}")
            print(f"Prefect's {self._name} ended, and is started again", file=sys.stderr, flush=True)
        self._started = time.monotonic()
        with self._log.open(mode) as file:
            self._process = subprocess.Popen(self._command, cwd=self._root, stdout=file, stderr=subprocess.STDOUT)

    def wait_for(self, is_ready: Callable[[], bool]) -> int:
        """Its process id, once it is ready.

        Raises:
            ShardsmithError: it ended, or is not ready in time.
        """
        end = time.monotonic() + _START_S
        while not is_ready():
            if time.monotonic() > end or not self.is_running:
                raise ShardsmithError(f"Prefect's {self._name} did not start; see {self._log}")
            time.sleep(0.3)
        assert self._process
        return self._process.pid
