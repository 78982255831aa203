"""As sitecustomize.py on PYTHONPATH: DVC meets a full disk at the transfers into a store that FULL names.

FULL is FILE FIRST LAST: the file counts transfers; the disk is full from the first to the last of them. Or FILE +BYTES:
for every file that is larger.
"""

import errno
import os
import sys
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any


def failing(transfer: Callable[..., Any], target_at: int) -> Callable[..., Any]:
    """The transfer, which writes a few bytes and no more where its turn has come."""
    counts, first, *last = os.environ["FULL"].split()

    @wraps(transfer)
    def run(*arguments: Any, **named: Any) -> Any:
        source, target = arguments[target_at - 1 : target_at + 1]
        if "files/md5" in target:
            with Path(counts).open("ab") as file:
                file.write(b".")
            number, size = Path(counts).stat().st_size, Path(source).stat().st_size if Path(source).exists() else 0
            if size > int(first) if first[0] == "+" else int(first) <= number <= int(last[0]):
                Path(target).write_bytes(b"half")
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), target)
        return transfer(*arguments, **named)

    return run


if "dvc" in sys.orig_argv[1:5] and os.environ.get("FULL"):
    from dvc_objects.fs import local, memory

    local.copyfile = failing(local.copyfile, 1)
    memory.MemoryFileSystem.get_file = failing(memory.MemoryFileSystem.get_file, 2)  # lists of files
