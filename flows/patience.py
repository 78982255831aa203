"""What goes over a network is tried again, with longer and longer waits, before it counts as failed.

A request that gets no answer ends by itself: S3's after 15 s (`read_timeout` of the DVC remote), git's after a minute.
"""

from __future__ import annotations

import errno
import time
from collections.abc import Callable
from typing import TypeVar

from flows.repository import Log
from stages.dataset.errors import VersionError

DELAYS_S = (1, 4, 16)  # before the second, third and fourth try
ENOUGH_S = 120  # no further try after so long: what libraries below us have tried again for minutes is down
_OF_THE_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM)
_OF_THE_ACCOUNT = ("NoCredentialsError", "PartialCredentialsError", "ProfileNotFound")
_OF_THE_ADDRESS = (PermissionError, FileNotFoundError, NotADirectoryError, ValueError, ImportError)
Result = TypeVar("Result")


def is_final(error: BaseException) -> bool:
    """Whether another try cannot help: the address is wrong, access is denied, or our own disk is full."""
    cause = error.__cause__ or error
    return (
        isinstance(cause, _OF_THE_ADDRESS)
        or (isinstance(cause, OSError) and cause.errno in _OF_THE_DISK)
        or type(cause).__name__ in _OF_THE_ACCOUNT
    )


def patiently(
    work: Callable[[], Result],
    what: str,
    log: Log | None = None,
    final: Callable[[VersionError], bool] = is_final,
) -> Result:
    """What `work` returns, in one of four tries.

    Args:
        work: safe to do again after it failed halfway.
        what: in words, for the log: "pushing to the DVC remote".
        log: None where many are at work at once.
        final: whether an error is an answer, and no fault.

    Raises:
        VersionError: that of the last try.
    """
    began = time.monotonic()
    for delay_s in DELAYS_S:
        try:
            return work()
        except VersionError as error:
            if final(error) or time.monotonic() - began > ENOUGH_S:
                raise
            if log:
                log(f"{what} failed, trying again in {delay_s} s ({error})")
            time.sleep(delay_s)
    return work()
