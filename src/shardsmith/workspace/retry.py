"""What goes over a network is tried again, with longer and longer waits, before it counts as failed.

A request that gets no answer ends by itself: S3's after 15 s (`read_timeout` of the DVC remote), git's after a minute.
"""

from __future__ import annotations

import errno
from collections.abc import Callable
from typing import TypeVar

from tenacity import (
    RetryCallState,
    Retrying,
    retry_if_exception,
    stop_after_attempt,
    stop_after_delay,
    wait_exponential,
)

from shardsmith.dataset.errors import VersionError
from shardsmith.workspace.log import Log

TRIES = 4
FIRST_WAIT_S = 1.0  # before the second try; four times as long before each next one
ENOUGH_S = 120  # no further try after so long: what libraries below us have tried again for minutes is down
FULL = (errno.ENOSPC, errno.EDQUOT)
_OF_THE_DISK = (*FULL, errno.EROFS, errno.EACCES, errno.EPERM)
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


def retried(
    work: Callable[[], Result],
    what: str,
    log: Log | None = None,
    final: Callable[[BaseException], bool] = is_final,
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

    def say(state: RetryCallState) -> None:
        if log and state.outcome and state.next_action:
            log(f"{what} failed, trying again in {state.next_action.sleep:g} s ({state.outcome.exception()})")

    tries = Retrying(
        stop=stop_after_attempt(TRIES) | stop_after_delay(ENOUGH_S),
        wait=wait_exponential(FIRST_WAIT_S, exp_base=4),
        retry=retry_if_exception(lambda error: isinstance(error, VersionError) and not final(error)),
        before_sleep=say,
        reraise=True,
    )
    return tries(work)
