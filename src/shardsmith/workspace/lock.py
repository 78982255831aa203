"""The lock of a workspace: one build at a time. What a build that did not finish left is cleared away by the next."""

from __future__ import annotations

import fcntl
import os
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from shardsmith.dataset.errors import VersionError
from shardsmith.workspace.log import Log
from shardsmith.workspace.paths import BUILD_LOCK
from shardsmith.workspace.recovery import MARK, clear


@contextmanager
def lock(root: Path, log: Log, wait: bool = True) -> Iterator[None]:
    """Hold the workspace for a build; wait while another build holds it. The kernel frees it when we die.

    Raises:
        VersionError: another build holds it, and we are not to wait.
    """
    path = root / BUILD_LOCK
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+") as file:
        if not _try_lock(file):
            if not wait:
                raise VersionError("another build is at work in this workspace; try again when it has ended")
            log("another build is at work in this workspace; waiting for it to end (Ctrl-C to give up)")
            while not _try_lock(file):
                time.sleep(0.2)
        file.seek(0)
        if mark := file.read():
            clear(root, mark, log)
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


def _try_lock(file: Any) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
